"""What a browsed model's screen is given from earlier runs, and what is kept for later ones.

Between the cache, which knows plain records, and a session. Standard library only: the scan process hands over what is
remembered before it imports numpy. Reads no weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wtui.cache import NO_SHELF
from wtui.engine.protocol import AskHistogram, Distribution, LayerSummary, Recalled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wtui.cache import Remembered, Shelf
    from wtui.engine.protocol import Subject
    from wtui.model import Catalogue
    from wtui.stats.row import SummaryRow
    from wtui.stats.summary import Summary

__all__ = ["Memory"]

HISTOGRAM = "histogram"
"""Kind of the records of our own."""


class Memory:
    """Numbers of one model by tensor, layer and histogram, and whatever else desks keep. One thread uses it."""

    def __init__(self, catalogue: Catalogue, shelf: Shelf = NO_SHELF, needs: Iterable[str] = ()) -> None:
        """`needs`: kinds of records without which a tensor has to be read again, though its numbers are known."""
        self._catalogue = catalogue
        self._shelf = shelf
        self.tensors: dict[int, Remembered] = shelf.tensors()
        """By index of the tensor; none of them is an alias."""
        self.layers: dict[Subject, LayerSummary] = {
            -1 - position: LayerSummary(-1 - position, row, n, n) for position, (row, n) in shelf.layers().items()
        }
        self._records: dict[str, dict[int, Any]] = {}
        kinds = [{int(s) for s in shelf.sound(kind) if s.isdecimal()} for kind in needs]
        self.done = {i for i in self.tensors if all(i in subjects for subjects in kinds)}
        """Tensors that need not be read."""
        self._histograms: dict[AskHistogram, Distribution] = {}
        for data in shelf.take(HISTOGRAM).values():
            try:
                self._recall_histogram(data)
            except (ValueError, TypeError, LookupError):
                continue

    @property
    def keeps(self) -> bool:
        """Whether what is handed over is kept."""
        return self._shelf.keeps

    def records(self, kind: str) -> dict[int, Any]:
        """Plain data of a kind of records, by index of the tensor."""
        if kind not in self._records:
            self._records[kind] = {int(s): d for s, d in self._shelf.take(kind).items() if s.isdecimal()}
        return self._records[kind]

    def keep_record(self, kind: str, tensor: int, data: Any) -> None:
        """Keep plain data about a tensor."""
        self._shelf.put(kind, tensor, data)

    def answer(self) -> Recalled | None:
        """All numbers that are remembered, for the screen; None if that is nothing."""
        if not self.tensors:
            return None
        tensors = self._catalogue.tensors
        owners = (i if t.alias_of is None else self._catalogue.index(t.alias_of) for i, t in enumerate(tensors))
        rows = tuple((i, self.tensors[owner].row) for i, owner in enumerate(owners) if owner in self.tensors)
        readable = (i for i, t in enumerate(tensors) if not t.problem and t.alias_of is None)
        return Recalled(rows, tuple(self.layers.values()), all(i in self.done for i in readable))

    def histogram(self, asked: AskHistogram) -> Distribution | None:
        """The answer that was given to this very question."""
        return self._histograms.get(asked)

    def keep_tensor(self, index: int, summary: Summary, row: SummaryRow) -> None:
        """Keep a tensor's numbers."""
        self._shelf.put_tensor(index, summary, row)

    def keep_layer(self, layer: LayerSummary) -> None:
        """Keep a layer's numbers, if they are of all its values."""
        if layer.tensors_done == layer.tensors and layer.row.seen == layer.row.total:
            self.layers[layer.subject] = layer
            self._shelf.put_layer(-1 - layer.subject, layer.row, layer.tensors)

    def keep_histogram(self, asked: AskHistogram, answer: Distribution) -> None:
        """Keep a distribution of all values, without a curve over it."""
        if answer.seen == answer.total and asked not in self._histograms:
            plain = self._histograms[asked] = answer._replace(curve=(), curve_of="")
            self._shelf.put(HISTOGRAM, repr(tuple(asked)), [list(asked), list(plain[2:9])])

    def flush(self) -> None:
        """Write what is still waiting to be written."""
        self._shelf.flush()

    def close(self) -> None:
        """Write what is waiting and close the cache."""
        self._shelf.close()

    def _recall_histogram(self, data: Any) -> None:
        asked = AskHistogram(*data[0])
        low, high, counts, below, above, seen, total = data[1]
        self._histograms[asked] = Distribution(
            asked.subject, asked[1:], low, high, tuple(counts), below, above, seen, total
        )
