"""Local heaps (section III.D), which hold the names of a group, and global heaps (III.E), which hold vlen values.

Knows where a named piece of bytes lies; not what it means.
"""

from __future__ import annotations

from wtui.formats.hdf5.space import MAX_BLOCK, Cursor, Space

__all__ = ["LocalHeap", "global_object", "text"]

MAX_OBJECT = 64 << 20
"""Bytes of one variable-length value; the longest known are model configurations of a few MB."""


def text(data: bytes) -> str:
    """Bytes as text: UTF-8, with escapes for whatever is none."""
    return data.decode("utf-8", "backslashreplace")


class LocalHeap:
    """The names of one symbol-table group."""

    __slots__ = ("_data", "_space", "_start")

    def __init__(self, space: Space, address: int) -> None:
        """Read it; where its end is missing (a save that stopped), the names before that are kept."""
        fields = space.cursor(address, 8 + 2 * space.lengths + space.offsets)
        fields.expect(b"HEAP")
        fields.skip(4)
        size = fields.length()
        fields.length()
        start = fields.address_or_none()
        if start is None or size > MAX_BLOCK:
            raise fields.error("a heap of names of unreasonable size")
        self._space = space
        self._start = start
        self._data = space.read(start, space.available(start, size))

    def name(self, offset: int) -> bytes:
        """The NUL-terminated bytes at `offset`."""
        if not 0 <= offset < len(self._data):
            raise self._space.error("a name outside its heap", self._start + offset)
        return Cursor(self._space, self._data, self._start, offset).name()


def global_object(space: Space, collection: int, index: int) -> bytes:
    """Object `index` of the global heap collection at an address; FormatError if it is not there."""
    key = ("global heap", collection)
    known = space.memo.get(key)
    if not isinstance(known, dict):
        known = space.memo[key] = _collection(space, collection)
    place = known.get(index)
    if place is None:
        raise space.error(f"a value ({index}) that is not in its heap", collection)
    offset, length = place
    if length > MAX_OBJECT:
        raise space.error(f"a value of {length:,} bytes", offset)
    return space.read_large(offset, length)


def _collection(space: Space, address: int) -> dict[int, tuple[int, int]]:
    """Index: (address, bytes) of all objects of a collection."""
    step = 8 + space.lengths + -space.lengths % 8
    prefix = space.cursor(address, step)
    prefix.expect(b"GCOL")
    version = prefix.uint(1)
    if version != 1:
        raise prefix.error(f"a heap of version {version}")
    prefix.skip(3)
    end = address + prefix.length()
    at = address + step
    found: dict[int, tuple[int, int]] = {}
    while at + step <= min(end, space.size):
        fields = space.cursor(at, step)
        index = fields.uint(2)
        fields.skip(6)
        length = fields.length()
        if index == 0:
            break
        found[index] = (at + step, length)
        at += step + length + -length % 8
    return found
