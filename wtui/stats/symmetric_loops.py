"""The loops of `symmetric`, compiled by numba; importing it imports numba.

A symmetric band matrix lies by columns, `band[j, d]` being the element (j + d, j), so that what is read together lies
together. Every loop runs over such a run of at most a bandwidth.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from wtui.stats.loops import compiled, part, reassociated, reassociated_part

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["chase", "tridiagonal_eigenvalues"]

EPSILON = 2.220446049250313e-16
"""Size below which an element beside the diagonal counts as 0, relative to its neighbours in the diagonal."""

NOTHING = EPSILON / 16
"""The same relative to the largest element: of matrices of low rank most of the diagonal is no more than that."""

TINY = 1e-290
"""A cosine below counts as 0, so that no quotient overflows."""

ROUNDS = 60
"""QL steps for one eigenvalue after which there is no hope; two are usual."""


def chase(
    band: NDArray[np.float64],
    width: int,
    first: int,
    count: int,
    begin: int,
    end: int,
    reflectors: NDArray[np.float64],
    factors: NDArray[np.float64],
) -> None:
    """Make the columns `first : first + count` tridiagonal as far as blocks `begin : end` of the band go.

    Column number i among them goes over blocks `begin - i : end - i`, so that the next one has what it needs. The
    columns before must have been there, one block further. `band` is (n, 2 * width) with the elements at d = 0 ...
    width, zeros behind; `reflectors` (count, 2, width) and `factors` (count,) keep what a column takes from one call
    into the next. Householder reflections as in Murata and Horikoshi 1975 (LAPACK: dsytrd_sb2st).
    """
    _chase(band, width, first, count, begin, end, reflectors, factors)


def tridiagonal_eigenvalues(diagonal: NDArray[np.float64], beside: NDArray[np.float64]) -> bool:
    """Replace the diagonal (n,) by the eigenvalues, in no order; `beside` (n,) ends with a 0 and is used up.

    By the QL algorithm without square roots of Pal, Walker and Kahan (Parlett 1980, section 8.15; LAPACK's dsterf).
    -> whether it came to an end
    """
    return bool(_rational_ql(diagonal, beside))


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
def _times_block(band: Any, first: int, size: int, v: Any, w: Any) -> None:
    """w <- D v for the diagonal block D of `size` rows from `first`; two columns at a time."""
    for i in range(size):
        w[i] = 0.0
    for c in range(0, size - 1, 2):
        left, right = band[first + c, 2 : size - c], band[first + c + 1, 1 : size - c - 1]
        below, product = v[c + 2 : size], w[c + 2 : size]
        v0, v1 = v[c], v[c + 1]
        w0 = band[first + c, 0] * v0 + band[first + c, 1] * v1
        w1 = band[first + c, 1] * v0 + band[first + c + 1, 0] * v1
        for i in range(len(below)):
            product[i] += v0 * left[i] + v1 * right[i]
            w0 += left[i] * below[i]
            w1 += right[i] * below[i]
        w[c] += w0
        w[c + 1] += w1
    if size % 2:
        w[size - 1] += band[first + size - 1, 0] * v[size - 1]


@reassociated_part
def _both_sides(band: Any, first: int, size: int, v: Any, tau: float, w: Any) -> None:
    """D <- H D H for that block, H = I - tau v v'."""
    _times_block(band, first, size, v, w)
    along = 0.0
    for i in range(size):
        along += w[i] * v[i]
    for i in range(size):
        w[i] = tau * (w[i] - 0.5 * tau * along * v[i])
    for c in range(size):
        column, vs, ws = band[first + c, : size - c], v[c:size], w[c:size]
        vc, wc = v[c], w[c]
        for i in range(size - c):
            column[i] -= vs[i] * wc + ws[i] * vc


@reassociated_part
def _times_below(band: Any, first: int, size: int, rows: int, v: Any, w: Any) -> None:
    """w <- E v for the block E of `rows` rows below that diagonal block; four columns at a time."""
    for i in range(rows):
        w[i] = 0.0
    whole = size - size % 4
    for c in range(0, whole, 4):
        e0, e1 = band[first + c, size - c :], band[first + c + 1, size - c - 1 :]
        e2, e3 = band[first + c + 2, size - c - 2 :], band[first + c + 3, size - c - 3 :]
        v0, v1, v2, v3 = v[c], v[c + 1], v[c + 2], v[c + 3]
        for i in range(rows):
            w[i] += v0 * e0[i] + v1 * e1[i] + v2 * e2[i] + v3 * e3[i]
    for c in range(whole, size):
        column = band[first + c, size - c : size - c + rows]
        for i in range(rows):
            w[i] += v[c] * column[i]


@reassociated_part
def _below(band: Any, first: int, size: int, rows: int, v: Any, tau: float, following: Any, w: Any) -> Any:
    """E <- K E H, where K makes the first column a multiple of e1 -> its factor, its vector in `following`."""
    _times_below(band, first, size, rows, v, w)
    for i in range(rows):
        w[i] *= tau
    head = band[first, size : size + rows]
    for i in range(rows):
        head[i] -= v[0] * w[i]
    factor, beta = _reflector(head, rows, following)
    head[0] = beta
    head[1:] = 0.0
    for c in range(1, size):
        column = band[first + c, size - c : size - c + rows]
        along = 0.0
        for i in range(rows):
            column[i] -= v[c] * w[i]
            along += column[i] * following[i]
        along *= factor
        for i in range(rows):
            column[i] -= along * following[i]
    return factor


@reassociated
def _chase(band: Any, width: int, first: int, count: int, begin: int, end: int, reflectors: Any, factors: Any) -> None:
    n = len(band)
    w = np.zeros(width)
    for i in range(count):
        k = first + i
        for block in range(max(0, begin - i), end - i):
            row = k + 1 + block * width
            size = min(width, n - row)
            if size < (2 if block == 0 else 1):
                break
            v, following = reflectors[i, block % 2], reflectors[i, 1 - block % 2]
            if block == 0:
                factors[i], beta = _reflector(band[k, 1 : 1 + size], size, v)
                band[k, 1] = beta
                band[k, 2 : size + 1] = 0.0
            _both_sides(band, row, size, v, factors[i], w)
            rows = min(width, n - row - size)
            if rows > 0:
                factors[i] = _below(band, row, size, rows, v, factors[i], following, w)


@compiled
def _rational_ql(d: Any, e: Any) -> Any:
    n = len(d)
    nothing = 0.0
    for i in range(n):
        nothing = max(nothing, NOTHING * (abs(d[i]) + abs(e[i])))
    for i in range(n):
        e[i] *= e[i]
    for low in range(n):
        for rounds in range(ROUNDS + 1):
            high = low
            while high < n - 1 and e[high] > max(nothing, EPSILON * (abs(d[high]) + abs(d[high + 1]))) ** 2:
                high += 1
            if high == low:
                break
            if rounds == ROUNDS:
                return False
            root = sqrt(e[low])
            half = (d[low + 1] - d[low]) / (2.0 * root)
            beyond = sqrt(half * half + 1.0)
            _ql_step(d, e, low, high, d[low] - root / (half + (beyond if half >= 0 else -beyond)))
    return True


@part
def _ql_step(d: Any, squares: Any, low: int, high: int, shift: float) -> None:
    """One step on the rows `low ... high`; `squares` are those of the elements beside the diagonal."""
    c, s, gamma = 1.0, 0.0, d[high] - shift
    p = gamma * gamma
    for i in range(high - 1, low - 1, -1):
        square = squares[i]
        r = p + square
        squares[i + 1] = s * r
        before, c, s = c, p / r, square / r
        old = gamma
        gamma = c * (d[i] - shift) - s * old
        d[i + 1] = old + (d[i] - gamma)
        p = gamma * gamma * (r / p) if c > TINY else before * square
    squares[low] = s * p
    d[low] = shift + gamma
