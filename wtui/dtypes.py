"""The numpy dtypes behind the names of `wtui.model.DTYPE_BITS`, and values of less than a byte unpacked.

Below `wtui.stats` and `wtui.codecs`, which both turn raw bytes into numbers; knows neither files nor formats.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from wtui.errors import CodecError
from wtui.model import DTYPE_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["numpy_dtype", "patterns_of", "unpack"]


@cache
def numpy_dtype(dtype: str) -> np.dtype[np.generic]:
    """The numpy (or ml_dtypes) dtype of decoded values, in native byte order; CodecError for an unknown name.

    Values of less than a byte take one byte each once decoded.
    """
    if dtype not in DTYPE_BITS:
        raise CodecError(f"values of type {dtype} cannot be decoded")
    try:
        return np.dtype(dtype)
    except TypeError:
        import ml_dtypes

        found: np.dtype[np.generic] = np.dtype(getattr(ml_dtypes, dtype))
        return found


def patterns_of(data: NDArray[np.generic], dtype: str, byteorder: str = "<") -> NDArray[np.unsignedinteger]:
    """The bit patterns, as native unsigned integers of the dtype's width, of raw bytes or of decoded values.

    `data` is 1-D: uint8 as stored (packed where a value has less than a byte, padding included), or decoded values of
    the dtype, in either byte order. A view where that is possible, else a copy.
    """
    bits = DTYPE_BITS[dtype]
    decoded = data.dtype != np.uint8 or dtype == "uint8"
    if decoded and data.dtype.newbyteorder("=") != numpy_dtype(dtype):
        raise CodecError(f"expected values of type {dtype}, not {data.dtype}")
    width = max(1, bits // 8)
    if decoded:
        swapped = not data.dtype.isnative
    elif bits < 8:
        return unpack(data.view(np.uint8), bits, len(data) * 8 // bits)
    else:
        swapped = width > 1 and byteorder != "=" and (byteorder == "<") != np.little_endian
    if swapped:
        return data.view(f"u{width}").byteswap()
    return data.view(f"u{width}")


def unpack(data: NDArray[np.uint8], bits: int, count: int) -> NDArray[np.uint8]:
    """`count` patterns of `bits` (2, 4 or 6) bits each, a byte apiece: a little-endian stream of bits, so that the
    first of two nibbles is the low one. -> (count,) uint8; CodecError if there are too few bytes.
    """
    if len(data) * 8 < count * bits:
        raise CodecError(f"{count:,} values of {bits} bits need {(count * bits + 7) // 8:,} bytes, not {len(data):,}")
    if bits == 6:
        stream = np.unpackbits(data, count=count * 6, bitorder="little").reshape(count, 6)
        return np.packbits(stream, axis=1, bitorder="little")[:, 0]
    per_byte = 8 // bits
    out = np.empty(len(data) * per_byte, np.uint8)
    for place in range(per_byte):
        out[place::per_byte] = (data >> (place * bits)) & ((1 << bits) - 1)
    return out[:count]
