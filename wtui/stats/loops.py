"""The loops of `kernels`, compiled by numba: one for each family of dtypes, and the parts that they share.

Arguments are arrays and numbers of numba's; `Any` stands for all of them. Functions are compiled for a dtype when it
first comes, kept on disk, and release the interpreter's lock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

from wtui.stats import lanes
from wtui.stats.buckets import DENORMAL_SCALE, FIRST_NORMAL, FLOAT64_SHIFT, ID_SHIFT, LAST, REBIAS, SIGN
from wtui.stats.rows import BLOCK, CHUNK, COUNT, NEGATIVE_ZEROS, ZEROS

__all__ = ["byte_blocks", "count_steps", "drain", "float32_blocks", "short_blocks", "wide_blocks"]

Function = TypeVar("Function", bound=Callable[..., Any])

MEAN, M2, M3, M4, ABS_SUM, EXPONENT = range(COUNT + 1, COUNT + 7)

UNIT = 2 * lanes.LANES
"""Values that a step of the float32 kernel takes: two registers, so that sums need not wait for each other."""


def compiled(function: Function, fastmath: Any = False) -> Function:
    """The function compiled by numba when it is first called; not kept on disk where nothing can be written."""
    options = {"nogil": True, "error_model": "numpy", "fastmath": fastmath}
    try:
        return cast("Function", numba.njit(cache=True, **options)(function))
    except RuntimeError:
        return cast("Function", numba.njit(**options)(function))


def reassociated(function: Function) -> Function:
    """The same, with sums in any order: what lets LLVM vectorise them."""
    return compiled(function, {"reassoc", "nsz", "contract"})


@compiled
def extremes(p: Any, flip: Any, mask: Any) -> Any:
    """Lowest and highest key of patterns (signed integers), see `Kind.order`."""
    shift = 8 * p.itemsize - 1
    low = high = p[0] ^ flip ^ ((p[0] >> shift) & mask)
    for i in range(p.size):
        key = p[i] ^ flip ^ ((p[i] >> shift) & mask)
        low = min(low, key)
        high = max(high, key)
    return low, high


@compiled
def equal_to(p: Any, pattern: Any) -> Any:
    """How many patterns are this one."""
    count = 0
    for i in range(p.size):
        if p[i] == pattern:
            count += 1
    return count


@reassociated
def sums(values: Any) -> Any:
    """Sum of x and sum of |x|."""
    total = 0.0
    size = 0.0
    for i in range(values.size):
        x = np.float64(values[i])
        total += x
        size += abs(x)
    return total, size


@reassociated
def powers(values: Any, mean: Any) -> Any:
    """Sums of (x - mean) to the powers 1 to 4."""
    m1 = m2 = m3 = m4 = 0.0
    for i in range(values.size):
        d = np.float64(values[i]) - mean
        square = d * d
        m1 += d
        m2 += square
        m3 += square * d
        m4 += square * square
    return m1, m2, m3, m4


@compiled
def powers_and_ids(values: Any, ids: Any, mean: Any, table: Any) -> Any:
    """`powers` of float32 values, counted by the leading 20 bits of their patterns (`ids`) at the same time."""
    centre = lanes.spread(mean)
    a1 = a2 = a3 = a4 = b1 = b2 = b3 = b4 = lanes.spread(0.0)
    steps = values.size // UNIT
    for step in range(steps):
        start = step * UNIT
        d = lanes.subtract(lanes.load(values, start), centre)
        square = lanes.multiply(d, d)
        a1 = lanes.add(a1, d)
        a2 = lanes.add_product(a2, d, d)
        a3 = lanes.add_product(a3, square, d)
        a4 = lanes.add_product(a4, square, square)
        d = lanes.subtract(lanes.load(values, start + lanes.LANES), centre)
        square = lanes.multiply(d, d)
        b1 = lanes.add(b1, d)
        b2 = lanes.add_product(b2, d, d)
        b3 = lanes.add_product(b3, square, d)
        b4 = lanes.add_product(b4, square, square)
        part = ids[start : start + UNIT]
        for i in range(UNIT):
            table[part[i] >> ID_SHIFT] += np.uint32(1)
    for pattern in ids[steps * UNIT :]:
        table[pattern >> ID_SHIFT] += np.uint32(1)
    m1, m2, m3, m4 = powers(values[steps * UNIT :], mean)
    m1 += lanes.total(lanes.add(a1, b1))
    m2 += lanes.total(lanes.add(a2, b2))
    m3 += lanes.total(lanes.add(a3, b3))
    m4 += lanes.total(lanes.add(a4, b4))
    return m1, m2, m3, m4


@compiled
def count_ids(values: Any, table: Any) -> None:
    """Count values by bucket, as `buckets.ids_of` numbers them."""
    for i in range(values.size):
        x = np.float64(values[i])
        size = np.float64(abs(x))
        found: Any = (size.view(np.int64) >> FLOAT64_SHIFT) - REBIAS
        if found < FIRST_NORMAL:
            found = np.int64(size * DENORMAL_SCALE)
        found = min(found, LAST)
        if x.view(np.int64) < 0:  # -0.0 too
            found |= SIGN
        table[found] += np.uint32(1)


@compiled
def count_patterns(patterns: Any, table: Any) -> None:
    """Count unsigned patterns."""
    for i in range(patterns.size):
        table[patterns[i]] += np.uint32(1)


@compiled
def fill_row(row: Any, n: Any, mean: Any, abs_sum: Any, m1: Any, m2: Any, m3: Any, m4: Any) -> None:
    """Write a block's moments, corrected as in `moments.corrected`."""
    e = m1 / n
    row[COUNT] = n
    row[MEAN] = mean + e
    row[M2] = max(m2 - n * e * e, 0.0)
    row[M3] = m3 - 3 * e * m2 + 2 * n * e * e * e
    row[M4] = m4 - 4 * e * m3 + 6 * e * e * m2 - 3 * n * e * e * e * e
    row[ABS_SUM] = abs_sum
    row[EXPONENT] = 0


