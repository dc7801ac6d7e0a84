"""Where the values of a pair of tensors lie: the axes that both have in common, and their strides in either file.

A pair is seen through the factors of its layout. A place in it is an index along the factors, from which the index in
either tensor follows. Knows shapes and strides, reads nothing.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from wtui.errors import UsageError
from wtui.stats.layout import cut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from wtui.model import TensorEntry
    from wtui.stats.layout import Layout

__all__ = ["CommonAxes", "c_strides", "dense_order", "unravel"]


class CommonAxes:
    """The factors of a layout between two tensors."""

    def __init__(self, shape_a: tuple[int, ...], shape_b: tuple[int, ...], layout: Layout) -> None:
        """UsageError for a layout that does not lead from the one shape to the other."""
        there = tuple(layout.factors[i] for i in layout.order)
        cut_a, cut_b = cut(shape_a, layout.factors), cut(shape_b, there)
        if cut_a is None or cut_b is None:
            raise UsageError(f"{list(shape_a)} and {list(shape_b)} do not fit ({layout.text})")
        self.lengths = layout.factors
        self.layout = layout
        self._shapes = shape_a, shape_b
        self._cuts = cut_a, [[layout.order[i] for i in group] for group in cut_b]
        """The factors that each axis of A, and of B, is made of."""
        self._from_a = {i: j for j, i in enumerate(layout.blocks)}

    @property
    def size(self) -> int:
        """Number of pairs."""
        return prod(self._shapes[0])

    def strides(self, entry: TensorEntry, side: int) -> tuple[int, ...]:
        """In values, of each factor in the stored values of A (side 0) or B (side 1)."""
        return self._strides(entry.strides or c_strides(entry.shape), side)

    def _strides(self, own: Sequence[int], side: int) -> tuple[int, ...]:
        found = [0] * len(self.lengths)
        for stride, group in zip(own, self._cuts[side], strict=True):
            for factor in reversed(group):
                found[factor] = stride
                stride *= self.lengths[factor]
        return tuple(found)

    def place(self, place: Sequence[int], side: int) -> list[int]:
        """An index along the factors of A as one along those of A (side 0) or B (side 1): blocks may differ."""
        at = list(place)
        if side and self._from_a:
            at[self.layout.block_axis] = self._from_a[at[self.layout.block_axis]]
        return at

    def index(self, place: Sequence[int], side: int) -> tuple[int, ...]:
        """The index in A (side 0) or B (side 1) of an index along the factors of A."""
        at = self.place(place, side)
        index = []
        for group in self._cuts[side]:
            i = 0
            for factor in group:
                i = i * self.lengths[factor] + at[factor]
            index.append(i)
        return tuple(index)

    def index_in_a(self, index: Sequence[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
        """The indices in A of indices in B: an array for each axis, which broadcast against each other."""
        at: list[NDArray[np.int64]] = [np.zeros((), np.int64)] * len(self.lengths)
        for along, group in zip(index, self._cuts[1], strict=True):
            for factor in reversed(group):
                along, at[factor] = np.divmod(along, self.lengths[factor])
        if self.layout.blocks:
            at[self.layout.block_axis] = np.asarray(self.layout.blocks)[at[self.layout.block_axis]]
        found = []
        for group in self._cuts[0]:
            i = np.zeros((), np.int64)
            for factor in group:
                i = i * self.lengths[factor] + at[factor]
            found.append(i)
        return found

    def flat_in_b(self, shape: tuple[int, ...], at: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
        """Positions in C order of B, whose shape this is, of indices along the factors of A."""
        strides, places = self._strides(c_strides(shape), 1), list(at)
        if self._from_a:
            there = np.asarray([self._from_a[i] for i in range(len(self._from_a))])
            places[self.layout.block_axis] = there[places[self.layout.block_axis]]
        return sum((i * s for i, s in zip(places, strides, strict=True)), np.zeros(len(at[0]) if at else 1, np.int64))

    def box(
        self, start: Sequence[int], shape: Sequence[int], side: int
    ) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        """Start and stop, in A or B, of a box along the factors; None where it is no box there."""
        lower, upper = self.index(start, side), []
        for group, low in zip(self._cuts[side], lower, strict=True):
            inside = [f for f in group if shape[f] != 1]
            if any(shape[f] != self.lengths[f] for f in inside[1:]) or inside != group[len(group) - len(inside) :]:
                return None
            upper.append(low + prod(shape[f] for f in group))
        return lower, tuple(upper)

    def factors_of(self, axes: tuple[int, int]) -> list[int]:
        """The factors that B's axes `start : stop` are made of, in B's order."""
        return [f for group in self._cuts[1][slice(*axes)] for f in group]


def c_strides(shape: Sequence[int]) -> tuple[int, ...]:
    """Of C order, in values."""
    return tuple(prod(shape[i + 1 :]) for i in range(len(shape)))


def dense_order(lengths: Sequence[int], strides: Sequence[int]) -> tuple[int, ...] | None:
    """The axes from the slowest to the fastest, if their values fill the file without gaps, else None."""
    order = sorted(range(len(lengths)), key=lambda i: -strides[i])
    expected = 1
    for axis in reversed(order):
        if strides[axis] != expected:
            return None
        expected *= lengths[axis]
    return tuple(order)


def unravel(position: int, lengths: Sequence[int], order: Sequence[int]) -> list[int]:
    """The index along axes of these lengths of a position in values that lie in this order of axes."""
    index = [0] * len(lengths)
    for axis in reversed(order):
        position, index[axis] = divmod(position, lengths[axis])
    return index
