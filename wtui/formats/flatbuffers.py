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

MAX_NUMBERS = 1 << 22
"""Numbers of one vector that are read at once."""


class Vector:
    """A vector: `count` items from `start` on."""

    __slots__ = ("_source", "count", "start")

    def __init__(self, source: Source, at: int, width: int) -> None:
        self._source = source
        self.count = int.from_bytes(source.read(at, 4), "little")
        self.start = at + 4
        if self.start + self.count * width > source.size:
            raise FormatError(f"a list of {self.count:,} items at byte {at:,} leads out of the file", source.name)

    def numbers(self, kind: str) -> tuple[float, ...]:
        """All items as numbers of the struct module's type `kind` (`i`, `q`, `f`)."""
        width = {"b": 1, "B": 1, "i": 4, "I": 4, "q": 8, "f": 4}[kind]
        if self.count > MAX_NUMBERS:
            raise FormatError(f"a list of {self.count:,} numbers", self._source.name)
        return unpack_from(f"<{self.count}{kind}", self._source.read(self.start, self.count * width))

    def table(self, index: int) -> Table:
        """The item `index` of a vector of tables."""
        return Table(self._source, _follow(self._source, self.start + 4 * index))


class Table:
    """A table: fields by their number in the schema."""

    __slots__ = ("_at", "_fields", "_source")

    def __init__(self, source: Source, at: int) -> None:
        self._source = source
        self._at = at
        fields = at - int.from_bytes(source.read(at, 4), "little", signed=True)
        size = int.from_bytes(source.read(fields, 2), "little")
        self._fields = source.read(fields + 4, min(max(size - 4, 0), 2 * MAX_FIELDS))

    @property
    def at(self) -> int:
        """Where it begins: the same table may be reached in several ways."""
        return self._at

    def integer(self, field: int, width: int, default: int = 0, signed: bool = False) -> int:
        """A number of `width` bytes."""
        at = self._place(field)
        return default if at is None else int.from_bytes(self._source.read(at, width), "little", signed=signed)

    def text(self, field: int) -> str:
        """A text; `""` if it is absent. Bytes that are no UTF-8 become U+FFFD."""
        found = self.vector(field, 1)
        if found is None:
            return ""
        if found.count > MAX_TEXT:
            raise FormatError(f"a text of {found.count:,} bytes", self._source.name)
        return self._source.read(found.start, found.count).decode("utf-8", "replace")

    def table(self, field: int) -> Table | None:
        """Another table; None if it is absent."""
        at = self._place(field)
        return None if at is None else Table(self._source, _follow(self._source, at))

    def vector(self, field: int, width: int = 4) -> Vector | None:
        """A vector of items of `width` bytes; None if it is absent."""
        at = self._place(field)
        return None if at is None else Vector(self._source, _follow(self._source, at), width)

    def _place(self, field: int) -> int | None:
        slot = self._fields[2 * field : 2 * field + 2]
        offset = int.from_bytes(slot, "little") if len(slot) == 2 else 0
        return self._at + offset if offset else None


def root(source: Source) -> Table:
    """The table that the file begins with."""
    return Table(source, _follow(source, 0))


def _follow(source: Source, at: int) -> int:
    """Where the reference at `at` leads: always forwards."""
    return at + int.from_bytes(source.read(at, 4), "little")