@compiled
def float32_blocks(
    values: Any, ids: Any, patterns: Any, usual: Any, mask: Any, table: Any, keys: Any, rows: Any
) -> Any:
    """Summarise blocks until one is not usual; -> how many were done. The views are of the same bytes."""
    for block in range(rows.shape[0]):
        start, stop = block * BLOCK, min((block + 1) * BLOCK, values.size)
        x, bits, p, n = values[start:stop], ids[start:stop], patterns[start:stop], stop - start
        low, high = extremes(p, np.int32(0), mask)
        if low < usual[0] or high > usual[1]:
            return block
        keys[block, 0], keys[block, 1] = low, high
        if low == high:
            table[bits[0] >> ID_SHIFT] += np.uint32(n)
            fill_row(rows[block], n, np.float64(x[0]), n * abs(np.float64(x[0])), 0.0, 0.0, 0.0, 0.0)
            zeros, negative = n * (x[0] == 0), n * (p[0] < 0 and x[0] == 0)
        else:
            before = table[0] + table[SIGN]
            total, size = sums(x)
            m1, m2, m3, m4 = powers_and_ids(x, bits, total / n, table)
            fill_row(rows[block], n, total / n, size, m1, m2, m3, m4)
            zeros = negative = 0
            if table[0] + table[SIGN] != before:
                negative = equal_to(p, np.int32(-0x80000000))
                zeros = equal_to(p, np.int32(0)) + negative
        rows[block, ZEROS], rows[block, NEGATIVE_ZEROS] = zeros, negative
    return rows.shape[0]


