"""Blocks of values summarised with plain numpy: complete, and slower than the kernels by an order of magnitude.

It serves samples, the time until kernels are compiled, machines without numba, and every block that kernels leave to
it: those with NaN, infinities or extreme magnitudes. It is also what kernels are tested against.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wtui.stats import rows
from wtui.stats.buckets import ID_SHIFT, ids_of
from wtui.stats.moments import moments_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wtui.stats.kinds import Kind
    from wtui.stats.linear import Window
    from wtui.stats.scratch import Table

__all__ = ["count_steps", "finite_only", "summarise"]


def summarise(
    kind: Kind,
    patterns: NDArray[np.unsignedinteger],
    table: Table,
    keys: NDArray[np.int64],
    row: NDArray[np.float64],
) -> None:
    """Fill `row` and `keys` with what finite values say, and count them in `table`. patterns: (n,)"""
    if not len(patterns):
        return
    found = kind.keys(patterns)
    keys[:] = found.min(), found.max()
    if kind.narrow:
        row[rows.COUNT] = len(patterns)
        table.add(*np.unique(patterns, return_counts=True))
        return
    floats = kind.floats(patterns)
    row[rows.MOMENTS] = np.array(moments_of(floats))
    zero = floats == 0
    row[rows.ZEROS] = np.count_nonzero(zero)
    row[rows.NEGATIVE_ZEROS] = np.count_nonzero(zero & np.signbit(floats))
    ids = patterns >> ID_SHIFT if kind.work == np.float32 else ids_of(floats)
    table.add(*np.unique(ids, return_counts=True))


def finite_only(
    kind: Kind, patterns: NDArray[np.unsignedinteger], row: NDArray[np.float64]
) -> NDArray[np.unsignedinteger]:
    """The patterns of finite values; the others are counted in `row`. patterns: (n,)"""
    if kind.whole:
        return patterns
    floats = kind.floats(patterns)
    finite = np.isfinite(floats)
    if finite.all():
        return patterns
    row[rows.NAN] = np.count_nonzero(np.isnan(floats))
    row[rows.POSINF] = np.count_nonzero(floats == np.inf)
    row[rows.NEGINF] = np.count_nonzero(floats == -np.inf)
    return patterns[finite]


def count_steps(
    values: NDArray[np.float64], window: Window, edges: NDArray[np.float64], table: Table
) -> tuple[int, int]:
    """Count values by step of a window; -> how many finite ones lie below and above it. values: (n,)"""
    inside = values[(values >= edges[0]) & (values <= edges[-1])]
    at = np.clip(np.searchsorted(edges, inside, "right") - 1, 0, window.bins - 1)
    start, stop = edges[at], edges[at + 1]
    with np.errstate(divide="ignore", invalid="ignore"):  # bins may be too narrow to halve
        share = np.nan_to_num((inside / 2 - start / 2) / (stop / 2 - start / 2))
    step = np.clip(share * window.per_bin, 0, window.per_bin - 1).astype(np.int64)
    table.add(*np.unique(at * window.per_bin + step, return_counts=True))
    below = (values < edges[0]) & (values > -np.inf)
    above = (values > edges[-1]) & (values < np.inf)
    return int(np.count_nonzero(below)), int(np.count_nonzero(above))
