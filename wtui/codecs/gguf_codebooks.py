"""GGML's blocks whose values are looked up in code books (IQ1, IQ2, IQ3), unpacked by compiled loops.

The books themselves, some thousand small integers that were found by optimisation, come with the `gguf` package, which
is imported only then. The layouts are those of `ggml-common.h` and `ggml-quants.c`. Loops are as in `gguf_loops`, with
the book (entries, values of an entry) float32 as one more argument; blocks are little-endian.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from wtui.codecs.gguf_loops import FLOAT
from wtui.codecs.loops import compiled
from wtui.errors import CodecError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LOOPS", "book"]

DELTA = FLOAT(0.125)
"""What IQ1 adds to a value of its book, or takes away from it."""


@cache
def book(dtype: str) -> NDArray[np.float32]:
    """The code book of a type; CodecError where the gguf package is missing or does not know it."""
    try:
        from gguf import quants
    except ImportError:
        message = f"the code book of {dtype} comes with the gguf package: pip install 'wtui[gguf]'"
        raise CodecError(message) from None
    try:
        owner = getattr(quants, "IQ1_S" if dtype == "IQ1_M" else dtype)
        owner.init_grid()
        found = np.ascontiguousarray(owner.grid, np.float32)
    except (AttributeError, TypeError, ValueError):
        raise CodecError(f"the installed gguf package has no code book for {dtype}") from None
    return found.reshape(-1, found.shape[-1])


@compiled
def _signs(index: Any) -> Any:
    """Eight signs from seven bits; the eighth makes the number of minuses even."""
    parity = index ^ index >> 4
    parity ^= parity >> 2
    parity ^= parity >> 1
    return index | (parity & 1) << 7


@compiled
def _word(blocks: Any, i: Any, start: Any) -> Any:
    """The 32-bit number at an offset."""
    low = np.int64(blocks[i, start]) | np.int64(blocks[i, start + 1]) << 8
    return low | np.int64(blocks[i, start + 2]) << 16 | np.int64(blocks[i, start + 3]) << 24


@compiled
def _fill(out: Any, i: Any, start: Any, table: Any, entry: Any, signs: Any, scale: Any) -> None:
    """The values of an entry, with signs, times a scale."""
    for j in range(table.shape[1]):
        value = table[entry, j] * scale
        out[i, start + j] = -value if signs >> j & 1 else value


@compiled
def iq2_xxs(blocks: Any, scales: Any, out: Any, table: Any) -> None:
    """half d; for each 32 values: 4 bytes of entries, then 4 times 7 bits of signs and a scale of 4 bits."""
    for i in range(len(blocks)):
        for run in range(8):
            word = _word(blocks, i, 6 + 8 * run)
            scale = scales[i, 0] * FLOAT(0.5 + (word >> 28)) * FLOAT(0.25)
            for k in range(4):
                entry, signs = blocks[i, 2 + 8 * run + k], _signs(word >> 7 * k & 127)
                _fill(out, i, 32 * run + 8 * k, table, entry, signs, scale)


@compiled
def iq2_xs(blocks: Any, scales: Any, out: Any, table: Any) -> None:
    """half d; 32 numbers of 9 bits of entry and 7 of signs; 8 bytes of two scales each."""
    for i in range(len(blocks)):
        for run in range(8):
            for k in range(4):
                scale = scales[i, 0] * FLOAT(0.5 + (blocks[i, 66 + run] >> 4 * (k >> 1) & 15)) * FLOAT(0.25)
                at = 2 + 8 * run + 2 * k
                number = np.int64(blocks[i, at]) | np.int64(blocks[i, at + 1]) << 8
                _fill(out, i, 32 * run + 8 * k, table, number & 511, _signs(number >> 9), scale)


@compiled
def iq2_s(blocks: Any, scales: Any, out: Any, table: Any) -> None:
    """half d; 32 bytes of entries; 32 of signs; 8 of the entries' upper bits; 8 of two scales each."""
    for i in range(len(blocks)):
        for run in range(8):
            for k in range(4):
                scale = scales[i, 0] * FLOAT(0.5 + (blocks[i, 74 + run] >> 4 * (k >> 1) & 15)) * FLOAT(0.25)
                entry = np.int64(blocks[i, 2 + 4 * run + k]) | (np.int64(blocks[i, 66 + run]) >> 2 * k & 3) << 8
                _fill(out, i, 32 * run + 8 * k, table, entry, np.int64(blocks[i, 34 + 4 * run + k]), scale)


