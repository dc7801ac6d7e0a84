"""Values that lie in the file as they are in memory: every dtype of `DTYPE_BITS`, either byte order.

Values of less than a byte are unpacked with the first one in the lowest bits. Knows no file and no container.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from wtui.dtypes import numpy_dtype, unpack
from wtui.errors import CodecError
from wtui.model import DTYPE_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wtui.model import Part, TensorEntry

__all__ = ["decode", "decode_values", "dtype", "numpy_dtype"]


def dtype(entry: TensorEntry) -> str:
    """The dtype of the values that `decode` gives: the tensor's own."""
    return entry.dtype


def decode(data: memoryview, entry: TensorEntry, part: Part) -> NDArray[np.generic]:
    """The values of one part, in native byte order and in the part's shape; CodecError if its bytes do not fit."""
    shape = entry.shape if part.shape is None else part.shape
    count = prod(shape)
    expected = (count * DTYPE_BITS.get(entry.dtype, 0) + 7) // 8
    if len(data) != expected and entry.dtype in DTYPE_BITS:
        raise CodecError(f"{entry.dtype} {list(shape)} takes {expected:,} bytes, not {len(data):,}", entry.name)
    try:
        return decode_values(data, entry.dtype, count, entry.byteorder).reshape(shape)
    except CodecError as error:
        raise CodecError(error.what, entry.name) from error


def decode_values(
    data: bytes | bytearray | memoryview | NDArray[np.uint8], dtype: str, count: int, byteorder: str = "<"
) -> NDArray[np.generic]:
    """The first `count` values of `data` as a 1-D array in native byte order: a view of `data` where no byte has to
    move. CodecError for an unknown dtype or too few bytes. `byteorder` is `<`, `>` or `=`.
    """
    native = numpy_dtype(dtype)
    raw = np.frombuffer(data, np.uint8)
    bits = DTYPE_BITS[dtype]
    if len(raw) * 8 < count * bits:
        raise CodecError(f"{count:,} values of {dtype} need {(count * bits + 7) // 8:,} bytes, not {len(raw):,}")
    if bits < 8:
        return unpack(raw, bits, count).view(native)
    raw = raw[: count * bits // 8]
    part = native.itemsize // 2 if native.kind == "c" else native.itemsize
    if part > 1 and byteorder != "=" and (byteorder == "<") != np.little_endian:
        return raw.view(f"u{part}").byteswap().view(native)
    return raw.view(native)
