"""The shape of a distribution in a word, decided by tests: uniform, normal, heavy-tailed, bimodal, discrete, ...

With millions of values every test rejects every simple shape, so a shape is also named where the distance is too small
to be seen. Knows numbers only.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from wtui.insight.distributions import TRUNCATED_VARIANCE, Distribution
from wtui.insight.goodness import ks_critical, ks_distance

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wtui.stats.distribution import Runs
    from wtui.stats.summary import Summary

__all__ = ["shape_of"]

MIN_VALUES = 20
"""Fewer values have no shape worth a word."""

P = 0.01
"""p-value below which a shape is rejected by chance alone, unless the distance is too small to be seen."""

VISIBLE = 0.01
"""Distance between distribution functions that a histogram would not show."""

FEW_DISTINCT = 256
"""Different values that a codebook of 8 bits has."""

REPEATED = 4
"""Average number of times a value must occur for the values to count as a few different ones."""

HEAVY = 1.0
"""Excess kurtosis from which tails are called heavy: Laplace has 3, logistic 1.2."""

SKEWED = 1.0
"""Skewness from which a distribution is called skewed: that of an exponential is 2."""

SIGMAS = 4.0
"""How many standard errors a kurtosis or skewness, or a valley between two peaks, must be away from none."""

MODE_BINS = 24
"""Bins in which peaks are looked for, over the central 99.8 % of the values."""

VALLEY = 0.8
"""A valley is one if it holds less than this share of the lower of its two peaks."""


def shape_of(summary: Summary, runs: Runs) -> str:
    """One word or two; `""` for fewer than MIN_VALUES finite values."""
    n = summary.finite
    if n and summary.min == summary.max:
        return "constant"
    if n < MIN_VALUES:
        return ""
    distinct = summary.distinct
    if distinct is not None and distinct <= FEW_DISTINCT and distinct * REPEATED <= n:
        return "discrete"
    return _simple(summary, runs, n) or _by_moments(summary, runs, n)


def _simple(summary: Summary, runs: Runs, n: int) -> str:
    """The nearest of uniform, normal and truncated normal with the values' own mean and spread, if it is near."""
    low, high, std = float(summary.min), float(summary.max), summary.std
    if not std > 0:
        return ""
    distances = {
        "uniform": ks_distance(runs, Distribution("uniform", (high - low) / 2, (high + low) / 2)),
        "normal": ks_distance(runs, Distribution("normal", std, summary.mean)),
    }
    reach = max(high - summary.mean, summary.mean - low) / std
    if n > 200 and reach < 2.35:
        # beyond 2 / 0.8796 standard deviations a normal cut off at 2 has no values; an uncut one of 200 has some
        cut = Distribution("truncated", std / sqrt(TRUNCATED_VARIANCE), summary.mean)
        distances["truncated normal"] = ks_distance(runs, cut)
    name, distance = min(distances.items(), key=lambda item: item[1])
    if name == "normal" and abs(summary.kurtosis) > max(HEAVY, SIGMAS * sqrt(24 / n)):
        return ""
    return name if distance <= max(VISIBLE, ks_critical(n, P)) else ""


def _by_moments(summary: Summary, runs: Runs, n: int) -> str:
    if _has_two_peaks(summary, runs):
        return "bimodal"
    if summary.kurtosis > max(HEAVY, SIGMAS * sqrt(24 / n)):
        return "heavy-tailed"
    if abs(summary.skewness) > max(SKEWED, SIGMAS * sqrt(6 / n)):
        return "skewed"
    return "bell-shaped"


def _has_two_peaks(summary: Summary, runs: Runs) -> bool:
    """Whether a valley between two peaks is deeper than chance would make it."""
    low, high = runs.quantiles((0.001, 0.999), float(summary.min), float(summary.max)).tolist()
    if not low < high:
        return False
    counts = runs.histogram(np.linspace(low, high, MODE_BINS + 1)).counts.astype(np.float64)
    smooth = np.convolve(np.pad(counts, 1), (0.25, 0.5, 0.25), "valid")
    for i in range(2, MODE_BINS - 2):
        peak = min(float(smooth[:i].max()), float(smooth[i + 1 :].max()))
        if smooth[i] < VALLEY * peak and peak - smooth[i] > SIGMAS * _error(smooth, i, peak):
            return True
    return False


def _error(smooth: NDArray[np.float64], i: int, peak: float) -> float:
    """Standard error of the difference of two smoothed counts; smoothing by 1, 2, 1 leaves 3/8 of the variance."""
    return sqrt(0.375 * (peak + float(smooth[i])) + 1)
