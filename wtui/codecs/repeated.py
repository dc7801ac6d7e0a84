"""Fewer values than the shape has: the last one stands for all that are left, as TensorFlow stores constants.

From tensorflow/core/framework/tensor.proto. The values lie as in memory, little-endian. Knows no file.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from wtui.codecs.plain import decode_values
from wtui.errors import CodecError
from wtui.model import DTYPE_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wtui.model import Part, TensorEntry

__all__ = ["MAX_VALUES", "decode", "dtype"]

MAX_VALUES = 1 << 24
"""Values of such a tensor: it is decoded whole, and constants that are stored so have some thousands."""


def dtype(entry: TensorEntry) -> str:
    """The dtype of the values that `decode` gives: the tensor's own."""
    return entry.dtype


def decode(data: memoryview, entry: TensorEntry, part: Part) -> NDArray[np.generic]:
    """All values of the tensor; CodecError where there is none to repeat, or more than the shape has."""
    size = prod(entry.shape)
    bits = DTYPE_BITS.get(entry.dtype, 0)
    if bits < 8 or len(data) * 8 % bits or size > MAX_VALUES:
        raise CodecError(f"{len(data):,} bytes cannot stand for {size:,} values of {entry.dtype}", entry.name)
    count = len(data) * 8 // bits
    if not 0 < count <= size:
        raise CodecError(f"holds {count:,} values for a shape of {size:,}", entry.name)
    values = decode_values(data, entry.dtype, count, entry.byteorder)
    filled = np.empty(size, values.dtype)
    filled[:count] = values
    filled[count:] = values[-1]
    return filled.reshape(entry.shape)
