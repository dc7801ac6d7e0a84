"""The loops for float32 values, by far the commonest: arithmetic in lanes and counting in turns, compiled by numba.

Counting a value is a load, an addition and a store that wait for the cache; the arithmetic of the same loop runs while
they do. Counters are bytes, so that those in use fit the nearest cache (90 % of normally distributed values fall into
18,000 buckets), with a table of 32-bit counters that a byte is emptied into when it is full: measured, 0.44 instead of
0.52 ns a value for a whole block. A byte is never 0 again once it was used, so only bytes are searched for counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wtui.stats import lanes
from wtui.stats.buckets import ID_SHIFT, SIGN
from wtui.stats.loops import compiled, equal_to, fill_row, part, powers, sums
from wtui.stats.rows import BLOCK, CHUNK, NEGATIVE_ZEROS, ZEROS

__all__ = ["drain_pair", "float32_blocks"]

UNIT = 2 * lanes.LANES
"""Values that one turn of a loop adds up: two registers, so that sums need not wait for each other."""

TURN = UNIT // 2
"""Values that one turn counts: half of them in each of the two loops over a block."""

FULL = np.uint8(255)

MAGNITUDE = np.uint32(0x7FFFFFFF)
"""Bits of a float32 without its sign."""


@part
def key_of(bits: Any) -> Any:
    """The key of a pattern, as `Kind.keys` gives it."""
    magnitude = np.int64(bits & MAGNITUDE)
    return -1 - magnitude if bits > MAGNITUDE else magnitude


@part
def extreme_keys(patterns: Any, bits: Any) -> Any:
    """Lowest and highest key. Of two floats below 0 the lower has the larger pattern, which two comparisons a value
    suffice for: as signed integers the largest is the highest float, as unsigned ones the lowest; unless all have
    the same sign.
    """
    highest, lowest = patterns[0], bits[0]
    for i in range(patterns.size):
        highest = max(highest, patterns[i])
        lowest = max(lowest, bits[i])
    if highest >= 0 and lowest > MAGNITUDE:
        return key_of(lowest), np.int64(highest)
    nearest = bits[0]
    for i in range(bits.size):
        nearest = min(nearest, bits[i])
    if highest < 0:
        return key_of(lowest), key_of(nearest)
    return key_of(nearest), np.int64(highest)


@part
def count(bits: Any, small: Any, large: Any) -> None:
    """Count values by the leading 20 bits of their patterns."""
    for pattern in bits:
        at = pattern >> ID_SHIFT
        n = small[at]
        small[at] = np.uint8(n + np.uint8(1))
        if n == FULL:
            small[at] = np.uint8(1)
            large[at] += np.uint32(FULL)


@part
def sums_counting(values: Any, bits: Any, small: Any, large: Any) -> Any:
    """Sum of x and sum of |x| of all values; counts those of `bits`, at most half as many."""
    s1 = s2 = a1 = a2 = lanes.spread(0.0)
    turns = min(values.size // UNIT, bits.size // TURN)
    for turn in range(turns):
        x = lanes.load(values, turn * UNIT)
        s1, a1 = lanes.add(s1, x), lanes.add(a1, lanes.magnitude(x))
        x = lanes.load(values, turn * UNIT + lanes.LANES)
        s2, a2 = lanes.add(s2, x), lanes.add(a2, lanes.magnitude(x))
        counted = bits[turn * TURN : turn * TURN + TURN]
        for i in range(TURN):
            at = counted[i] >> ID_SHIFT
            n = small[at]
            small[at] = np.uint8(n + np.uint8(1))
            if n == FULL:
                small[at] = np.uint8(1)
                large[at] += np.uint32(FULL)
    count(bits[turns * TURN :], small, large)
    total, size = sums(values[turns * UNIT :])
    return total + lanes.total(lanes.add(s1, s2)), size + lanes.total(lanes.add(a1, a2))


@part
def powers_counting(values: Any, mean: Any, bits: Any, small: Any, large: Any) -> Any:
    """Sums of (x - mean) to the powers 1 to 4 of all values; counts those of `bits`, about half as many."""
    centre = lanes.spread(mean)
    a1 = a2 = a3 = a4 = b1 = b2 = b3 = b4 = lanes.spread(0.0)
    turns = min(values.size // UNIT, bits.size // TURN)
    for turn in range(turns):
        d = lanes.subtract(lanes.load(values, turn * UNIT), centre)
        square = lanes.multiply(d, d)
        a1, a2 = lanes.add(a1, d), lanes.add(a2, square)
        a3, a4 = lanes.add_product(a3, square, d), lanes.add_product(a4, square, square)
        d = lanes.subtract(lanes.load(values, turn * UNIT + lanes.LANES), centre)
        square = lanes.multiply(d, d)
        b1, b2 = lanes.add(b1, d), lanes.add(b2, square)
        b3, b4 = lanes.add_product(b3, square, d), lanes.add_product(b4, square, square)
        counted = bits[turn * TURN : turn * TURN + TURN]
        for i in range(TURN):
            at = counted[i] >> ID_SHIFT
            n = small[at]
            small[at] = np.uint8(n + np.uint8(1))
            if n == FULL:
                small[at] = np.uint8(1)
                large[at] += np.uint32(FULL)
    count(bits[turns * TURN :], small, large)
    m1, m2, m3, m4 = powers(values[turns * UNIT :], mean)
    m1 += lanes.total(lanes.add(a1, b1))
    m2 += lanes.total(lanes.add(a2, b2))
    m3 += lanes.total(lanes.add(a3, b3))
    m4 += lanes.total(lanes.add(a4, b4))
    return m1, m2, m3, m4


@part
def zeros_counted(small: Any, large: Any) -> Any:
    """How many values were counted so far that may be zeros."""
    return np.int64(large[0]) + np.int64(large[SIGN]) + np.int64(small[0]) + np.int64(small[SIGN])


@compiled
def float32_blocks(
    values: Any, bits: Any, patterns: Any, usual: Any, small: Any, large: Any, keys: Any, rows: Any
) -> Any:
    """Summarise blocks until one is not usual; -> how many were done. The three views are of the same bytes."""
    for block in range(rows.shape[0]):
        start, stop = block * BLOCK, min((block + 1) * BLOCK, values.size)
        x, p, n = values[start:stop], patterns[start:stop], stop - start
        low, high = extreme_keys(p, bits[start:stop])
        if low < usual[0] or high > usual[1]:
            return block
        keys[block, 0], keys[block, 1] = low, high
        before, middle = zeros_counted(small, large), start + n // 2
        total, size = sums_counting(x, bits[start:middle], small, large)
        mean = np.float64(x[0]) if low == high else total / n
        m1, m2, m3, m4 = powers_counting(x, mean, bits[middle:stop], small, large)
        fill_row(rows[block], n, mean, size, m1, m2, m3, m4)
        zeros = negative = 0
        if zeros_counted(small, large) != before:
            negative = equal_to(p, np.int32(-0x80000000))
            zeros = equal_to(p, np.int32(0)) + negative
        rows[block, ZEROS], rows[block, NEGATIVE_ZEROS] = zeros, negative
    return rows.shape[0]


@compiled
def drain_pair(words: Any, small: Any, large: Any, ids: Any, counts: Any) -> Any:
    """Move what was counted into lists; -> how many there are. `words` is `small` as 64-bit words, mostly 0."""
    found = 0
    per_chunk = CHUNK // 8
    for chunk in range(words.size // per_chunk):
        used = np.uint64(0)
        for word in words[chunk * per_chunk : (chunk + 1) * per_chunk]:
            used |= word
        if used:
            for at in range(chunk * CHUNK, (chunk + 1) * CHUNK):
                if small[at]:
                    ids[found], counts[found] = at, large[at] + small[at]
                    small[at] = large[at] = 0
                    found += 1
    return found
