"""Quantised ONNX tensors as the values they stand for: `(q - zero_point) * scale`, where both are constants.

Covers DequantizeLinear in front of any operator (one scale, or one for each index of an axis), and the weights of
QLinearConv and QLinearMatMul. Scales of blocks are `wtui.formats.onnx.blocks`'; where scales are computed while the
model runs, the integers are shown.
"""

from __future__ import annotations

from math import prod
from struct import unpack
from typing import TYPE_CHECKING, Any

from wtui.formats import protobuf
from wtui.formats.boxes import cut
from wtui.model import DTYPE_BITS, RAW, Part, stored_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wtui.formats.onnx.layers import Use
    from wtui.formats.onnx.messages import Reader
    from wtui.formats.onnx.stored import StoredTensor
    from wtui.formats.onnx.values import Places, Values

__all__ = ["Arguments", "dequantised", "scales_of"]

Arguments = tuple[tuple[str, Any], ...]

MAX_SCALES = 1 << 16
"""Scales of one tensor: one for each output channel."""

PIECE = 1 << 19
"""Bytes of integers that are decoded at once: each takes 20 bytes on the way to a float."""

INTEGERS = ("int8", "uint8", "int4", "uint4", "int16", "uint16", "int32")

_FLOATS = {"float32": "f", "float16": "e", "float64": "d"}
_CODES = {"int8": "b", "uint8": "B", "int16": "h", "uint16": "H", "int32": "i", "int4": "", "uint4": ""}

_INPUTS = {"DequantizeLinear": (0, 1, 2, 1), "QLinearConv": (3, 4, 5, 0), "QLinearMatMul": (3, 4, 5, -1)}
"""Operator -> inputs of integers, scale and zero point, and the axis that the scales go along."""


def scales_of(
    use: Use, dtype: str, shape: tuple[int, ...], constants: Mapping[str, StoredTensor], reader: Reader, places: Places
) -> Arguments | None:
    """Scales, zero points and axis of the tensor that an operator takes; None if they are not known or do not fit."""
    node = use.step.node
    integers, scale, point, axis = _INPUTS.get(node.op, (-1, 0, 0, 0))
    if use.position != integers or dtype not in INTEGERS or len(node.inputs) <= scale:
        return None
    attributes = reader.attributes(node)
    if attributes.get("block_size"):
        return None
    axis = attributes.get("axis", axis)
    scales = _numbers(constants.get(node.inputs[scale]), places, _FLOATS)
    name = node.inputs[point] if len(node.inputs) > point else ""
    points = _numbers(constants.get(name), places, _CODES) if name else (0,)
    if not scales or not points or not isinstance(axis, int) or len(points) not in (1, len(scales)):
        return None
    if len(scales) == 1:
        return (("scales", scales), ("zero_points", points), ("axis", None))
    axis += len(shape) if axis < 0 else 0
    if not 0 <= axis < len(shape) or shape[axis] != len(scales):
        return None
    return (("scales", scales), ("zero_points", points), ("axis", axis))


def dequantised(values: Values, shape: tuple[int, ...]) -> Values | None:
    """The same values for the codec `affine`, in pieces; None where their bytes are not in one run, or not as many."""
    if values.encoding != RAW or len(values.parts) != 1 or values.problem:
        return None
    extent = values.parts[0].extent
    if extent.length != stored_bytes(values.dtype, shape):
        return None
    pieces: list[Part] = cut(extent, (0,) * len(shape), shape, DTYPE_BITS[values.dtype], PIECE)
    return values._replace(parts=tuple(pieces), encoding="affine")


def _numbers(stored: StoredTensor | None, places: Places, codes: Mapping[str, str]) -> tuple[Any, ...]:
    """The numbers of a small constant of one of the types in `codes`; none if it is no such."""
    if stored is None:
        return ()
    values, count = places.of(stored), prod(stored.shape)
    if values.problem or len(values.parts) != 1 or values.dtype not in codes or not 0 < count <= MAX_SCALES:
        return ()
    file, offset, length = values.parts[0].extent
    source = places.source(file)
    if values.encoding != RAW:
        return tuple(n for f in stored.typed for n in protobuf.integers(source, f))
    if length != stored_bytes(values.dtype, stored.shape) or offset + length > source.size:
        return ()
    data = source.read(offset, length)
    if DTYPE_BITS[values.dtype] < 8:
        return _nibbles(data, values.dtype)[:count]
    return unpack(f"<{count}{codes[values.dtype]}", data)


def _nibbles(data: bytes, dtype: str) -> tuple[int, ...]:
    """Integers of four bits, the first one in the lower half of its byte."""
    found = [n for byte in data for n in (byte & 15, byte >> 4)]
    return tuple(n - 16 if dtype == "int4" and n > 7 else n for n in found)
