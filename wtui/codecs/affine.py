"""Integers that stand for real numbers: `(q - zero_point) * scale`, one scale for all or one for each index of an axis.

TensorFlow Lite's scheme (Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", 2018, equation 1), computed as its DEQUANTIZE does: in float32. Knows no file.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from wtui.codecs.plain import decode_values
from wtui.errors import CodecError
from wtui.model import DTYPE_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wtui.model import Part, TensorEntry

__all__ = ["decode", "dtype"]


def dtype(entry: TensorEntry) -> str:
    """The dtype of the values that the integers stand for."""
    return "float32"


def decode(data: memoryview, entry: TensorEntry, part: Part) -> NDArray[np.generic]:
    """The values of one part, in the part's shape. -> float32; CodecError if bytes or scales do not fit it."""
    shape = entry.shape if part.shape is None else part.shape
    count = prod(shape)
    bits = DTYPE_BITS.get(entry.dtype, 0)
    if not entry.dtype.startswith(("int", "uint")) or len(data) != (count * bits + 7) // 8:
        raise CodecError(f"{entry.dtype} {list(shape)} does not take {len(data):,} bytes", entry.name)
    integers = decode_values(data, entry.dtype, count, entry.byteorder).astype(np.int64).reshape(shape)
    arguments = dict(entry.encoding_args)
    if "minimum" in arguments:
        return _above(integers, arguments["scales"], arguments["minimum"])
    start = part.origin or (0,) * len(shape)
    scales = _along(arguments["scales"], arguments["axis"], start, shape, np.float32, entry.name)
    points = _along(arguments["zero_points"], arguments["axis"], start, shape, np.int64, entry.name)
    values: NDArray[np.float32] = (integers - points).astype(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # scales of a damaged file; what they give is shown as it is
        values *= scales
    return values


def _above(integers: NDArray[np.int64], scales: tuple[float, ...], minimum: float) -> NDArray[np.float32]:
    """`q * scale + minimum`, in float64 as TensorFlow.js computes it: one scale, and the value that 0 stands for."""
    values: NDArray[np.float32] = (integers * float(scales[0]) + minimum).astype(np.float32)
    return values


def _along(
    values: tuple[float, ...],
    axis: int | None,
    start: tuple[int, ...],
    shape: tuple[int, ...],
    kind: type[np.generic],
    name: str,
) -> NDArray[Any]:
    """One value for all, or those of the part's indices along an axis, shaped to be broadcast over it."""
    found: NDArray[Any] = np.asarray(values, kind)
    if len(found) == 1 or axis is None:
        return found[:1].reshape(())
    piece = found[start[axis] : start[axis] + shape[axis]]
    if len(piece) != shape[axis]:
        raise CodecError(f"has {len(found):,} scales, too few for its axis {axis}", name)
    return piece.reshape([n if i == axis else 1 for i, n in enumerate(shape)])
