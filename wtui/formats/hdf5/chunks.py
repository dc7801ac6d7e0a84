"""The tables of chunks (sections III.A.1 and VII): where each piece of a chunked dataset lies.

Knows every index that the library writes: B-trees of versions 1 and 2, single chunk, implicit, fixed and extensible
arrays. Imported when somebody looks at a chunked dataset; decodes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from wtui.errors import FormatError
from wtui.formats.hdf5.arrays import Element, extensible_array, fixed_array
from wtui.formats.hdf5.btree2 import records
from wtui.formats.hdf5.datatype import UNLIMITED, Dataspace
from wtui.formats.hdf5.layout import is_bomb
from wtui.model import Extent, Part

if TYPE_CHECKING:
    from wtui.formats.hdf5.layout import Index, Layout
    from wtui.formats.hdf5.space import Space

__all__ = ["chunk_parts"]

MAX_CHUNKS = 1 << 18
"""Chunks of one dataset, some 400 bytes of memory and 3 µs each; h5py makes 16,000 of 64 KB for a dataset of 1 GB."""

MAX_LEVEL = 32
"""Levels of a B-tree of version 1."""

PLAIN, FILTERED = 10, 11
"""Types of B-trees of version 2 that index chunks."""

ALL_FILTERS = 0xFFFFFFFF
"""A filter mask that skips every filter."""


class _Grid(NamedTuple):
    """A dataset as the writer numbers its chunks."""

    shape: tuple[int, ...]
    chunk: tuple[int, ...]
    nbytes: int
    """Of one chunk before filters."""
    counts: tuple[int, ...]
    """Chunks along each axis that the dataset now has."""
    limits: tuple[int, ...]
    """Chunks along each axis that it may grow to; UNLIMITED where there is no limit."""


def chunk_parts(
    space: Space, layout: Layout, dataspace: Dataspace, filtered: bool, file: int, base: int
) -> tuple[Part, ...]:
    """The chunks of a dataset in C order; those that were never written have extents of 0 bytes."""
    index, grid = layout.chunks, _grid(layout, dataspace)
    if prod(grid.counts) > MAX_CHUNKS:
        raise FormatError(f"a dataset of {prod(grid.counts):,} chunks, more than wtui lists", space.name)
    found = dict(_elements(space, index, grid, filtered)) if index else {}
    parts = []
    for place in product(*map(range, grid.counts)):
        address, size, mask = found.get(place, (0, 0, 0))
        if place in found and not 0 < size <= space.available(address, size):
            raise space.error(f"a chunk of {size:,} bytes, not all of them in the file", address)
        origin = tuple([p * n for p, n in zip(place, grid.chunk, strict=True)])
        if index is not None and index.raw_edges and _sticks_out(origin, grid):
            mask = ALL_FILTERS
        parts.append(Part(Extent(file, base + space.base + address, size), origin, grid.chunk, mask))
    stored = sum(part.extent.length for part in parts)
    if is_bomb(prod(grid.counts) * grid.nbytes, stored):
        raise FormatError(f"declares {prod(grid.counts) * grid.nbytes:,} bytes and holds {stored:,}", space.name)
    return tuple(parts)


def _grid(layout: Layout, dataspace: Dataspace) -> _Grid:
    chunk = layout.chunk[:-1]
    shape = dataspace.shape or ()
    counts = tuple([-(-n // c) for n, c in zip(shape, chunk, strict=True)])
    limits = tuple([n if n == UNLIMITED else -(-n // c) for n, c in zip(dataspace.max_shape, chunk, strict=True)])
    return _Grid(shape, chunk, prod(layout.chunk), counts, limits)


def _sticks_out(origin: tuple[int, ...], grid: _Grid) -> bool:
    return any(o + c > n for o, c, n in zip(origin, grid.chunk, grid.shape, strict=True))


def _elements(space: Space, index: Index, grid: _Grid, filtered: bool) -> Iterator[tuple[tuple[int, ...], Element]]:
    """(place in the grid, where it lies) of the chunks that were written."""
    if index.kind == "btree1":
        yield from _btree1(space, index.address, grid, filtered)
    elif index.kind == "btree2":
        yield from _btree2(space, index.address, grid, filtered)
    elif index.kind == "single":
        size = grid.nbytes if index.stored is None else index.stored
        yield (0,) * len(grid.counts), Element(index.address, size, index.mask)
    else:
        yield from _numbered(space, index, grid, filtered)


def _numbered(space: Space, index: Index, grid: _Grid, filtered: bool) -> Iterator[tuple[tuple[int, ...], Element]]:
    """Indexes that number the chunks in C order of the largest shape, an unlimited axis first."""
    axes = list(range(len(grid.counts)))
    if index.kind == "extensible" and UNLIMITED in grid.limits:
        axes.insert(0, axes.pop(grid.limits.index(UNLIMITED)))
    strides = dict.fromkeys(axes, 1)
    for before, axis in zip(reversed(axes[:-1]), reversed(axes[1:]), strict=True):
        strides[before] = strides[axis] * max(grid.limits[axis], 1)
    wanted = {
        sum(p * strides[axis] for axis, p in enumerate(place)): place for place in product(*map(range, grid.counts))
    }
    if index.kind == "implicit":
        for number, place in wanted.items():
            yield place, Element(index.address + number * grid.nbytes, grid.nbytes, 0)
        return
    read = fixed_array if index.kind == "fixed" else extensible_array
    for number, element in read(space, index.address, grid.nbytes, filtered, max(wanted, default=-1) + 1):
        if number in wanted:
            yield wanted[number], element


def _btree2(space: Space, address: int, grid: _Grid, filtered: bool) -> Iterator[tuple[tuple[int, ...], Element]]:
    """Records of (address, bytes and filter mask if filtered, place in the grid)."""
    rank, width = len(grid.counts), space.offsets
    for record in records(space, address, FILTERED if filtered else PLAIN):
        where = int.from_bytes(record[:width], "little")
        tail = record[len(record) - 8 * rank :]
        place = tuple([int.from_bytes(tail[8 * i : 8 * i + 8], "little") for i in range(rank)])
        size, mask = grid.nbytes, 0
        if filtered:
            size = int.from_bytes(record[width : len(record) - 8 * rank - 4], "little")
            mask = int.from_bytes(record[len(record) - 8 * rank - 4 : len(record) - 8 * rank], "little")
        yield place, Element(where, size, mask)


def _btree1(space: Space, root: int, grid: _Grid, filtered: bool) -> Iterator[tuple[tuple[int, ...], Element]]:
    """The leaves of a B-tree of version 1: keys of (bytes, filter mask, index of the first value), then an address."""
    stack, seen = [(root, MAX_LEVEL)], set[int]()
    rank, prefix = len(grid.counts), 8 + 2 * space.offsets
    key = 8 + 8 * (rank + 1)
    while stack:
        address, above = stack.pop()
        fields = space.cursor(address, prefix)
        fields.expect(b"TREE\1")
        level, used = fields.uint(1), fields.uint(2)
        if level >= above or address in seen:
            raise fields.error("a B-tree of chunks that leads in circles")
        seen.add(address)
        fields = space.cursor(address + prefix, used * (key + space.offsets))
        for _ in range(used):
            size, mask = fields.uint(4), fields.uint(4)
            first = [fields.uint(8) for _ in range(rank + 1)]
            child = fields.uint(space.offsets)
            if level:
                stack.append((child, level))
            else:
                place = tuple([f // c for f, c in zip(first, grid.chunk, strict=False)])
                yield place, Element(child, size if filtered else grid.nbytes, mask)
