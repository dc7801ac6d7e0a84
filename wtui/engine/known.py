"""What a session knows of its model so far, shared by all who answer questions about it. Not locked: one thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.engine.fold import LayerFolds
from wtui.engine.store import SummaryStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wtui.engine.protocol import Distribution
    from wtui.engine.remembered import Memory
    from wtui.engine.scan import Scanner
    from wtui.model import Catalogue
    from wtui.stats.row import SummaryRow
    from wtui.stats.summary import Summary
    from wtui.storage import Files

__all__ = ["Known"]


class Known:
    """Summaries, rows and samples by tensor, folds by layer, and the scanner that brings more."""

    def __init__(
        self, catalogue: Catalogue, files: Files, scanner: Scanner, waiting: Iterable[int], memory: Memory
    ) -> None:
        """`memory` holds what an earlier run has found, and keeps for later ones what this one finds."""
        self.catalogue = catalogue
        self.memory = memory
        self.files = files
        self.scanner = scanner
        self.waiting = set(waiting)
        """Tensors that are not read whole yet."""
        self.store = SummaryStore()
        for i, remembered in memory.tensors.items():
            self.store.put(i, remembered.summary())
        self.folds = LayerFolds(catalogue, self.store)
        self.rows: dict[int, SummaryRow] = {i: remembered.row for i, remembered in memory.tensors.items()}
        self.samples: dict[int, Summary] = {}
        self.expected: Callable[[int, Distribution], Distribution] | None = None
        """Adds to a distribution of a subject what is expected of it; whoever knows that sets it."""
        self._aliases: dict[int, list[int]] = {}
        for i, tensor in enumerate(catalogue.tensors):
            if tensor.alias_of is not None:
                self._aliases.setdefault(self.owner(i), []).append(i)

    def keep(self, tensor: int, summary: Summary) -> None:
        """Take in a summary of all values of a tensor."""
        self.waiting.discard(tensor)
        self.samples.pop(tensor, None)
        self.folds.add(tensor, summary)
        if tensor not in self.rows:  # a second pass over a window would only make other quantiles coarser
            row = self.rows[tensor] = summary.row()
            self.memory.keep_tensor(tensor, summary, row)
        self.store.put(tensor, summary)

    def owner(self, tensor: int) -> int:
        """The tensor whose bytes these are."""
        alias = self.catalogue.tensors[tensor].alias_of
        return tensor if alias is None else self.catalogue.index(alias)

    def with_aliases(self, tensors: Iterable[int]) -> list[int]:
        """The tensors and those that share their bytes."""
        return [j for i in tensors for j in (i, *self._aliases.get(i, ()))]

    def size(self, subject: int) -> int:
        """Values that there are in a tensor or layer."""
        tensors = self.catalogue.tensors
        if subject >= 0:
            return tensors[subject].size
        return sum(tensors[i].size for i in self.folds.tensors(-1 - subject))

    def summary(self, subject: int) -> tuple[Summary | None, list[int]]:
        """The summary of a subject with its counts, if they are there, and what has to be read again for them."""
        if subject < 0:
            together = self.folds.together(-1 - subject)
            return (None if together.lacking else together.summary), list(together.lacking)
        tensor = self.owner(subject)
        summary = self.store.get(tensor)
        if summary is None:
            return self.samples.get(tensor), []
        return (None, [tensor]) if summary.counts is None else (summary, [])
