"""Blocks of values summarised by compiled loops; importing it imports numba, which takes half a second.

A kernel looks at a block twice while it lies in the processor's cache: first for extremes, sum and sum of |x|, then
for central moments about the block's mean; it counts on the way. It takes usual blocks only and stops at the first one
with NaN, infinities or extreme magnitudes, which `reference` does instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wtui.stats import loops, loops32

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wtui.stats.kinds import Kind
    from wtui.stats.linear import Window
    from wtui.stats.scratch import Counted, Table

__all__ = ["count_steps", "drain", "join", "summarise"]


def summarise(
    kind: Kind,
    patterns: NDArray[np.unsignedinteger],
    table: Table,
    keys: NDArray[np.int64],
    rows: NDArray[np.float64],
) -> int:
    """Fill `rows` and `keys`, one for each block of `patterns`, and count in `table`; -> blocks done before one that
    is not usual."""
    large, small = table
    if kind.native.itemsize == 1:
        return int(loops.byte_blocks(patterns, kind.ranks, large, keys, rows))
    (flip, mask), usual = kind.order, kind.usual
    values, signed = patterns.view(kind.work), patterns.view(kind.signed)
    if kind.narrow:
        return int(loops.short_blocks(patterns, signed, usual, flip, mask, large, keys, rows))
    if small is not None:
        return int(loops32.float32_blocks(values, patterns, signed, usual, small, large, keys, rows))
    return int(loops.wide_blocks(values, signed, usual, flip, mask, large, keys, rows))


def count_steps(
    values: NDArray[np.float64], window: Window, edges: NDArray[np.float64], table: Table
) -> tuple[int, int]:
    """As `reference.count_steps`."""
    below, above = loops.count_steps(values, edges, window.per_bin, table.large)
    return int(below), int(above)


def drain(table: Table, most: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Ascending numbers of the counters that are not zero, at most `most`, and what they held; they are reset."""
    large, small = table
    ids, counts = np.empty((2, min(most, len(large))), np.uint32)
    if small is None:
        found = loops.drain(large, ids, counts)
    else:
        found = loops32.drain_pair(small.view(np.uint64), small, large, ids, counts)
    return ids[:found].copy(), counts[:found].copy()


def join(a: Counted, b: Counted) -> Counted:
    """Two ascending lists as one."""
    ids, counts = np.empty((2, len(a[0]) + len(b[0])), np.int64)
    ids_a, counts_a, ids_b, counts_b = (part.astype(np.int64) for part in (*a, *b))
    found = loops.join(ids_a, counts_a, ids_b, counts_b, ids, counts)
    return ids[:found], counts[:found]
