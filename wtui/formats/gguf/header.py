"""The head of a GGUF file: version, byte order, metadata and the list of tensors; versions 1 to 3.

Layout: the GGUF specification (github.com/ggml-org/ggml, docs/gguf.md). Version 1 counts in 32 bits what later ones
count in 64; version 3 may be big-endian. Arrays, such as vocabularies, are stepped over: only short ones are kept. What
the metadata and the names mean is not known here.
"""

from __future__ import annotations

from math import isfinite
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.errors import FormatError

if TYPE_CHECKING:
    from wtui.storage import Source

__all__ = ["MAGIC", "Header", "TensorInfo", "read_header"]

MAGIC = b"GGUF"

MAX_DIMS = 8
"""Axes of a tensor: GGML knows 4."""

MAX_NAME = 1 << 16
"""Bytes of a key or a tensor's name, as the specification says."""

MAX_TEXT = 1 << 16
"""Characters of a text that are kept (chat templates have some thousands)."""

MAX_LISTED = 64
"""Values of an array that are kept; of a longer one only its length and type."""

MAX_ENTRIES = 8_000_000
"""Entries of all arrays that have to be stepped over one by one: vocabularies have some hundred thousand strings."""

MAX_ITEMS = 1_000_000
"""Metadata values, and tensors."""

MAX_NESTING = 4
"""Arrays in arrays."""

WINDOW = 1 << 16
"""Bytes that are read at once."""

STRING, ARRAY = 8, 9
KINDS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""Type of a metadata value -> its code in `struct`."""

NAMES = {
    0: "uint8", 1: "int8", 2: "uint16", 3: "int16", 4: "uint32", 5: "int32", 6: "float32", 7: "bool", 8: "string",
    9: "array", 10: "uint64", 11: "int64", 12: "float64",
}  # fmt: skip


class TensorInfo(NamedTuple):
    """One line of the list of tensors."""

    name: str
    shape: tuple[int, ...]
    """Slowest axis first, which is the reverse of the file's order."""
    type: int
    """Number of the GGML type."""
    offset: int
    """From the start of the tensors' data."""


class Header(NamedTuple):
    """All that comes before the tensors' data."""

    version: int
    byteorder: str
    metadata: dict[str, Any]
    tensors: tuple[TensorInfo, ...]
    end: int
    """Offset of the first byte behind the head."""


