"""Values at the margins of what a dtype can hold, and of what matters: saturated, denormal, negligible.

Counted from a distribution, since a row of statistics cannot tell them. Knows no layer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from wtui.model import TensorEntry
    from wtui.stats.distribution import Runs
    from wtui.stats.summary import Summary

__all__ = ["NEGLIGIBLE", "SMALLEST_NORMAL", "marginals"]

NEGLIGIBLE = 0.001
"""A value with less than this share of the mean magnitude does nothing beside the others."""

SMALLEST_NORMAL = {"float16": 2.0**-14, "bfloat16": 2.0**-126, "float32": 2.0**-126, "float64": 2.0**-1022}
"""Below it a dtype loses precision, and many processors flush to zero."""

RANGES = {"int8": (-128, 127), "uint8": (0, 255), "int4": (-8, 7), "uint4": (0, 15), "int2": (-2, 1), "uint2": (0, 3)}
"""Ends of the ranges of the dtypes that quantised weights are stored in."""


def marginals(summary: Summary, runs: Runs, tensor: TensorEntry) -> dict[str, Any]:
    """Keywords of a Verdict: at_limits, denormal, negligible."""
    ends = RANGES.get(tensor.dtype)
    if ends is not None:
        return {"at_limits": _at_limits(runs, *ends)}
    smallest = SMALLEST_NORMAL.get(tensor.dtype)
    if smallest is None:
        return {}
    denormal = _within(runs, smallest) - summary.zeros if _smallest(summary) < smallest else 0
    return {"denormal": max(denormal, 0), "negligible": _within(runs, NEGLIGIBLE * summary.abs_mean)}


def _at_limits(runs: Runs, low: int, high: int) -> int:
    """Integers at both ends; a symmetric quantiser leaves out the lowest, so the one above it counts as well."""
    at = runs.below(np.array([float(high), low + 1.0, low + 2.0]))
    lowest = at[2] if low < 0 else at[1]
    return round(float(lowest + runs.total - at[0]))


def _within(runs: Runs, distance: float) -> int:
    """Values with |x| < distance."""
    if not distance > 0:
        return 0
    ends = runs.below(np.array([distance])), runs.below(np.array([-distance]), with_equal=True)
    return round(float(ends[0][0] - ends[1][0]))


def _smallest(summary: Summary) -> float:
    """A bound of the smallest magnitude: exact only where all values have one sign."""
    low, high = float(summary.min), float(summary.max)
    return max(low, -high, 0.0)
