"""GGML's block-quantised types (GGUF files): blocks of small integers with their scales become float32 values.

Types are unpacked by the loops of `gguf_loops`, those that look values up in large code books (IQ1, IQ2, IQ3) by the
loops of `gguf_codebooks`, which needs the `gguf` package. Knows no file: bytes of whole blocks come in.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from wtui.errors import CodecError
from wtui.model import BLOCK_DTYPES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wtui.model import Part, TensorEntry

__all__ = ["decode", "dtype"]

Scales = Callable[["NDArray[np.uint8]"], "NDArray[np.float32]"]

IQ4_VALUES = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)
"""What the nibbles of IQ4_NL and IQ4_XS stand for."""

FP4_VALUES = (0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12)
"""Twice what the nibbles of MXFP4 and NVFP4 stand for (float4 e2m1); their scales are halved."""


class Layout(NamedTuple):
    """How the blocks of one type are unpacked."""

    fill: Callable[..., None]
    """A loop of `gguf_loops`, with its table and offsets filled in."""
    scales: Scales
    """(n, bytes) uint8 -> (n, k) float32"""
    words: tuple[tuple[int, int], ...] = ()
    """(offset, bytes) of every field of more than a byte, which a big-endian file holds swapped."""


def dtype(entry: TensorEntry) -> str:
    """The dtype of the values that blocks stand for."""
    return "float32"


def decode(data: memoryview, entry: TensorEntry, part: Part) -> NDArray[np.float32]:
    """The values of whole blocks, in the part's shape; CodecError if its bytes are not so many blocks."""
    shape = entry.shape if part.shape is None else part.shape
    if entry.dtype not in BLOCK_DTYPES:
        raise CodecError(f"blocks of type {entry.dtype} cannot be decoded", entry.name)
    values, size = BLOCK_DTYPES[entry.dtype]
    count, odd = divmod(prod(shape), values)
    if odd or len(data) != count * size:
        raise CodecError(f"{len(data):,} bytes are not the {entry.dtype} blocks of {list(shape)}", entry.name)
    blocks = np.frombuffer(data, np.uint8).reshape(count, size)
    layout = _layouts().get(entry.dtype) or _with_book(entry)
    if entry.byteorder == ">" and layout.words:
        blocks = _swapped(blocks, layout.words)
    out = np.empty((count, values), np.float32)
    layout.fill(blocks, layout.scales(blocks), out)
    return out.reshape(shape)


def _with_book(entry: TensorEntry) -> Layout:
    """How a type with a code book is unpacked; CodecError where the book, or the bytes' order, is not to be had."""
    from wtui.codecs.gguf_codebooks import LOOPS, book

    if entry.byteorder == ">":
        raise CodecError(f"{entry.dtype} in big-endian order cannot be decoded", entry.name)
    try:
        table = book(entry.dtype)
    except CodecError as error:
        raise CodecError(error.what, entry.name) from None
    scales = _scattered_half if entry.dtype == "IQ1_M" else partial(_floats, kind="<f2", offsets=(0,))
    return Layout(lambda blocks, s, out: LOOPS[entry.dtype](blocks, s, out, table), scales)


