"""Small integers and floats with scales for rows, groups or blocks: compressed-tensors, fp8 models, MXFP4, LLM.int8.

`(q - zero) * scale`, in float32, where `q` is a value of at most 8 bits, less an offset for unsigned words that stand
for signed integers; the scale is that of the value's block of rows and columns, perhaps times (or divided by) one for
the whole tensor. A part holds whole rows; behind its bytes come those of its scales, zero points and the whole
tensor's scale. `packed-rows` are integers that lie several to a 32-bit word along the first axis. Knows no file.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from wtui.codecs.loops import compiled
from wtui.codecs.plain import decode_values
from wtui.dtypes import numpy_dtype
from wtui.errors import CodecError
from wtui.model import DTYPE_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wtui.model import Part, TensorEntry

__all__ = ["decode", "dtype"]

FLOAT = np.float32


def dtype(entry: TensorEntry) -> str:
    """The dtype of the values that are stood for; zero points in packed rows are integers themselves."""
    return entry.dtype if entry.encoding == "packed-rows" else "float32"


def decode(data: memoryview, entry: TensorEntry, part: Part) -> NDArray[np.generic]:
    """The values of one part, in the part's shape; CodecError if its bytes or scales do not fit it."""
    shape = entry.shape if part.shape is None else part.shape
    arguments = dict(entry.encoding_args)
    if entry.encoding == "packed-rows":
        integers = _rows_of_words(data, shape, int(arguments["bits"]), 0, entry.name)
        return (integers - int(arguments["offset"])).astype(np.int8).astype(numpy_dtype(entry.dtype))
    rows, columns = prod(shape[:-1]), shape[-1]
    first = _first_row(part.origin, entry.shape)
    raw = np.frombuffer(data[: part.extent.length], np.uint8)
    stored = str(arguments["stored"])
    row_bytes = int(arguments["row_bytes"])
    if len(raw) != rows * row_bytes or row_bytes * 8 < columns * DTYPE_BITS[stored]:
        raise CodecError(f"{len(raw):,} bytes are not {rows:,} rows of {columns:,} values", entry.name)
    scales, zeros = _beside(data, part, arguments, first, rows, entry.name)
    out = np.empty((rows, columns), np.float32)
    table = _table(stored, float(arguments["offset"]))
    blocks = int(arguments["row_block"]), int(arguments["column_block"])
    _fill(raw.reshape(rows, row_bytes), table, DTYPE_BITS[stored], scales, zeros, first % blocks[0], *blocks, out)
    return out.reshape(shape)


def _first_row(origin: tuple[int, ...], shape: tuple[int, ...]) -> int:
    """The number of a part's first row, the axes before the last taken together."""
    row = 0
    for index, length in zip(origin[:-1], shape[:-1], strict=bool(origin)):
        row = row * length + index
    return row


def _beside(
    data: memoryview, part: Part, arguments: dict[str, Any], first: int, rows: int, name: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Scales and zero points (without any, one zero). -> (blocks of rows, blocks of columns)"""
    pieces, start = [], part.extent.length
    for extent in part.beside:
        pieces.append(data[start : start + extent.length])
        start += extent.length
    block, columns = int(arguments["row_block"]), int(arguments["scale_columns"])
    lines = (first + rows - 1) // block - first // block + 1
    scales = _floats(pieces.pop(0), arguments["scales"], lines * columns, name).reshape(lines, columns)
    zeros = np.zeros((1, 1), np.float32)
    if arguments.get("zeros") == "packed":
        bits, offset = DTYPE_BITS[arguments["stored"]], float(arguments["offset"])
        lead = first % (32 // bits)
        zeros = _rows_of_words(pieces.pop(0), (lines, columns), bits, lead, name).astype(np.float32) - FLOAT(offset)
    elif arguments.get("zeros"):
        zeros = _floats(pieces.pop(0), arguments["zeros"], lines * columns, name).reshape(lines, columns)
    with np.errstate(all="ignore"):  # scales of a damaged file; what they give is shown as it is
        if arguments.get("whole") == "multiply":
            scales = scales * _floats(pieces.pop(0), "float32", 1, name)
        elif arguments.get("whole") == "divide":
            scales = scales / _floats(pieces.pop(0), "float32", 1, name)
        return scales / FLOAT(arguments.get("divisor", 1)), zeros


def _floats(data: memoryview, dtype: str, count: int, name: str) -> NDArray[np.float32]:
    """`count` numbers; `e8m0` are exponents of two, as bytes, with a bias of 127."""
    kind = "float8_e8m0fnu" if dtype == "e8m0" else dtype
    if len(data) * 8 != count * DTYPE_BITS[kind]:
        raise CodecError(f"{len(data):,} bytes are not {count:,} scales", name)
    return decode_values(data, kind, count).astype(np.float32)


def _rows_of_words(data: memoryview, shape: tuple[int, ...], bits: int, lead: int, name: str) -> NDArray[np.int32]:
    """Integers that lie several to a word along the first axis, from that of the first word's place `lead` on."""
    rows, columns = shape
    per_word = 32 // bits
    words = np.frombuffer(data, "<u4")
    if not columns or len(words) != -(-(lead + rows) // per_word) * columns:
        raise CodecError(f"{len(data):,} bytes are not {rows:,} x {columns:,} packed integers", name)
    words = words.reshape(-1, columns)
    places = np.arange(lead, lead + rows)
    shifts = (places % per_word * bits).astype(np.uint32)[:, None]
    return (words[places // per_word] >> shifts & np.uint32((1 << bits) - 1)).astype(np.int32)


def _table(stored: str, offset: float) -> NDArray[np.float32]:
    """What each pattern of a dtype of at most 8 bits stands for."""
    patterns = np.arange(1 << DTYPE_BITS[stored], dtype=np.uint8)
    values: NDArray[np.float32] = patterns.view(numpy_dtype(stored)).astype(np.float32)
    return values - FLOAT(offset)


@compiled
def _fill(
    raw: Any, table: Any, bits: int, scales: Any, zeros: Any, lead: int, row_block: int, column_block: int, out: Any
) -> None:
    """raw (rows, bytes), low bits first; out (rows, columns). The first row is the `lead`th of its block."""
    rows, columns = out.shape
    mask, single = (1 << bits) - 1, zeros.size == 1
    for r in range(rows):
        line = (lead + r) // row_block
        for first in range(0, columns, column_block):
            scale = scales[line, first // column_block]
            zero = zeros[0, 0] if single else zeros[line, first // column_block]
            last = min(first + column_block, columns)
            if bits == 8:
                for c in range(first, last):
                    out[r, c] = (table[raw[r, c]] - zero) * scale
            else:
                for c in range(first, last):
                    bit = c * bits
                    out[r, c] = (table[(raw[r, bit >> 3] >> (bit & 7)) & mask] - zero) * scale
