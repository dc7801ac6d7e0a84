"""Eigenvalues of a large symmetric matrix, all of them, with progress and a way to stop.

First to a band by block reflections, which are matrix products; then to a tridiagonal matrix by chasing bulges inside
the band; then its eigenvalues (Bischof, Lang and Sun 2000; LAPACK's dsyevd_2stage). LAPACK's usual path reads the whole
matrix once a column, and can neither be stopped nor asked how far it is. Knows nothing of weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from wtui.errors import CodecError
from wtui.stats.accumulate import can_compile

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Progress = Callable[[float], bool]
    """Given the share that is done; whether to stop."""

    Matrix = NDArray[np.float64]

__all__ = ["symmetric_eigenvalues"]

LAPACK_UP_TO = 400
"""Rows up to which LAPACK alone is quicker (0.03 s)."""

WIDTH = 96
"""Elements beside the diagonal of the band: the fewer, the more memory is read; the more, the more bulges there are.
64 takes 20 % longer at 4096 rows, 128 no less."""

STRIP = 256
"""Rows of the lower triangle that are treated at once."""

CHASED = 256
"""Columns between two questions whether to stop: 50 ms at 4096 rows."""

REDUCING = 0.8
"""Share of the time that the reduction to a band takes."""


class Reflections(NamedTuple):
    """The product of reflections I - v t v', and what they leave of the columns that they were made for."""

    v: Matrix
    t: Matrix
    left: Matrix


def symmetric_eigenvalues(matrix: Matrix, progress: Progress = lambda share: False) -> Matrix | None:
    """All eigenvalues of a symmetric (n, n) matrix of finite values, ascending; it is overwritten.

    Their absolute error is some 1e-15 of the largest. None if `progress` said to stop.
    """
    n = len(matrix)
    if n <= LAPACK_UP_TO or not can_compile():
        return np.linalg.eigvalsh(matrix).astype(np.float64, copy=False)
    band = _to_band(matrix, lambda share: progress(REDUCING * share))
    if band is None:
        return None
    from wtui.stats.symmetric_loops import tridiagonal_eigenvalues, tridiagonalise

    for start in range(0, n, CHASED):
        if progress(REDUCING + (1 - REDUCING) * start / n):
            return None
        tridiagonalise(band, WIDTH, start, min(start + CHASED, n))
    values, beside = band[:, 0].copy(), np.append(band[:-1, 1], 0.0)
    if not tridiagonal_eigenvalues(values, beside):
        raise CodecError("its eigenvalues were not found: the iteration does not converge")
    return np.sort(values)


def _to_band(matrix: Matrix, progress: Progress) -> Matrix | None:
    """An orthogonally similar band matrix, as `symmetric_loops` wants it. -> (n, 2 * WIDTH)"""
    n = len(matrix)
    band = np.zeros((n, 2 * WIDTH))
    for first in range(0, n, WIDTH):
        if progress(1 - ((n - first) / n) ** 3):
            return None
        width, below = min(WIDTH, n - first), first + WIDTH
        corner = matrix[first : first + width, first : first + width]
        for d in range(width):
            band[first : first + width - d, d] = np.diagonal(corner, -d)
        if below >= n:
            break
        made = _reflections(matrix[below:, first:below])
        for d in range(WIDTH):  # element (below + i, first + j) lies at WIDTH + i - j
            values = np.diagonal(made.left, d)
            band[first + d : first + d + len(values), WIDTH - d] = values
        _update(matrix[below:, below:], made)
    return band


def _reflections(columns: Matrix) -> Reflections:
    """Of a QR factorisation (Schreiber and Van Loan 1989)."""
    packed, tau = np.linalg.qr(columns, mode="raw")
    v = np.tril(packed.T, -1)
    count = len(tau)
    v = v[:, :count]
    v[np.arange(count), np.arange(count)] = 1.0
    products = v.T @ v
    t = np.zeros((count, count))
    for i in range(count):
        t[i, i] = tau[i]
        t[:i, i] = -tau[i] * (t[:i, :i] @ products[:i, i])
    return Reflections(v, t, np.triu(packed.T[:count]))


def _update(rest: Matrix, made: Reflections) -> None:
    """rest <- Q' rest Q; its lower triangle is read and written, the rest of it may hold anything."""
    n = len(rest)
    vt = made.v @ made.t
    x = np.zeros_like(vt)
    for a in range(0, n, STRIP):
        b = min(a + STRIP, n)
        corner = np.tril(rest[a:b, a:b])
        x[a:b] += (corner + np.tril(corner, -1).T) @ vt[a:b]
        if a:
            x[a:b] += rest[a:b, :a] @ vt[:a]
            x[:a] += rest[a:b, :a].T @ vt[a:b]
    y = x - 0.5 * made.v @ (made.t.T @ (made.v.T @ x))
    left, right = np.hstack((made.v, y)), np.ascontiguousarray(np.hstack((y, made.v)).T)
    for a in range(0, n, STRIP):
        b = min(a + STRIP, n)
        rest[a:b, :b] -= left[a:b] @ right[:, :b]
