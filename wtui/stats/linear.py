"""Counts in equal steps over a window: for histograms and quantiles where buckets of bit patterns are too wide.

That is so far from zero, and deep inside a zoom. A window is cut into bins as a histogram is, and every bin into finer
steps; bins are told apart by comparing with their edges, so that a histogram of just that window is exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from wtui.errors import UsageError
from wtui.stats.counts import add_up
from wtui.stats.distribution import edges_between

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["MAX_STEPS", "LinearCounts", "Window", "join_steps", "merge_linear"]

MAX_STEPS = 1 << 20
"""Steps of all bins together: a table of 4 MB, the same that buckets are counted in."""


class Window(NamedTuple):
    """The range [lo, hi] of finite values in `bins` equal bins of `per_bin` equal steps."""

    lo: float
    hi: float
    bins: int = 1024
    per_bin: int = 1024

    @classmethod
    def over(cls, lo: float, hi: float, bins: int) -> Window:
        """The finest window for a histogram of `bins` bins over [lo, hi]; UsageError if there is no such histogram."""
        if not (np.isfinite(lo) and np.isfinite(hi) and lo <= hi and 1 <= bins <= MAX_STEPS):
            raise UsageError(f"no histogram of {bins} bins from {lo} to {hi}")
        edges = edges_between(lo, hi, bins)
        return cls(float(edges[0]), float(edges[-1]), bins, MAX_STEPS // bins)

    @property
    def steps(self) -> int:
        """Number of steps."""
        return self.bins * self.per_bin

    def edges(self) -> NDArray[np.float64]:
        """Edges of the bins, as numpy.histogram sets them. -> (bins + 1,)"""
        return edges_between(self.lo, self.hi, self.bins)

    def ends(self, steps: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lower and upper end of each of these steps."""
        edges = self.edges()
        at, step = np.divmod(steps, self.per_bin)
        start, stop = edges[at], edges[at + 1]
        return _between(start, stop, step / self.per_bin), _between(start, stop, (step + 1) / self.per_bin)


class LinearCounts:
    """How many values lie in each step of a window, below it and above it. Immutable, sparse."""

    __slots__ = ("above", "below", "counts", "steps", "window")

    def __init__(
        self, window: Window, steps: NDArray[np.int32], counts: NDArray[np.integer], below: int, above: int
    ) -> None:
        self.window = window
        self.steps = steps
        """(n,) numbers of the steps that hold values, ascending."""
        self.counts = counts
        """(n,) unsigned, of the narrowest type that holds them."""
        self.below = below
        self.above = above

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return self.steps.nbytes + self.counts.nbytes

    @property
    def total(self) -> int:
        """Number of finite values inside and outside of the window."""
        return int(self.counts.sum()) + self.below + self.above

    def known(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Places of which it is known exactly how many values lie below them: (places, numbers of values)."""
        lower, upper = self.window.ends(self.steps.astype(np.int64))
        ends = self.below + np.cumsum(self.counts, dtype=np.int64)
        starts = ends - self.counts
        outer = np.array([self.window.lo, self.window.hi])
        inside = np.array([self.below, self.total - self.above], np.int64)
        return np.concatenate((outer, lower, upper)), np.concatenate((inside, starts, ends))


def merge_linear(parts: Sequence[LinearCounts | None]) -> LinearCounts | None:
    """The counts of all parts together; None unless all are over the same window."""
    known = [p for p in parts if p is not None]
    if not known or len(known) < len(parts) or any(p.window != known[0].window for p in known):
        return None
    counted = [(p.steps, p.counts) for p in known]
    return join_steps(known[0].window, counted, sum(p.below for p in known), sum(p.above for p in known))


def join_steps(
    window: Window, counted: Sequence[tuple[NDArray[np.integer], NDArray[np.integer]]], below: int, above: int
) -> LinearCounts:
    """Counts from several lists of (steps that hold values, how many each holds), each ascending."""
    steps = np.concatenate([np.empty(0, np.int64), *(c[0] for c in counted)]).astype(np.int32)
    counts = np.concatenate([np.empty(0, np.int64), *(c[1] for c in counted)]).astype(np.int64)
    return LinearCounts(window, *add_up(steps, counts), below, above)


def _between(a: NDArray[np.float64], b: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    """The place between a and b; b itself for a share of 1, so that neighbouring bins meet."""
    return np.where(share == 1, b, a * (1 - share) + b * share)
