"""How many rows of a piece of a kernel are independent: enough to see that a kernel has lost its rank.

A matrix of rank r has no piece of a higher one, so that a piece of a hundred rows tells it from a sound one without
reading the whole. The caller says which axes are rows; nothing here knows what they mean.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from wtui.engine.blocks import read_span
from wtui.engine.region import decoded_box
from wtui.model import DTYPE_BITS, RAW
from wtui.stats.rank_row import RankRow
from wtui.stats.spectrum import describe, from_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wtui.model import Catalogue, TensorEntry
    from wtui.stats.spectrum_row import MatrixAxes
    from wtui.storage import Files

__all__ = ["ROWS", "corner_rank"]

ROWS, COLUMNS = 96, 4096
"""Most rows and columns of a piece: 10 ms."""

MOST = 1 << 24
"""Values that are read for it: 64 MB of float32, a hundred rows of the largest vocabularies."""


class Piece(NamedTuple):
    """Whole rows that lie one after the other: units of the axis `axis`, the axes before it being fixed."""

    axis: int
    fixed: tuple[int, ...]
    start: int
    stop: int
    columns: int


def corner_rank(entry: TensorEntry, catalogue: Catalogue, files: Files, axes: MatrixAxes, least: int) -> RankRow | None:
    """Of a piece from the middle, zero rows and columns left out; None where fewer than `least` rows or columns are
    left, where values are not finite, or where rows do not lie together. CodecError or StorageError if unreadable."""
    piece = _piece(entry.shape, axes)
    if piece is None or entry.strides is not None or (piece.stop - piece.start) * piece.columns > MOST:
        return None
    values = _read(entry, catalogue, files, piece)
    matrix = values.reshape(-1, piece.columns)[:ROWS].astype(np.float64)
    if not np.isfinite(matrix).all():
        return None
    matrix = matrix[np.any(matrix, axis=1)][:, np.any(matrix, axis=0)][:, :COLUMNS]
    if min(matrix.shape) < least:
        return None
    found = from_matrix(matrix / np.abs(matrix).max())
    assert found is not None
    rows, columns = matrix.shape
    rank = describe([found], rows, columns, entry.dtype).rank
    return None if rank is None else RankRow(rank, min(matrix.shape), prod(entry.shape) // piece.columns)


def _piece(shape: tuple[int, ...], axes: MatrixAxes) -> Piece | None:
    """About ROWS rows from the middle of the place in the middle of the window; of a window behind the rows, all."""
    ahead = len(axes.window) if axes.window == tuple(range(len(axes.window))) else 0
    if axes.rows != tuple(range(ahead, ahead + len(axes.rows))):
        return None
    inner = prod(shape[a] for a in axes.rows[1:])
    units = min(shape[ahead], -(-ROWS // max(inner, 1)))
    start = (shape[ahead] - units) // 2
    columns = prod(shape[ahead + len(axes.rows) :])
    fixed = tuple(n // 2 for n in shape[:ahead])
    return Piece(ahead, fixed, start, start + units, columns) if columns and units else None


def _read(entry: TensorEntry, catalogue: Catalogue, files: Files, piece: Piece) -> NDArray[np.generic]:
    """The values of a piece, of which nothing else is read where they are stored as they are."""
    from wtui.codecs.plain import decode_values

    parts = catalogue.parts(entry)
    if entry.encoding != RAW or any(p.shape is not None for p in parts):
        low = (*piece.fixed, piece.start, *(0 for _ in entry.shape[piece.axis + 1 :]))
        high = (*(i + 1 for i in piece.fixed), piece.stop, *entry.shape[piece.axis + 1 :])
        return decoded_box(entry, parts, files, low, high).reshape(-1)
    unit = prod(entry.shape[piece.axis + 1 :])
    place = 0
    for index, length in zip((*piece.fixed, piece.start), entry.shape, strict=False):
        place = place * length + index
    first, count, bits = place * unit, (piece.stop - piece.start) * unit, DTYPE_BITS[entry.dtype]
    byte, bit = divmod(first * bits, 8)
    data = np.empty((bit + count * bits + 7) // 8, np.uint8)
    read_span(parts, files, byte, data.data)
    return decode_values(data, entry.dtype, bit // bits + count, entry.byteorder)[bit // bits :]
