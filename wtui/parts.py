"""Parts of a model's tensors that are more than rows and columns: gates, fused q, k and v, attention heads.

Puts engine and insights together, for the Python API and the scan process. Knows no front end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

from wtui.engine.protocol import AskParts, Parts
from wtui.errors import WtuiError
from wtui.insight.heads import part_views

if TYPE_CHECKING:
    from wtui.engine.known import Known
    from wtui.insight.types import GateView
    from wtui.model import Catalogue, LayerNode
    from wtui.stats.summary import Summary
    from wtui.storage import Files

__all__ = ["PartsDesk", "parts_of", "views_of"]


def views_of(catalogue: Catalogue, tensor: int, layer: LayerNode) -> tuple[GateView, ...]:
    """The parts of a tensor (its index) of `layer`; `()` where there are none."""
    config = catalogue.metadata.get("config")
    return part_views(catalogue.tensors[tensor], layer, catalogue.format, config if isinstance(config, Mapping) else {})


def parts_of(
    catalogue: Catalogue, files: Files, tensor: int, layer: LayerNode, stopped: Callable[[], bool] = lambda: False
) -> list[tuple[str, Summary]] | None:
    """Names and summaries of the parts of a tensor; None if `stopped` said so. Errors as of `summarise_parts`."""
    from wtui.engine.slices import Slice, summarise_parts

    views = views_of(catalogue, tensor, layer)
    entry = catalogue.tensors[tensor]
    if entry.alias_of is not None:
        entry = catalogue.tensors[catalogue.index(entry.alias_of)]
    found = summarise_parts(entry, catalogue, files, [Slice(*view[1:]) for view in views], stopped) if views else []
    return None if found is None else [(view.name, one) for view, one in zip(views, found, strict=True)]


class PartsDesk:
    """Answers for parts, in a thread of its own; a newer question ends the work on an older one."""

    def __init__(self, known: Known, wake: Callable[[], None]) -> None:
        self._known = known
        self._wake = wake
        self._latest: AskParts | None = None
        self._done: SimpleQueue[Parts] = SimpleQueue()
        self._layers: dict[int, LayerNode] = {}

    def keep(self, tensor: int, summary: Summary | None, problem: str) -> None:
        """Nothing changes."""

    def take(self, question: Any) -> bool:
        if not isinstance(question, AskParts):
            return False
        self._latest = question
        Thread(target=self._work, args=(question,), name="wtui-parts", daemon=True).start()
        return True

    def answers(self) -> list[Any]:
        answers = []
        while not self._done.empty():
            answers.append(self._done.get())
        return answers

    @property
    def due(self) -> bool:
        return not self._done.empty()

    def close(self) -> None:
        self._latest = None

    def _work(self, question: AskParts) -> None:
        known, tensor = self._known, question.tensor
        if not self._layers:
            self._layers = {i: node for node in known.catalogue.root.walk() for i in node.tensors}
        try:
            found = parts_of(
                known.catalogue, known.files, tensor, self._layers[tensor], lambda: self._latest is not question
            )
        except WtuiError as error:
            self._tell(Parts(tensor, (), error.what))
            return
        except Exception as error:  # what is odd about one tensor must not end the scan
            self._tell(Parts(tensor, (), f"{type(error).__name__}: {error}"))
            return
        if found is not None:
            self._tell(Parts(tensor, tuple((name, summary.row()) for name, summary in found)))

    def _tell(self, answer: Parts) -> None:
        self._done.put(answer)
        self._wake()
