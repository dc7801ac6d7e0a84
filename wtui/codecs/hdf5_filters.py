"""Chunks of HDF5 datasets: the filters that the writer applied, undone in reverse; and values that were never written.

The filters are those of the HDF5 File Format Specification (IV.A.2.l) and of the HDF Group's registry. Knows no file:
a chunk's bytes come in, an array goes out. Nothing is inflated beyond what a chunk must hold.
"""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from wtui.codecs.plain import decode_values
from wtui.errors import CodecError
from wtui.model import DTYPE_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wtui.model import Part, TensorEntry

__all__ = ["decode", "dtype"]

DEFLATE, SHUFFLE, FLETCHER32, BZIP2, LZF = 1, 2, 3, 307, 32000
"""Registered numbers of the filters that can be undone."""

NAMES = {
    4: "szip", 5: "nbit", 6: "scale-offset", 32001: "Blosc", 32004: "LZ4", 32008: "bitshuffle", 32013: "ZFP",
    32015: "Zstandard", 32026: "Blosc2",
}  # fmt: skip
"""Filters that are known by name only."""

SLACK = 64
"""Bytes that inner filters may have added to a chunk before outer ones saw it: checksums of 4 bytes."""

WIDEST_BY_PLANE = 16
"""Bytes of a value up to which it is quicker to copy plane by plane (3.5 GB/s for 4) than to transpose (1.0)."""

FLETCHER_BLOCK = 1 << 15
"""Words summed before the sums are reduced: their weighted sum stays below 2^63."""


def dtype(entry: TensorEntry) -> str:
    """The dtype of the values that `decode` gives: the tensor's own."""
    return entry.dtype


def decode(data: memoryview, entry: TensorEntry, part: Part) -> NDArray[np.generic]:
    """The values of one chunk in native byte order, shaped as the part says; CodecError if they cannot be had.

    No bytes at all stand for a chunk that was never written: the fill value, in an array without memory of its own.
    """
    shape = entry.shape if part.shape is None else part.shape
    settings = dict(entry.encoding_args)
    if entry.dtype not in DTYPE_BITS:
        raise CodecError(f"values of type {entry.dtype} cannot be decoded", entry.name)
    width = DTYPE_BITS[entry.dtype] // 8
    if not len(data):
        fill = settings.get("fill") or bytes(width)
        return np.broadcast_to(decode_values(fill, entry.dtype, 1, entry.byteorder)[0], shape)
    size = prod(shape) * width
    for place, (number, values) in reversed(list(enumerate(settings.get("filters", ())))):
        if not part.skipped_filters >> place & 1:
            data = _undo(number, values, data, size, entry.name)
    if len(data) != size:
        raise CodecError(f"a chunk holds {len(data):,} bytes instead of {size:,}", entry.name)
    return decode_values(data, entry.dtype, prod(shape), entry.byteorder).reshape(shape)


def _undo(number: int, values: tuple[int, ...], data: memoryview, size: int, name: str) -> memoryview:
    """The bytes before a filter was applied; at most `size` of them, and what inner filters added."""
    try:
        undo = _FILTERS[number]
    except KeyError:
        known = NAMES.get(number)
        message = f"its values are compressed with {known}" if known else f"its values went through filter {number}"
        raise CodecError(f"{message}, which wtui does not decode", name, "h5repack rewrites it with gzip") from None
    try:
        return undo(data, values, size)
    except CodecError as error:
        raise CodecError(error.what, name) from error
    except (zlib.error, OSError, EOFError, ValueError) as error:
        raise CodecError(f"a chunk is damaged ({error})", name) from error


def _inflate(data: memoryview, values: tuple[int, ...], size: int) -> memoryview:
    stream = zlib.decompressobj()
    out = stream.decompress(data, size + SLACK + 1)
    if len(out) > size + SLACK:
        raise CodecError(f"a chunk inflates to more than its {size:,} bytes")
    if not stream.eof:
        raise CodecError("a chunk ends in the middle of its compressed data")
    return memoryview(out)


def _bunzip(data: memoryview, values: tuple[int, ...], size: int) -> memoryview:
    out = bz2.BZ2Decompressor().decompress(data, size + SLACK + 1)
    if len(out) > size + SLACK:
        raise CodecError(f"a chunk inflates to more than its {size:,} bytes")
    return memoryview(out)


def _lzf(data: memoryview, values: tuple[int, ...], size: int) -> memoryview:
    """The third value is the size before compression, which inner filters may have raised a little."""
    from wtui.codecs.lzf import decompress

    expected = values[2] if len(values) > 2 else size
    if expected > size + SLACK:
        raise CodecError(f"a chunk claims {expected:,} bytes instead of {size:,}")
    return decompress(data, expected).data


def _unshuffle(data: memoryview, values: tuple[int, ...], size: int) -> memoryview:
    """All first bytes, then all second bytes, ...: put together again; what is left over stays at the end."""
    width = values[0] if values else 1
    count = len(data) // width if width > 1 else 0
    if count < 2:
        return data
    planes = np.frombuffer(data, np.uint8, count * width).reshape(width, count)
    out = np.empty(len(data), np.uint8)
    items = out[: count * width].reshape(count, width)
    if width <= WIDEST_BY_PLANE:
        for k in range(width):
            items[:, k] = planes[k]
    else:
        items[:] = planes.T
    out[count * width :] = np.frombuffer(data, np.uint8, offset=count * width)
    return out.data


def _unfletcher(data: memoryview, values: tuple[int, ...], size: int) -> memoryview:
    """Check and take off the sum at the end; some old writers stored its halves byte-swapped."""
    body, stored = data[:-4], bytes(data[-4:])
    if len(stored) < 4:
        raise CodecError("a chunk is shorter than its checksum")
    low, high = _fletcher32(body)
    for halves in (stored, bytes((stored[1], stored[0], stored[3], stored[2]))):
        found = int.from_bytes(halves[:2], "little"), int.from_bytes(halves[2:], "little")
        if all((a - b) % 0xFFFF == 0 for a, b in zip(found, (low, high), strict=True)):
            return body
    raise CodecError("a chunk does not match its checksum: the file is damaged")


def _fletcher32(data: memoryview) -> tuple[int, int]:
    """The two sums of Fletcher's checksum over 16-bit big-endian words, modulo 65535 (J. Fletcher, 1982)."""
    words = np.frombuffer(data, ">u2", len(data) // 2)
    low = high = 0
    for start in range(0, len(words), FLETCHER_BLOCK):
        block = words[start : start + FLETCHER_BLOCK].astype(np.int64)
        weights = np.arange(len(block), 0, -1, dtype=np.int64)
        high = (high + len(block) * low + int(block @ weights)) % 0xFFFF
        low = (low + int(block.sum())) % 0xFFFF
    if len(data) % 2:
        low = (low + (data[-1] << 8)) % 0xFFFF
        high = (high + low) % 0xFFFF
    return low, high


_FILTERS: dict[int, Callable[[memoryview, tuple[int, ...], int], memoryview]] = {
    DEFLATE: _inflate,
    SHUFFLE: _unshuffle,
    FLETCHER32: _unfletcher,
    BZIP2: _bunzip,
    LZF: _lzf,
}
