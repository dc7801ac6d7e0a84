"""The largest singular values of a matrix that is too large for all of them: randomised subspace iteration.

Halko, Martinsson and Tropp 2011, algorithm 4.4, on W'W, with the error bounds that residuals give (Parlett 1998,
theorem 4.5.1: there is an eigenvalue within the norm of the residual). The matrix comes in pieces of rows, once for
each round. Knows no file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wtui.stats.spectrum import Partial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

__all__ = ["ROUNDS", "sketch"]

WIDTH = 128
"""Vectors that are iterated together."""

WANTED = 64
"""Of their values, the largest that are told; the others are not near enough."""

ROUNDS = 6
"""Products with W'W, the last of which gives values and residuals: the largest value of a trained matrix is then right
to 1e-6 and better, that of a random one, which has no gap below it, to 1 %."""

SEED = 1
"""So that two runs print the same digits."""


def sketch(pieces: Callable[[], Iterable[Matrix]], columns: int) -> Partial:
    """Of a matrix with `columns` columns, of which `pieces` gives the rows in order, anew each time it is called."""
    generator = np.random.default_rng(SEED)
    basis = np.linalg.qr(generator.standard_normal((columns, min(WIDTH, columns))))[0]
    product, square_sum = basis, 0.0
    for number in range(ROUNDS):
        if number:
            basis = np.linalg.qr(product)[0]
        product, square_sum = np.zeros_like(basis), 0.0
        for piece in pieces():
            product += piece.T @ (piece @ basis)
            square_sum += float(np.einsum("ij,ij->", piece, piece))
    values, vectors = np.linalg.eigh(basis.T @ product)
    order = np.argsort(-values)[:WANTED]
    values, vectors = np.maximum(values[order], 0.0), vectors[:, order]
    residuals = np.linalg.norm(product @ vectors - basis @ vectors * values, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = np.where(values > 0, residuals / (2 * values), 0.0)
    return Partial(np.sqrt(values), errors, square_sum)
