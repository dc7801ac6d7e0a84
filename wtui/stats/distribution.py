"""A distribution as runs of values: how many lie in each, evenly spread over it. Quantiles and histograms come from it.

A run of no width is an atom: all its values are equal. Exact values, buckets of bit patterns, linear buckets and
sketches all turn into runs; what each is worth is in how wide they are. Knows numbers only, no tensor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Histogram", "Runs", "combined", "edges_between"]

NARROW = 10
"""A bin that is narrower than this many runs is not resolved."""

MAX_SPLIT = 0.003
"""Share of all values that may land in a neighbouring bin before a histogram counts as not resolved."""


class Histogram(NamedTuple):
    """Counts in the bins [edge, next edge), the last one with its upper edge, and how many values lie outside."""

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    below: int
    above: int


def edges_between(lo: float, hi: float, bins: int) -> NDArray[np.float64]:
    """Edges of equal bins, as numpy.histogram sets them: 0.5 to both sides where lo = hi. -> (bins + 1,) float64"""
    if lo == hi:
        lo, hi = lo - 0.5, hi + 0.5
    if np.isfinite(hi - lo):
        return np.linspace(lo, hi, bins + 1)
    return 2 * np.linspace(lo / 2, hi / 2, bins + 1)


class Runs(NamedTuple):
    """Runs in ascending order that do not overlap; none is empty.

    With `whole`, values are integers and a run of some width holds those in [lower, upper).
    """

    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    ends: NDArray[np.int64]
    """Number of values up to and with each run."""
    whole: bool = False
    atoms: bool = False
    """Whether all runs are atoms: the values are known exactly."""

    @property
    def total(self) -> int:
        """Number of values."""
        return int(self.ends[-1]) if len(self.ends) else 0

    @property
    def counts(self) -> NDArray[np.int64]:
        """Number of values in each run."""
        return np.diff(self.ends, prepend=0)

    def within(self, lo: float, hi: float) -> Runs:
        """The same, where all values are known to lie in [lo, hi]."""
        if self.atoms or not len(self.ends):
            return self
        lower, upper = np.clip(self.lower, lo, hi), np.clip(self.upper, lo, hi + 1 if self.whole else hi)
        return Runs(lower, upper, self.ends, self.whole)

    def below(self, x: NDArray[np.float64], with_equal: bool = False) -> NDArray[np.float64]:
        """Number of values < x (or <= x), in proportion where x lies inside a run. x: (n,)"""
        if not len(self.ends):
            return np.zeros(len(x))
        if self.atoms:
            return np.append(0.0, self.ends)[np.searchsorted(self.lower, x, "right" if with_equal else "left")]
        if self.whole:
            x = np.floor(x) + 1 if with_equal else np.ceil(x)
            with_equal = False
        at = np.searchsorted(self.lower, x, "right" if with_equal else "left") - 1
        run = np.maximum(at, 0)
        start, end = np.append(0, self.ends)[run], self.ends[run]
        counted = start + (end - start) * self._share(run, x)
        return np.where(at < 0, 0.0, counted)

    def order_statistics(self, ranks: NDArray[np.int64]) -> NDArray[np.float64]:
        """The values at these places (from 0) in ascending order. ranks: (n,)"""
        run = np.searchsorted(self.ends, ranks, "right")
        if self.atoms:
            return self.lower[run]
        start, lower = np.append(0, self.ends)[run], self.lower[run]
        place = (ranks - start + 0.5) / (self.ends[run] - start)
        upper = self.upper[run]
        if self.whole:
            return np.asarray(lower + np.floor(place * (upper - lower)))
        return np.asarray(lower * (1 - place) + upper * place)

    def quantiles(self, qs: Sequence[float], lo: float, hi: float) -> NDArray[np.float64]:
        """By linear interpolation between order statistics (numpy's default); `lo` and `hi` are the extremes."""
        n = self.total
        if not n:
            return np.full(len(qs), np.nan)
        at = np.clip(np.asarray(qs, np.float64), 0.0, 1.0) * (n - 1)
        first = np.floor(at).astype(np.int64)
        ranks = np.concatenate((first, np.minimum(first + 1, n - 1)))
        values = self.order_statistics(ranks)
        values[ranks == 0] = lo
        values[ranks == n - 1] = hi
        a, b = values[: len(at)], values[len(at) :]
        share = at - first
        with np.errstate(over="ignore", invalid="ignore"):
            step = b - a
            found = np.where(share < 0.5, a + step * share, b - step * (1 - share))
        return np.where(np.isfinite(step), found, a * (1 - share) + b * share)

    def histogram(self, edges: NDArray[np.float64]) -> Histogram:
        """Counts between ascending edges; what a run has on both sides of an edge is split in proportion."""
        at = np.rint(self.below(edges)).astype(np.int64)
        at[-1] = np.rint(self.below(edges[-1:], with_equal=True)[0])
        return Histogram(edges, np.diff(at), int(at[0]), self.total - int(at[-1]))

    def resolves(self, edges: NDArray[np.float64]) -> bool:
        """Whether a histogram between these equidistant edges is right to about half a percent of all values."""
        if self.atoms or not len(self.ends):
            return True
        low, high = float(edges[0]), float(edges[-1])
        inside = (self.upper > low) & (self.lower < high)
        width = self.upper - self.lower
        wide = inside & (width > (edges[-1] / NARROW - edges[0] / NARROW) / (len(edges) - 1))
        if self.whole:
            wide &= width > 1
        limit = MAX_SPLIT * self.total
        return bool(self.counts[wide].sum() <= limit and self._split_error(edges) <= limit)

    def widths_at(self, ranks: NDArray[np.int64]) -> NDArray[np.float64]:
        """How wide the runs are that hold these places in ascending order."""
        run = np.searchsorted(self.ends, ranks, "right")
        with np.errstate(over="ignore"):
            width: NDArray[np.float64] = self.upper[run] - self.lower[run]
        return np.maximum(width - 1, 0) if self.whole else width

    def _share(self, run: NDArray[np.int64], x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Which part of a run lies below x: all of an atom. Halves, so that no difference overflows."""
        lower, upper = self.lower[run] / 2, self.upper[run] / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            share = (x / 2 - lower) / (upper - lower)
        return np.where(upper > lower, np.clip(share, 0.0, 1.0), 1.0)

    def _split_error(self, edges: NDArray[np.float64]) -> float:
        """Values that splitting runs at these edges may put on the wrong side.

        Even spreading errs by chance, as in drawing from a binomial distribution; and where a run holds many more
        values than its neighbours, they may all be equal.
        """
        run = np.searchsorted(self.lower, edges, "left") - 1
        straddled = (run >= 0) & (edges < self.upper[run])
        run, edges = run[straddled], edges[straddled]
        counts = self.counts.astype(np.float64)
        touching = self.lower[1:] == self.upper[:-1]
        before, after = np.zeros(len(counts)), np.zeros(len(counts))
        before[1:], after[:-1] = counts[:-1] * touching, counts[1:] * touching
        here, expected = counts[run], (before[run] + after[run]) / 2
        share = self._share(run, edges)
        excess = np.maximum(np.abs(here - expected) - 3 * np.sqrt(here + expected), 0.0)
        wrong = np.maximum(share, 1 - share) * np.minimum(excess, here) + np.sqrt(here * share * (1 - share))
        return float(2 * wrong.sum())


def combined(runs: Runs, x: NDArray[np.float64], below: NDArray[np.int64]) -> Runs:
    """The runs, cut where it is known from elsewhere that exactly `below` values lie below `x`. x, below: (n,)"""
    if runs.whole:
        runs, x = _spread(runs), np.ceil(x)
    ends = np.concatenate((runs.lower, runs.upper, x))
    known = np.concatenate((np.append(0, runs.ends)[:-1], runs.ends, below))
    order = np.lexsort((known, ends))
    ends, known = ends[order], np.maximum.accumulate(known[order])
    filled = known[1:] > known[:-1]
    lower, upper = ends[:-1][filled], ends[1:][filled]
    if runs.whole:
        upper = np.where(upper - lower <= 1, lower, upper)
    return Runs(lower, upper, known[1:][filled], runs.whole)


def _spread(runs: Runs) -> Runs:
    """Atoms of whole numbers as runs of width 1."""
    return runs._replace(upper=np.where(runs.upper > runs.lower, runs.upper, runs.lower + 1))
