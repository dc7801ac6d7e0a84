"""Initialisers that leave an exact mark: constants, an LSTM's forget bias, the identity, orthogonal matrices.

No test of a distribution is needed: a single changed value shows. Knows summaries, no layer.
"""

from __future__ import annotations

from math import prod, sqrt
from typing import TYPE_CHECKING

from wtui.insight.goodness import ROUNDING

if TYPE_CHECKING:
    from wtui.insight.types import Initial
    from wtui.stats.summary import Summary

__all__ = ["EXACT_KINDS", "fits_exactly", "orthogonal_sums"]

EXACT_KINDS = frozenset({"constant", "forget", "identity", "orthogonal"})

ORTHOGONAL_SLACK = 1e-6
"""Relative error of the sum of squares of an orthogonal matrix in float32: ten times what was seen in 21 matrices of
12x48 to 2048x1000 that Keras made (1e-7)."""


def fits_exactly(initial: Initial, summary: Summary, shape: tuple[int, ...], dtype: str) -> bool:
    """Whether all the finite values are what this initialiser (of EXACT_KINDS) makes them."""
    n = summary.finite
    if not n or n < summary.total:
        return False
    low, high = float(summary.min), float(summary.max)
    if initial.kind == "constant":
        wanted = initial.centre
        return low == high and abs(low - wanted) <= ROUNDING.get(dtype, 0.0) * abs(wanted)
    ones = {"forget": n // 4, "identity": min(shape) if len(shape) == 2 else 0}.get(initial.kind)
    if ones is not None:
        plain = low == 0 and high == initial.scale and summary.zeros == n - ones
        return plain and abs(summary.l1 - ones * initial.scale) <= 1e-6 * ones * abs(initial.scale)
    return _is_orthogonal(initial.scale, summary, shape, dtype)


def orthogonal_sums(shape: tuple[int, ...]) -> frozenset[int]:
    """Sums of squares that a tensor made from an orthogonal matrix with gain 1 can have: its shorter side.

    Keras cuts the axes before the last one, torch after the first; a single row or column is not a matrix.
    """
    if len(shape) < 2:
        return frozenset()
    sides = {min(prod(shape[:-1]), shape[-1]), min(shape[0], prod(shape[1:]))}
    return frozenset(side for side in sides if side > 1)


def _is_orthogonal(gain: float, summary: Summary, shape: tuple[int, ...], dtype: str) -> bool:
    """By the sum of squares, which no training leaves alone."""
    slack = ORTHOGONAL_SLACK
    if dtype in ("bfloat16", "float16"):
        slack += 8 * ROUNDING[dtype] / sqrt(summary.finite)
    return any(abs(summary.l2**2 / (gain**2 * s) - 1) <= slack for s in orthogonal_sums(shape) if gain)
