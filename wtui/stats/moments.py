"""Mean and central moment sums to order four, and how those of parts are put together.

The formulas are those of P. Pébay, "Formulas for robust, one-pass parallel computation of covariances and arbitrary-
order statistical moments" (Sandia report SAND2008-6212, 2008), and T. Chan, G. Golub and R. LeVeque (1979) for the
correction by the sum of differences. Knows numbers only: no tensor, no bit pattern.
"""

from __future__ import annotations

from math import frexp, inf, ldexp, nan, sqrt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NO_MOMENTS", "USUAL_EXPONENT", "Moments", "merge_moments", "moments_of", "moments_of_rows"]

USUAL_EXPONENT = 200
"""Values between 2^-200 and 2^200 need no scaling: their fourth powers, and sums of 2^60 of them, stay in float64."""


class Moments(NamedTuple):
    """Of `n` finite values, all in units of 2^exponent (0 but for extreme float64 values)."""

    n: int
    mean: float
    m2: float
    """Sum of (x - mean)^2."""
    m3: float
    m4: float
    abs_sum: float
    """Sum of |x|."""
    exponent: int = 0

    @property
    def variance(self) -> float:
        """Of the population; NaN without values, infinite where float64 cannot hold it."""
        return scaled(self.m2 / self.n, 2 * self.exponent) if self.n else nan

    @property
    def std(self) -> float:
        """Of the population; NaN without values."""
        return scaled(sqrt(self.m2 / self.n), self.exponent) if self.n else nan

    @property
    def skewness(self) -> float:
        """g1 = (m3 / n) / (m2 / n)^1.5; NaN where all values are equal."""
        if not self.n or self.m2 <= 0:
            return nan
        std = sqrt(self.m2 / self.n)
        return self.m3 / self.n / std / std / std

    @property
    def kurtosis(self) -> float:
        """Excess: g2 = n m4 / m2^2 - 3; NaN where all values are equal."""
        if not self.n or self.m2 <= 0:
            return nan
        variance = self.m2 / self.n
        return self.m4 / self.n / variance / variance - 3

    @property
    def square_mean(self) -> float:
        """Mean of x^2, in units of 4^exponent; NaN without values."""
        return self.m2 / self.n + self.mean * self.mean if self.n else nan

    def in_units(self, exponent: int) -> Moments:
        """The same in units of 2^exponent."""
        if exponent == self.exponent:
            return self
        shift = self.exponent - exponent
        powers = (self.mean, 1), (self.m2, 2), (self.m3, 3), (self.m4, 4), (self.abs_sum, 1)
        mean, m2, m3, m4, abs_sum = (scaled(x, shift * power) for x, power in powers)
        return Moments(self.n, mean, m2, m3, m4, abs_sum, exponent)


NO_MOMENTS = Moments(0, 0.0, 0.0, 0.0, 0.0, 0.0)


def scaled(x: float, exponent: int) -> float:
    """x 2^exponent; infinite where that does not fit."""
    if exponent == 0:
        return x
    try:
        return ldexp(x, exponent)
    except OverflowError:
        return inf if x > 0 else -inf


def merge_moments(a: Moments, b: Moments) -> Moments:
    """The moments of the values of both (Pébay 2008, equations 2.1 and 3.1 for two sets)."""
    if not a.n or not b.n:
        return a if a.n else b
    if a.exponent != b.exponent:
        unit = _common_unit(a, b)
        a, b = a.in_units(unit), b.in_units(unit)
    n = a.n + b.n
    share_a, share_b = a.n / n, b.n / n
    d = b.mean - a.mean
    product = a.n * share_b
    d2 = d * d
    return Moments(
        n,
        a.mean + d * share_b,
        a.m2 + b.m2 + d2 * product,
        a.m3 + b.m3 + d2 * d * product * (share_a - share_b) + 3 * d * (share_a * b.m2 - share_b * a.m2),
        a.m4
        + b.m4
        + d2 * d2 * product * (share_a * share_a - share_a * share_b + share_b * share_b)
        + 6 * d2 * (share_a * share_a * b.m2 + share_b * share_b * a.m2)
        + 4 * d * (share_a * b.m3 - share_b * a.m3),
        a.abs_sum + b.abs_sum,
        a.exponent,
    )


