"""The loops of `difference` in plain numpy: what runs without numba, for values that are not finite, and in tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

__all__ = [
    "ABS_SUM",
    "CHANGED",
    "FLIPS",
    "LARGEST",
    "PRODUCT",
    "SQUARE",
    "SQUARE_A",
    "SQUARE_B",
    "SUM",
    "WIDTH",
    "by_channel",
    "different_patterns",
    "pair_sums",
]

SUM, ABS_SUM, SQUARE, SQUARE_A, SQUARE_B, PRODUCT, LARGEST, CHANGED, FLIPS = range(9)
"""Sums of d, |d|, d^2, a^2, b^2, a b, with d = b - a; the largest |d|; numbers of pairs that differ, and in sign."""

WIDTH = 9


def pair_sums(a: Floats, b: Floats) -> NDArray[np.float64]:
    """Sums over pairs of finite values. a, b: (n,) of one dtype -> (WIDTH,) float64"""
    x, y = a.astype(np.float64), b.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        d = y - x
        size = np.abs(d)
        squares = d * d, x * x, y * y, x * y
        flips = ((x < 0) & (y > 0)) | ((x > 0) & (y < 0))
        sums = [float(v.sum()) for v in (d, size, *squares)]
    return np.array([*sums, size.max(initial=0.0), np.count_nonzero(a != b), np.count_nonzero(flips)])


def different_patterns(a: NDArray[np.unsignedinteger], b: NDArray[np.unsignedinteger]) -> int:
    """How many patterns differ. a, b: (n,) of one dtype"""
    return int(np.count_nonzero(a != b))


def by_channel(a: Floats, b: Floats, start: int, inner: int, sums: NDArray[np.float64]) -> None:
    """Add d^2 and a^2 of finite pairs to `sums` (2, channels), by channel.

    The pair at position p of a box belongs to channel (p // inner) % channels.
    """
    n = sums.shape[1]
    channel = (np.arange(start, start + len(a)) // inner) % n
    x, y = a.astype(np.float64), b.astype(np.float64)
    finite = np.isfinite(x) & np.isfinite(y)
    x, d = x[finite], y[finite] - x[finite]
    with np.errstate(over="ignore"):
        sums[0] += np.bincount(channel[finite], d * d, n)
        sums[1] += np.bincount(channel[finite], x * x, n)
