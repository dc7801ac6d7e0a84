"""bitsandbytes' 4-bit weights: indices into a table of 16 values, times the largest absolute value of their block.

Two to a byte, the first in the upper half, in C order of the whole tensor; blocks are runs of values in that order
(Dettmers et al., "QLoRA", 2023; the tables are in the file). With double quantisation a block's scale is itself an
index into a table of 256 values, times a scale of its own block, plus an offset. A part holds whole rows; behind its
bytes come the table, the scales of its blocks, and with double quantisation their table and all of their scales.
Knows no file.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from wtui.codecs.loops import compiled
from wtui.codecs.plain import decode_values
from wtui.errors import CodecError
from wtui.model import DTYPE_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wtui.model import Part, TensorEntry

__all__ = ["decode", "dtype"]


def dtype(entry: TensorEntry) -> str:
    """The dtype of the values that the indices stand for."""
    return "float32"


def decode(data: memoryview, entry: TensorEntry, part: Part) -> NDArray[np.float32]:
    """The values of one part, in the part's shape; CodecError if its bytes or scales do not fit it."""
    shape = entry.shape if part.shape is None else part.shape
    count = prod(shape)
    if part.extent.length != (count + 1) // 2:
        raise CodecError(f"{part.extent.length:,} bytes are not {count:,} values", entry.name)
    arguments = dict(entry.encoding_args)
    block = int(arguments["block"])
    start = part.origin[0] * prod(entry.shape[1:]) if part.origin else 0
    pieces, at = [], part.extent.length
    for extent in part.beside:
        pieces.append(data[at : at + extent.length])
        at += extent.length
    table = _floats(pieces[0], "float32", 16, entry.name)
    blocks = (start + count - 1) // block - start // block + 1 if count else 0
    scales = _floats(pieces[1], arguments["scales"], blocks, entry.name)
    if arguments["nested_block"]:
        scales = _nested(scales, pieces[2:], start // block, arguments, entry.name)
    out = np.empty(count, np.float32)
    _fill(np.frombuffer(data[: part.extent.length], np.uint8), table, scales, start % block, block, out)
    return out.reshape(shape)


def _nested(
    indices: NDArray[np.float32], pieces: list[memoryview], first: int, arguments: dict[str, Any], name: str
) -> NDArray[np.float32]:
    """Scales of blocks from their indices; `first` is the number of the first one in the tensor."""
    table = _floats(pieces[0], "float32", 256, name)
    outer = _floats(pieces[1], "float32", len(pieces[1]) // 4, name)
    number = np.arange(first, first + len(indices)) // int(arguments["nested_block"])
    if number.max(initial=-1) >= len(outer):
        raise CodecError("has fewer scales of scales than blocks", name)
    with np.errstate(all="ignore"):  # of a damaged file; what they give is shown as it is
        return table[indices.astype(np.int64)] * outer[number] + np.float32(arguments["nested_offset"])


def _floats(data: memoryview, dtype: str, count: int, name: str) -> NDArray[np.float32]:
    if len(data) * 8 != count * DTYPE_BITS[dtype]:
        raise CodecError(f"{len(data):,} bytes are not {count:,} scales", name)
    return decode_values(data, dtype, count).astype(np.float32)


@compiled
def _fill(raw: Any, table: Any, scales: Any, lead: int, block: int, out: Any) -> None:
    """raw (bytes,), upper halves first; out (values,), of which the first is the `lead`th of its block."""
    for i in range(len(out)):
        byte = np.int64(raw[i >> 1])
        index = byte & 15 if i & 1 else byte >> 4
        out[i] = table[index] * scales[(lead + i) // block]
