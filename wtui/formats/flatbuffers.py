"""FlatBuffers, read where they lie: tables, vectors and texts by offset (flatbuffers.dev, "FlatBuffer Internals").

A table begins with the distance to its list of fields; a field that is absent has its default. Nothing is read but what
is asked for. Knows no schema. Whatever leads out of the file ends in a StorageError or a FormatError.
"""

from __future__ import annotations

from struct import unpack_from
from typing import TYPE_CHECKING

from wtui.errors import FormatError

if TYPE_CHECKING:
    from wtui.storage import Source

__all__ = ["Table", "Vector", "root"]

MAX_FIELDS = 256
"""Fields of one table that are looked at; schemas in use have some tens."""

MAX_TEXT = 1 << 16
"""Bytes of a text that is read."""

AT_ONCE = 64
"""Bytes that are read at the beginning of everything: most tables, vectors and texts are smaller."""


class Vector:
    """A vector: `count` items from `start` on."""

    __slots__ = ("_head", "_source", "count", "start")

    def __init__(self, source: Source, at: int, width: int) -> None:
        self._source = source
        self._head = _some(source, at)
        self.count = int.from_bytes(self._head[:4], "little")
        self.start = at + 4
        if len(self._head) < 4 or self.start + self.count * width > source.size:
            raise FormatError(f"a list of {self.count:,} items at byte {at:,} leads out of the file", source.name)

    def read(self, length: int) -> bytes:
        """Its first `length` bytes."""
        if 4 + length <= len(self._head):
            return self._head[4 : 4 + length]
        return self._source.read(self.start, length)

    def numbers(self, kind: str) -> tuple[float, ...]:
        """All items as numbers of the struct module's type `kind` (`i`, `q`, `f`). A caller bounds their count."""
        width = {"i": 4, "q": 8, "f": 4}[kind]
        return unpack_from(f"<{self.count}{kind}", self.read(self.count * width))

    def table(self, index: int) -> Table:
        """The item `index` of a vector of tables."""
        return Table(self._source, _follow(self._source, self.start + 4 * index))


class Table:
    """A table: fields by their number in the schema."""

    __slots__ = ("_at", "_fields", "_head", "_source")

    def __init__(self, source: Source, at: int) -> None:
        self._source = source
        self._at = at
        self._head = _some(source, at)
        fields = at - int.from_bytes(self._head[:4], "little", signed=True)
        if len(self._head) < 4 or not 0 <= fields <= source.size - 4:
            raise FormatError(f"a table at byte {at:,} leads out of the file", source.name)
        listed = _some(source, fields)
        size = min(int.from_bytes(listed[:2], "little"), 4 + 2 * MAX_FIELDS)
        self._fields = listed[4:size] if size <= len(listed) else source.read(fields + 4, size - 4)

    def integer(self, field: int, width: int, default: int = 0, signed: bool = False) -> int:
        """A number of `width` bytes."""
        offset = self._offset(field)
        if not offset:
            return default
        data = self._head[offset : offset + width]
        if len(data) < width:
            data = self._source.read(self._at + offset, width)
        return int.from_bytes(data, "little", signed=signed)

    def text(self, field: int) -> str:
        """A text; `""` if it is absent. Bytes that are no UTF-8 become U+FFFD."""
        found = self.vector(field, 1)
        if found is None:
            return ""
        if found.count > MAX_TEXT:
            raise FormatError(f"a text of {found.count:,} bytes", self._source.name)
        return found.read(found.count).decode("utf-8", "replace")

    def table(self, field: int) -> Table | None:
        """Another table; None if it is absent."""
        place = self._place(field)
        return None if place is None else Table(self._source, place)

    def vector(self, field: int, width: int = 4) -> Vector | None:
        """A vector of items of `width` bytes; None if it is absent."""
        place = self._place(field)
        return None if place is None else Vector(self._source, place, width)

    def _place(self, field: int) -> int | None:
        """Where the reference in a field leads."""
        offset = self._offset(field)
        return self._at + offset + self.integer(field, 4) if offset else None

    def _offset(self, field: int) -> int:
        slot = self._fields[2 * field : 2 * field + 2]
        return int.from_bytes(slot, "little") if len(slot) == 2 else 0


def root(source: Source) -> Table:
    """The table that the file begins with."""
    return Table(source, _follow(source, 0))


def _follow(source: Source, at: int) -> int:
    """Where the reference at `at` leads: always forwards."""
    return at + int.from_bytes(source.read(at, 4), "little")


def _some(source: Source, at: int) -> bytes:
    """What stands at `at`, as far as the file goes; StorageError beyond its end."""
    return source.read(at, max(0, min(AT_ONCE, source.size - at)))
