"""Counts of values: exact ones by value, coarse ones by bucket, and sketches. All immutable, sparse and mergeable.

Exact counts hold at most MAX_DISTINCT different values, which is every tensor of 16-bit values or fewer and every
tensor of up to that many values; beyond it they turn into bucket counts. Adding up is associative: it does not matter
in which order, or in how many steps, counts are put together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from wtui.stats.buckets import SLOTS, ZERO, bounds, slots_of
from wtui.stats.distribution import Runs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

__all__ = [
    "MAX_DISTINCT",
    "BucketCounts",
    "Counts",
    "CountsAdder",
    "ExactCounts",
    "QuantileSketch",
    "add_up",
    "exact_counts",
    "merge_counts",
    "narrowest",
]

MAX_DISTINCT = 65_536
"""Different values up to which counts stay exact: all patterns of 16 bits."""

DENSE_FROM = 1 << 18
"""Entries from which adding to a table of all slots is quicker than sorting."""

SKETCH_QS = np.unique(
    np.concatenate(([0, 0.0001, 0.001, 0.002, 0.005, 0.995, 0.998, 0.999, 0.9999, 1], np.linspace(0.01, 0.99, 99)))
)
"""Quantiles that a sketch keeps: 109 numbers of 8 bytes stay below 1 KB."""


class ExactCounts:
    """Different values in ascending order, and how often each occurs."""

    __slots__ = ("counts", "total", "values", "whole")

    def __init__(self, values: NDArray[np.floating], counts: NDArray[np.integer], whole: bool = False) -> None:
        self.values = values
        """(n,) float32 where that holds all values exactly, else float64; -0.0 is kept as 0.0."""
        self.counts = counts
        """(n,) unsigned, of the narrowest type that holds them."""
        self.whole = whole
        """Whether these are integers by their dtype."""
        self.total = int(counts.sum())
        """Number of values."""

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return self.values.nbytes + self.counts.nbytes

    @property
    def distinct(self) -> int | None:
        """Number of different values."""
        return len(self.values)

    def runs(self) -> Runs:
        """Atoms."""
        values = self.values.astype(np.float64)
        return Runs(values, values, np.cumsum(self.counts, dtype=np.int64), self.whole, atoms=True)

    def coarsened(self) -> BucketCounts:
        """The same values by bucket."""
        return BucketCounts(*add_up(slots_of(self.values.astype(np.float64)), self.counts), self.whole)


class BucketCounts:
    """Slots (see `buckets`) in ascending order that hold values, and how many each holds."""

    __slots__ = ("counts", "slots", "total", "whole")

    def __init__(self, slots: NDArray[np.int32], counts: NDArray[np.integer], whole: bool = False) -> None:
        self.slots = slots
        self.counts = counts
        """(n,) unsigned, of the narrowest type that holds them."""
        self.whole = whole
        """Whether these are integers by their dtype."""
        self.total = int(counts.sum())
        """Number of values."""

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return self.slots.nbytes + self.counts.nbytes

    @property
    def distinct(self) -> int | None:
        """Not known."""
        return None

    def runs(self) -> Runs:
        """A run for each bucket, an atom for zero and for buckets that hold one integer."""
        lower, upper = bounds(self.slots)
        if self.whole:
            negative = self.slots < ZERO
            first = np.where(negative, np.floor(lower) + 1, np.ceil(lower))
            end = np.where(negative, np.floor(upper) + 1, np.ceil(upper))
            lower, upper = first, np.where(end - first <= 1, first, end)
        return Runs(lower, upper, np.cumsum(self.counts, dtype=np.int64), self.whole)

    def coarsened(self) -> BucketCounts:
        """Itself."""
        return self


class QuantileSketch:
    """What is left of a distribution in less than 1 KB: some quantiles. Good to draw, not to count; cannot merge."""

    __slots__ = ("knots", "total", "whole")

    def __init__(self, knots: NDArray[np.float64], total: int, whole: bool = False) -> None:
        self.knots = knots
        """(len(SKETCH_QS),) float64"""
        self.total = total
        self.whole = whole

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return self.knots.nbytes

    @property
    def distinct(self) -> int | None:
        """Not known."""
        return None

    def runs(self) -> Runs:
        """The values between two quantiles are taken to be spread evenly."""
        ends = np.rint(SKETCH_QS[1:] * self.total).astype(np.int64)
        filled = np.diff(ends, prepend=0) > 0
        return Runs(self.knots[:-1][filled], self.knots[1:][filled], ends[filled])


Key = TypeVar("Key", bound=np.generic)

Counts = ExactCounts | BucketCounts | QuantileSketch

NO_COUNTS = ExactCounts(np.empty(0, np.float32), np.empty(0, np.uint8), whole=True)


def merge_counts(parts: Iterable[Counts | None]) -> Counts | None:
    """The counts of all parts together; None where one is missing or a sketch, which cannot be merged."""
    adder = CountsAdder()
    for part in parts:
        adder.add(part)
    return adder.counts()


class CountsAdder:
    """Adds counts up. Exact ones wait in a list until they are too many, then go to buckets; buckets to a table."""

    def __init__(self) -> None:
        self._lost = False
        self._whole = True
        self._exact: list[ExactCounts] | None = [NO_COUNTS]
        self._waiting: list[BucketCounts] = []
        self._entries = 0
        self._table: NDArray[np.int64] | None = None

    def add(self, part: Counts | None) -> None:
        """Add the counts of more values."""
        if part is None or isinstance(part, QuantileSketch):
            self._lost = True
            return
        if self._lost or part.total == 0:
            return
        self._whole &= part.whole
        if self._exact is not None and isinstance(part, ExactCounts):
            self._exact.append(part)
            self._entries += len(part.values)
            if self._entries > 4 * MAX_DISTINCT:
                self._settle()
        else:
            self._to_buckets()
            self._add_buckets(part.coarsened())

    def counts(self) -> Counts | None:
        """What was added so far, together."""
        if self._lost:
            return None
        self._settle()
        if self._exact is not None:
            return self._exact[0]
        if self._table is not None:
            slots = np.flatnonzero(self._table)
            return BucketCounts(slots.astype(np.int32), narrowest(self._table[slots]), self._whole)
        waiting = self._waiting
        if len(waiting) > 1:
            joined = add_up(np.concatenate([c.slots for c in waiting]), _concatenated(waiting))
            self._waiting = [BucketCounts(*joined, self._whole)]
        return self._waiting[0]

    def _settle(self) -> None:
        """Join the exact counts that wait; to buckets with them if they hold too many different values."""
        if self._exact is None or len(self._exact) == 1:
            return
        kept = [c for c in self._exact if c.total] or [NO_COUNTS]
        if len(kept) > 1:
            joined = add_up(np.concatenate([c.values for c in kept]), _concatenated(kept))
            kept = [ExactCounts(*joined, self._whole)]
        self._exact = kept
        self._entries = len(kept[0].values)
        if self._entries > MAX_DISTINCT:
            self._to_buckets()

    def _to_buckets(self) -> None:
        if self._exact is None:
            return
        exact, self._exact, self._entries = self._exact, None, 0
        for part in exact:
            self._add_buckets(part.coarsened())

    def _add_buckets(self, part: BucketCounts) -> None:
        if self._table is None:
            self._waiting.append(part)
            self._entries += len(part.slots)
            if self._entries <= DENSE_FROM:
                return
            self._table = np.zeros(SLOTS, np.int64)
            waiting, self._waiting = self._waiting, []
        else:
            waiting = [part]
        for counts in waiting:
            self._table[counts.slots] += counts.counts


def exact_counts(values: NDArray[np.floating], whole: bool = False) -> ExactCounts:
    """Counts of finite values in ascending order, -0.0 being 0.0. values: (n,)"""
    if not len(values):
        return NO_COUNTS
    first = np.empty(len(values), np.bool_)
    first[0] = True
    np.not_equal(values[1:], values[:-1], out=first[1:])
    starts = np.flatnonzero(first)
    if len(starts) == len(values):
        return ExactCounts(values, np.ones(len(values), np.uint8), whole)
    return ExactCounts(values[starts], narrowest(np.diff(starts, append=len(values))), whole)


def narrowest(counts: NDArray[np.integer]) -> NDArray[np.integer]:
    """The same counts in the narrowest unsigned type that holds them."""
    return counts.astype(np.min_scalar_type(int(counts.max(initial=0))))


def _concatenated(parts: Sequence[ExactCounts | BucketCounts]) -> NDArray[np.int64]:
    return np.concatenate([c.counts.astype(np.int64) for c in parts])


def add_up(keys: NDArray[Key], counts: NDArray[np.integer]) -> tuple[NDArray[Key], NDArray[np.integer]]:
    """Different keys in ascending order, and the sums of their counts; quick for a few ascending runs in a row."""
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    first = np.flatnonzero(np.concatenate((np.full(min(len(keys), 1), True), keys[1:] != keys[:-1])))
    if not len(first):
        return keys, counts
    return keys[first], narrowest(np.add.reduceat(counts[order].astype(np.int64), first))
