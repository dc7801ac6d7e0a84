"""The loops of `channels` in plain numpy: what runs without numba, and what the compiled ones are tested against."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wtui.stats.sparsity import SIZES

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["GOLDEN", "LAST_SHIFT", "MIX", "Along", "Run", "by_channel", "whole", "zeros_by_group"]

GOLDEN = 0x9E3779B97F4A7C15
"""2^64 over the golden ratio: the increment of the splitmix64 generator (Steele, Lea, Flood 2014)."""

MIX = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
"""Shifts and factors of splitmix64's output function."""

LAST_SHIFT = 31

Along = tuple[int, int, int]
"""How many values lie behind each step along an axis of a box, how many steps there are, and the number of the first in
the tensor."""

Run = tuple[float, int, int, float, int]
"""Last value, how many before it are equal; length, value and position of a longer run than any before."""


def by_channel(values: NDArray[np.floating], start: int, inner: int, sums: NDArray[np.float64]) -> None:
    """Add |x|, x^2, the largest |x| and the number of values but 0 to `sums` (4, channels), by channel.

    The value at position p of a box belongs to channel (p // inner) % channels; what is not finite counts as
    nonzero and nothing else.
    """
    n = sums.shape[1]
    channel = (np.arange(start, start + len(values)) // inner) % n
    floats = values.astype(np.float64)
    finite = np.where(np.isfinite(floats), np.abs(floats), 0.0)
    sums[0] += np.bincount(channel, finite, n)
    with np.errstate(over="ignore"):
        sums[1] += np.bincount(channel, finite * finite, n)
    np.maximum.at(sums[2], channel, finite)
    sums[3] += np.bincount(channel, floats != 0, n)


def zeros_by_group(
    values: NDArray[np.floating], start: int, along: Along, counts: NDArray[np.int64], used: NDArray[np.int64]
) -> None:
    """Count groups of neighbours along an axis by the zeros in them, and the values but 0 of each step of it.

    counts: (sizes, longest + 1), groups that lie in these values as a whole, by size and zeros; used: (steps of the
    tensor's axis,).
    """
    inner, length, first = along
    at = np.arange(len(values))
    step = ((start + at) // inner) % length
    used += np.bincount(first + step, values != 0, len(used)).astype(np.int64)
    for size, row in zip(SIZES, counts, strict=True):
        heads = at[((first + step) % size == 0) & (step + size <= length) & (at + (size - 1) * inner < len(values))]
        zeros = np.array([values[heads + i * inner] == 0 for i in range(size)]).sum(axis=0)
        row += np.bincount(zeros.astype(np.int64), minlength=len(row))


def whole(values: NDArray[np.floating], seen: int, value: float, length: int, longest: int) -> tuple[int, Run]:
    """A fingerprint of values that are at the positions from `seen`, to be added up; and their runs.

    `value` and `length` are the run that goes on; `longest` is the longest before. NaN are equal to none.
    """
    n = len(values)
    if not n:
        return 0, (value, length, 0, value, 0)
    floats = values.astype(np.float64)
    patterns = values.view(f"u{values.dtype.itemsize}").astype(np.uint64)
    hashed = int(_mixed(patterns, seen).sum(dtype=np.uint64))
    starts = np.flatnonzero(np.concatenate(([True], floats[1:] != floats[:-1])))
    lengths = np.diff(starts, append=n)
    goes_on = floats[0] == value
    lengths[0] += length if goes_on else 0
    best = int(lengths.argmax())
    at = seen + int(starts[best]) - (length if best == 0 and goes_on else 0)
    found = (int(lengths[best]), float(floats[starts[best]]), at) if lengths[best] > longest else (0, value, 0)
    return hashed, (float(floats[-1]), int(lengths[-1]), *found)


def _mixed(patterns: NDArray[np.uint64], seen: int) -> NDArray[np.uint64]:
    """Each pattern mixed with its position by splitmix64's output function."""
    with np.errstate(over="ignore"):
        position = np.arange(seen + 1, seen + 1 + len(patterns)).astype(np.uint64) * np.uint64(GOLDEN)
        z = patterns ^ position
        for shift, factor in MIX:
            z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
        return np.asarray(z ^ (z >> np.uint64(LAST_SHIFT)))