class _Cursor:
    """Reads numbers and strings one behind the other; FormatError where the file ends."""

    def __init__(self, source: Source, start: int, byteorder: str, wide: bool) -> None:
        self._source = source
        self._order = byteorder
        self._base = start
        self._window = b""
        self._at = 0
        self._length = Struct(byteorder + ("Q" if wide else "I"))
        self._structs: dict[str, Struct] = {}
        self._entries_left = MAX_ENTRIES

    @property
    def position(self) -> int:
        """Offset of the next byte."""
        return self._base + self._at

    @property
    def left(self) -> int:
        """Bytes that follow."""
        return self._source.size - self.position

    def skip(self, count: int) -> None:
        """Step over bytes without reading them."""
        if count > self.left:
            raise FormatError(f"ends inside its metadata, at byte {self._source.size:,}", self._source.name, "cut off?")
        self._at += count

    def take(self, count: int) -> bytes:
        """The next bytes."""
        if self._at + count > len(self._window):
            start = self.position
            self.skip(count)
            self._window = self._source.read(start, min(max(count, WINDOW), self._source.size - start))
            self._base, self._at = start, 0
        self._at += count
        return self._window[self._at - count : self._at]

    def number(self, code: str) -> Any:
        """A number of one of `struct`'s kinds."""
        kind = self._structs.get(code)
        if kind is None:
            kind = self._structs[code] = Struct(self._order + code)
        return kind.unpack(self.take(kind.size))[0]

    def length(self) -> int:
        """A length or a count, as wide as the version has it."""
        return int(self._length.unpack(self.take(self._length.size))[0])

    def count(self, smallest: int) -> int:
        """A count of things of at least `smallest` bytes each, which the file must be able to hold."""
        count = self.length()
        if count * smallest > self.left:
            message = (
                f"claims {count:,} entries at byte {self.position:,}, more than its {self._source.size:,} bytes hold"
            )
            raise FormatError(message, self._source.name, "damaged, or cut off")
        return count

    def text(self, limit: int, kept: int) -> str:
        """A string of at most `limit` bytes, of which `kept` are read; bytes that are no UTF-8 become U+FFFD."""
        size = self.length()
        if size > min(limit, self.left):
            message = f"claims a text of {size:,} bytes at byte {self.position:,}"
            raise FormatError(message, self._source.name, "damaged, or cut off")
        text = self.take(min(size, kept)).decode("utf-8", "replace")
        if size > kept:
            self.skip(size - kept)
            return text + "..."
        return text

    def value(self, kind: int, nesting: int = 0) -> Any:
        """A metadata value: number, text, a list of a few values, or the description of a longer array."""
        if kind in KINDS:
            found = self.number(KINDS[kind])
            return found if not isinstance(found, float) or isfinite(found) else str(found)
        if kind == STRING:
            return self.text(self.left, MAX_TEXT)
        if kind == ARRAY and nesting < MAX_NESTING:
            return self._array(nesting)
        raise FormatError(
            f"holds a metadata value of type {kind} at byte {self.position:,}", self._source.name, "damaged?"
        )

    def _array(self, nesting: int) -> Any:
        kind = int(self.number("I"))
        size = Struct(self._order + KINDS[kind]).size if kind in KINDS else self._length.size
        count = self.count(size)
        if kind not in KINDS:
            self._entries_left -= count
            if self._entries_left < 0:
                raise FormatError(
                    f"has more than {MAX_ENTRIES:,} strings in its metadata", self._source.name, "damaged?"
                )
        if count <= MAX_LISTED:
            return [self.value(kind, nesting + 1) for _ in range(count)]
        if kind in KINDS:
            self.skip(count * size)
        elif kind == STRING:
            self._skip_strings(count)
        else:
            for _ in range(count):
                self.value(kind, nesting + 1)
        return f"array of {count:,} {NAMES.get(kind, '?')}s"

    def _skip_strings(self, count: int) -> None:
        """Step over strings: their lengths have to be read one by one."""
        unpack, width = self._length.unpack_from, self._length.size
        window, at = self._window, self._at
        for _ in range(count):
            if at + width > len(window):
                self._at = at
                window, at = self._refill(width), 0
            at += width + unpack(window, at)[0]
        self._at = at
        self.skip(0)

    def _refill(self, needed: int) -> bytes:
        """A window that begins here."""
        start = self.position
        self.skip(needed)
        self._window = self._source.read(start, min(WINDOW, self._source.size - start))
        self._base, self._at = start, 0
        return self._window


def read_header(source: Source) -> Header:
    """The head of a file; FormatError where it is damaged, cut off, or of an unknown version. No weights are read."""
    start = source.read(0, min(8, source.size))
    if len(start) < 8 or not start.startswith(MAGIC):
        raise FormatError("is no GGUF file", source.name)
    version, byteorder = int.from_bytes(start[4:], "little"), "<"
    if version & 0xFFFF == 0:
        version, byteorder = int.from_bytes(start[4:], "big"), ">"
    if version not in (1, 2, 3):
        raise FormatError(f"is GGUF of version {version}; wtui reads 1 to 3", source.name)
    cursor = _Cursor(source, 8, byteorder, wide=version > 1)
    tensors, pairs = cursor.length(), cursor.length()
    if max(tensors, pairs) > MAX_ITEMS:
        raise FormatError(f"claims {tensors:,} tensors and {pairs:,} metadata values", source.name, "damaged?")
    metadata: dict[str, Any] = {}
    for _ in range(pairs):
        key = cursor.text(MAX_NAME, MAX_NAME)
        metadata[key] = cursor.value(cursor.number("I"))
    infos = tuple(_tensor(cursor, source.name) for _ in range(tensors))
    return Header(version, byteorder, metadata, infos, cursor.position)


def _tensor(cursor: _Cursor, path: str) -> TensorInfo:
    name = cursor.text(MAX_NAME, MAX_NAME)
    dims = cursor.number("I")
    if dims > MAX_DIMS:
        raise FormatError(f"says that {name[:100]!r} has {dims:,} axes", path, "damaged?")
    shape = tuple(cursor.length() for _ in range(dims))
    return TensorInfo(name, shape[::-1], cursor.number("I"), cursor.number("Q"))
