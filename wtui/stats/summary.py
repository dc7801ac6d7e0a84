"""`Summary`: everything that is known of the values of a tensor, or of many tensors together.

Exact counts of all, finite, zero, NaN and infinite values; the extremes and where they are; float64 moments; and the
distribution as counts by value or by bucket. Numbers are derived on demand. Knows neither files nor formats.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import isnan, nan, sqrt
from typing import TYPE_CHECKING

import numpy as np

from wtui.errors import UsageError
from wtui.stats.buckets import snapped
from wtui.stats.counts import NO_COUNTS, SKETCH_QS, Counts, QuantileSketch
from wtui.stats.distribution import Histogram, Runs, combined, edges_between
from wtui.stats.linear import LinearCounts, Window
from wtui.stats.moments import NO_MOMENTS, Moments, scaled
from wtui.stats.row import QUANTILES, SKETCH_BINS, At, Sketch, SummaryRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["At", "Histogram", "LinearCounts", "Summary", "Window"]

NEAR_ZERO = 0.001
"""Values below this many standard deviations are near zero."""

COARSE_STDS, COARSE_SHARE, NEGLIGIBLE_STDS = 0.01, 0.001, 1e-4
"""A quantile is coarse if the run that holds it is wider than 0.01 std, or than 0.1 % of it and 0.0001 std."""

EXACT_INTEGERS = 1 << 53
"""Integers up to here are exact in float64."""

UNDEFINED = nan


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """Of `seen` values out of `total`; moments, extremes and counts are of the finite ones. Undefined numbers are NaN.

    Numbers that come from the distribution raise UsageError once it was dropped (`counts` is None).
    """

    seen: int = 0
    total: int = 0
    """Fewer values seen than there are: a sample."""
    nan: int = 0
    posinf: int = 0
    neginf: int = 0
    zeros: int = 0
    min: float | int = UNDEFINED
    """An int for integer dtypes."""
    max: float | int = UNDEFINED
    min_at: At | None = None
    max_at: At | None = None
    nan_at: At | None = None
    inf_at: At | None = None
    moments: Moments = NO_MOMENTS
    counts: Counts | None = field(default=NO_COUNTS, repr=False)
    linear: LinearCounts | None = field(default=None, repr=False)
    """From a second pass over the same values, where buckets are too wide."""

    @classmethod
    def empty(cls, total: int = 0) -> Summary:
        """Of no values yet out of `total`."""
        return cls(total=total)

    @property
    def finite(self) -> int:
        """Values that are neither NaN nor infinite."""
        return self.moments.n

    @property
    def mean(self) -> float:
        """Mean."""
        return scaled(self.moments.mean, self.moments.exponent) if self.finite else nan

    @property
    def variance(self) -> float:
        """Of the population: m2 / n."""
        return self.moments.variance

    @property
    def std(self) -> float:
        """Of the population: sqrt(m2 / n)."""
        return self.moments.std

    @property
    def skewness(self) -> float:
        """g1; NaN where all values are equal."""
        return self.moments.skewness

    @property
    def kurtosis(self) -> float:
        """Excess kurtosis g2, 0 for a normal distribution; NaN where all values are equal."""
        return self.moments.kurtosis

    @property
    def l1(self) -> float:
        """Sum of |x|; NaN without values."""
        return scaled(self.moments.abs_sum, self.moments.exponent) if self.finite else nan

    @property
    def l2(self) -> float:
        """Root of the sum of x^2; NaN without values."""
        return scaled(sqrt(self.moments.square_mean) * sqrt(self.finite), self.moments.exponent) if self.finite else nan

    @property
    def rms(self) -> float:
        """Root of the mean of x^2."""
        return scaled(sqrt(self.moments.square_mean), self.moments.exponent) if self.finite else nan

    @property
    def abs_mean(self) -> float:
        """Mean of |x|."""
        return scaled(self.moments.abs_sum / self.finite, self.moments.exponent) if self.finite else nan

    @property
    def distinct(self) -> int | None:
        """Number of different finite values, None where it is not known."""
        largest = max(abs(self.min), abs(self.max)) if self.finite else 0
        if self.counts is None or (self.counts.whole and largest > EXACT_INTEGERS):
            return None
        return self.counts.distinct

    @property
    def near_zero_threshold(self) -> float:
        """0.001 std, rounded down to 12 significant bits: an end of a bucket, so that `near_zeros` is exact."""
        return snapped(NEAR_ZERO * self.std) if self.finite else nan

    @property
    def near_zeros(self) -> int:
        """Values with |x| < near_zero_threshold, and zeros."""
        return self._near_zeros(self.distribution(), self.near_zero_threshold)

    def distribution(self) -> Runs:
        """The finite values as runs, from everything that is known of them; UsageError if that was dropped."""
        if self.counts is None and self.linear is None:
            raise UsageError("the distribution of these values was not kept", hint="read them again")
        if self.counts is None:
            ends = np.array([float(self.min)]), np.array([float(self.max)]), np.array([self.finite], np.int64)
            runs = Runs(*ends)
        elif not self.finite:
            return self.counts.runs()
        else:
            runs = self.counts.runs().within(float(self.min), float(self.max))
        return runs if self.linear is None else combined(runs, *self.linear.known())

    def quantile(self, q: float) -> float:
        """One quantile, q in 0 to 1."""
        return self.quantiles((q,))[0]

    def quantiles(self, qs: Sequence[float] = QUANTILES) -> tuple[float, ...]:
        """By numpy's linear interpolation; exact where counts are, else within a bucket's width."""
        return tuple(self.distribution().quantiles(qs, float(self.min), float(self.max)).tolist())

    def histogram(self, bins: int = 60, lo: float | None = None, hi: float | None = None) -> Histogram:
        """Counts in equal bins over [lo, hi], by default from min to max; [0, 1] where there is no value."""
        return self.distribution().histogram(self._edges(bins, lo, hi))

    def cdf(self, x: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of the finite values that are <= x; NaN without values. x: (n,)"""
        below = self.distribution().below(np.asarray(x, np.float64), with_equal=True)
        return below / self.finite if self.finite else np.full(len(below), nan)

    def fraction_below(self, x: float) -> float:
        """Share of the finite values that are < x; NaN without values."""
        return float(self.distribution().below(np.array([x], np.float64))[0]) / self.finite if self.finite else nan

    def needs_refinement(self, bins: int = 60, lo: float | None = None, hi: float | None = None) -> bool:
        """Whether a second pass is worth it for this histogram: its bins are narrower than 10 buckets."""
        return not self.distribution().resolves(self._edges(bins, lo, hi))

    @property
    def quantiles_need_refinement(self) -> bool:
        """Whether some of QUANTILES are known to less than 0.1 % and 0.01 std."""
        return bool(self._coarse(self.distribution())[1].any())

    def quantile_window(self) -> Window | None:
        """The window for a second pass that is worth it for quantiles; None where none is."""
        runs = self.distribution()
        ranks, coarse = self._coarse(runs)
        if not coarse.any():
            return None
        found = np.searchsorted(runs.ends, ranks[coarse], "right")
        return Window(float(runs.lower[found[0]]), float(runs.upper[found[-1]]))

    def histogram_window(self, bins: int = 60, lo: float | None = None, hi: float | None = None) -> Window:
        """The window for a second pass that makes this histogram exact."""
        edges = self._edges(bins, lo, hi)
        return Window.over(float(edges[0]), float(edges[-1]), bins)

    def with_linear(self, linear: LinearCounts | None) -> Summary:
        """The same with what a second pass over the same values counted."""
        return replace(self, linear=linear)

    def with_places(
        self,
        min_at: At | None = None,
        max_at: At | None = None,
        nan_at: At | None = None,
        inf_at: At | None = None,
    ) -> Summary:
        """The same with the places of its extremes; None leaves a place as it is."""
        return replace(
            self,
            min_at=min_at or self.min_at,
            max_at=max_at or self.max_at,
            nan_at=nan_at or self.nan_at,
            inf_at=inf_at or self.inf_at,
        )

    def without_counts(self) -> Summary:
        """The same without its distribution."""
        return replace(self, counts=None, linear=None)

    def sketch(self) -> Summary:
        """The same with at most 1 KB of its distribution, which cannot be merged any more."""
        if self.counts is None or self.counts.nbytes <= 8 * len(SKETCH_QS):
            return replace(self, linear=None)
        knots = np.array(self.quantiles(tuple(SKETCH_QS.tolist())))
        return replace(self, counts=QuantileSketch(knots, self.finite, self.counts.whole), linear=None)

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the distribution takes."""
        return sum(c.nbytes for c in (self.counts, self.linear) if c is not None)

    def row(self) -> SummaryRow:
        """Everything that is shown of it, as plain Python numbers; UsageError once the distribution was dropped."""
        runs, threshold = self.distribution(), self.near_zero_threshold
        quantiles = tuple(runs.quantiles(QUANTILES, float(self.min), float(self.max)).tolist())
        return SummaryRow(
            seen=self.seen,
            total=self.total,
            nan=self.nan,
            posinf=self.posinf,
            neginf=self.neginf,
            zeros=self.zeros,
            near_zeros=self._near_zeros(runs, threshold),
            near_zero_threshold=threshold,
            mean=self.mean,
            std=self.std,
            variance=self.variance,
            min=self.min,
            min_at=self.min_at,
            max=self.max,
            max_at=self.max_at,
            nan_at=self.nan_at,
            inf_at=self.inf_at,
            abs_mean=self.abs_mean,
            l1=self.l1,
            l2=self.l2,
            rms=self.rms,
            skewness=self.skewness,
            kurtosis=self.kurtosis,
            quantiles=quantiles,
            coarse=bool(self._coarse(runs)[1].any()),
            distinct=self.distinct,
            sketch=self._sketch(runs, quantiles[0], quantiles[-1]),
        )

    def _sketch(self, runs: Runs, lo: float, hi: float) -> Sketch:
        if not self.finite:
            return Sketch(nan, nan, (), 0, 0)
        drawn = runs.histogram(edges_between(lo, hi, SKETCH_BINS))
        return Sketch(lo, hi, tuple(drawn.counts.tolist()), drawn.below, drawn.above)

    def _edges(self, bins: int, lo: float | None, hi: float | None) -> NDArray[np.float64]:
        low = float(self.min) if lo is None else lo
        high = float(self.max) if hi is None else hi
        if isnan(low) or isnan(high):
            low, high = 0.0, 1.0
        if bins < 1 or low > high:
            raise UsageError(f"no histogram of {bins} bins from {low} to {high}")
        return edges_between(low, high, bins)

    def _near_zeros(self, runs: Runs, threshold: float) -> int:
        if not threshold > 0:
            return self.zeros
        ends = runs.below(np.array([threshold])), runs.below(np.array([-threshold]), with_equal=True)
        return round(float(ends[0][0] - ends[1][0]))

    def _coarse(self, runs: Runs) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Ranks that QUANTILES lie between, and which of them are known only coarsely."""
        if runs.atoms or not self.finite:
            return np.empty(0, np.int64), np.empty(0, np.bool_)
        at = np.array(QUANTILES) * (self.finite - 1)
        ranks = np.unique(np.concatenate((np.floor(at), np.ceil(at))).astype(np.int64))
        ranks = ranks[(ranks > 0) & (ranks < self.finite - 1)]
        widths, values, std = runs.widths_at(ranks), np.abs(runs.order_statistics(ranks)), self.std
        relative = (widths > COARSE_SHARE * values) & (widths > NEGLIGIBLE_STDS * std)
        return ranks, (widths > COARSE_STDS * std) | relative
