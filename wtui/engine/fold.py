"""Summaries of layers, groups and the whole model: folds of their tensors' summaries in the model's order.

Every front end folds here, so that all print the same digits. Counts are added up as tensors come in, since they do
not depend on the order and are too large to keep for every tensor; everything else is folded from the small numbers
when it is asked for.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from wtui.stats.counts import CountsAdder
from wtui.stats.fold import Fold
from wtui.stats.linear import merge_linear

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wtui.engine.store import SummaryStore
    from wtui.model import Catalogue, LayerNode
    from wtui.stats.linear import LinearCounts
    from wtui.stats.summary import Summary

__all__ = ["LayerFolds", "TensorFold", "Together", "folded_tensors", "those_that_count"]

MAX_FOLDS = 2
"""Layers whose counts are kept besides the whole model's: the one looked at and the one before, up to 8 MB each."""


class Together(NamedTuple):
    """Tensors taken together, as far as they are done."""

    summary: Summary
    done: int
    tensors: int
    lacking: tuple[int, ...]
    """Tensors whose counts were let go; the distribution is missing until they are read again."""


def folded_tensors(catalogue: Catalogue, node: LayerNode) -> list[int]:
    """The tensors whose values make up a layer, in the catalogue's order."""
    return those_that_count(catalogue, node.all_tensors())


def those_that_count(catalogue: Catalogue, tensors: Iterable[int]) -> list[int]:
    """Those that are taken together, in the catalogue's order: no aliases; no slots of an optimizer, unless all are."""
    own = sorted(i for i in tensors if catalogue.tensors[i].alias_of is None)
    return [i for i in own if catalogue.tensors[i].counted] or own


class TensorFold:
    """Certain tensors taken together, in a given order; they may come in in any other."""

    def __init__(self, tensors: Iterable[int], store: SummaryStore) -> None:
        """Takes in what is in the store already."""
        self._tensors = list(tensors)
        self._store = store
        self._waiting = set(self._tensors)
        self._counts = CountsAdder()
        self._linear: LinearCounts | None = None
        self._empty = True
        for tensor in self._tensors:
            summary = store.get(tensor)
            if summary is not None:
                self.add(tensor, summary)

    def add(self, tensor: int, summary: Summary) -> None:
        """Add a tensor's counts, once; nothing happens for one that is no member, or whose counts were let go."""
        if tensor not in self._waiting or summary.counts is None:
            return
        self._waiting.remove(tensor)
        self._counts.add(summary.counts)
        if summary.finite:
            self._linear = summary.linear if self._empty else merge_linear([self._linear, summary.linear])
            self._empty = False

    @property
    def lacking(self) -> tuple[int, ...]:
        """Members that are done but whose counts were let go before they were added."""
        return tuple(t for t in self._tensors if t in self._waiting and t in self._store)

    def together(self) -> Together:
        """The members that are done, taken together."""
        done = [s for s in map(self._store.get, self._tensors) if s is not None]
        small = Fold(s.without_counts() for s in done).summary()
        whole = replace(small, counts=self._counts.counts(), linear=self._linear)
        return Together(whole, len(done), len(self._tensors), self.lacking)


class LayerFolds:
    """Folds over one catalogue's layers, by their position in depth order."""

    def __init__(self, catalogue: Catalogue, store: SummaryStore) -> None:
        self._catalogue = catalogue
        self._store = store
        self._layers: list[LayerNode] = list(catalogue.root.walk())
        self._whole = TensorFold(self.tensors(0), store)
        self._others: OrderedDict[int, TensorFold] = OrderedDict()

    def add(self, tensor: int, summary: Summary) -> None:
        """Add a tensor's counts to those of the whole model and of the layers asked for last."""
        self._whole.add(tensor, summary)
        for fold in self._others.values():
            fold.add(tensor, summary)

    def tensors(self, position: int) -> list[int]:
        """The tensors that make up a layer, in the model's order."""
        return folded_tensors(self._catalogue, self._layers[position])

    def together(self, position: int) -> Together:
        """The tensors of a layer taken together."""
        return (self._fold(position) if position else self._whole).together()

    def _fold(self, position: int) -> TensorFold:
        fold = self._others.pop(position, None) or TensorFold(self.tensors(position), self._store)
        self._others[position] = fold
        if len(self._others) > MAX_FOLDS:
            self._others.popitem(last=False)
        return fold
