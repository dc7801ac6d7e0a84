"""Partitioned variables of a checkpoint: which boxes they were cut into, and under which keys these are stored.

A key is made of the name and the box by TensorFlow's order-preserving encoding of numbers
(tensorflow/core/util/saved_tensor_slice_util.cc, tensorflow/core/lib/strings/ordered_code.cc). Knows no file.
"""

from __future__ import annotations

from typing import NamedTuple

from wtui.errors import FormatError
from wtui.formats.protobuf import LEN, message, signed

__all__ = ["Box", "parse_slice"]

WHOLE = -1
"""The length of a box along an axis that it covers."""


class Box(NamedTuple):
    """A box of a tensor."""

    starts: tuple[int, ...]
    lengths: tuple[int, ...]
    """WHOLE for an axis that is covered."""

    def key(self, name: str) -> bytes:
        """The key of this piece of the variable `name`."""
        escaped = name.encode().replace(b"\xff", b"\xff\x00").replace(b"\x00", b"\x00\xff")
        numbers = b"".join(_signed(n) for pair in zip(self.starts, self.lengths, strict=True) for n in pair)
        return b"\x00" + escaped + b"\x00\x01" + _unsigned(len(self.starts)) + numbers

    def within(self, shape: tuple[int, ...]) -> Box | None:
        """The same with its real lengths; None if it does not lie in a tensor of that shape."""
        if len(self.starts) != len(shape):
            return None
        lengths = tuple(n if length == WHOLE else length for n, length in zip(shape, self.lengths, strict=True))
        inside = all(a >= 0 and n >= 0 and a + n <= s for a, n, s in zip(self.starts, lengths, shape, strict=True))
        return Box(self.starts, lengths) if inside else None


def parse_slice(data: bytes) -> Box:
    """A TensorSliceProto; FormatError if it is none."""
    starts: list[int] = []
    lengths: list[int] = []
    for field in message(data):
        if field.number != 1 or field.wire != LEN:
            raise FormatError("a slice of a partitioned variable is damaged")
        extent = {f.number: signed(f.value) for f in message(data, field.start, field.stop)}
        starts.append(extent.get(1, 0))
        lengths.append(extent.get(2, WHOLE))
    return Box(tuple(starts), tuple(lengths))


def _unsigned(value: int) -> bytes:
    """How many bytes, then the bytes."""
    size = (value.bit_length() + 7) // 8
    return bytes([size]) + value.to_bytes(size, "big")


def _signed(value: int) -> bytes:
    """A number whose leading bits tell how many bytes it has: one in `0x80 ^ value` below 64, then 7 bits a byte."""
    bits = (~value if value < 0 else value).bit_length() + 1
    size = (bits + 6) // 7
    header = ((1 << size) - 1) << (size * 8 - size)
    plain = value & ((1 << size * 8) - 1)
    return (plain ^ header).to_bytes(size, "big")