def moments_of(values: NDArray[np.float64], weights: NDArray[np.float64] | None = None) -> Moments:
    """The moments of finite values, each counted `weights` times (default once), by two passes.

    values: (n,) float64. The sum of differences corrects the mean and what depends on it.
    """
    if not len(values):
        return NO_MOMENTS
    exponent = _unit(max(abs(float(values.min())), abs(float(values.max()))))
    if exponent:
        values = np.ldexp(values, -exponent)
    add = np.add.reduce
    n = len(values) if weights is None else int(add(weights))
    first = float(values[0])
    difference = values - first
    mean = first + float(add(difference if weights is None else difference * weights)) / n
    d = values - mean
    size = np.abs(values)
    w1, w2 = (d, d * d) if weights is None else (d * weights, d * d * weights)
    abs_sum = float(add(size if weights is None else size * weights))
    sums = float(add(w1)), float(add(w2)), float(add(w2 * d)), float(add(w2 * d * d))
    return Moments(n, *corrected(n, mean, *sums), abs_sum, exponent)


def corrected(n: int, mean: float, m1: float, m2: float, m3: float, m4: float) -> tuple[float, float, float, float]:
    """Mean and sums of powers of x - mean, moved from a mean that is off by m1 / n to the true one (binomially)."""
    e = m1 / n
    return (
        mean + e,
        max(m2 - n * e * e, 0.0),
        m3 - 3 * e * m2 + 2 * n * e**3,
        m4 - 4 * e * m3 + 6 * e * e * m2 - 3 * n * e**4,
    )


def moments_of_rows(parts: list[Moments] | NDArray[np.float64]) -> Moments:
    """The moments of all parts at once; rows are (count, mean, m2, m3, m4, abs_sum, exponent).

    Pébay's formulas for many sets: sums about the mean of all. The result depends on the order of rows only.
    """
    rows = np.asarray(parts, np.float64).reshape(-1, 7)
    rows = rows[rows[:, 0] > 0]
    if len(rows) == 0:
        return NO_MOMENTS
    if rows[:, 6].any():
        return _one_by_one(rows)
    n, mean, m2, m3, m4, abs_sum = rows.T[:6]
    total = float(n.sum())
    centre = float(mean[0] + ((mean - mean[0]) * n).sum() / total)
    d = mean - centre
    d2 = d * d
    return Moments(
        int(total),
        centre,
        float((m2 + n * d2).sum()),
        float((m3 + 3 * d * m2 + n * d2 * d).sum()),
        float((m4 + 4 * d * m3 + 6 * d2 * m2 + n * d2 * d2).sum()),
        float(abs_sum.sum()),
    )


def _one_by_one(rows: NDArray[np.float64]) -> Moments:
    """The same for rows in different units."""
    merged = NO_MOMENTS
    for row in rows.tolist():
        mean, m2, m3, m4, abs_sum = row[1:6]
        merged = merge_moments(merged, Moments(int(row[0]), mean, m2, m3, m4, abs_sum, int(row[6])))
    return merged


def _unit(largest: float) -> int:
    """The exponent of the unit for values of this magnitude: 0 for all usual ones."""
    exponent = frexp(largest)[1]
    return 0 if largest == 0 or abs(exponent) <= USUAL_EXPONENT else exponent


def _common_unit(a: Moments, b: Moments) -> int:
    """The larger of both units; sets of nothing but zeros fit any unit."""
    if a.abs_sum == 0 or b.abs_sum == 0:
        return b.exponent if a.abs_sum == 0 else a.exponent
    return max(a.exponent, b.exponent)
