"""A power law fitted to the tail of a sample: exponent by maximum likelihood, the tail's start by the least distance.

Clauset, Shalizi and Newman 2009 (arXiv 0706.1062), equations 3.1, 3.2 and 3.9, as WeightWatcher and the powerlaw
package apply them to eigenvalues. Knows numbers only.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from wtui.stats.spectrum_row import PowerLaw

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MIN_VALUES", "fit_power_law"]

MIN_VALUES = 50
"""Fewer values are not fitted: the error of an exponent of 3 would be above 0.3 even if all belonged to the tail."""

PLACES = 48
"""Values of each tail that the distance is taken at first: those that are far already are not looked at further."""


def fit_power_law(values: NDArray[np.float64]) -> PowerLaw | None:
    """Of positive values (n,) in any order; None for fewer than MIN_VALUES, and where no tail falls off.

    Every value but the largest is tried as the tail's start; the one with the least Kolmogorov-Smirnov distance wins.
    """
    x = np.sort(values)
    n = len(x)
    if n < MIN_VALUES or not x[0] > 0:
        return None
    logs = np.log(x)
    sizes = np.arange(n, 1, -1, dtype=np.float64)
    sums = np.cumsum(logs[::-1])[::-1][:-1] - sizes * logs[:-1]  # over each tail, of log(x / its start)
    with np.errstate(divide="ignore"):
        alphas = np.where(sums > 0, 1 + sizes / sums, np.inf)
    alphas[1:][logs[1:-1] == logs[:-2]] = np.inf  # a tail holds all values equal to its start
    start = _nearest(logs, alphas)
    if start is None:
        return None
    alpha, size = float(alphas[start]), n - start
    distance = _distance(logs, start, alpha)
    return PowerLaw(alpha, (alpha - 1) / sqrt(size), float(x[start]), distance, size)


def _nearest(logs: NDArray[np.float64], alphas: NDArray[np.float64]) -> int | None:
    """The start whose tail is nearest to its power law; None where no tail has one.

    The distance at a few places is a lower bound; tails are taken in the order of theirs until none can be nearer.
    """
    bounds = _bounds(logs, alphas)
    best, nearest = np.inf, None
    for start in np.argsort(bounds, kind="stable"):
        if bounds[start] > best or not np.isfinite(bounds[start]):
            break
        distance = _distance(logs, int(start), float(alphas[start]))
        if distance < best or (distance == best and nearest is not None and start < nearest):
            best, nearest = distance, int(start)
    return nearest


def _bounds(logs: NDArray[np.float64], alphas: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lower bounds of the distances of all tails; infinite where there is no exponent."""
    n = len(logs)
    starts = np.arange(n - 1)
    found = np.where(np.isfinite(alphas), 0.0, np.inf)
    slopes = np.where(np.isfinite(alphas), alphas - 1, 0.0)
    for share in np.linspace(0.0, 1.0, PLACES):
        place = starts + np.floor(share * (n - 1 - starts)).astype(np.int64)
        expected = -np.expm1(-slopes * (logs[place] - logs[:-1]))
        found = np.maximum(found, np.abs(expected - (place - starts) / (n - starts)))
    return found


def _distance(logs: NDArray[np.float64], start: int, alpha: float) -> float:
    """Largest |P(x) - S(x)| over the tail, S being the share of its values below x (equation 3.9)."""
    tail = logs[start:]
    expected = -np.expm1((1 - alpha) * (tail - tail[0]))
    return float(np.abs(expected - np.arange(len(tail)) / len(tail)).max())