@compiled
def iq3_xxs(blocks: Any, scales: Any, out: Any, table: Any) -> None:
    """half d; 64 bytes of entries of 4 values; for each 32 values 4 times 7 bits of signs and a scale of 4 bits."""
    for i in range(len(blocks)):
        for run in range(8):
            word = _word(blocks, i, 66 + 4 * run)
            scale = scales[i, 0] * FLOAT(0.5 + (word >> 28)) * FLOAT(0.5)
            for k in range(8):
                entry, signs = blocks[i, 2 + 8 * run + k], _signs(word >> 7 * (k >> 1) & 127)
                _fill(out, i, 32 * run + 4 * k, table, entry, signs >> 4 * (k & 1), scale)


@compiled
def iq3_s(blocks: Any, scales: Any, out: Any, table: Any) -> None:
    """half d; 64 bytes of entries of 4 values; 8 of their upper bits; 32 of signs; 4 of two scales each."""
    for i in range(len(blocks)):
        for run in range(8):
            scale = scales[i, 0] * FLOAT(1 + 2 * (blocks[i, 106 + (run >> 1)] >> 4 * (run & 1) & 15))
            for k in range(8):
                entry = np.int64(blocks[i, 2 + 8 * run + k]) | (np.int64(blocks[i, 66 + run]) >> k & 1) << 8
                signs = np.int64(blocks[i, 74 + 4 * run + (k >> 1)]) >> 4 * (k & 1)
                _fill(out, i, 32 * run + 4 * k, table, entry, signs, scale)


@compiled
def _fill_shifted(out: Any, i: Any, start: Any, table: Any, entry: Any, negative: Any, scale: Any) -> None:
    """The values of an entry of IQ1, each a little more or less, times a scale."""
    delta = -DELTA if negative else DELTA
    for j in range(8):
        out[i, start + j] = (table[entry, j] + delta) * scale


@compiled
def iq1_s(blocks: Any, scales: Any, out: Any, table: Any) -> None:
    """half d; 32 bytes of entries; for each 32 values 4 times 3 upper bits, a scale of 3 bits and the sign of delta."""
    for i in range(len(blocks)):
        for run in range(8):
            high = np.int64(blocks[i, 34 + 2 * run]) | np.int64(blocks[i, 35 + 2 * run]) << 8
            scale = scales[i, 0] * FLOAT(2 * (high >> 12 & 7) + 1)
            for k in range(4):
                entry = np.int64(blocks[i, 2 + 4 * run + k]) | (high >> 3 * k & 7) << 8
                _fill_shifted(out, i, 32 * run + 8 * k, table, entry, high >> 15, scale)


@compiled
def iq1_m(blocks: Any, scales: Any, out: Any, table: Any) -> None:
    """32 bytes of entries; 16 of 3 upper bits and a sign of delta each; 4 numbers of 4 scales of 3 bits.

    The upper four bits of those numbers together are the half d.
    """
    for i in range(len(blocks)):
        for run in range(8):
            at = 48 + 2 * (run >> 1)
            number = np.int64(blocks[i, at]) | np.int64(blocks[i, at + 1]) << 8
            for k in range(4):
                scale = scales[i, 0] * FLOAT(2 * (number >> 6 * (run & 1) + 3 * (k >> 1) & 7) + 1)
                high = np.int64(blocks[i, 32 + 2 * run + (k >> 1)]) >> 4 * (k & 1)
                entry = np.int64(blocks[i, 4 * run + k]) | (high & 7) << 8
                _fill_shifted(out, i, 32 * run + 8 * k, table, entry, high & 8, scale)


LOOPS: dict[str, Callable[..., None]] = {
    "IQ1_S": iq1_s,
    "IQ1_M": iq1_m,
    "IQ2_XXS": iq2_xxs,
    "IQ2_XS": iq2_xs,
    "IQ2_S": iq2_s,
    "IQ3_XXS": iq3_xxs,
    "IQ3_S": iq3_s,
}
"""The loop of each type."""
