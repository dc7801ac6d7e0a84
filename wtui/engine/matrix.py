"""A tensor seen as a matrix and reduced to a few cells: what a heat map draws. One pass, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from wtui.engine.blocks import Buffer, plan_blocks
from wtui.engine.measure import block_floats
from wtui.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wtui.model import Catalogue, TensorEntry
    from wtui.stats.box import Box
    from wtui.storage import Files

__all__ = ["Cells", "Reduction", "reduce_matrix"]


class Cells(NamedTuple):
    """A matrix of `rows` x `columns` values in cells of nearly equal size; each array is (cell rows, cell columns)."""

    rows: int
    columns: int
    mean: NDArray[np.float64]
    """NaN where a cell holds one."""
    abs_mean: NDArray[np.float64]
    abs_max: NDArray[np.float64]


def reduce_matrix(
    entry: TensorEntry,
    catalogue: Catalogue,
    files: Files,
    split: int,
    most_rows: int,
    most_columns: int,
    stopped: Callable[[], bool] = lambda: False,
) -> Cells | None:
    """The tensor as a matrix, axes before `split` being rows and the others columns, in at most so many cells.

    `stopped` is asked between blocks; None if it said so. UsageError for a tensor without values; CodecError or
    StorageError where it cannot be read.
    """
    reduction = Reduction(entry, split, most_rows, most_columns)
    plan = plan_blocks(entry, catalogue, files)
    buffer, left = Buffer(), entry.size
    for unit in range(plan.units):
        for block, data in plan.blocks(unit, buffer):
            if stopped():
                return None
            values = block_floats(data, plan.dtype, plan.byteorder, left)
            left -= len(values)
            box = plan.box(block)
            if box.shape == entry.shape and box.axes == tuple(range(len(entry.shape))):
                reduction.add_run(values, box.start)
            else:
                reduction.add_at(values, _flat_positions(box, len(values), entry.shape))
    return reduction.cells()


class Reduction:
    """Values of a tensor, as they come, added to the cells of its matrix."""

    def __init__(self, entry: TensorEntry, split: int, most_rows: int, most_columns: int) -> None:
        """Axes before `split` are rows. UsageError for a tensor without values."""
        if not entry.size or not 0 <= split <= len(entry.shape):
            raise UsageError("there is no matrix to draw", entry.name)
        self._rows, self._columns = prod(entry.shape[:split]), prod(entry.shape[split:])
        self._edges = _edges(self._rows, most_rows), _edges(self._columns, most_columns)
        shape = len(self._edges[0]) - 1, len(self._edges[1]) - 1
        self._sums = np.zeros(shape), np.zeros(shape), np.zeros(shape)

    def add_run(self, values: NDArray[np.floating], start: int) -> None:
        """Add values that follow each other in C order from position `start` on."""
        for rows, columns, piece in _row_pieces(values, start, self._columns):
            _add(piece, rows, columns, *self._edges, self._sums)

    def add_at(self, values: NDArray[np.floating], flat: NDArray[np.int64]) -> None:
        """Add values at these positions in C order. Both (n,)."""
        _add(values, flat // self._columns, flat % self._columns, *self._edges, self._sums)

    def cells(self) -> Cells:
        """What was added."""
        total, absolute, largest = self._sums
        sizes = np.outer(np.diff(self._edges[0]), np.diff(self._edges[1]))
        return Cells(self._rows, self._columns, total / sizes, absolute / sizes, largest)


def _edges(length: int, most: int) -> NDArray[np.int64]:
    """Edges of at most `most` cells over `length` values."""
    cells = max(1, min(length, most))
    return np.arange(cells + 1, dtype=np.int64) * length // cells


def _row_pieces(
    values: NDArray[np.floating], start: int, columns: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.floating]]]:
    """A run of the matrix in C order: the rest of a row, whole rows, the beginning of a row."""
    pieces = []
    at = 0
    while at < len(values):
        row, column = divmod(start + at, columns)
        whole = (len(values) - at) // columns if column == 0 else 0
        count = whole * columns if whole else min(columns - column, len(values) - at)
        piece = values[at : at + count].reshape(max(whole, 1), -1)
        numbers = np.arange(row, row + len(piece))
        pieces.append((numbers, np.arange(column, column + piece.shape[1]), piece))
        at += count
    return pieces


def _flat_positions(box: Box, count: int, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Positions in C order of the tensor of `count` values of a box. -> (count,)"""
    strides = [prod(shape[a + 1 :]) for a in range(len(shape))]
    place = np.arange(box.start, box.start + count, dtype=np.int64)
    flat = np.full(count, sum(o * s for o, s in zip(box.origin, strides, strict=True)), np.int64)
    for axis, length in zip(reversed(box.axes), reversed(box.shape), strict=True):
        place, i = np.divmod(place, length)
        flat += i * strides[axis]
    return flat


def _add(
    piece: NDArray[np.floating],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    row_edges: NDArray[np.int64],
    column_edges: NDArray[np.int64],
    sums: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
) -> None:
    """Add a piece to the cells that it lies in."""
    total, absolute, largest = sums
    size = np.abs(piece)
    if piece.ndim == 1:
        r, c = np.searchsorted(row_edges, rows, "right") - 1, np.searchsorted(column_edges, columns, "right") - 1
        np.add.at(total, (r, c), piece)
        np.add.at(absolute, (r, c), size)
        np.maximum.at(largest, (r, c), size)
        return
    r, row_starts = _groups(rows, row_edges)
    c, column_starts = _groups(columns, column_edges)
    cells = np.ix_(r, c)
    total[cells] += _reduced(np.add, piece, row_starts, column_starts)
    absolute[cells] += _reduced(np.add, size, row_starts, column_starts)
    largest[cells] = np.maximum(largest[cells], _reduced(np.maximum, size, row_starts, column_starts))


def _groups(numbers: NDArray[np.int64], edges: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The cells that ascending numbers fall into, and where each cell's numbers start."""
    cells = np.searchsorted(edges, numbers, "right") - 1
    starts = np.flatnonzero(np.diff(cells, prepend=-1))
    return cells[starts], starts


def _reduced(
    how: np.ufunc, piece: NDArray[np.floating], row_starts: NDArray[np.int64], column_starts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """A piece reduced along both axes."""
    narrow = how.reduceat(piece, column_starts, axis=1, dtype=np.float64 if how is np.add else None)
    result: NDArray[np.float64] = how.reduceat(narrow, row_starts, axis=0)
    return result
