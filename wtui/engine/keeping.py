"""The desk that answers nothing: it puts layers together as they become complete, so that a later run need not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from wtui.engine.complete import CompleteLayers
from wtui.engine.fold import TensorFold
from wtui.engine.protocol import LayerSummary

if TYPE_CHECKING:
    from wtui.engine.known import Known
    from wtui.stats.summary import Summary

__all__ = ["KeepDesk"]

KEEP_FOR = 0.01
"""Seconds in a row that may go into layers that nobody looks at."""


class KeepDesk:
    """Hands layers to the memory of what is known, and has everything written."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._complete = CompleteLayers(known.catalogue) if known.memory.keeps else None
        self._seen: set[int] = set()

    def keep(self, tensor: int, summary: Summary | None, problem: str) -> None:
        if self._complete is not None and summary is not None and tensor not in self._seen:
            self._seen.add(tensor)
            self._complete.done(tensor)

    def take(self, question: Any) -> bool:
        return False

    def answers(self) -> list[Any]:
        until = time.perf_counter() + KEEP_FOR
        while self._complete and time.perf_counter() < until:
            position = self._complete.next()
            if position is not None and -1 - position not in self._known.memory.layers:
                self._keep(position)
        if not self._known.waiting:
            self._known.memory.flush()
        return []

    @property
    def due(self) -> bool:
        return bool(self._complete)

    def close(self) -> None:
        self._known.memory.close()

    def _keep(self, position: int) -> None:
        """Put a layer together, unless counts of its tensors were let go already."""
        folds, store = self._known.folds, self._known.store
        tensors = folds.tensors(position)
        if len(tensors) == 1 and position:
            return  # its numbers are those of the tensor
        together = folds.together(0) if position == 0 else TensorFold(tensors, store).together()
        if together.done == len(tensors) and not together.lacking:
            row = together.summary.row()
            self._known.memory.keep_layer(LayerSummary(-1 - position, row, together.done, together.tensors))
