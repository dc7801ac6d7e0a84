"""The wire format of protocol buffers, read where it lies: fields with the absolute offsets of their bytes.

A message is walked without its payloads being read, so that a tensor of two gigabytes inside one costs a few bytes, and
every field knows where in the file it stands, which protobuf libraries do not tell. Source: protobuf.dev, "Encoding".
Knows no schema: what a number means is the caller's knowledge.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import unpack
from typing import NamedTuple, Protocol

from wtui.errors import FormatError

__all__ = [
    "FIXED32",
    "FIXED64",
    "LEN",
    "VARINT",
    "Field",
    "Readable",
    "blob",
    "fields",
    "float32",
    "float64",
    "integers",
    "message",
    "signed",
    "text",
    "varint",
]

VARINT, FIXED64, LEN, FIXED32 = 0, 1, 2, 5
"""Wire types. Groups (3 and 4) were given up before any format that wtui reads was made."""

WINDOW = 4096
"""Bytes that are read at once: small messages whole, of large ones what stands around their payloads."""

HEADER = 20
"""Bytes that a field's key and the value or length behind it take at most."""

MAX_TEXT = 1 << 16
"""Bytes of a string that are kept: names have a few hundred."""

MAX_INTEGERS = 1 << 20
"""Integers of one packed field that are taken into memory."""


class Readable(Protocol):
    """What messages are read from: a `Source`, or a part of one that is kept."""

    @property
    def name(self) -> str:
        """What to call it in an error."""

    @property
    def size(self) -> int:
        """Bytes that it holds."""

    def read(self, offset: int, length: int) -> bytes:
        """The bytes `offset : offset + length`."""


class Field(NamedTuple):
    """One field of a message; its payload is the bytes `start:stop` of the source."""

    number: int
    wire: int
    """VARINT, FIXED64, LEN or FIXED32."""
    value: int
    """Of a varint or fixed field, as the unsigned integer that is stored; 0 for LEN."""
    start: int
    stop: int


def fields(source: Readable, start: int, stop: int, *, cut: bool = False) -> Iterator[Field]:
    """The fields of the message in the bytes `start:stop`, in the order in which they stand.

    Give it a `CachedSource` (`probe.source`): nested messages are read through the same blocks. FormatError where the
    bytes are no message, or a field leads out of it. With `cut` the file may have been cut off: of a field that leads
    over its end there is what is left of it.
    """
    cut = cut and stop == source.size
    if not 0 <= start <= stop <= source.size:
        raise FormatError(f"a message at bytes {start:,} to {stop:,} lies outside its {source.size:,}", source.name)
    at = base = start
    window = b""
    while at < stop:
        if at - base + HEADER > len(window) and base + len(window) < stop:
            base, window = at, source.read(at, min(WINDOW, stop - at))
        try:
            field = _short(window, at - base, base) or _field(window, at - base, base)
        except (IndexError, ValueError) as error:
            if cut and isinstance(error, IndexError) and stop - at < HEADER:
                return
            raise FormatError(f"the bytes at {at:,} are no protobuf field", source.name, str(error)) from None
        if field.stop > stop and cut and field.wire == LEN:
            field = field._replace(stop=stop)
        if field.stop > stop:
            raise FormatError(f"a field at byte {at:,} leads out of its message", source.name, "truncated?")
        at = field.stop
        yield field


def message(data: bytes, start: int = 0, stop: int | None = None) -> Iterator[Field]:
    """The same of a message that is in memory, in the bytes `start:stop` of `data`; FormatError, without a path."""
    stop = len(data) if stop is None else stop
    at = start
    while at < stop:
        try:
            field = _short(data, at, 0) or _field(data, at, 0)
        except (IndexError, ValueError) as error:
            raise FormatError("some bytes are no protobuf message", hint=str(error)) from None
        at = field.stop
        if at > stop:
            raise FormatError("a protobuf field leads out of its message", hint="truncated?")
        yield field


def _short(window: bytes, at: int, base: int) -> Field | None:
    """The field at `at` if its number, and its value or length, take a byte each, as most do."""
    key, value = window[at], window[at + 1]
    if value < 0x80 and 7 < key < 0x80:
        wire = key & 7
        if wire == LEN:
            start = base + at + 2
            return Field(key >> 3, LEN, 0, start, start + value)
        if wire == VARINT:
            return Field(key >> 3, VARINT, value, base + at + 1, base + at + 2)
    return None


def _field(window: bytes, at: int, base: int) -> Field:
    """The field at `at`; `window` begins at the offset `base`. ValueError for what protobuf does not know."""
    key, i = varint(window, at)
    number, wire = key >> 3, key & 7
    if not number:
        raise ValueError("field number 0")
    if wire == LEN:
        length, i = varint(window, i)
        return Field(number, LEN, 0, base + i, base + i + length)
    if wire == VARINT:
        value, end = varint(window, i)
        return Field(number, VARINT, value, base + i, base + end)
    if wire in (FIXED32, FIXED64):
        end = i + (4 if wire == FIXED32 else 8)
        return Field(number, wire, int.from_bytes(window[i:end], "little"), base + i, base + end)
    raise ValueError(f"wire type {wire}")


def varint(data: bytes, at: int) -> tuple[int, int]:
    """The unsigned integer at `at` and the position behind it; IndexError at the end, ValueError beyond 64 bits."""
    value = data[at]
    at += 1
    if value < 0x80:
        return value, at
    value &= 0x7F
    shift = 7
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than 64 bits")


def signed(value: int) -> int:
    """A varint as the int64 or int32 that it stands for (two's complement, not zigzag)."""
    return value - (1 << 64) if value >> 63 else value


def float32(value: int) -> float:
    """The float whose bits a FIXED32 field holds."""
    return float(unpack("<f", (value & 0xFFFF_FFFF).to_bytes(4, "little"))[0])


def float64(value: int) -> float:
    """The double whose bits a FIXED64 field holds."""
    return float(unpack("<d", value.to_bytes(8, "little"))[0])


def blob(source: Readable, field: Field, limit: int = MAX_TEXT) -> bytes:
    """The payload of a LEN field; FormatError if it has more than `limit` bytes."""
    length = field.stop - field.start
    if length > limit:
        raise FormatError(f"{length:,} bytes at {field.start:,} where at most {limit:,} are expected", source.name)
    return source.read(field.start, length)


def text(source: Readable, field: Field) -> str:
    """The payload of a LEN field as text; bytes that are no UTF-8 become U+FFFD."""
    return blob(source, field).decode("utf-8", "replace")


def integers(source: Readable, field: Field) -> list[int]:
    """The signed integers of a repeated field: one (VARINT) or those packed in it (LEN)."""
    if field.wire != LEN:
        return [signed(field.value)]
    data = blob(source, field, MAX_INTEGERS)
    found: list[int] = []
    at = 0
    try:
        while at < len(data):
            value, at = varint(data, at)
            found.append(signed(value))
    except (IndexError, ValueError):
        raise FormatError(f"the integers at byte {field.start:,} are damaged", source.name) from None
    return found
