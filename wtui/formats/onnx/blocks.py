"""ONNX weights with a scale for each block of values: DequantizeLinear with `block_size`, and ONNX Runtime's operators.

`(q - zero_point) * scale`, as `wtui.codecs.scaled` decodes it. Sources: "ONNX Operators" (DequantizeLinear since
version 21) and ONNX Runtime's "Contrib operators" (MatMulNBits, GatherBlockQuantized). Integers that lie packed in
bytes and whose scales are not understood are no values: they are listed, with the reason.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.formats.packed.module import rows_of
from wtui.model import DTYPE_BITS, RAW, Extent, Part, stored_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wtui.formats.onnx.layers import Use
    from wtui.formats.onnx.messages import Reader
    from wtui.formats.onnx.quantised import Arguments
    from wtui.formats.onnx.stored import StoredTensor
    from wtui.formats.onnx.values import Places, Values

__all__ = ["Blocked", "blockwise"]

NARROW = ("int4", "uint4", "int8", "uint8")
FLOATS = ("float32", "float16", "bfloat16")

OPERATORS = ("MatMulNBits", "DequantizeLinear", "GatherBlockQuantized")
"""Those that may have them."""

PACKED = "packed integers, which are no values"
N_BITS = {4: "uint4", 8: "uint8"}
"""Bits of MatMulNBits that are decoded -> dtype; a value that has no zero point of its own has 2^(bits - 1)."""


class Blocked(NamedTuple):
    """A weight as the values that it stands for, or (with a problem) the bytes that are none."""

    values: Values
    shape: tuple[int, ...]
    arguments: Arguments = ()


class _Grid(NamedTuple):
    """Rows of integers, and which of them share a scale."""

    row_bytes: int
    row_block: int
    column_block: int
    scale_columns: int
    offset: int = 0


class _Finder:
    """Finds the constants of an operator."""

    def __init__(self, use: Use, constants: Mapping[str, StoredTensor], places: Places) -> None:
        self._inputs = use.step.node.inputs
        self._constants = constants
        self._places = places

    def given(self, position: int) -> bool:
        """Whether the operator has such an input."""
        return len(self._inputs) > position and bool(self._inputs[position])

    def plain(self, position: int, count: int, dtypes: tuple[str, ...]) -> tuple[Extent, str] | None:
        """The bytes and dtype of `count` constant numbers; None if they are not known or something else."""
        stored = self._constants.get(self._inputs[position]) if self.given(position) else None
        if stored is None or prod(stored.shape) != count:
            return None
        values = self._places.of(stored)
        extent = self.run(values) if values.dtype in dtypes else None
        if extent is None or extent.length != stored_bytes(values.dtype, stored.shape):
            return None
        return extent, values.dtype

    def run(self, values: Values) -> Extent | None:
        """The one run of bytes, inside its file, in which plain values lie."""
        if values.encoding != RAW or values.problem or len(values.parts) != 1:
            return None
        extent = values.parts[0].extent
        return extent if extent.offset + extent.length <= self._places.source(extent.file).size else None


def blockwise(
    use: Use, values: Values, shape: tuple[int, ...], constants: Mapping[str, StoredTensor], reader: Reader,
    places: Places,
) -> Blocked | None:  # fmt: skip
    """What the tensor that an operator takes stands for; None if it has no scales for blocks."""
    node = use.step.node
    if node.op not in OPERATORS:
        return None
    attributes = reader.attributes(node)
    size = attributes.get("block_size")
    if not isinstance(size, int) or size <= 0:
        return None
    finder = _Finder(use, constants, places)
    if node.op == "MatMulNBits" and use.position == 1:
        return _n_bits(values, shape, attributes, size, finder) or _listed(values, shape)
    if node.op == "DequantizeLinear" and use.position == 0:
        return _along_axis(values, shape, attributes.get("axis", 1), size, finder, (1, 2))
    if node.op == "GatherBlockQuantized" and use.position == 0:
        if values.dtype == "uint8":
            return _listed(values, shape)
        return _along_axis(values, shape, attributes.get("quantize_axis", 1), size, finder, (2, 3))
    return None


def _listed(values: Values, shape: tuple[int, ...]) -> Blocked:
    return Blocked(values._replace(parts=(), problem=values.problem or PACKED), shape)


def _n_bits(
    values: Values, shape: tuple[int, ...], attributes: Mapping[str, Any], size: int, finder: _Finder
) -> Blocked | None:
    """MatMulNBits: outputs times blocks of inputs, low bits first, each block in bytes of its own."""
    bits, inputs, outputs = attributes.get("bits", 4), attributes.get("K"), attributes.get("N")
    if bits not in N_BITS or not isinstance(inputs, int) or not isinstance(outputs, int) or inputs < 1 or outputs < 1:
        return None
    blocks = -(-inputs // size)
    row_bytes = blocks * (size * bits // 8)
    if values.dtype != "uint8" or size * bits % 8 or prod(shape) != outputs * row_bytes or finder.given(4):
        return None
    dtype = N_BITS[bits]
    zeros = finder.given(3)
    grid = _Grid(row_bytes, 1, size, blocks, 0 if zeros else 1 << bits - 1)
    return _blocked(values, (outputs, inputs), dtype, grid, finder, (2, 3 if zeros else None))


def _along_axis(
    values: Values, shape: tuple[int, ...], axis: object, size: int, finder: _Finder, inputs: tuple[int, int]
) -> Blocked | None:
    """Blocks along the last axis, or along the one before it."""
    bits = DTYPE_BITS.get(values.dtype, 0)
    if values.dtype not in NARROW or not isinstance(axis, int) or len(shape) < 1 or min(shape) < 1:
        return None
    axis += len(shape) if axis < 0 else 0
    if shape[-1] * bits % 8:
        return None
    row_bytes = shape[-1] * bits // 8
    if axis == len(shape) - 1:
        grid = _Grid(row_bytes, 1, size, -(-shape[-1] // size))
    elif axis == len(shape) - 2 and (len(shape) == 2 or shape[-2] % size == 0):
        grid = _Grid(row_bytes, size, 1, shape[-1])
    else:
        return None
    scales, zeros = inputs
    return _blocked(values, shape, values.dtype, grid, finder, (scales, zeros if finder.given(zeros) else None))


def _blocked(
    values: Values, shape: tuple[int, ...], dtype: str, grid: _Grid, finder: _Finder, inputs: tuple[int, int | None]
) -> Blocked | None:
    """The weight in runs of rows, each with its scales and zero points; None where these are not as many."""
    rows = prod(shape[:-1])
    count = -(-rows // grid.row_block) * grid.scale_columns
    scales = finder.plain(inputs[0], count, FLOATS)
    zeros = finder.plain(inputs[1], count, (dtype, *FLOATS)) if inputs[1] is not None else None
    if inputs[1] is not None and zeros is None:
        zeros = _packed_zeros(finder, inputs[1], count, dtype, grid)
    extent = finder.run(values)
    if extent is None or extent.length != rows * grid.row_bytes:
        return None
    if scales is None or (inputs[1] is not None and zeros is None):
        return None
    if zeros is not None and grid.scale_columns * DTYPE_BITS[zeros[1]] % 8:
        return None  # lines of zero points end inside a byte
    beside = [scales, *([zeros] if zeros else [])]
    parts = []
    for run in rows_of(shape, grid.row_bytes):
        first, last = run.first // grid.row_block, (run.first + run.number - 1) // grid.row_block
        more = tuple(_lines(found, kind, grid.scale_columns, first, last) for found, kind in beside)
        place = Extent(extent.file, extent.offset + run.first * grid.row_bytes, run.number * grid.row_bytes)
        parts.append(Part(place, run.origin if len(shape) > 1 else (0,), run.shape, 0, more))
    arguments: dict[str, Any] = {
        "about": f"blocks of {max(grid.row_block, grid.column_block)}", "stored": dtype, "offset": grid.offset,
        "row_bytes": grid.row_bytes, "row_block": grid.row_block, "column_block": grid.column_block,
        "scale_columns": grid.scale_columns, "scales": scales[1], **({"zeros": zeros[1]} if zeros else {}),
    }  # fmt: skip
    described = values._replace(dtype=dtype, parts=tuple(parts), encoding="scaled")
    return Blocked(described, shape, tuple(arguments.items()))


def _packed_zeros(finder: _Finder, position: int, count: int, dtype: str, grid: _Grid) -> tuple[Extent, str] | None:
    """Zero points of four bits, two to a byte of the file's own type; None where lines of them end inside a byte."""
    if DTYPE_BITS[dtype] != 4 or grid.scale_columns % 2:
        return None
    found = finder.plain(position, count // 2, ("uint8",))
    return (found[0], dtype) if found is not None else None


def _lines(extent: Extent, dtype: str, columns: int, first: int, last: int) -> Extent:
    """The bytes of the lines `first` to `last` of a table."""
    size = columns * DTYPE_BITS[dtype] // 8
    return Extent(extent.file, extent.offset + first * size, (last - first + 1) * size)
