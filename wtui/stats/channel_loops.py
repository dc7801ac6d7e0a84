"""The loops of `channels`, compiled by numba; importing it imports numba. Same results as `channel_reference`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wtui.stats.channel_reference import GOLDEN, LAST_SHIFT, MIX
from wtui.stats.loops import compiled, reassociated

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wtui.stats.channel_reference import Along, Run

__all__ = ["by_channel", "whole", "zeros_by_group"]

(SHIFT_1, FACTOR_1), (SHIFT_2, FACTOR_2) = MIX
G, F1, F2 = np.uint64(GOLDEN), np.uint64(FACTOR_1), np.uint64(FACTOR_2)
RUN_CHUNK = 1024
"""Values that are looked at together for equal neighbours."""

S1, S2, S3 = np.uint64(SHIFT_1), np.uint64(SHIFT_2), np.uint64(LAST_SHIFT)


@reassociated
def finite_segment(values: Any) -> Any:
    """Sum of |x|, sum of x^2, largest |x| and number of values but 0, without looking whether all are finite."""
    total = square = largest = 0.0
    nonzero = 0
    for i in range(values.size):
        size = abs(np.float64(values[i]))
        total += size
        square += size * size
        largest = max(largest, size)
        nonzero += size != 0.0
    return total, square, largest, nonzero


@compiled
def segment(values: Any) -> Any:
    """The same of the finite values alone."""
    total = square = largest = 0.0
    nonzero = 0
    for i in range(values.size):
        size = abs(np.float64(values[i]))
        nonzero += size != 0.0
        if size <= np.finfo(np.float64).max:
            total += size
            square += size * size
            largest = max(largest, size)
    return total, square, largest, nonzero


@compiled
def segments(values: Any, start: Any, inner: Any, sums: Any) -> None:
    """See `channel_reference`; for channels that lie in segments of several values."""
    channels = sums.shape[1]
    done = 0
    while done < values.size:
        place = start + done
        size = min(inner - place % inner, values.size - done)
        channel = (place // inner) % channels
        part = values[done : done + size]
        total, square, largest, nonzero = finite_segment(part)
        if not square < np.inf:
            total, square, largest, nonzero = segment(part)
        sums[0, channel] += total
        sums[1, channel] += square
        sums[2, channel] = max(sums[2, channel], largest)
        sums[3, channel] += nonzero
        done += size


@reassociated
def all_finite(values: Any) -> Any:
    """Whether no value is NaN or infinite."""
    total = values[0] * 0
    for i in range(values.size):
        total += values[i] * 0
    return total == 0


@reassociated
def add_row(values: Any, sums: Any) -> None:
    """Add finite values to the sums of as many channels, one each."""
    for i in range(values.size):
        x = abs(np.float64(values[i]))
        sums[0, i] += x
        sums[1, i] += x * x
        sums[2, i] = max(sums[2, i], x)
        sums[3, i] += np.float64(x != 0.0)


@compiled
def add_any_row(values: Any, sums: Any) -> None:
    """The same for any values."""
    for i in range(values.size):
        x = abs(np.float64(values[i]))
        sums[3, i] += x != 0.0
        if x <= np.finfo(np.float64).max:
            sums[0, i] += x
            sums[1, i] += x * x
            sums[2, i] = max(sums[2, i], x)


@compiled
def side_by_side(values: Any, start: Any, sums: Any) -> None:
    """See `channel_reference`; where each value belongs to the next channel."""
    channels = sums.shape[1]
    finite = all_finite(values)
    channel = start % channels
    done = 0
    while done < values.size:
        size = min(channels - channel, values.size - done)
        if finite:
            add_row(values[done : done + size], sums[:, channel : channel + size])
        else:
            add_any_row(values[done : done + size], sums[:, channel : channel + size])
        done += size
        channel = 0


@compiled
def groups_along(values: Any, start: Any, inner: Any, length: Any, first: Any, counts: Any, used: Any) -> None:
    """See `channel_reference.zeros_by_group`."""
    for i in range(values.size):
        step = ((start + i) // inner) % length
        used[first + step] += values[i] != 0.0
        size = 1
        for k in range(counts.shape[0]):
            size *= 2
            if (first + step) % size or step + size > length or i + (size - 1) * inner >= values.size:
                break
            zeros = 0
            for j in range(size):
                zeros += values[i + j * inner] == 0.0
            counts[k, zeros] += 1


@compiled
def mixed_sum(patterns: Any, seen: Any) -> Any:
    """The sum of all patterns mixed with their positions."""
    total = np.uint64(0)
    position = np.uint64(seen + 1) * G
    for i in range(patterns.size):
        z = np.uint64(patterns[i]) ^ position
        z = (z ^ (z >> S1)) * F1
        z = (z ^ (z >> S2)) * F2
        total += z ^ (z >> S3)
        position += G
    return total


@reassociated
def equal_neighbours(values: Any) -> Any:
    """How many values are equal to the one before."""
    count = 0
    for i in range(1, values.size):
        count += values[i] == values[i - 1]
    return count


@compiled
def runs(values: Any, seen: Any, value: Any, length: Any, longest: Any) -> Any:
    """See `channel_reference.whole`; chunks without equal neighbours, nearly all of them, are passed over."""
    found, found_value, found_at = 0, value, 0
    most = max(longest, 0)
    for start in range(0, values.size, RUN_CHUNK):
        part = values[start : start + RUN_CHUNK]
        if most > 0 and np.float64(part[0]) != value and equal_neighbours(part) == 0:
            value, length = np.float64(part[-1]), 1
            continue
        for i in range(part.size):
            x = np.float64(part[i])
            length = length + 1 if x == value else 1
            value = x
            if length > most:
                most = found = length
                found_value, found_at = value, seen + start + i + 1 - length
    return value, length, found, found_value, found_at


def by_channel(values: NDArray[np.floating], start: int, inner: int, sums: NDArray[np.float64]) -> None:
    """See `channel_reference`."""
    if not len(values):
        return
    if inner == 1:
        side_by_side(values, start, sums)
    else:
        segments(values, start, inner, sums)


def zeros_by_group(
    values: NDArray[np.floating], start: int, along: Along, counts: NDArray[np.int64], used: NDArray[np.int64]
) -> None:
    """See `channel_reference`."""
    groups_along(values, start, *along, counts, used)


def whole(values: NDArray[np.floating], seen: int, value: float, length: int, longest: int) -> tuple[int, Run]:
    """See `channel_reference`."""
    if not len(values):
        return 0, (value, length, 0, value, 0)
    patterns = values.view(f"u{values.dtype.itemsize}")
    found = runs(values, seen, value, length, longest)
    return int(mixed_sum(patterns, seen)), (found[0], found[1], found[2], found[3], found[4])
