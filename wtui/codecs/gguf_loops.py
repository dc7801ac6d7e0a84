"""GGML's quantised blocks unpacked, one compiled loop for each type.

Every loop takes blocks (n, bytes) uint8 with their fields in little-endian order, their scales (n, k) float32, and
fills out (n, values) float32. The layouts are those of `ggml-common.h` and `ggml-quants.c` of the GGML library; `q` is
a stored integer, `d` a scale. Products of scales and stored integers are exact in float32, so the order of operations
does not matter. Knows neither files nor byte orders.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wtui.codecs.loops import compiled

__all__ = [
    "iq4_xs", "nibbles_from_table", "nvfp4", "q1_0", "q2_k", "q3_k", "q4_0", "q4_1", "q4_k", "q5_0", "q5_1", "q5_k",
    "q6_k", "signed_bytes", "tq1_0", "tq2_0",
]  # fmt: skip

FLOAT = np.float32


@compiled
def q4_0(blocks: Any, scales: Any, out: Any) -> None:
    """half d; 16 bytes, low nibbles first: (q - 8) d."""
    for i in range(len(blocks)):
        d = scales[i, 0]
        for j in range(16):
            q = blocks[i, 2 + j]
            out[i, j] = FLOAT((q & 15) - 8) * d
            out[i, j + 16] = FLOAT((q >> 4) - 8) * d


@compiled
def q4_1(blocks: Any, scales: Any, out: Any) -> None:
    """half d, m; 16 bytes, low nibbles first: q d + m."""
    for i in range(len(blocks)):
        d, m = scales[i, 0], scales[i, 1]
        for j in range(16):
            q = blocks[i, 4 + j]
            out[i, j] = FLOAT(q & 15) * d + m
            out[i, j + 16] = FLOAT(q >> 4) * d + m


@compiled
def q5_0(blocks: Any, scales: Any, out: Any) -> None:
    """half d; 32 bits, the fifth bit of each value; 16 bytes as Q4_0: (q - 16) d."""
    for i in range(len(blocks)):
        d = scales[i, 0]
        for j in range(16):
            q = blocks[i, 6 + j]
            low = (blocks[i, 2 + (j >> 3)] >> (j & 7)) & 1
            high = (blocks[i, 4 + (j >> 3)] >> (j & 7)) & 1
            out[i, j] = FLOAT((q & 15 | low << 4) - 16) * d
            out[i, j + 16] = FLOAT((q >> 4 | high << 4) - 16) * d


@compiled
def q5_1(blocks: Any, scales: Any, out: Any) -> None:
    """half d, m; 32 bits and 16 bytes as Q5_0: q d + m."""
    for i in range(len(blocks)):
        d, m = scales[i, 0], scales[i, 1]
        for j in range(16):
            q = blocks[i, 8 + j]
            low = (blocks[i, 4 + (j >> 3)] >> (j & 7)) & 1
            high = (blocks[i, 6 + (j >> 3)] >> (j & 7)) & 1
            out[i, j] = FLOAT(q & 15 | low << 4) * d + m
            out[i, j + 16] = FLOAT(q >> 4 | high << 4) * d + m


@compiled
def signed_bytes(blocks: Any, scales: Any, out: Any, start: int) -> None:
    """Q8_0, Q8_1, Q8_K: signed bytes from `start` on: q d."""
    for i in range(len(blocks)):
        d = scales[i, 0]
        for j in range(out.shape[1]):
            out[i, j] = FLOAT(np.int8(blocks[i, start + j])) * d


@compiled
def q2_k(blocks: Any, scales: Any, out: Any) -> None:
    """16 bytes of scale (low nibble) and minimum of each 16 values; 64 bytes of 2-bit planes; half d, dmin."""
    for i in range(len(blocks)):
        d, dmin = scales[i, 0], scales[i, 1]
        for run in range(16):
            half, plane, side = run >> 3, run >> 1 & 3, run & 1
            scale = FLOAT(blocks[i, run] & 15) * d
            minimum = FLOAT(blocks[i, run] >> 4) * dmin
            start = 16 + 32 * half + 16 * side
            for j in range(16):
                out[i, 16 * run + j] = FLOAT(blocks[i, start + j] >> 2 * plane & 3) * scale - minimum


@compiled
def q3_k(blocks: Any, scales: Any, out: Any) -> None:
    """32 bytes of third bits; 64 bytes of 2-bit planes; 16 scales of 6 bits in 12 bytes; half d: (q - 4) (s - 32) d.

    The third bit is inverted: where it is 0, 4 is taken away.
    """
    for i in range(len(blocks)):
        for run in range(16):
            half, plane, side = run >> 3, run >> 1 & 3, run & 1
            low = blocks[i, 96 + (run & 7)] >> 4 * half & 15
            high = blocks[i, 104 + (run & 3)] >> 2 * (run >> 2) & 3
            scale = FLOAT((low | high << 4) - 32) * scales[i, 0]
            start = 32 + 32 * half + 16 * side
            for j in range(16):
                third = blocks[i, 16 * side + j] >> 4 * half + plane & 1
                out[i, 16 * run + j] = FLOAT((blocks[i, start + j] >> 2 * plane & 3 | third << 2) - 4) * scale


@compiled
def _six_bits(blocks: Any, i: int, run: int) -> Any:
    """Scale and minimum of the run (0 to 7) of 32 values: 6 bits each, in the bytes 4 to 15 of Q4_K and Q5_K."""
    if run < 4:
        return blocks[i, 4 + run] & 63, blocks[i, 8 + run] & 63
    both = blocks[i, 8 + run]
    return both & 15 | blocks[i, run] >> 6 << 4, both >> 4 | blocks[i, 4 + run] >> 6 << 4


@compiled
def q4_k(blocks: Any, scales: Any, out: Any) -> None:
    """half d, dmin; 12 bytes of scales and minima; 128 bytes, 32 low nibbles, then the 32 high ones of the same."""
    for i in range(len(blocks)):
        for run in range(8):
            s, m = _six_bits(blocks, i, run)
            scale, minimum = FLOAT(s) * scales[i, 0], FLOAT(m) * scales[i, 1]
            start, shift = 16 + 32 * (run >> 1), 4 * (run & 1)
            for j in range(32):
                out[i, 32 * run + j] = FLOAT(blocks[i, start + j] >> shift & 15) * scale - minimum


@compiled
def q5_k(blocks: Any, scales: Any, out: Any) -> None:
    """As Q4_K, with 32 bytes of fifth bits, a plane for each run, before the nibbles."""
    for i in range(len(blocks)):
        for run in range(8):
            s, m = _six_bits(blocks, i, run)
            scale, minimum = FLOAT(s) * scales[i, 0], FLOAT(m) * scales[i, 1]
            start, shift = 48 + 32 * (run >> 1), 4 * (run & 1)
            for j in range(32):
                fifth = blocks[i, 16 + j] >> run & 1
                out[i, 32 * run + j] = FLOAT(blocks[i, start + j] >> shift & 15 | fifth << 4) * scale - minimum


@compiled
def q6_k(blocks: Any, scales: Any, out: Any) -> None:
    """128 bytes of nibbles; 64 bytes of 2-bit planes, the upper bits; 16 signed scales; half d: (q - 32) s d."""
    for i in range(len(blocks)):
        for run in range(16):
            half, quarter, side = run >> 3, run >> 1 & 3, run & 1
            scale = FLOAT(np.int8(blocks[i, 192 + run])) * scales[i, 0]
            low = 64 * half + 32 * (quarter & 1) + 16 * side
            high = 128 + 32 * half + 16 * side
            for j in range(16):
                q = blocks[i, low + j] >> 4 * (quarter >> 1) & 15
                q |= (blocks[i, high + j] >> 2 * quarter & 3) << 4
                out[i, 16 * run + j] = FLOAT(q - 32) * scale


@compiled
def nibbles_from_table(blocks: Any, scales: Any, out: Any, table: Any, start: int) -> None:
    """IQ4_NL, MXFP4: 16 bytes from `start` on, low nibbles first, each the place of a value in a table: table[q] d."""
    for i in range(len(blocks)):
        d = scales[i, 0]
        for j in range(16):
            q = blocks[i, start + j]
            out[i, j] = table[q & 15] * d
            out[i, j + 16] = table[q >> 4] * d


@compiled
def iq4_xs(blocks: Any, scales: Any, out: Any, table: Any) -> None:
    """half d; 16 upper and 32 lower bits of 8 scales; 128 bytes as 8 blocks of IQ4_NL: table[q] (s - 32) d."""
    for i in range(len(blocks)):
        for run in range(8):
            low = blocks[i, 4 + (run >> 1)] >> 4 * (run & 1) & 15
            high = blocks[i, 2 + (run >> 2)] >> 2 * (run & 3) & 3
            scale = FLOAT((low | high << 4) - 32) * scales[i, 0]
            for j in range(16):
                q = blocks[i, 8 + 16 * run + j]
                out[i, 32 * run + j] = table[q & 15] * scale
                out[i, 32 * run + j + 16] = table[q >> 4] * scale


@compiled
def nvfp4(blocks: Any, scales: Any, out: Any, table: Any) -> None:
    """4 scales; 4 times 8 bytes, low nibbles first: table[q] d."""
    for i in range(len(blocks)):
        for run in range(4):
            d = scales[i, run]
            for j in range(8):
                q = blocks[i, 4 + 8 * run + j]
                out[i, 16 * run + j] = table[q & 15] * d
                out[i, 16 * run + j + 8] = table[q >> 4] * d


@compiled
def q1_0(blocks: Any, scales: Any, out: Any) -> None:
    """half d; 128 bits, the lowest first: d where 1, -d where 0."""
    for i in range(len(blocks)):
        d = scales[i, 0]
        for j in range(128):
            out[i, j] = d if blocks[i, 2 + (j >> 3)] >> (j & 7) & 1 else -d


@compiled
def _trit(byte: int, power: int) -> Any:
    """A base-3 digit of a byte that holds a fraction of 256: -1, 0 or 1; `power` is 3 to the digit's place."""
    return FLOAT(((byte * power & 255) * 3 >> 8) - 1)


@compiled
def tq1_0(blocks: Any, scales: Any, out: Any) -> None:
    """48 bytes of 5 base-3 digits (32 bytes, then 16: first digits first), 4 bytes of 4 digits, half d: digit d."""
    for i in range(len(blocks)):
        d = scales[i, 0]
        power = 1
        for digit in range(5):
            for j in range(32):
                out[i, 32 * digit + j] = _trit(blocks[i, j], power) * d
            for j in range(16):
                out[i, 160 + 16 * digit + j] = _trit(blocks[i, 32 + j], power) * d
            for j in range(4):
                if digit < 4:
                    out[i, 240 + 4 * digit + j] = _trit(blocks[i, 48 + j], power) * d
            power *= 3


@compiled
def tq2_0(blocks: Any, scales: Any, out: Any) -> None:
    """64 bytes of 2-bit planes, 32 bytes at a time; half d: (q - 1) d."""
    for i in range(len(blocks)):
        d = scales[i, 0]
        for run in range(8):
            start, shift = 32 * (run >> 2), 2 * (run & 3)
            for j in range(32):
                out[i, 32 * run + j] = FLOAT((blocks[i, start + j] >> shift & 3) - 1) * d
