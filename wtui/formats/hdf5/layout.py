"""How a dataset's values are stored (sections IV.A.2.e, f, h, i, l): its layout, filters and fill value, as plain data.

Reads neither values nor the index of chunks: `chunks.py` does, when somebody asks.
"""

from __future__ import annotations

from typing import NamedTuple

from wtui.formats.hdf5 import header
from wtui.formats.hdf5.space import Cursor, Space

__all__ = ["Filter", "Index", "Layout", "is_bomb", "read_fill", "read_filters", "read_layout"]

COMPACT, CONTIGUOUS, CHUNKED, VIRTUAL = range(4)
"""Classes of layouts."""

BOMB_SIZE = 4 << 30
"""Bytes up to which values may be declared that were never written."""

BOMB_RATIO = 1000
"""Above BOMB_SIZE, how many times more bytes may be declared than are stored; weights do not compress like that."""

MAX_FILTERS = 32
"""Filters of one pipeline, as many as a filter mask has bits."""


class Filter(NamedTuple):
    """One step of a filter pipeline, in the order in which the writer applied them."""

    number: int
    """As registered with the HDF Group: 1 deflate, 2 shuffle, 3 fletcher32, ..."""
    optional: bool
    values: tuple[int, ...]
    """What the filter was told."""


class Index(NamedTuple):
    """Where the table of a dataset's chunks lies, and of which kind it is."""

    kind: str
    """`btree1`, `single`, `implicit`, `fixed`, `extensible` or `btree2`."""
    address: int
    stored: int | None = None
    """Bytes of a single filtered chunk, where the layout itself says it."""
    mask: int = 0
    """Its filter mask."""
    raw_edges: bool = False
    """Whether chunks that stick out over the edge were left unfiltered."""


class Layout(NamedTuple):
    """Where the values are."""

    kind: int
    address: int | None
    """Of contiguous or compact values; None where nothing was allocated."""
    length: int | None = None
    """Bytes of them; None where the file does not say."""
    chunk: tuple[int, ...] = ()
    """Shape of a chunk, and last the bytes of one value."""
    chunks: Index | None = None
    """Of chunks; None where none was ever written."""


_INDEXES = {1: "single", 2: "implicit", 3: "fixed", 4: "extensible", 5: "btree2"}
_INDEX_PARAMETERS = {2: 0, 3: 1, 4: 5, 5: 6}
"""Bytes of an index's creation parameters in the layout; the index's own header repeats them."""


def read_layout(space: Space, message: header.Message) -> Layout:
    """The layout message; FormatError if it is of a version or class that is not known.

    Version 5 (HDF5 2.0) is written as version 4; only elements of chunk indexes grow wider, which those say themselves.
    """
    fields = Cursor(space, message.body, message.address)
    version = fields.uint(1)
    if version in (1, 2):
        return _old(fields)
    if version not in (3, 4, 5):
        raise fields.error(f"a layout of version {version}, which wtui does not know")
    kind = fields.uint(1)
    if kind == COMPACT:
        size = fields.uint(2)
        return Layout(COMPACT, message.address + fields.at, size)
    if kind == CONTIGUOUS:
        return Layout(CONTIGUOUS, fields.address_or_none(), fields.length())
    if kind == VIRTUAL:
        return Layout(VIRTUAL, None)
    if kind != CHUNKED:
        raise fields.error(f"a layout of class {kind}")
    return _chunked_v3(fields) if version == 3 else _chunked_v4(fields)


def is_bomb(declared: int, stored: int) -> bool:
    """Whether `declared` bytes out of `stored` ones only serve to exhaust whoever reads them."""
    return declared > BOMB_SIZE and declared > BOMB_RATIO * stored


def _old(fields: Cursor) -> Layout:
    """Versions 1 and 2, of files written before HDF5 1.6.3."""
    rank, kind = fields.uint(1), fields.uint(1)
    fields.skip(5)
    address = fields.address_or_none() if kind != COMPACT else None
    dims = tuple([fields.uint(4) for _ in range(rank)])
    if kind == COMPACT:
        size = fields.uint(4)
        return Layout(COMPACT, fields.address + fields.at, size)
    if kind == CONTIGUOUS:
        return Layout(CONTIGUOUS, address)
    if kind != CHUNKED:
        raise fields.error(f"a layout of class {kind}")
    return Layout(CHUNKED, None, None, dims, None if address is None else Index("btree1", address))


def _chunked_v3(fields: Cursor) -> Layout:
    rank, address = fields.uint(1), fields.address_or_none()
    dims = tuple([fields.uint(4) for _ in range(rank)])
    return Layout(CHUNKED, None, None, dims, None if address is None else Index("btree1", address))


def _chunked_v4(fields: Cursor) -> Layout:
    flags, rank, width = fields.uint(1), fields.uint(1), fields.uint(1)
    dims = tuple([fields.uint(width) for _ in range(rank)])
    number = fields.uint(1)
    kind = _INDEXES.get(number)
    if kind is None:
        raise fields.error(f"an index of chunks of type {number}, which wtui does not know")
    stored, mask = None, 0
    if kind == "single":
        if flags & 2:
            stored, mask = fields.length(), fields.uint(4)
    else:
        fields.skip(_INDEX_PARAMETERS[number])
    address = fields.address_or_none()
    index = None if address is None else Index(kind, address, stored, mask, bool(flags & 1))
    return Layout(CHUNKED, None, None, dims, index)


def read_filters(space: Space, message: header.Message) -> tuple[Filter, ...]:
    """The filter pipeline message."""
    fields = Cursor(space, message.body, message.address)
    version, count = fields.uint(1), fields.uint(1)
    if version not in (1, 2) or count > MAX_FILTERS:
        raise fields.error(f"{count} filters of version {version}")
    fields.skip(6 if version == 1 else 0)
    return tuple([_filter(fields, version) for _ in range(count)])


def _filter(fields: Cursor, version: int) -> Filter:
    number = fields.uint(2)
    name_size = fields.uint(2) if version == 1 or number >= 256 else 0
    flags, count = fields.uint(2), fields.uint(2)
    fields.take(name_size + (-name_size % 8 if version == 1 else 0))
    if 4 * count > fields.left:
        raise fields.error("a filter with more values than its message")
    values = tuple([fields.uint(4) for _ in range(count)])
    fields.skip(4 if version == 1 and count % 2 else 0)
    return Filter(number, bool(flags & 1), values)


def read_fill(space: Space, messages: list[header.Message]) -> bytes:
    """The bytes of one value that stands where nothing was written; `b""` for zero."""
    message = header.first(messages, header.FILL)
    if message:
        return _fill(space, header.resolved(space, message))
    message = header.first(messages, header.FILL_OLD)
    if not message:
        return b""
    fields = Cursor(space, message.body, message.address)
    return fields.take(fields.uint(4))


def _fill(space: Space, message: header.Message) -> bytes:
    fields = Cursor(space, message.body, message.address)
    version = fields.uint(1)
    if version == 3:
        return fields.take(fields.uint(4)) if fields.uint(1) & 0x20 else b""
    fields.skip(2)
    defined = fields.uint(1)
    if not 1 <= version <= 3:
        raise fields.error(f"a fill value of version {version}")
    if (version == 2 and not defined) or fields.left < 4:
        return b""
    return fields.take(fields.uint(4)) if defined else b""
