"""The product of two stored matrices, which stands nowhere itself: what a LoRA adapter adds to a weight.

B·A times a number (Hu et al., "LoRA", 2021), in float32. A part holds some rows of B; behind them comes A whole, and
where the number is kept in the file, that. Convolutions are matrices of (out, in x kernel). Knows no file.
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

__all__ = ["decode", "dtype"]


def dtype(entry: TensorEntry) -> str:
    """The dtype of the product."""
    return "float32"


def decode(data: memoryview, entry: TensorEntry, part: Part) -> NDArray[np.float32]:
    """The values of one part, in the part's shape; CodecError if its bytes are not the two factors."""
    shape = entry.shape if part.shape is None else part.shape
    arguments = dict(entry.encoding_args)
    rank, transposed = int(arguments["rank"]), bool(arguments["transposed"])
    rows = shape[-1] if transposed else shape[0]
    columns = prod(shape) // rows if rows else 0
    start, stop = part.extent.length, part.extent.length + part.beside[0].length
    b = _matrix(data[:start], str(arguments["b"]), (rows, rank), entry.name)
    a = _matrix(data[start:stop], str(arguments["a"]), (rank, columns), entry.name)
    scale = np.float32(arguments["scale"])
    if len(part.beside) > 1:
        scale = _matrix(data[stop:], str(arguments["alpha"]), (1, 1), entry.name)[0, 0] / np.float32(rank)
    with np.errstate(all="ignore"):  # NaN and infinities are shown as they come
        product: NDArray[np.float32] = (b @ a) * scale
    return np.ascontiguousarray(product.T if transposed else product).reshape(shape)


def _matrix(data: memoryview, dtype: str, shape: tuple[int, int], name: str) -> NDArray[np.float32]:
    count = prod(shape)
    if len(data) * 8 != count * DTYPE_BITS.get(dtype, 0):
        raise CodecError(f"{len(data):,} bytes are not {shape[0]:,} x {shape[1]:,} values", name)
    return decode_values(data, dtype, count).astype(np.float32).reshape(shape)
