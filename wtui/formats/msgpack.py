"""MessagePack read where it lies: maps, lists and small values, with arrays as places in the file.

Sources: the MessagePack specification, and Flax's `serialization.py` for its extension types: 1 is an array and 3 a
scalar of NumPy, both packed as (shape, name of the dtype, bytes). Bytes are stepped over. Knows nothing of models.
"""

from __future__ import annotations

from math import isfinite
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from wtui.errors import FormatError

if TYPE_CHECKING:
    from wtui.storage import Source

__all__ = ["PackedArray", "Reader", "Skipped"]

T = TypeVar("T")

MAX_ITEMS = 1_200_000
"""Values in one file, of which an array takes about five; more would only take time."""

MAX_DEPTH = 64
"""Maps and lists in one another."""

MAX_TEXT = 1 << 16
"""Bytes of a text that are kept."""

MAX_AXES = 64
"""Axes of an array."""

MAX_SHARED = 10_000
"""Different texts and shapes of which one copy is kept."""

WINDOW = 4096
"""Bytes that are read at once."""

ARRAY, COMPLEX, SCALAR = 1, 2, 3
"""Flax's extension types."""

_NUMBERS = {
    0xCA: Struct(">f"), 0xCB: Struct(">d"), 0xCC: Struct(">B"), 0xCD: Struct(">H"), 0xCE: Struct(">I"),
    0xCF: Struct(">Q"), 0xD0: Struct(">b"), 0xD1: Struct(">h"), 0xD2: Struct(">i"), 0xD3: Struct(">q"),
}  # fmt: skip
_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}
_LENGTHS = {
    0xC4: ("bin", 1), 0xC5: ("bin", 2), 0xC6: ("bin", 4), 0xC7: ("ext", 1), 0xC8: ("ext", 2), 0xC9: ("ext", 4),
    0xD9: ("str", 1), 0xDA: ("str", 2), 0xDB: ("str", 4), 0xDC: ("list", 2), 0xDD: ("list", 4), 0xDE: ("map", 2),
    0xDF: ("map", 4),
}  # fmt: skip
"""First byte -> what follows, and how many bytes its length has."""


class PackedArray(NamedTuple):
    """An array as Flax packs it."""

    shape: tuple[int, ...]
    dtype: str
    start: int
    """Offset of its values, which are in C order."""
    length: int
    """Bytes of its values."""


class Skipped(NamedTuple):
    """Bytes, or a value of an unknown extension type."""

    what: str
    length: int


class Reader:
    """Reads one file from its start; FormatError for whatever is not MessagePack, too deep or too much."""

    def __init__(self, source: Source, max_items: int = MAX_ITEMS) -> None:
        self.is_exhausted = False
        """Whether `max_items` were not enough."""
        self._source = source
        self._left = max_items
        self._base = 0
        self._window = b""
        self._at = 0
        self._shared: dict[Any, Any] = {}

    @property
    def position(self) -> int:
        """Offset of the next byte."""
        return self._base + self._at

    def value(self, depth: int = 0) -> Any:
        """The next value: a dict, list, number, text, bool, None, PackedArray or Skipped.

        Maps with a key twice keep the last of the two, as Python does; keys that are no texts become texts.
        """
        self._left -= depth < MAX_DEPTH
        if self._left < 0:
            self.is_exhausted = True
            raise FormatError(f"has more than {MAX_ITEMS:,} values", self._source.name)
        first = self._take(1)[0]
        if first < 0x80 or first >= 0xE0:
            return first if first < 0x80 else first - 256
        if first in _CONSTANTS:
            return _CONSTANTS[first]
        if first in _NUMBERS:
            found = _NUMBERS[first].unpack(self._take(_NUMBERS[first].size))[0]
            return found if not isinstance(found, float) or isfinite(found) else str(found)
        return self._sized(first, depth)

    def _sized(self, first: int, depth: int) -> Any:
        """A value whose length comes first."""
        kind, length = self._kind(first)
        if kind == "str":
            return self._text(length)
        if kind == "ext":
            return self._extension(length)
        if kind == "bin":
            self._skip(length)
            return Skipped("bytes", length)
        if depth >= MAX_DEPTH:
            raise FormatError(f"is more than {MAX_DEPTH} maps deep at byte {self.position:,}", self._source.name)
        if kind == "list":
            return [self.value(depth + 1) for _ in range(self._count(length, 1))]
        found: dict[str, Any] = {}
        for _ in range(self._count(length, 2)):
            key = self.value(MAX_DEPTH)
            found[key if isinstance(key, str) else str(key)] = self.value(depth + 1)
        return found

    def _kind(self, first: int) -> tuple[str, int]:
        if first < 0x90:
            return "map", first & 15
        if first < 0xA0:
            return "list", first & 15
        if first < 0xC0:
            return "str", first & 31
        if 0xD4 <= first <= 0xD8:
            return "ext", 1 << (first - 0xD4)
        if first not in _LENGTHS:
            raise FormatError(f"holds no value at byte {self.position - 1:,}", self._source.name, "damaged?")
        kind, width = _LENGTHS[first]
        return kind, int.from_bytes(self._take(width), "big")

    def _extension(self, length: int) -> Any:
        kind = self._take(1)[0]
        end = self.position + length
        if end > self._source.size:
            self._skip(length)
        found: Any = Skipped(f"extension type {kind}", length)
        if kind in (ARRAY, SCALAR):
            found = self._array(end)
        self._skip(end - self.position)
        return found

    def _array(self, end: int) -> PackedArray:
        """(shape, dtype, bytes); their bytes are stepped over."""
        parts = self._take(1)[0]
        shape = self.value(MAX_DEPTH - 1) if parts == 0x93 else None
        dtype = self.value(MAX_DEPTH) if parts == 0x93 else None
        kind, length = self._kind(self._take(1)[0]) if parts == 0x93 else ("", 0)
        start = self.position
        if kind not in ("bin", "str") or not _is_shape(shape) or not isinstance(dtype, str) or start + length > end:
            raise FormatError(f"holds a damaged array at byte {start:,}", self._source.name)
        return PackedArray(self._once(tuple(shape or ())), dtype, start, length)

    def _once(self, value: T) -> T:
        """The value, in one copy for all that are equal, as names, dtypes and shapes are: up to MAX_SHARED of them."""
        keep = self._shared.setdefault if len(self._shared) < MAX_SHARED else self._shared.get
        found: T = keep(value, value)
        return found

    def _count(self, count: int, smallest: int) -> int:
        if count * smallest > self._source.size - self.position:
            raise FormatError(f"claims {count:,} values at byte {self.position:,}", self._source.name, "cut off?")
        return count

    def _text(self, length: int) -> str:
        kept = min(length, MAX_TEXT)
        text = self._take(kept).decode("utf-8", "replace")
        self._skip(length - kept)
        return self._once(text)

    def _skip(self, count: int) -> None:
        if count < 0 or self.position + count > self._source.size:
            raise FormatError(f"ends inside a value, at byte {self._source.size:,}", self._source.name, "cut off?")
        self._at += count

    def _take(self, count: int) -> bytes:
        if self._at + count > len(self._window):
            start = self.position
            self._skip(count)
            self._window = self._source.read(start, min(max(count, WINDOW), self._source.size - start))
            self._base, self._at = start, 0
        self._at += count
        return self._window[self._at - count : self._at]


def _is_shape(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= MAX_AXES and all(type(n) is int and n >= 0 for n in value)
