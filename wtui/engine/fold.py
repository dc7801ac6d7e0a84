"""Summaries of layers, groups and the whole model: folds of their tensors' summaries in the model's order.

Counts of the whole model are added up as tensors come in, since they do not depend on the order and are too large to
keep for every tensor; everything else is folded from the small numbers when it is asked for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from wtui.stats.counts import CountsAdder
from wtui.stats.fold import Fold

if TYPE_CHECKING:
    from wtui.engine.store import SummaryStore
    from wtui.model import Catalogue, LayerNode
    from wtui.stats.summary import Summary

__all__ = ["LayerFolds", "Together"]


class Together(NamedTuple):
    """The tensors of a layer taken together, as far as they are done."""

    summary: Summary
    done: int
    tensors: int
    lacking: tuple[int, ...]
    """Tensors whose counts were let go; the distribution is missing until they are read again."""


class LayerFolds:
    """Folds over one catalogue's layers, by their position in depth order."""

    def __init__(self, catalogue: Catalogue, store: SummaryStore) -> None:
        self._catalogue = catalogue
        self._store = store
        self._layers: list[LayerNode] = list(catalogue.root.walk())
        self._whole = CountsAdder()
        self._counted: set[int] = set()

    def add(self, tensor: int, summary: Summary) -> None:
        """Add a tensor's counts to those of the whole model, once."""
        if tensor not in self._counted and self._catalogue.tensors[tensor].counted:
            self._counted.add(tensor)
            self._whole.add(summary.counts)

    def tensors(self, position: int) -> list[int]:
        """The tensors that count below a layer, in the model's order."""
        tensors = self._catalogue.tensors
        own = [i for i in self._layers[position].all_tensors() if tensors[i].alias_of is None]
        return [i for i in own if tensors[i].counted] or own

    def together(self, position: int) -> Together:
        """The tensors below a layer taken together."""
        tensors = self.tensors(position)
        done = [s for s in map(self._store.get, tensors) if s is not None]
        if position == 0:
            small = Fold(s.without_counts() for s in done).summary()
            return Together(replace(small, counts=self._whole.counts()), len(done), len(tensors), ())
        lacking = tuple(self._store.lacking_counts(tensors))
        return Together(Fold(done).summary(), len(done), len(tensors), lacking)
