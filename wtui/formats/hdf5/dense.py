"""Dense storage: links, attributes and shared messages in fractal heaps (III.G), found by B-trees (III.A.2).

Knows how an object of such a heap is found by its ID. Imported only when a file has one: groups of more than 8 links or
attributes written by recent libraries, attributes above 64 KB, tables of shared messages.
"""

from __future__ import annotations

from typing import NamedTuple

from wtui.errors import FormatError
from wtui.formats.hdf5 import header
from wtui.formats.hdf5.btree2 import records
from wtui.formats.hdf5.heap import MAX_OBJECT
from wtui.formats.hdf5.space import Cursor, Space

__all__ = ["FractalHeap", "dense_attributes", "dense_links", "shared_body"]

LINKS_BY_NAME, ATTRIBUTES_BY_NAME, HUGE_OBJECTS = 5, 8, 1
"""Types of B-trees of version 2."""

MAX_ROWS = 64
"""Rows of an indirect block: their sizes double, and the heap has at most 64 bits of addresses."""


class _Doubling(NamedTuple):
    """The doubling table: how the blocks of a heap grow, in bytes."""

    width: int
    start: int
    largest: int

    def row_size(self, row: int) -> int:
        """Bytes of each block in a row."""
        return self.start << max(row - 1, 0)

    @property
    def direct_rows(self) -> int:
        """Rows whose blocks hold objects; those below hold blocks."""
        return self.largest.bit_length() - self.start.bit_length() + 2


