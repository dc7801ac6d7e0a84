"""The loops of `symmetric`, compiled by numba; importing it imports numba.

A symmetric band matrix lies by columns, `band[j, d]` being the element (j + d, j), so that what is read together lies
together. Every loop runs over such a run of at most a bandwidth.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from wtui.stats.loops import compiled, reassociated, reassociated_part

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["tridiagonal_eigenvalues", "tridiagonalise"]

EPSILON = 2.220446049250313e-16
"""Size below which an element beside the diagonal counts as 0, relative to its neighbours in the diagonal."""

NOTHING = EPSILON / 16
"""The same relative to the largest element: of matrices of low rank most of the diagonal is no more than that."""

ROUNDS = 60
"""QL steps for one eigenvalue after which there is no hope; two are usual."""


def tridiagonalise(band: NDArray[np.float64], width: int, start: int, stop: int) -> None:
    """Make the columns `start : stop` of a band matrix tridiagonal, and chase what that fills in to its end.

    `band` is (n, 2 * width) with the elements at d = 0 ... width, zeros behind; columns before `start` must be done.
    Householder reflections as in Murata and Horikoshi 1975 (LAPACK: dsytrd_sb2st).
    """
    _chase(band, width, start, stop)


def tridiagonal_eigenvalues(diagonal: NDArray[np.float64], beside: NDArray[np.float64]) -> bool:
    """Replace the diagonal (n,) by the eigenvalues, in no order; `beside` (n,) ends with a 0 and is used up.

    By the implicit QL algorithm (Bowdler et al. 1968, EISPACK's tql1). -> whether it came to an end
    """
    return bool(_implicit_ql(diagonal, beside))


@reassociated_part
def _reflector(column: Any, size: int, v: Any) -> Any:
    """(tau, beta) and v with v[0] = 1 so that (I - tau v v') column = beta e1."""
    below = 0.0
    for i in range(1, size):
        below += column[i] * column[i]
    v[0] = 1.0
    if below == 0.0:
        for i in range(1, size):
            v[i] = 0.0
        return 0.0, column[0]
    head = column[0]
    beta = sqrt(head * head + below)
    if head > 0:
        beta = -beta
    scale = 1.0 / (head - beta)
    for i in range(1, size):
        v[i] = column[i] * scale
    return (beta - head) / beta, beta


@reassociated_part
def _both_sides(band: Any, first: int, size: int, v: Any, tau: float, w: Any) -> None:
    """D <- H D H for the diagonal block of `size` rows from `first`, H = I - tau v v'."""
    for i in range(size):
        w[i] = 0.0
    for c in range(size):
        column = band[first + c, : size - c]
        own = column[0] * v[c]
        for i in range(1, size - c):
            w[c + i] += v[c] * column[i]
            own += column[i] * v[c + i]
        w[c] += own
    along = 0.0
    for i in range(size):
        along += w[i] * v[i]
    for i in range(size):
        w[i] = tau * (w[i] - 0.5 * tau * along * v[i])
    for c in range(size):
        column = band[first + c, : size - c]
        for i in range(size - c):
            column[i] -= v[c] * w[c + i] + w[c] * v[c + i]


@reassociated_part
def _from_right(band: Any, first: int, size: int, rows: int, v: Any, tau: float, w: Any) -> None:
    """E <- E H for the block of `rows` rows below that diagonal block."""
    for i in range(rows):
        w[i] = 0.0
    for c in range(size):
        column = band[first + c, size - c : size - c + rows]
        for i in range(rows):
            w[i] += v[c] * column[i]
    for c in range(size):
        column = band[first + c, size - c : size - c + rows]
        for i in range(rows):
            column[i] -= tau * v[c] * w[i]


@reassociated_part
def _from_left(band: Any, first: int, size: int, rows: int, v: Any, tau: float) -> None:
    """E <- H E for the columns of that block but the first, which is reflected already."""
    for c in range(1, size):
        column = band[first + c, size - c : size - c + rows]
        along = 0.0
        for i in range(rows):
            along += column[i] * v[i]
        for i in range(rows):
            column[i] -= tau * along * v[i]


@reassociated
def _chase(band: Any, width: int, start: int, stop: int) -> None:
    n = len(band)
    v, following, w = np.zeros(width), np.zeros(width), np.zeros(width)
    for k in range(start, stop):
        first, size = k + 1, min(width, n - 1 - k)
        if size < 2:
            continue
        tau, band[k, 1] = _reflector(band[k, 1 : 1 + size], size, v)
        band[k, 2 : size + 1] = 0.0
        while True:
            _both_sides(band, first, size, v, tau, w)
            rows = min(width, n - first - size)
            if rows <= 0:
                break
            _from_right(band, first, size, rows, v, tau, w)
            tau, beta = _reflector(band[first, size : size + rows], rows, following)
            band[first, size] = beta
            band[first, size + 1 : size + rows] = 0.0
            _from_left(band, first, size, rows, following, tau)
            v, following = following, v
            first, size = first + size, rows


@compiled
def _implicit_ql(d: Any, e: Any) -> Any:
    n = len(d)
    nothing = 0.0
    for i in range(n):
        nothing = max(nothing, NOTHING * (abs(d[i]) + abs(e[i])))
    for low in range(n):
        rounds = 0
        while True:
            high = low
            while high < n - 1 and abs(e[high]) > max(nothing, EPSILON * (abs(d[high]) + abs(d[high + 1]))):
                high += 1
            if high == low:
                break
            rounds += 1
            if rounds > ROUNDS:
                return False
            g = (d[low + 1] - d[low]) / (2.0 * e[low])
            r = sqrt(g * g + 1.0)
            g = d[high] - d[low] + e[low] / (g + (r if g >= 0 else -r))
            s, c, p = 1.0, 1.0, 0.0
            i = high - 1
            while i >= low:
                f, b = s * e[i], c * e[i]
                r = sqrt(f * f + g * g)
                e[i + 1] = r
                if r == 0.0:
                    d[i + 1] -= p
                    e[high] = 0.0
                    break
                s, c = f / r, g / r
                g = d[i + 1] - p
                r = (d[i] - g) * s + 2.0 * c * b
                p = s * r
                d[i + 1] = g + p
                g = c * r - b
                i -= 1
            if i < low:
                d[low] -= p
                e[low] = g
                e[high] = 0.0
    return True
