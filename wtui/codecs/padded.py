"""Values of less than a byte that take a byte each, in its low bits, as TensorFlow keeps them. Knows no file."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from wtui.dtypes import numpy_dtype
from wtui.errors import CodecError
from wtui.model import DTYPE_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wtui.model import Part, TensorEntry

__all__ = ["decode", "dtype"]


def dtype(entry: TensorEntry) -> str:
    """The dtype of the values that `decode` gives: the tensor's own."""
    return entry.dtype


def decode(data: memoryview, entry: TensorEntry, part: Part) -> NDArray[np.generic]:
    """The values of one part, in the part's shape; CodecError if its bytes are not as many."""
    shape = entry.shape if part.shape is None else part.shape
    bits = DTYPE_BITS.get(entry.dtype, 8)
    if bits >= 8 or len(data) != prod(shape):
        raise CodecError(f"{entry.dtype} {list(shape)} does not take {len(data):,} bytes", entry.name)
    low = np.frombuffer(data, np.uint8) & np.uint8((1 << bits) - 1)
    return low.view(numpy_dtype(entry.dtype)).reshape(shape)
