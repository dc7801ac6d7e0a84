"""Blocks of values summarised by compiled loops; importing it imports numba, which takes half a second.

A kernel looks at a block twice while it lies in the processor's cache: first for extremes, sum and sum of |x|, then
for central moments about the block's mean and the counts. It takes usual blocks only and stops at the first one with
NaN, infinities or extreme magnitudes, which `reference` does instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wtui.stats import loops

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wtui.stats.kinds import Kind
    from wtui.stats.linear import Window

__all__ = ["count_steps", "drain", "summarise"]


def summarise(
    kind: Kind,
    patterns: NDArray[np.unsignedinteger],
    table: NDArray[np.uint32],
    keys: NDArray[np.int64],
    rows: NDArray[np.float64],
) -> int:
    """Fill `rows` and `keys`, one for each block of `patterns`, and count in `table`; -> blocks done before one that
    is not usual."""
    if kind.native.itemsize == 1:
        return int(loops.byte_blocks(patterns, kind.ranks, table, keys, rows))
    (flip, mask), usual = kind.order, kind.usual
    values, signed = patterns.view(kind.work), patterns.view(kind.signed)
    if kind.narrow:
        return int(loops.short_blocks(patterns, signed, usual, flip, mask, table, keys, rows))
    if kind.work == np.float32:
        return int(loops.float32_blocks(values, patterns, signed, usual, mask, table, keys, rows))
    return int(loops.wide_blocks(values, signed, usual, flip, mask, table, keys, rows))


def count_steps(
    values: NDArray[np.float64], window: Window, edges: NDArray[np.float64], table: NDArray[np.uint32]
) -> tuple[int, int]:
    """As `reference.count_steps`."""
    below, above = loops.count_steps(values, edges, window.per_bin, table)
    return int(below), int(above)


def drain(table: NDArray[np.uint32], most: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Ascending numbers of the counters that are not zero, at most `most`, and what they held; they are reset."""
    ids, counts = np.empty((2, min(most, len(table))), np.uint32)
    found = loops.drain(table, ids, counts)
    return ids[:found].copy(), counts[:found].copy()
