"""The loops of `kernels`, compiled by numba: for every family of dtypes but float32, and the parts that all share.

Arguments are arrays and numbers of numba's; `Any` stands for all of them. Functions are compiled for a dtype when it
first comes, kept on disk, and release the interpreter's lock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

from wtui.stats.buckets import DENORMAL_SCALE, FIRST_NORMAL, FLOAT64_SHIFT, LAST, REBIAS, SIGN
from wtui.stats.rows import BLOCK, CHUNK, COUNT, NEGATIVE_ZEROS, ZEROS

__all__ = [
    "byte_blocks",
    "compiled",
    "count_steps",
    "drain",
    "equal_to",
    "extremes",
    "fill_row",
    "join",
    "part",
    "powers",
    "reassociated",
    "short_blocks",
    "sums",
    "wide_blocks",
]

Function = TypeVar("Function", bound=Callable[..., Any])

MEAN, M2, M3, M4, ABS_SUM, EXPONENT = range(COUNT + 1, COUNT + 7)


ANY_ORDER = {"reassoc", "nsz", "contract"}
"""What floating-point sums may do: but nothing is assumed of NaN and infinities."""

if numba.config.DISABLE_JIT:
    raise ImportError("numba is switched off (NUMBA_DISABLE_JIT)")


def compiled(function: Function, fastmath: Any = False) -> Function:
    """The function compiled by numba when it is first called; not kept on disk where nothing can be written."""
    try:
        return cast("Function", numba.njit(nogil=True, error_model="numpy", fastmath=fastmath, cache=True)(function))
    except RuntimeError:
        return cast("Function", numba.njit(nogil=True, error_model="numpy", fastmath=fastmath)(function))


def reassociated(function: Function) -> Function:
    """The same, with sums in any order: what lets LLVM vectorise them."""
    return compiled(function, ANY_ORDER)


def part(function: Function, fastmath: Any = False) -> Function:
    """Like `compiled`, for what only compiled functions call: quicker to compile."""
    wrappers = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return cast("Function", numba.njit(nogil=True, error_model="numpy", fastmath=fastmath, **wrappers)(function))


def reassociated_part(function: Function) -> Function:
    """Like `reassociated`, for what only compiled functions call."""
    return part(function, ANY_ORDER)


@part
def extremes(p: Any, flip: Any, mask: Any) -> Any:
    """Lowest and highest key of patterns (signed integers), see `Kind.order`."""
    shift = 8 * p.itemsize - 1
    low = high = p[0] ^ flip ^ ((p[0] >> shift) & mask)
    for i in range(p.size):
        key = p[i] ^ flip ^ ((p[i] >> shift) & mask)
        low = min(low, key)
        high = max(high, key)
    return low, high


@part
def equal_to(p: Any, pattern: Any) -> Any:
    """How many patterns are this one."""
    count = 0
    for i in range(p.size):
        if p[i] == pattern:
            count += 1
    return count


@reassociated_part
def sums(values: Any) -> Any:
    """Sum of x and sum of |x|."""
    total = 0.0
    size = 0.0
    for i in range(values.size):
        x = np.float64(values[i])
        total += x
        size += abs(x)
    return total, size


@reassociated_part
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


@part
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


@part
def count_patterns(patterns: Any, table: Any) -> None:
    """Count unsigned patterns."""
    for i in range(patterns.size):
        table[patterns[i]] += np.uint32(1)


@part
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
def wide_blocks(values: Any, patterns: Any, usual: Any, flip: Any, mask: Any, table: Any, keys: Any, rows: Any) -> Any:
    """Summarise blocks of float64, int64 or uint64 values until one is not usual; -> how many were done."""
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
    """Count values by step of a window with these bin edges; -> finite values below and above it.

    Halves, since a difference may not fit float64. Bins may be too narrow to halve, hence bounds on both sides.
    """
    below = above = 0
    bins = edges.size - 1
    lo, hi = edges[0], edges[bins]
    bins_per_half = bins / (hi / 2 - lo / 2)
    steps_per_half = bins_per_half * per_bin
    for i in range(values.size):
        x = values[i]
        if lo <= x <= hi:
            at = max(0, min(int((x / 2 - lo / 2) * bins_per_half), bins - 1))
            while at > 0 and x < edges[at]:
                at -= 1
            while at < bins - 1 and x >= edges[at + 1]:
                at += 1
            step = int((x / 2 - edges[at] / 2) * steps_per_half)
            table[at * per_bin + max(0, min(step, per_bin - 1))] += np.uint32(1)
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
        counters = table[chunk * CHUNK : chunk * CHUNK + CHUNK]
        any_bits = np.uint32(0)
        for i in range(CHUNK):
            any_bits |= counters[i]
        if any_bits:
            for i in range(CHUNK):
                if counters[i]:
                    ids[found], counts[found] = chunk * CHUNK + i, counters[i]
                    counters[i] = 0
                    found += 1
    return found


@compiled
def join(ids_a: Any, counts_a: Any, ids_b: Any, counts_b: Any, ids: Any, counts: Any) -> Any:
    """Merge two ascending lists into a third, adding up what both have; -> how many there are."""
    found = i = j = 0
    while i < ids_a.size or j < ids_b.size:
        from_a = j == ids_b.size or (i < ids_a.size and ids_a[i] <= ids_b[j])
        from_b = i == ids_a.size or (j < ids_b.size and ids_b[j] <= ids_a[i])
        counts[found] = 0
        if from_a:
            ids[found] = ids_a[i]
            counts[found] += counts_a[i]
            i += 1
        if from_b:
            ids[found] = ids_b[j]
            counts[found] += counts_b[j]
            j += 1
        found += 1
    return found
