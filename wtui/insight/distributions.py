"""The exact distributions of initial values: distribution function, spread, support, likelihood.

Moments of the truncated normal follow from integrating by parts (Johnson, Kotz, Balakrishnan: Continuous Univariate
Distributions 1, section 10.1). Knows no framework and no tensor.
"""

from __future__ import annotations

from functools import cache
from math import erf, exp, inf, log, pi, sqrt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["TRUNCATED_AT", "Distribution", "distribution"]

TRUNCATED_AT = 2.0
"""Standard deviations at which Keras, TensorFlow and JAX cut a truncated normal off."""

DENSITY_AT_CUT = exp(-(TRUNCATED_AT**2) / 2) / sqrt(2 * pi)
MASS_INSIDE = erf(TRUNCATED_AT / sqrt(2))
TRUNCATED_VARIANCE = 1 - 2 * TRUNCATED_AT * DENSITY_AT_CUT / MASS_INSIDE
"""Of a standard normal after the cut: 0.7737; its root is the 0.87962566103423978 of the frameworks' sources."""
TRUNCATED_FOURTH = 3 - 2 * DENSITY_AT_CUT * (TRUNCATED_AT**3 + 3 * TRUNCATED_AT) / MASS_INSIDE

TABLE_END = 8.5
"""Standard deviations beyond which a normal has less than 1e-16 of its values."""

TABLE_SIZE = 1 << 15
"""Points of the table of erf: linear interpolation errs by less than 1e-8, far below any distance that is tested."""


class Distribution(NamedTuple):
    """A symmetric distribution about `centre`: `uniform`, `normal` or `truncated`; for `scale` see `Initial`."""

    kind: str
    scale: float
    centre: float = 0.0

    @property
    def std(self) -> float:
        """Standard deviation."""
        if self.kind == "uniform":
            return self.scale / sqrt(3)
        return self.scale * (sqrt(TRUNCATED_VARIANCE) if self.kind == "truncated" else 1.0)

    @property
    def limit(self) -> float:
        """The largest |x - centre| that can occur; infinite for a normal."""
        return {"uniform": self.scale, "truncated": TRUNCATED_AT * self.scale}.get(self.kind, inf)

    @property
    def kurtosis(self) -> float:
        """Excess kurtosis."""
        if self.kind == "uniform":
            return -1.2
        return TRUNCATED_FOURTH / TRUNCATED_VARIANCE**2 - 3 if self.kind == "truncated" else 0.0

    @property
    def density_at_limit(self) -> float:
        """Density at the edge of the support, in units of 1 / std; 0 for a normal."""
        if self.kind == "uniform":
            return 1 / (2 * sqrt(3))
        return DENSITY_AT_CUT / MASS_INSIDE * sqrt(TRUNCATED_VARIANCE) if self.kind == "truncated" else 0.0

    def cdf(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probability of a value <= x. x: (n,) -> (n,)"""
        z = (x - self.centre) / self.scale
        if self.kind == "uniform":
            return np.clip((z + 1) / 2, 0.0, 1.0)
        places, values = _normal_table()
        below = np.interp(z, places, values)
        if self.kind == "truncated":
            return np.clip((below - (1 - MASS_INSIDE) / 2) / MASS_INSIDE, 0.0, 1.0)
        return below

    def mass_within(self, distance: float) -> float:
        """Probability that |x - centre| <= distance."""
        z = distance / self.scale
        if self.kind == "uniform":
            return min(z, 1.0)
        inside = erf(z / sqrt(2))
        return min(inside / MASS_INSIDE, 1.0) if self.kind == "truncated" else inside

    def log_likelihood(self, n: int, square_sum: float) -> float:
        """Of n values inside the support with this sum of (x - centre)^2: all of them that these densities look at."""
        if self.kind == "uniform":
            return -n * log(2 * self.scale)
        mass = MASS_INSIDE if self.kind == "truncated" else 1.0
        return -n * log(self.scale * mass * sqrt(2 * pi)) - square_sum / (2 * self.scale**2)


def distribution(kind: str, scale: float, centre: float = 0.0) -> Distribution | None:
    """The distribution of independent draws of an initialiser; None for kinds that draw none, or without spread."""
    if kind not in ("uniform", "normal", "truncated") or not 0 < scale < inf:
        return None
    return Distribution(kind, scale, centre)


@cache
def _normal_table() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places, and the standard normal's distribution function at them."""
    places = np.linspace(-TABLE_END, TABLE_END, TABLE_SIZE)
    return places, np.array([0.5 + erf(z / sqrt(2)) / 2 for z in places.tolist()])