class FractalHeap:
    """A heap of small pieces of metadata, each with an ID; later ones lie at larger offsets.

    IDs of links, attributes and shared messages have 7 or 8 bytes, too few for the forms of ID that longer ones allow.
    """

    __slots__ = (
        "_blocks",
        "_huge",
        "_huge_ids",
        "_length_width",
        "_prefix",
        "_root",
        "_root_rows",
        "_space",
        "_table",
        "id_size",
        "offset_width",
    )  # fmt: skip

    def __init__(self, space: Space, address: int) -> None:
        """Read the header at `address`; FormatError if it is none, or if its blocks are compressed."""
        fields = space.cursor(address, 26 + 12 * space.lengths + 3 * space.offsets)
        fields.expect(b"FRHP\0")
        self._space = space
        self.id_size = fields.uint(2)
        filters = fields.uint(2)
        fields.skip(1)
        largest_managed = fields.uint(4)
        fields.length()
        self._huge = fields.address_or_none()
        fields.skip(9 * space.lengths + space.offsets)
        width, start, largest = fields.uint(2), fields.length(), fields.length()
        bits = fields.uint(2)
        fields.skip(2)
        self._root, self._root_rows = fields.address_or_none(), fields.uint(2)
        if filters:
            raise fields.error("a heap whose blocks are compressed, which wtui does not read")
        if not (0 < width <= 1 << 10 and 0 < start <= largest and 0 < bits <= 64 and self._root_rows <= MAX_ROWS):
            raise fields.error("a heap of impossible measures")
        self._table = _Doubling(width, start, largest)
        self.offset_width = (bits + 7) // 8
        self._length_width = min((largest.bit_length() + 6) // 8, (largest_managed.bit_length() + 7) // 8)
        self._prefix = 5 + space.offsets + self.offset_width
        self._blocks: dict[int, int] = {}
        self._huge_ids: dict[int, tuple[int, int]] | None = None

    def object(self, identity: bytes) -> tuple[bytes, int]:
        """The bytes of the object with an ID, and where they lie; FormatError if there is none."""
        fields = Cursor(self._space, identity)
        kind = fields.uint(1) >> 4
        if kind == 2:
            return fields.take((identity[0] & 15) + 1), 0
        if kind == 1:
            address, length = self._huge_place(fields)
        elif kind == 0:
            offset, length = fields.uint(self.offset_width), fields.uint(self._length_width)
            address = self._managed(offset, length)
        else:
            raise fields.error("an unknown kind of heap ID")
        if length > MAX_OBJECT:
            raise self._space.error(f"an object of {length:,} bytes in a heap", address)
        return self._space.read_large(address, length), address

    def _huge_place(self, fields: Cursor) -> tuple[int, int]:
        """Address and length of an object too large for the heap's blocks."""
        space = self._space
        if self._huge_ids is None:
            self._huge_ids = {}
            for record in records(space, self._huge, HUGE_OBJECTS) if self._huge is not None else ():
                entry = Cursor(space, record)
                where, length = entry.uint(space.offsets), entry.length()
                self._huge_ids[entry.length()] = (where, length)
        found = self._huge_ids.get(fields.uint(min(space.lengths, self.id_size - 1)))
        if found is None:
            raise fields.error("an object that is not in its heap")
        return found

    def _managed(self, offset: int, length: int) -> int:
        """Address of the object at an offset of the heap's own space."""
        if self._root is None:
            raise self._space.error("an object in an empty heap", 0)
        if not self._root_rows:
            start, size, block = 0, self._table.start, self._root
        else:
            block, start, size = self._descend(self._root, 0, self._root_rows, offset)
        if offset < start or offset + length > start + size:
            raise self._space.error("an object that leaves its block of the heap", block)
        return block + offset - start

    def _descend(self, block: int, start: int, rows: int, offset: int) -> tuple[int, int, int]:
        """(address, offset in the heap, bytes) of the direct block that holds `offset`, from an indirect block down."""
        table = self._table
        while True:
            row, at = 0, start
            while row < rows and offset >= at + table.width * table.row_size(row):
                at += table.width * table.row_size(row)
                row += 1
            if row == rows or offset < at:
                raise self._space.error("an object outside its heap", block)
            size = table.row_size(row)
            column = (offset - at) // size
            child = self._child(block, row * table.width + column)
            start = at + column * size
            if row < table.direct_rows:
                return child, start, size
            block, rows = child, (size // (table.start * table.width)).bit_length()

    def _child(self, block: int, number: int) -> int:
        """Address of a block in an indirect block; every level is smaller than the one above, so the way down ends."""
        space = self._space
        space.cursor(block, 4).expect(b"FHIB")
        address = space.cursor(block + self._prefix + number * space.offsets, space.offsets).address_or_none()
        if address is None:
            raise space.error("an object in a block of the heap that is not there", block)
        return address


def _heap(space: Space, address: int) -> FractalHeap:
    """The heap at an address, which is read once."""
    key = ("fractal heap", address)
    known = space.memo.get(key)
    if not isinstance(known, FractalHeap):
        known = space.memo[key] = FractalHeap(space, address)
    return known


def dense_links(space: Space, info: header.Message) -> tuple[list[header.Message], str]:
    """The link messages that a link info message points to, as they were made, and why some are missing."""
    fields = Cursor(space, info.body, info.address)
    fields.skip(1)
    fields.skip(8 if fields.uint(1) & 1 else 0)
    found, problem = _dense(space, fields, LINKS_BY_NAME, header.LINK)
    return sorted(found, key=lambda message: message.order), problem


def dense_attributes(space: Space, info: header.Message) -> tuple[list[header.Message], str]:
    """The attribute messages that an attribute info message points to, and why some are missing."""
    fields = Cursor(space, info.body, info.address)
    fields.skip(1)
    fields.skip(2 if fields.uint(1) & 1 else 0)
    return _dense(space, fields, ATTRIBUTES_BY_NAME, header.ATTRIBUTE)


def _dense(space: Space, fields: Cursor, tree: int, kind: int) -> tuple[list[header.Message], str]:
    """The messages in the heap and the B-tree of names whose addresses come next."""
    found: list[header.Message] = []
    problem = ""
    try:
        heap_address, names = fields.address_or_none(), fields.address_or_none()
        if heap_address is None or names is None:
            return [], ""
        heap = _heap(space, heap_address)
        for record in records(space, names, tree):
            try:
                found.append(_message(space, heap, record, kind))
            except FormatError as error:
                problem = problem or error.what
    except FormatError as error:
        problem = problem or error.what
    return found, problem


def _message(space: Space, heap: FractalHeap, record: bytes, kind: int) -> header.Message:
    """The message that a record of a B-tree of names stands for."""
    if kind == header.LINK:
        identity = record[4 : 4 + heap.id_size]
        place = int.from_bytes(identity[1 : 1 + heap.offset_width], "little")
        return header.Message(kind, 0, *heap.object(identity), place)
    flags, order = record[8], int.from_bytes(record[9:13], "little")
    if flags & header.SHARED:
        return header.Message(kind, 0, shared_body(space, kind, record[:8]), 0, order)
    body, address = heap.object(record[: heap.id_size])
    return header.Message(kind, 0, body, address, order)


def shared_body(space: Space, kind: int, identity: bytes) -> bytes:
    """The body of a message of type `kind` that lies in the file's table of shared messages (IV.A.2.p, III.I)."""
    for kinds, address in _shared_heaps(space):
        if kinds >> kind & 1:
            return _heap(space, address).object(identity)[0]
    raise space.error(f"a shared message of type {kind} that has no heap", 0)


def _shared_heaps(space: Space) -> list[tuple[int, int]]:
    """(types as bits, address of the heap) for each index of shared messages."""
    known = space.memo.get("shared heaps")
    if isinstance(known, list):
        return known
    messages = header.read_header(space, space.extension) if space.extension is not None else []
    table = header.first(messages, header.SHARED_TABLE)
    heaps: list[tuple[int, int]] = []
    if table:
        fields = Cursor(space, table.body, table.address)
        fields.skip(1)
        address, count = fields.address_or_none(), fields.uint(1)
        entries = space.cursor(address or 0, 4 + count * (14 + 2 * space.offsets))
        entries.expect(b"SMTB")
        for _ in range(count):
            entries.skip(2)
            kinds = entries.uint(2)
            entries.skip(10 + space.offsets)
            heap = entries.address_or_none()
            heaps += [(kinds, heap)] if heap is not None else []
    space.memo["shared heaps"] = heaps
    return heaps
