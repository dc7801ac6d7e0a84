"""Integers as protobuf packs them: seven bits a byte, lowest first, the eighth bit says that more follow.

ONNX stores in them not only integers but the bit patterns of halves, bytes, truth values and pairs of nibbles
(`onnx.proto`, `int32_data`). Knows no file.
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

__all__ = ["decode", "dtype"]

MAX_BYTES = 10
"""Bytes of one integer: 64 bits in sevens."""


def dtype(entry: TensorEntry) -> str:
    """The dtype of the values that `decode` gives: the tensor's own."""
    return entry.dtype


def decode(data: memoryview, entry: TensorEntry, part: Part) -> NDArray[np.generic]:
    """The values of one part; CodecError if its integers are not as many as they should be, or too long."""
    shape = entry.shape if part.shape is None else part.shape
    count = prod(shape)
    if entry.dtype not in DTYPE_BITS or entry.dtype.startswith(("complex", "float64", "float32")):
        raise CodecError(f"values of type {entry.dtype} are not stored as integers", entry.name)
    bits = DTYPE_BITS[entry.dtype]
    expected = count if bits >= 8 else (count * bits + 7) // 8
    integers = _integers(np.frombuffer(data, np.uint8), entry.name)
    if len(integers) != expected:
        raise CodecError(f"holds {len(integers):,} integers instead of {expected:,}", entry.name)
    native = numpy_dtype(entry.dtype)
    values: NDArray[np.generic]
    if bits < 8:
        values = unpack(integers.astype(np.uint8), bits, count).view(native)
    elif entry.dtype == "bool":
        values = integers != 0
    else:
        values = integers.astype(f"u{native.itemsize}").view(native)
    return values.reshape(shape)


def _integers(data: NDArray[np.uint8], name: str) -> NDArray[np.uint64]:
    """All integers of the bytes, as their 64-bit patterns. -> (n,) uint64"""
    ends = np.flatnonzero(data < 0x80)
    if len(data) and (not len(ends) or ends[-1] != len(data) - 1):
        raise CodecError("its integers end in the middle of one", name)
    starts = np.empty_like(ends)
    starts[:1], starts[1:] = 0, ends[:-1] + 1
    lengths = ends - starts + 1
    longest = int(lengths.max()) if len(lengths) else 0
    if longest > MAX_BYTES:
        raise CodecError(f"holds an integer of {longest} bytes", name)
    found = np.zeros(len(ends), np.uint64)
    for place in range(longest):
        more = np.flatnonzero(lengths > place)
        found[more] |= (data[starts[more] + place] & 0x7F).astype(np.uint64) << np.uint64(7 * place)
    return found