@compiled
def wide_blocks(values: Any, patterns: Any, usual: Any, flip: Any, mask: Any, table: Any, keys: Any, rows: Any) -> Any:
    """The same for float64, int64 and uint64 values."""
    for block in range(rows.shape[0]):
        start, stop = block * BLOCK, min((block + 1) * BLOCK, values.size)
        x, p, n = values[start:stop], patterns[start:stop], stop - start
        low, high = extremes(p, flip, mask)
        largest = max(high, -1 - low)
        if low < usual[0] or high > usual[1] or 0 < largest < usual[2]:
            return block
        keys[block, 0], keys[block, 1] = low, high
        total, size = sums(x)
        mean = np.float64(x[0]) if low == high else total / n
        m1, m2, m3, m4 = powers(x, mean)
        fill_row(rows[block], n, mean, size, m1, m2, m3, m4)
        count_ids(x, table)
        negative = 0 if mask == 0 else equal_to(p, ~mask)
        rows[block, ZEROS], rows[block, NEGATIVE_ZEROS] = negative + equal_to(p, mask & 0), negative
    return rows.shape[0]


@compiled
def short_blocks(patterns: Any, signed: Any, usual: Any, flip: Any, mask: Any, table: Any, keys: Any, rows: Any) -> Any:
    """The same for values of 16 bits, of which only patterns are counted."""
    for block in range(rows.shape[0]):
        start, stop = block * BLOCK, min((block + 1) * BLOCK, patterns.size)
        low, high = extremes(signed[start:stop], flip, mask)
        if low < usual[0] or high > usual[1]:
            return block
        keys[block, 0], keys[block, 1] = low, high
        rows[block, COUNT] = stop - start
        count_patterns(patterns[start:stop], table)
    return rows.shape[0]


@compiled
def byte_blocks(patterns: Any, ranks: Any, table: Any, keys: Any, rows: Any) -> Any:
    """The same for values of a byte or less; a rank of -1 is a pattern that is not finite."""
    local = np.empty(256, np.uint32)
    for block in range(rows.shape[0]):
        start, stop = block * BLOCK, min((block + 1) * BLOCK, patterns.size)
        local[:] = 0
        count_patterns(patterns[start:stop], local)
        low, high = 256, -1
        for pattern in range(256):
            if local[pattern]:
                low, high = min(low, ranks[pattern]), max(high, ranks[pattern])
        if low < 0:
            return block
        keys[block, 0], keys[block, 1] = low, high
        rows[block, COUNT] = stop - start
        for pattern in range(256):
            table[pattern] += local[pattern]
    return rows.shape[0]


@compiled
def count_steps(values: Any, edges: Any, per_bin: Any, table: Any) -> Any:
    """Count values by step of a window with these bin edges; -> finite values below and above it."""
    below = above = 0
    bins = edges.size - 1
    lo, hi = edges[0], edges[bins]
    width = hi / 2 - lo / 2
    for i in range(values.size):
        x = values[i]
        if lo <= x <= hi:
            at = min(int((x / 2 - lo / 2) / width * bins), bins - 1)
            while x < edges[at]:
                at -= 1
            while at < bins - 1 and x >= edges[at + 1]:
                at += 1
            start = edges[at] / 2
            step = int((x / 2 - start) / (edges[at + 1] / 2 - start) * per_bin)
            table[at * per_bin + min(step, per_bin - 1)] += np.uint32(1)
        elif -np.inf < x < lo:
            below += 1
        elif hi < x < np.inf:
            above += 1
    return below, above


@compiled
def drain(table: Any, ids: Any, counts: Any) -> Any:
    """Move what is not zero from a table into lists; -> how many there are. Most of a table is empty."""
    found = 0
    for chunk in range(table.size // CHUNK):
        part = table[chunk * CHUNK : chunk * CHUNK + CHUNK]
        any_bits = np.uint32(0)
        for i in range(CHUNK):
            any_bits |= part[i]
        if any_bits:
            for i in range(CHUNK):
                if part[i]:
                    ids[found], counts[found] = chunk * CHUNK + i, part[i]
                    part[i] = 0
                    found += 1
    return found
