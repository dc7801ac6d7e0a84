"""GPTQ's and AWQ's packed weights: integers in 32-bit words, a scale and a zero point for each group of inputs.

`(q - zero) * scale`, in float32. GPTQ packs the inputs of one output into a word, the first one in the lowest bits;
the zero points lie as many to a word along the outputs, and are one less than what they stand for in files of the
first version. AWQ ("GEMM") packs eight outputs of one input into a word in the order 0 2 4 6 1 3 5 7, zero points too.
As AutoGPTQ, GPTQModel and AutoAWQ write them. The tensor is (outputs, inputs); a part holds some inputs of all outputs.
Behind its words come its scales, zero points and, for GPTQ, the group of each input. Knows no file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wtui.codecs.loops import compiled
from wtui.codecs.plain import decode_values
from wtui.dtypes import unpack
from wtui.errors import CodecError
from wtui.model import DTYPE_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wtui.model import Part, TensorEntry

__all__ = ["AWQ_ORDER", "decode", "dtype"]

AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)
"""Which of eight neighbouring outputs lies in the first, second, ... lowest nibble of AWQ's words."""

FLOAT = np.float32
TILE = 16
"""Words of a cache line, which are unpacked together."""


def dtype(entry: TensorEntry) -> str:
    """The dtype of the values that the words stand for; AWQ's zero points are integers themselves."""
    return entry.dtype if entry.encoding == "awq-zeros" else "float32"


def decode(data: memoryview, entry: TensorEntry, part: Part) -> NDArray[np.generic]:
    """The values of one part, in the part's shape; CodecError if bytes, groups or scales do not fit it."""
    shape = entry.shape if part.shape is None else part.shape
    if entry.encoding == "awq-zeros":
        return _in_order(np.frombuffer(data, np.uint8), shape, entry.name).view(np.dtype(_ml("uint4")))
    arguments = dict(entry.encoding_args)
    bits = int(arguments["bits"])
    outputs, inputs = shape
    if part.extent.length * 8 != outputs * inputs * bits:
        raise CodecError(f"{part.extent.length:,} bytes are not {outputs:,} x {inputs:,} values", entry.name)
    start = part.origin[1] if part.origin else 0
    words, *beside = _pieces(data, part)
    scales = _scales(beside[0], arguments["scales"], outputs, entry.name)
    zeros = _zeros(beside[1], entry, bits, scales.shape, int(arguments.get("shift", 0)))
    if len(beside) > 2:
        groups = np.frombuffer(beside[2], "<i4").astype(np.int64)
    else:
        groups = np.arange(start, start + inputs, dtype=np.int64) // int(arguments["group"])
    groups = groups - (0 if arguments["all_groups"] else start // int(arguments["group"]))
    if len(groups) != inputs or groups.min(initial=0) < 0 or groups.max(initial=-1) >= len(scales):
        raise CodecError("an input belongs to a group that has no scale", entry.name)
    out = np.empty((outputs, inputs), np.float32)
    if entry.encoding == "awq":
        stored = np.frombuffer(words, "<u4").reshape(inputs, outputs // 8)
        _fill_awq(stored, scales, zeros, groups, np.array(AWQ_ORDER), out)
    else:
        stored = np.frombuffer(words, "<u4").reshape(inputs * bits // 32, outputs)
        _fill_gptq(stored, scales, zeros, groups, bits, out)
    return out


def _pieces(data: memoryview, part: Part) -> list[memoryview]:
    """The part's own bytes, and those of each extent beside it."""
    found, start = [], 0
    for extent in (part.extent, *part.beside):
        found.append(data[start : start + extent.length])
        start += extent.length
    return found


def _scales(data: memoryview, dtype: str, outputs: int, name: str) -> NDArray[np.float32]:
    """-> (groups, outputs)"""
    count = len(data) * 8 // DTYPE_BITS[dtype]
    if not outputs or count % outputs:
        raise CodecError(f"{count:,} scales do not fit its {outputs:,} outputs", name)
    return decode_values(data, dtype, count).astype(np.float32).reshape(-1, outputs)


def _zeros(data: memoryview, entry: TensorEntry, bits: int, shape: tuple[int, ...], shift: int) -> NDArray[np.float32]:
    """-> (groups, outputs); what is stored plus `shift`, modulo 2^bits."""
    raw = np.frombuffer(data, np.uint8)
    if len(raw) * 8 != shape[0] * shape[1] * bits:
        raise CodecError(f"{len(raw):,} bytes are not its zero points", entry.name)
    if entry.encoding == "awq":
        return _in_order(raw, shape, entry.name).astype(np.float32)
    stored = raw if bits == 8 else unpack(raw, bits, shape[0] * shape[1])
    return (stored.astype(np.uint32) + shift & (1 << bits) - 1).astype(np.float32).reshape(shape)


def _in_order(raw: NDArray[np.uint8], shape: tuple[int, ...], name: str) -> NDArray[np.uint8]:
    """Nibbles of AWQ's words in the order of what they are."""
    count = int(np.prod(shape))
    if len(raw) * 2 != count or count % 8:
        raise CodecError(f"{len(raw):,} bytes are not {count:,} values", name)
    stored = unpack(raw, 4, count).reshape(-1, 8)
    out = np.empty_like(stored)
    out[:, AWQ_ORDER] = stored
    return out.reshape(shape)


def _ml(name: str) -> Any:
    import ml_dtypes

    return getattr(ml_dtypes, name)


@compiled
def _fill_gptq(words: Any, scales: Any, zeros: Any, groups: Any, bits: int, out: Any) -> None:
    """words (inputs / per word, outputs); out (outputs, inputs), filled a cache line of words at a time."""
    rows, outputs = words.shape
    per_word, mask = 32 // bits, (1 << bits) - 1
    for first in range(0, outputs, TILE):
        last = min(first + TILE, outputs)
        for r in range(rows):
            for k in range(per_word):
                i = r * per_word + k
                g = groups[i]
                for o in range(first, last):
                    q = (words[r, o] >> np.uint32(k * bits)) & np.uint32(mask)
                    out[o, i] = (FLOAT(q) - zeros[g, o]) * scales[g, o]


@compiled
def _fill_awq(words: Any, scales: Any, zeros: Any, groups: Any, order: Any, out: Any) -> None:
    """words (inputs, outputs / 8); out (outputs, inputs)."""
    inputs, columns = words.shape
    for c in range(columns):
        for i in range(inputs):
            g = groups[i]
            word = words[i, c]
            for k in range(8):
                o = c * 8 + order[k]
                q = (word >> np.uint32(4 * k)) & np.uint32(15)
                out[o, i] = (FLOAT(q) - zeros[g, o]) * scales[g, o]
