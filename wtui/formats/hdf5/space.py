"""The address space of an HDF5 file: bounded reads of metadata, and a cursor over the fields of one structure.

Knows how addresses and lengths are written, and nothing of what lies behind them. Section numbers in this package are
those of the HDF5 File Format Specification, version 3.0. Checksums are not verified: they would cost more than all the
rest, and every field is checked for sense where it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.errors import FormatError

if TYPE_CHECKING:
    from wtui.storage.source import Source

__all__ = ["MAX_BLOCK", "Cursor", "Space"]

MAX_BLOCK = 16 << 20
"""Bytes of the largest single piece of metadata that is read; the library's own pieces stay far below."""

READ_FLOOR = 32 << 20
"""Bytes of metadata that may always be read from one file, however small it is."""

READ_FACTOR = 8
"""Beyond READ_FLOOR, how often every byte of the file may be read as metadata: structures that point at each other
could otherwise have a small file read for ever."""

READ_COST = 64
"""Bytes that the smallest read counts for, so that many tiny ones run into the same limit."""


class Space:
    """Reads of one file by HDF5 address, which counts from the superblock's base address."""

    __slots__ = ("_left", "base", "extension", "lengths", "memo", "name", "offsets", "size", "source", "undefined")

    def __init__(self, source: Source, base: int = 0, offsets: int = 8, lengths: int = 8) -> None:
        """`offsets` and `lengths`: bytes of an address and of a length, 1 to 8, as the superblock says."""
        self.source = source
        self.name = source.name
        self.base = base
        self.offsets = offsets
        self.lengths = lengths
        self.undefined = (1 << (8 * offsets)) - 1
        self.size = source.size - base
        """Bytes that addresses can reach."""
        self.memo: dict[object, object] = {}
        """What was already made of bytes that come again and again: datatypes, heaps."""
        self.extension: int | None = None
        """Address of the superblock extension, an object header with settings of the file."""
        self._left = max(READ_FLOOR, READ_FACTOR * source.size)

    def read(self, address: int, length: int) -> bytes:
        """The bytes `address : address + length`; FormatError if they lie outside the file or are unreasonably many."""
        if length > MAX_BLOCK:
            raise self.error(f"metadata of {length:,} bytes", address)
        return self.read_large(address, length)

    def read_large(self, address: int, length: int) -> bytes:
        """As `read`, for what may be larger: the caller has bounded `length`."""
        if address < 0 or length < 0 or address + length > self.size:
            raise self.error(f"{length:,} bytes behind the end of the file", address)
        self._left -= max(length, READ_COST)
        if self._left < 0:
            raise self.error("metadata that leads in circles", address)
        return self.source.read(self.base + address, length)

    def cursor(self, address: int, length: int) -> Cursor:
        """The fields in `address : address + length`."""
        return Cursor(self, self.read(address, length), address)

    def available(self, address: int, length: int) -> int:
        """How many of `length` bytes at `address` the file still has."""
        return max(0, min(length, self.size - address))

    def error(self, what: str, address: int) -> FormatError:
        """An error that names the place."""
        return FormatError(f"damaged HDF5: {what}, at byte {self.base + address:,}", self.name)


class Cursor:
    """The little-endian fields of one structure, one after the other; FormatError when they end too early."""

    __slots__ = ("address", "at", "data", "space")

    def __init__(self, space: Space, data: bytes, address: int = 0, at: int = 0) -> None:
        self.space = space
        self.data = data
        self.address = address
        """Where `data` lies in the file, for error messages and for values that lie inside it."""
        self.at = at

    def uint(self, width: int) -> int:
        """An unsigned integer of `width` bytes."""
        return int.from_bytes(self.take(width), "little")

    def address_or_none(self) -> int | None:
        """An address; None where the file says that there is none."""
        value = int.from_bytes(self.take(self.space.offsets), "little")
        return None if value == self.space.undefined else value

    def length(self) -> int:
        """A size in bytes or a count, as wide as the superblock says."""
        return int.from_bytes(self.take(self.space.lengths), "little")

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        start = self.at
        self.at = end = start + count
        if count < 0 or end > len(self.data):
            raise self.error("a structure that ends too early")
        return self.data[start:end]

    def skip(self, count: int) -> None:
        """Pass over `count` bytes."""
        self.at += count

    def name(self) -> bytes:
        """Bytes up to the next NUL, which is passed over."""
        end = self.data.find(b"\0", self.at)
        if end < 0:
            raise self.error("a name without an end")
        name, self.at = self.data[self.at : end], end + 1
        return name

    def align(self, start: int, step: int = 8) -> None:
        """Move on to the next multiple of `step` bytes from `start`."""
        self.at += -(self.at - start) % step

    @property
    def left(self) -> int:
        """Bytes that remain."""
        return len(self.data) - self.at

    def expect(self, signature: bytes) -> None:
        """Pass over a signature; FormatError if there is another one."""
        found = self.take(len(signature))
        if found != signature:
            raise self.error(f"{found!r} where {signature!r} was expected")

    def error(self, what: str) -> FormatError:
        """An error that names the place."""
        return self.space.error(what, self.address + min(self.at, len(self.data)))
