"""What a viewer shows of a pair: the values of a box of both, and a heat map of their difference.

Everything is in the places of B: where A is laid out in another way, its values are looked up where they belong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wtui.engine.compare_axes import CommonAxes
from wtui.engine.compare_plan import plan_pair
from wtui.engine.matrix import Cells, Reduction
from wtui.engine.pool import Worker
from wtui.engine.region import read_box

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from wtui.engine.compare import WantedPair
    from wtui.stats.layout import Layout

__all__ = ["box_of_a", "box_of_difference", "reduce_difference"]

Index = tuple[int, ...]


def box_of_a(pair: WantedPair, layout: Layout, start: Index, stop: Index) -> NDArray[np.generic]:
    """A's values in the places of B's box `start : stop`. Raises what `read_box` does."""
    a, b = pair.a, pair.b
    shape = tuple(n - m for m, n in zip(start, stop, strict=True))
    if 0 in shape:
        return np.zeros(shape)
    ranges = [np.arange(m, n, dtype=np.int64) for m, n in zip(start, stop, strict=True)]
    index = CommonAxes(a.entry.shape, b.entry.shape, layout).index_in_a(
        np.meshgrid(*ranges, indexing="ij", sparse=True)
    )
    low = tuple(int(i.min()) for i in index)
    high = tuple(int(i.max()) + 1 for i in index)
    around = read_box(*a, low, high)
    return np.broadcast_to(around[tuple(i - m for i, m in zip(index, low, strict=True))], shape)


def box_of_difference(pair: WantedPair, layout: Layout, start: Index, stop: Index) -> NDArray[np.float64]:
    """B - A in the places of B's box."""
    a = box_of_a(pair, layout, start, stop).astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        return read_box(*pair.b, start, stop).astype(np.float64) - a


def reduce_difference(
    pair: WantedPair,
    layout: Layout,
    split: int,
    most_rows: int,
    most_columns: int,
    stopped: Callable[[], bool] = lambda: False,
) -> Cells | None:
    """B - A as a matrix in cells, as `reduce_matrix` for one tensor; None if `stopped` said so."""
    entry = pair.b.entry
    reduction = Reduction(entry, split, most_rows, most_columns)
    plan = plan_pair(pair.a, pair.b, layout)
    worker = Worker()
    for unit in range(plan.units):
        for piece in plan.pieces(unit, worker):
            if stopped():
                return None
            with np.errstate(invalid="ignore", over="ignore"):
                values = piece.b.astype(np.float64) - piece.a.astype(np.float64)
            flat = plan.common.flat_in_b(entry.shape, plan.places(piece.place, len(values)))
            if flat[-1] - flat[0] == len(flat) - 1 and bool((np.diff(flat) == 1).all()):
                reduction.add_run(values, int(flat[0]))
            else:
                reduction.add_at(values, flat)
    return reduction.cells()
