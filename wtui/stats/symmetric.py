"""Eigenvalues of a large symmetric matrix, all of them, with progress and a way to stop.

First to a band (`symmetric_band`), then to a tridiagonal matrix (`symmetric_waves`), then its eigenvalues (Bischof,
Lang and Sun 2000; LAPACK's dsyevd_2stage). LAPACK's usual path reads the whole matrix once a column, and can neither be
stopped nor asked how far it is. Knows nothing of weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wtui.errors import CodecError
from wtui.stats.accumulate import can_compile
from wtui.stats.symmetric_band import to_band

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Progress = Callable[[float], bool]
    """Given the share that is done; whether to stop."""

    Matrix = NDArray[np.float64]

__all__ = ["symmetric_eigenvalues"]

LAPACK_UP_TO = 400
"""Rows up to which LAPACK alone is quicker (0.03 s)."""

WIDTH = 80
"""Elements beside the diagonal of the band: the fewer, the more memory is read; the more, the more bulges there are.
96 takes 4 % longer at 4096 rows, 128 takes 10 %."""

REDUCING = 0.75
"""Share of the time that the reduction to a band takes."""


def symmetric_eigenvalues(matrix: Matrix, progress: Progress = lambda share: False) -> Matrix | None:
    """All eigenvalues of a symmetric (n, n) matrix of finite values, ascending; it is overwritten.

    Its lower triangle is read, the rest may hold anything. The eigenvalues' absolute error is some 1e-15 of the
    largest. None if `progress` said to stop.
    """
    n = len(matrix)
    if n <= LAPACK_UP_TO or not can_compile():
        return np.linalg.eigvalsh(matrix, "L").astype(np.float64, copy=False)
    band = to_band(matrix, WIDTH, lambda share: progress(REDUCING * share))
    if band is None:
        return None
    from wtui.stats.symmetric_loops import tridiagonal_eigenvalues
    from wtui.stats.symmetric_waves import tridiagonalise

    if not tridiagonalise(band, WIDTH, lambda share: progress(REDUCING + (1 - REDUCING) * share)):
        return None
    values, beside = band[:, 0].copy(), np.append(band[:-1, 1], 0.0)
    if not tridiagonal_eigenvalues(values, beside):
        raise CodecError("its eigenvalues were not found: the iteration does not converge")
    return np.sort(values)
