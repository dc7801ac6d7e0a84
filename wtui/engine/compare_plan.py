"""How a pair of tensors is read together, in pieces that threads can share: values of both in matching order.

Where both lie in the same order in their files, they are read side by side in runs. Else they are read in tiles: boxes
along the axes that they have in common, chosen so that either file is read in long runs, or the parts of an encoded
tensor. Memory is bounded by a tile, or by the largest encoded part. Knows no statistic.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from wtui.codecs.plain import decode_values
from wtui.engine.blocks import BLOCK, BLOCKS_PER_UNIT, read_span
from wtui.engine.compare_axes import CommonAxes, c_strides, dense_order, unravel
from wtui.engine.compare_read import box_reader, is_raw
from wtui.model import DTYPE_BITS, RAW

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wtui.engine.compare_read import BoxReader, Stored
    from wtui.engine.pool import Worker
    from wtui.model import Part
    from wtui.stats.layout import Layout

__all__ = ["ChannelRun", "PairPlan", "Piece", "plan_pair", "tile_shape"]

BLOCKS_PER_READ = 2
"""Blocks of each of both tensors that are read together."""

TILE = 1 << 19
"""Values of a tile: 2 MiB of float32 of each tensor, and as much again while one is turned around."""


class ChannelRun(NamedTuple):
    """Which channel a pair belongs to: the one at position p to number ((start + p) // inner) % n of them."""

    start: int
    inner: int
    numbers: NDArray[np.intp] | None
    """Those n of the tensor's channels; None: all."""


class Piece(NamedTuple):
    """Pairs of values."""

    block: int
    """Number of the first block; each but the last of a tile or tensor is full."""
    a: NDArray[np.generic]
    b: NDArray[np.generic]
    """(n,) decoded, in native byte order; valid until the next piece."""
    place: int
    """Number of the first pair, see `PairPlan.place`."""
    channels: ChannelRun | None


class PairPlan(Protocol):
    """How to read one pair."""

    common: CommonAxes
    dtype_a: str
    dtype_b: str
    units: int
    """Pieces of work; any thread may do any of them in any order."""
    channels: int
    """Of B, along the axes asked for; 0 where they cannot be told apart."""

    def pieces(self, unit: int, worker: Worker) -> Iterator[Piece]:
        """The pairs of one unit."""

    def piece_of(self, block: int, worker: Worker) -> Piece:
        """The pairs of one block alone, read again."""

    def place(self, number: int) -> list[int]:
        """The index along the common axes of the pair with this number."""

    def places(self, number: int, count: int) -> list[NDArray[np.int64]]:
        """Those of `count` pairs of one piece from this number on, an array for each common axis."""


def plan_pair(a: Stored, b: Stored, layout: Layout, channel_axes: tuple[int, int] | None = None) -> PairPlan:
    """The plan for a pair; `channel_axes` are B's axes `start : stop` along which channels lie.

    UsageError for shapes that do not fit, CodecError for a tensor that cannot be read.
    """
    common = CommonAxes(a.entry.shape, b.entry.shape, layout)
    parts = a.parts, b.parts
    along = common.factors_of(channel_axes) if channel_axes is not None else []
    if all(s.entry.encoding == RAW and not any(p.shape for p in ps) for s, ps in zip((a, b), parts, strict=True)):
        orders = [dense_order(common.lengths, common.strides(s.entry, side)) for side, s in enumerate((a, b))]
        in_blocks = layout.blocks == tuple(range(len(layout.blocks)))
        if orders[0] is not None and orders[0] == orders[1] and in_blocks:
            return _SideBySide(a, b, parts, common, orders[0], along)
    return _Tiles(a, b, common, _grid_of_parts(a, b, common), along)


class _SideBySide:
    """Raw values in the same order on both sides."""

    def __init__(
        self,
        a: Stored,
        b: Stored,
        parts: tuple[tuple[Part, ...], tuple[Part, ...]],
        common: CommonAxes,
        order: tuple[int, ...],
        along: list[int],
    ) -> None:
        self.common = common
        self.dtype_a, self.dtype_b = a.entry.dtype, b.entry.dtype
        self._sides = (a, b)
        self._parts = parts
        self._order = order
        self._size = common.size
        self.units = -(-self._size // (BLOCK * BLOCKS_PER_UNIT))
        self._inner = _inner(order, common.lengths, along)
        self.channels = prod(common.lengths[i] for i in along) if self._inner else 0

    def pieces(self, unit: int, worker: Worker) -> Iterator[Piece]:
        first = unit * BLOCKS_PER_UNIT
        last = min(first + BLOCKS_PER_UNIT, -(-self._size // BLOCK))
        for block in range(first, last, BLOCKS_PER_READ):
            start = block * BLOCK
            stop = min(min(block + BLOCKS_PER_READ, last) * BLOCK, self._size)
            values = [self._read(side, start, stop, worker) for side in (0, 1)]
            run = ChannelRun(start, self._inner, None) if self.channels else None
            yield Piece(block, values[0], values[1], start, run)

    def piece_of(self, block: int, worker: Worker) -> Piece:
        start, stop = block * BLOCK, min((block + 1) * BLOCK, self._size)
        a, b = (self._read(side, start, stop, worker) for side in (0, 1))
        return Piece(block, a, b, start, None)

    def place(self, number: int) -> list[int]:
        return unravel(number, self.common.lengths, self._order)

    def places(self, number: int, count: int) -> list[NDArray[np.int64]]:
        return _unravelled(number, count, self.common.lengths, self._order)

    def _read(self, side: int, start: int, stop: int, worker: Worker) -> NDArray[np.generic]:
        entry, _, files = self._sides[side]
        bits = DTYPE_BITS[entry.dtype]
        data = worker.buffers[side].take((stop * bits + 7) // 8 - start * bits // 8)
        read_span(self._parts[side], files, start * bits // 8, data.data)
        return decode_values(data, entry.dtype, stop - start, entry.byteorder)


class _Tiles:
    """Boxes along the common axes, each turned into B's order."""

    def __init__(
        self, a: Stored, b: Stored, common: CommonAxes, tiles: Sequence[Tile] | None, along: list[int]
    ) -> None:
        self.common = common
        self._readers: tuple[BoxReader, BoxReader] = box_reader(a, common, 0), box_reader(b, common, 1)
        self.dtype_a, self.dtype_b = (r.dtype for r in self._readers)
        self._order = self._flat_order()
        self._tiles = tiles if tiles is not None else self._grid()
        self.units = len(self._tiles)
        self._most = max((prod(shape) for _, shape in self._tiles), default=0)
        self._blocks = -(-self._most // BLOCK)
        self._along = along
        self.channels = prod(common.lengths[i] for i in along) if _inner(self._order, common.lengths, along) else 0

    def pieces(self, unit: int, worker: Worker) -> Iterator[Piece]:
        start, shape = self._tiles[unit]
        values = [
            np.ascontiguousarray(reader.read(start, shape, buffer).transpose(self._order)).reshape(-1)
            for reader, buffer in zip(self._readers, worker.buffers, strict=True)
        ]
        block = unit * self._blocks
        for i in range(0, prod(shape), BLOCK):
            a, b = (v[i : i + BLOCK] for v in values)
            yield Piece(block + i // BLOCK, a, b, unit * self._most + i, self._channel_run(i, start, shape))

    def piece_of(self, block: int, worker: Worker) -> Piece:
        return next(piece for piece in self.pieces(block // self._blocks, worker) if piece.block == block)

    def place(self, number: int) -> list[int]:
        tile, position = divmod(number, max(self._most, 1))
        start, shape = self._tiles[tile]
        return [s + i for s, i in zip(start, unravel(position, shape, self._order), strict=True)]

    def places(self, number: int, count: int) -> list[NDArray[np.int64]]:
        tile, position = divmod(number, max(self._most, 1))
        start, shape = self._tiles[tile]
        return [s + i for s, i in zip(start, _unravelled(position, count, shape, self._order), strict=True)]

    def _channel_run(self, position: int, start: Sequence[int], shape: Sequence[int]) -> ChannelRun | None:
        if not self.channels:
            return None
        inner = _inner(self._order, shape, self._along)
        begin = self.common.place(start, 1)
        ranges = [np.arange(begin[i], begin[i] + shape[i]) for i in self._along]
        grid = np.meshgrid(*ranges, indexing="ij")
        numbers = np.ravel_multi_index(grid, [self.common.lengths[i] for i in self._along]).reshape(-1)
        return ChannelRun(position, inner, numbers)

    def _flat_order(self) -> tuple[int, ...]:
        """The order of axes in which pairs are handed over: that of B's file, or of B's axes."""
        strides = self._readers[1].strides
        if strides is None:
            return self.common.layout.order
        return tuple(sorted(range(len(strides)), key=lambda i: -strides[i]))

    def _grid(self) -> list[Tile]:
        """Tiles of nearly equal size that both files are read in long runs for."""
        lengths = self.common.lengths
        strides = [r.strides or c_strides(lengths) for r in self._readers]
        one_by_one = [self.common.layout.block_axis] if self.common.layout.blocks else []
        return _cut_evenly(lengths, tile_shape(lengths, strides, one_by_one))


Tile = tuple[tuple[int, ...], tuple[int, ...]]
"""Start and shape along the common axes."""


def tile_shape(
    lengths: Sequence[int], strides: Sequence[Sequence[int]], one_by_one: Sequence[int] = (), most: int = TILE
) -> list[int]:
    """Grow a tile along the fastest axes of either file in turn, until it is large enough."""
    tile = [min(n, 1) for n in lengths]
    orders = [sorted(range(len(lengths)), key=lambda i: s[i]) for s in strides]
    stuck = set(one_by_one)
    while True:
        open_axes = [next((i for i in order if tile[i] < lengths[i] and i not in stuck), None) for order in orders]
        runs = [_run(tile, lengths, order) for order in orders]
        side = 0 if open_axes[1] is None or (open_axes[0] is not None and runs[0] <= runs[1]) else 1
        axis = open_axes[side]
        if axis is None:
            return tile
        grown = min(lengths[axis], 2 * tile[axis])
        if prod(tile) // tile[axis] * grown > most:
            stuck.add(axis)
        else:
            tile[axis] = grown


def _run(tile: Sequence[int], lengths: Sequence[int], order: Sequence[int]) -> int:
    """Neighbouring values of a tile in a file whose fastest axes come first in `order`."""
    run = 1
    for i in order:
        run *= tile[i]
        if tile[i] < lengths[i]:
            break
    return run


def _cut_evenly(lengths: Sequence[int], tile: Sequence[int]) -> list[Tile]:
    edges = []
    for length, most in zip(lengths, tile, strict=True):
        pieces = -(-length // most) if most else 0
        edges.append([i * length // pieces for i in range(pieces + 1)] if pieces else [0])
    grid = np.ndindex(*(len(e) - 1 for e in edges))
    return [
        (
            tuple(e[i] for e, i in zip(edges, place, strict=True)),
            tuple(e[i + 1] - e[i] for e, i in zip(edges, place, strict=True)),
        )
        for place in grid
    ]


def _grid_of_parts(a: Stored, b: Stored, common: CommonAxes) -> list[Tile] | None:
    """The parts of an encoded tensor as tiles, where both have the same axes; None where there is no such tensor."""
    for side in (b, a):
        parts = side.parts
        if is_raw(side, parts) or len(parts) < 2 or not common.layout.is_plain or a.entry.shape != b.entry.shape:
            continue
        kept = [i for i, n in enumerate(side.entry.shape) if n != 1]
        tiles = []
        for part in parts:
            start, shape = part.origin or (0,) * len(side.entry.shape), part.shape or side.entry.shape
            inside = [min(n, t - o) for n, t, o in zip(shape, side.entry.shape, start, strict=True)]
            tiles.append((tuple(start[i] for i in kept), tuple(inside[i] for i in kept)))
        if sum(prod(shape) for _, shape in tiles) == common.size:
            return tiles
    return None


def _inner(order: Sequence[int], lengths: Sequence[int], along: Sequence[int]) -> int:
    """Pairs that lie behind each step along these axes; 0 where they are not neighbours in the order of values."""
    if not along:
        return 0
    first = list(order).index(along[0])
    last = first + len(along)
    if tuple(order[first:last]) != tuple(along):
        return 0
    return prod(lengths[i] for i in order[last:])


def _unravelled(position: int, count: int, lengths: Sequence[int], order: Sequence[int]) -> list[NDArray[np.int64]]:
    """As `unravel`, for `count` positions that follow each other."""
    index: list[NDArray[np.int64]] = [np.zeros(count, np.int64)] * len(lengths)
    at = np.arange(position, position + count, dtype=np.int64)
    for axis in reversed(order):
        at, index[axis] = np.divmod(at, lengths[axis])
    return index
