"""Sorted tables of keys and values: the `.index` of a TensorFlow checkpoint, in the layout of LevelDB.

A footer of 48 bytes points to a block of (last key, place) for every block of data; keys are stored as differences to
the one before (tensorflow/core/lib/io/table_format.txt). Knows nothing of what keys and values mean. Checksums are not
verified: they cover the metadata alone, which is checked for sense instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from wtui.errors import FormatError
from wtui.formats.protobuf import varint
from wtui.formats.tf.snappy import decompress

if TYPE_CHECKING:
    from wtui.storage import Source

__all__ = ["MAGIC", "entries", "is_table"]

MAGIC = bytes.fromhex("57fb808b247547db")
"""The last eight bytes of a table."""

FOOTER = 48
TRAILER = 5
"""Bytes behind a block: its compression and a checksum."""

MAX_TABLE = 64 << 20
"""Bytes of all blocks together once decompressed: a million tensors take about 30 MB."""

MAX_KEYS = 128 << 20
"""Bytes of all keys together: each is stored as a difference to the one before, and could grow without end."""


def is_table(source: Source) -> bool:
    """Whether the magic number stands at the end."""
    return source.size >= FOOTER and source.read(source.size - len(MAGIC), len(MAGIC)) == MAGIC


def entries(source: Source) -> Iterator[tuple[bytes, bytes]]:
    """All keys and values in order; FormatError where the table is damaged."""
    if not is_table(source):
        raise FormatError("does not end like a TensorFlow index", source.name, "truncated?")
    footer = source.read(source.size - FOOTER, FOOTER)
    end = left = 0
    try:
        _, at = _handle(footer, 0)
        place, _ = _handle(footer, at)
        left = MAX_TABLE
        for _, value in _block(_read(source, place, left)):
            place, _ = _handle(value, 0)
            if place[0] < end:
                raise ValueError("blocks overlap")
            block = _read(source, place, left)
            end, left = sum(place), left - len(block)
            yield from _block(block)
    except (IndexError, ValueError) as error:
        raise FormatError("its table of tensors is damaged", source.name, str(error)) from None


def _handle(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    """Offset and length of a block, and the position behind them."""
    offset, at = varint(data, at)
    length, at = varint(data, at)
    return (offset, length), at


def _read(source: Source, place: tuple[int, int], limit: int) -> bytes:
    """A block without its trailer, decompressed."""
    offset, length = place
    if length > limit or offset + length + TRAILER > source.size:
        raise ValueError(f"a block of {length:,} bytes at {offset:,} leads out of it")
    data = source.read(offset, length + 1)
    if data[-1] == 0:
        return data[:-1]
    if data[-1] != 1:
        raise ValueError(f"compression {data[-1]} is not known")
    return decompress(data[:-1], limit)


def _block(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The entries of a block; behind them lies a list of restart points, which only a search needs."""
    restarts = int.from_bytes(data[-4:], "little")
    end = len(data) - 4 - 4 * restarts
    if end < 0:
        raise ValueError("a block is shorter than its list of restarts")
    at = total = 0
    key = b""
    while at < end:
        shared, at = varint(data, at)
        added, at = varint(data, at)
        size, at = varint(data, at)
        if shared > len(key) or at + added + size > end:
            raise ValueError("an entry leads out of its block")
        key = key[:shared] + data[at : at + added]
        total += len(key)
        if total > MAX_KEYS:
            raise ValueError("its names are too long")
        at += added
        yield key, data[at : at + size]
        at += size
