"""Decompression of snappy blocks (google/snappy, format_description.txt). Knows nothing of what is inside."""

from __future__ import annotations

from wtui.errors import FormatError
from wtui.formats.protobuf import varint

__all__ = ["decompress"]

MAX_RATIO = 32
"""No block expands more: an element that copies 64 bytes takes 3, one that copies 11 takes 2."""


def decompress(data: bytes, limit: int) -> bytes:
    """The bytes behind a snappy block, at most `limit`; FormatError where it is damaged or claims more."""
    try:
        size, at = varint(data, 0)
        if size > limit or size > len(data) * MAX_RATIO:
            raise FormatError(f"a snappy block claims {size:,} bytes")
        out = _elements(data, at, size)
    except (IndexError, ValueError):
        raise FormatError("a snappy block is damaged") from None
    if len(out) != size:
        raise FormatError(f"a snappy block holds {len(out):,} bytes instead of {size:,}")
    return bytes(out)


def _elements(data: bytes, at: int, size: int) -> bytearray:
    """Literals and copies in turn; ValueError beyond `size` bytes."""
    out = bytearray()
    while at < len(data):
        tag = data[at]
        at += 1
        kind = tag & 3
        if kind == 0:
            length, at = _literal_length(data, at, tag >> 2)
            if at + length > len(data):
                raise ValueError("a literal leads out of the block")
            out += data[at : at + length]
            at += length
        else:
            length, offset, at = _copy(data, at, tag, kind)
            _repeat(out, offset, length)
        if len(out) > size:
            raise ValueError("more than it claims")
    return out


def _literal_length(data: bytes, at: int, code: int) -> tuple[int, int]:
    """Up to 60 in the tag itself, else in 1 to 4 bytes behind it."""
    if code < 60:
        return code + 1, at
    wide = code - 59
    if at + wide > len(data):
        raise ValueError("a length leads out of the block")
    return int.from_bytes(data[at : at + wide], "little") + 1, at + wide


def _copy(data: bytes, at: int, tag: int, kind: int) -> tuple[int, int, int]:
    """Length, distance and the position behind the element."""
    if kind == 1:
        return 4 + (tag >> 2 & 7), (tag >> 5) << 8 | data[at], at + 1
    wide = 2 if kind == 2 else 4
    if at + wide > len(data):
        raise ValueError("a distance leads out of the block")
    return 1 + (tag >> 2), int.from_bytes(data[at : at + wide], "little"), at + wide


def _repeat(out: bytearray, offset: int, length: int) -> None:
    """Append `length` bytes from `offset` back; a copy may reach into what it is writing."""
    if not 0 < offset <= len(out):
        raise ValueError("a copy from before the block")
    start = len(out) - offset
    if offset >= length:
        out += out[start : start + length]
        return
    pattern = bytes(out[start:])
    out += (pattern * (length // offset + 1))[:length]