def _scattered_half(blocks: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The scale of IQ1_M, whose bits are the upper four of each of four 16-bit numbers at offset 48."""
    numbers = np.ascontiguousarray(blocks[:, 48:56]).view("<u2")
    bits = np.zeros(len(blocks), np.uint16)
    for place in range(4):
        bits |= numbers[:, place] >> 12 << 4 * place
    return bits.view(np.float16).astype(np.float32)[:, np.newaxis]


def _swapped(blocks: NDArray[np.uint8], words: tuple[tuple[int, int], ...]) -> NDArray[np.uint8]:
    """A copy of big-endian blocks in little-endian order."""
    blocks = blocks.copy()
    for offset, size in words:
        blocks[:, offset : offset + size] = blocks[:, offset : offset + size][:, ::-1].copy()
    return blocks


def _floats(blocks: NDArray[np.uint8], *, kind: str, offsets: tuple[int, ...]) -> NDArray[np.float32]:
    """Scales stored as floats at the offsets. kind: `<f2` or `<f4`"""
    size = np.dtype(kind).itemsize
    columns = [np.ascontiguousarray(blocks[:, o : o + size]).view(kind) for o in offsets]
    return np.concatenate(columns, axis=1).astype(np.float32)


def _from_table(blocks: NDArray[np.uint8], *, table: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Scales stored as one byte each in the first `count` bytes."""
    return table[blocks[:, :count]]


def _e8m0_halves() -> NDArray[np.float32]:
    """Half the value of every exponent byte of MXFP4: 2^(byte - 128); 255 is no NaN to GGML."""
    return np.asarray(np.ldexp(np.float64(1), np.arange(256) - 128), np.float32)


def _ue4m3_halves() -> NDArray[np.float32]:
    """Half the value of every scale byte of NVFP4: 4 bits of exponent (bias 7) and 3 of mantissa; the sign is ignored.

    0x7F is no NaN to GGML but 0, as 0 is.
    """
    codes = np.arange(256)
    exponent, mantissa = codes >> 3 & 15, codes & 7
    values = np.where(exponent == 0, mantissa * 2.0**-9, (8 + mantissa) * np.ldexp(1.0, exponent - 10)) / 2
    values[[0, 0x7F]] = 0
    return np.asarray(values, np.float32)


@cache
def _layouts() -> dict[str, Layout]:
    """How each type is unpacked that needs no code book. Imports numba."""
    from wtui.codecs import gguf_loops as loops

    def halves(fill: Callable[..., None], *offsets: int, words: tuple[tuple[int, int], ...] = ()) -> Layout:
        scales = partial(_floats, kind="<f2", offsets=offsets)
        return Layout(fill, scales, (*((o, 2) for o in offsets), *words))

    def bound(fill: Callable[..., None], **fixed: Any) -> Callable[..., None]:
        values = tuple(np.array(v, np.float32) if isinstance(v, tuple) else v for v in fixed.values())
        return lambda blocks, scales, out: fill(blocks, scales, out, *values)

    table = loops.nibbles_from_table
    q8_k = Layout(bound(loops.signed_bytes, start=4), partial(_floats, kind="<f4", offsets=(0,)), ((0, 4),))
    mxfp4 = partial(_from_table, table=_e8m0_halves(), count=1)
    nvfp4 = partial(_from_table, table=_ue4m3_halves(), count=4)
    return {
        "Q4_0": halves(loops.q4_0, 0),
        "Q4_1": halves(loops.q4_1, 0, 2),
        "Q5_0": halves(loops.q5_0, 0, words=((2, 4),)),
        "Q5_1": halves(loops.q5_1, 0, 2, words=((4, 4),)),
        "Q8_0": halves(bound(loops.signed_bytes, start=2), 0),
        "Q8_1": halves(bound(loops.signed_bytes, start=4), 0),
        "Q2_K": halves(loops.q2_k, 80, 82),
        "Q3_K": halves(loops.q3_k, 108),
        "Q4_K": halves(loops.q4_k, 0, 2),
        "Q5_K": halves(loops.q5_k, 0, 2),
        "Q6_K": halves(loops.q6_k, 208),
        "Q8_K": q8_k,
        "IQ4_NL": halves(bound(table, table=IQ4_VALUES, start=2), 0),
        "IQ4_XS": halves(bound(loops.iq4_xs, table=IQ4_VALUES), 0, words=((2, 2),)),
        "TQ1_0": halves(loops.tq1_0, 52),
        "TQ2_0": halves(loops.tq2_0, 64),
        "MXFP4": Layout(bound(table, table=FP4_VALUES, start=1), mxfp4),
        "NVFP4": Layout(bound(loops.nvfp4, table=FP4_VALUES), nvfp4),
        "Q1_0": halves(loops.q1_0, 0),
    }
