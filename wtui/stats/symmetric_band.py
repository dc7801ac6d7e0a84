"""From a symmetric matrix to a band matrix with the same eigenvalues, by block reflections: products of matrices.

Works in strips, see `strips`. While the strips of one step are reflected, the next step's columns, which are done
first, are taken apart already. Knows neither what becomes of the band nor of the eigenvalues.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from wtui.stats.strips import strips

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from wtui.stats.strips import Strips

    Matrix = NDArray[np.float64]

__all__ = ["products", "to_band"]

TALL = 3
"""Widths in the height of a strip that is multiplied at once: with less, adding products takes as long as they do."""

GRAM_STRIP = 256
"""Rows of a product W'W that a thread makes at once."""

LINE = 8
"""Values between the rows of a matrix: those of 4,096 would all fall on the same lines of a processor's cache."""


class Reflections(NamedTuple):
    """The product I - v' t v of reflections, v' being the transpose, and what they leave of the columns."""

    v: Matrix
    """(k, n), its left square being an upper triangle with ones in its diagonal."""
    t: Matrix
    """(k, k), an upper triangle."""
    left: Matrix
    """(k, columns), an upper triangle."""


class Memory(threading.local):
    """Room for one product, for each thread: what is taken anew each time has to be cleared by the system."""

    def __init__(self, size: int) -> None:
        self._values = np.empty(size)

    def product(self, a: Matrix, b: Matrix) -> Matrix:
        """a b, until the next one."""
        shape = len(a), b.shape[1]
        return np.matmul(a, b, out=self._values[: shape[0] * shape[1]].reshape(shape))


def products(pieces: Iterable[Matrix], n: int) -> Matrix:
    """The lower triangle of W'W, W being all `pieces` (rows, n) below each other; above it lies anything. -> (n, n)"""
    gram = np.zeros((n, n + LINE))[:, :n]
    memory = Memory(min(GRAM_STRIP, n) * n)
    with strips() as pool:
        for piece in pieces:

            def add(span: tuple[int, int], rows: Matrix = piece) -> None:
                a, b = span
                gram[a:b, :b] += memory.product(rows[:, a:b].T, rows[:, :b])

            pool.each(add, reversed(_spans(n, GRAM_STRIP)))
    return gram


def to_band(matrix: Matrix, width: int, progress: Callable[[float], bool]) -> Matrix | None:
    """An orthogonally similar band matrix of the symmetric one of which `matrix` (n, n) holds the lower triangle.

    -> (n, 2 * width), element (j + d, j) at [j, d] for d = 0 ... width, zeros behind. `matrix` is overwritten. None if
    `progress`, given the share that is done, said to stop.
    """
    n = len(matrix)
    band = np.zeros((n, 2 * width))
    memory = Memory(n * width)
    for a, b in _spans(n, width):  # `_update` leaves these squares whole, and `_times` wants them so
        matrix[a:b, a:b] = np.tril(matrix[a:b, a:b]) + np.tril(matrix[a:b, a:b], -1).T
    with strips() as pool:
        made = _reflections(matrix[width:, :width]) if n > width else None
        for first in range(0, n, width):
            if progress(1 - ((n - first) / n) ** 3):
                return None
            below = first + width
            for d in range(min(width, n - first)):
                band[first : min(below, n) - d, d] = np.diagonal(matrix[first:below, first:below], -d)
            if made is None:
                break
            for d in range(width):  # element (below + i, first + j) lies at width + i - j
                values = np.diagonal(made.left, d)
                band[first + d : first + d + len(values), width - d] = values
            made = _update(matrix[below:, below:], made, width, pool, memory)
    return band


def _spans(n: int, length: int) -> list[tuple[int, int]]:
    return [(a, min(a + length, n)) for a in range(0, n, length)]


def _reflections(columns: Matrix) -> Reflections:
    """Of a QR factorisation (Schreiber and Van Loan 1989)."""
    packed, tau = np.linalg.qr(columns, mode="raw")
    count = len(tau)
    v, square = packed[:count], slice(0, count)
    left = np.triu(packed[:, :count].T)
    v[:, square] = np.triu(v[:, square], 1)
    v[np.arange(count), np.arange(count)] = 1.0
    products = v @ v.T
    t = np.zeros((count, count))
    for i in range(count):
        t[i, i] = tau[i]
        t[:i, i] = -tau[i] * (t[:i, :i] @ products[:i, i])
    return Reflections(v, t, left)


def _update(rest: Matrix, made: Reflections, width: int, pool: Strips, memory: Memory) -> Reflections | None:
    """rest <- Q' rest Q, its lower triangle and the squares of `width` along the diagonal.

    -> the reflections for its first columns; None where nothing is below those.
    """
    n = len(rest)
    left, right = _both(rest, made, width, pool, memory)

    def reflect(span: tuple[int, int], begin: int, end: int) -> None:
        a, b = span
        rest[a:b, begin:end] -= memory.product(left[:, a:b].T, right[:, begin:end])

    pool.each(lambda span: reflect(span, 0, width), _spans(n, width))
    if n <= width:
        return None
    jobs: list[Callable[[], Reflections | None]] = [partial(_reflections, rest[width:, :width])]
    jobs += [partial(reflect, (a, b), width, b) for a, b in reversed(_spans(n, width)[1:])]
    return pool.each(lambda job: job(), jobs)[0]


def _both(rest: Matrix, made: Reflections, width: int, pool: Strips, memory: Memory) -> tuple[Matrix, Matrix]:
    """(2 k, n) each, so that Q' rest Q is rest less the one's transpose times the other."""
    k, n = made.v.shape
    left, right = np.empty((2 * k, n)), np.empty((2 * k, n))
    products = _times(rest, made.v, width, pool, memory)

    def begin(span: tuple[int, int]) -> Matrix:
        part = slice(*span)
        left[:k, part] = right[k:, part] = made.v[:, part]
        x = left[k:, part] = made.t.T @ sum(p[:, part] for p in products)
        return made.v[:, part] @ x.T

    spans = _spans(n, -(-n // pool.threads))
    inner = 0.5 * (made.t.T @ sum(pool.each(begin, spans))).T

    def end(span: tuple[int, int]) -> None:
        part = slice(*span)
        left[k:, part] -= inner @ made.v[:, part]
        right[:k, part] = left[k:, part]

    pool.each(end, spans)
    return left, right


def _times(rest: Matrix, v: Matrix, width: int, pool: Strips, memory: Memory) -> list[Matrix]:
    """v (k, n) times the symmetric matrix of which `rest` holds the lower triangle: terms of a sum, (k, n) each."""
    n, turn = len(rest), 2 * pool.threads
    spans = _spans(n, TALL * width)

    def add(sums: Matrix, begin: int, a: int, b: int) -> None:
        """The columns from `begin` on of the rows `a : b`, and of their transpose."""
        if begin < a:
            sums[:, begin:a] += memory.product(v[:, a:b], rest[a:b, begin:a])
            sums[:, a:b] += memory.product(v[:, begin:a], rest[a:b, begin:a].T)

    def share(number: int) -> Matrix:
        sums = np.zeros_like(v)
        for i in range(len(spans)):  # shares as even as may be, and always the same
            if i % turn in (number, turn - 1 - number):
                add(sums, 0, *spans[i])
                for a, b in _spans(spans[i][1] - spans[i][0], width):
                    a, b = spans[i][0] + a, spans[i][0] + b
                    add(sums, spans[i][0], a, b)
                    sums[:, a:b] += memory.product(v[:, a:b], rest[a:b, a:b])
        return sums

    return pool.each(share, range(pool.threads))
