"""How well values fit a distribution: p-values of tests that need no more than a Summary.

Kolmogorov-Smirnov with Stephens' correction (1970), the exact distribution of the largest |x| among n draws, the
z-scores of mean and standard deviation, and the kurtosis. All p-values are two-sided; none is adjusted for the others.
"""

from __future__ import annotations

from math import erfc, exp, expm1, log, nan, sqrt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from wtui.insight.distributions import Distribution
    from wtui.stats.distribution import Runs
    from wtui.stats.summary import Summary

__all__ = ["Fit", "fit", "ks_critical", "ks_distance", "ks_p"]

KS_POINTS = 4096
"""Places at which the distance is looked for; all of them for small tensors. It is a lower bound where some are left
out, which costs power and never adds a rejection."""

ROUNDING = {"bfloat16": 2.0**-8, "float16": 2.0**-10, "float32": 2.0**-20, "float64": 2.0**-20}
"""Relative slack for values that were rounded to a dtype after they were drawn; generous, since float32 draws of some
frameworks are scaled in more than one step."""


class Fit(NamedTuple):
    """The p-values of one distribution for one tensor, and the statistics behind them."""

    ks: float
    """Kolmogorov-Smirnov distance; NaN where it was left out."""
    ks_p: float
    mean_z: float
    std_z: float
    """Of the ratio of variances, made normal by Wilson and Hilferty's cube root."""
    kurtosis_z: float
    range_p: float
    """Of the largest |x - centre| among n draws; 0 beyond the support."""
    largest: float
    """The largest |x - centre|."""
    log_likelihood: float

    @property
    def p(self) -> float:
        """The smallest of the five p-values."""
        return min(self.ks_p, normal_p(self.mean_z), normal_p(self.std_z), normal_p(self.kurtosis_z), self.range_p)


def fit(summary: Summary, runs: Runs, wanted: Distribution, dtype: str, *, hopeless: float = 0.0) -> Fit:
    """Compare the finite values of a summary (`runs`: its distribution) with independent draws; needs four values.

    The distance, which costs most, is left out (NaN) where another p-value is below `hopeless` already.
    """
    n = summary.finite
    offset = summary.mean - wanted.centre
    square_sum = n * (summary.variance + offset**2)
    largest = max(float(summary.max) - wanted.centre, wanted.centre - float(summary.min))
    cheap = Fit(
        ks=nan,
        ks_p=1.0,
        mean_z=offset / (wanted.std / sqrt(n)),
        std_z=_variance_z(square_sum / n / wanted.std**2, n, wanted.kurtosis),
        kurtosis_z=_kurtosis_z(summary.kurtosis, n, wanted),
        range_p=_range_p(largest, n, wanted, ROUNDING.get(dtype, 0.0)),
        largest=largest,
        log_likelihood=wanted.log_likelihood(n, square_sum),
    )
    if cheap.p < hopeless:
        return cheap
    distance = ks_distance(runs, wanted)
    return cheap._replace(ks=distance, ks_p=ks_p(distance, n))


def ks_distance(runs: Runs, wanted: Distribution) -> float:
    """The largest distance between the distribution functions, halfway between neighbouring values.

    Halfway, since values of 16 bits are rounded: a value stands for all that round to it. Differs from the textbook's
    distance by no more than 1/n for values that are all different.
    """
    gaps = len(runs.ends) - 1
    chosen = np.arange(gaps) if gaps <= KS_POINTS else np.linspace(0, gaps - 1, KS_POINTS).astype(np.int64)
    places = (runs.upper[chosen] + runs.lower[chosen + 1]) / 2
    below = runs.ends[chosen] / max(runs.total, 1)
    return float(np.abs(wanted.cdf(places) - below).max(initial=0.0))


def ks_p(distance: float, n: int) -> float:
    """p-value of a Kolmogorov-Smirnov distance, by the asymptotic series with Stephens' correction."""
    x = (sqrt(n) + 0.12 + 0.11 / sqrt(n)) * distance
    if x < 0.3:
        return 1.0  # the series needs many terms there, and 1 - p is below 1e-5
    return min(1.0, max(0.0, 2 * sum((-1.0) ** (k - 1) * exp(-2 * (k * x) ** 2) for k in range(1, 8))))


def ks_critical(n: int, p: float) -> float:
    """The distance that has this p-value."""
    return sqrt(-log(p / 2) / 2) / (sqrt(n) + 0.12 + 0.11 / sqrt(n))


def normal_p(z: float) -> float:
    """Two-sided p-value of a standard normal; 0 for NaN."""
    return erfc(abs(z) / sqrt(2)) if z == z else 0.0


def _variance_z(ratio: float, n: int, kurtosis: float) -> float:
    """z of a ratio of measured to expected variance, as of a chi-square with as many degrees as have its spread."""
    degrees = 2 * n / (kurtosis + 2)
    shrink = 2 / (9 * degrees)
    return float((ratio ** (1 / 3) - (1 - shrink)) / sqrt(shrink))


def _kurtosis_z(kurtosis: float, n: int, wanted: Distribution) -> float:
    """z of the sample's excess kurtosis; for a normal by Anscombe and Glynn (1983), else by its asymptotic spread."""
    if wanted.kind == "normal":
        return _anscombe_glynn(kurtosis, n)
    spread = {"uniform": UNIFORM_KURTOSIS_SPREAD, "truncated": TRUNCATED_KURTOSIS_SPREAD}[wanted.kind]
    return (kurtosis - wanted.kurtosis) / (spread / sqrt(n))


UNIFORM_KURTOSIS_SPREAD = 1.147
"""sqrt(m8 - 4 k m6 + 4 k^3 - k^2) with the standardised moments m of a uniform and its kurtosis k = 1.8; this is the
asymptotic standard deviation of the sample's kurtosis times sqrt(n)."""

TRUNCATED_KURTOSIS_SPREAD = 1.962
"""The same for a normal cut off at 2 standard deviations."""


def _anscombe_glynn(kurtosis: float, n: int) -> float:
    mean = -6 / (n + 1)
    variance = 24 * n * (n - 2) * (n - 3) / ((n + 1) ** 2 * (n + 3) * (n + 5))
    x = (kurtosis - mean) / sqrt(variance)
    skew = 6 * (n * n - 5 * n + 2) / ((n + 7) * (n + 9)) * sqrt(6 * (n + 3) * (n + 5) / (n * (n - 2) * (n - 3)))
    a = 6 + 8 / skew * (2 / skew + sqrt(1 + 4 / skew**2))
    base = (1 - 2 / a) / (1 + x * sqrt(2 / (a - 4)))
    if base <= 0:
        return 40.0  # so heavy a tail that the approximation has no value there
    return float((1 - 2 / (9 * a) - base ** (1 / 3)) / sqrt(2 / (9 * a)))


def _range_p(largest: float, n: int, wanted: Distribution, slack: float) -> float:
    """Two-sided p-value of the largest of n distances from the centre."""
    if largest > wanted.limit * (1 + slack) + slack * abs(wanted.centre):
        return 0.0
    inside = wanted.mass_within(min(largest * (1 + slack), wanted.limit))
    all_within = inside**n
    if wanted.limit * (1 - slack) <= largest:
        return 1.0  # at the edge itself, as rounding leaves it
    beyond = wanted.mass_within(largest * (1 - slack))
    some_beyond = -expm1(n * log(beyond)) if beyond > 0 else 1.0
    return min(1.0, 2 * min(all_within, some_beyond))
