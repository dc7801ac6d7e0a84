"""Tensors of blocks in pieces that can be decoded one at a time, so that a large tensor needs little memory."""

from __future__ import annotations

from itertools import product
from math import prod

from wtui.model import BLOCK_DTYPES, Extent, Part

__all__ = ["cut"]

MAX_VALUES = 1 << 19
"""Values in a piece: 2 MiB once decoded; a multiple of every type's block."""


def cut(extent: Extent, shape: tuple[int, ...], dtype: str) -> tuple[Part, ...]:
    """The tensor as boxes of whole blocks, in their order in the file. Its rows must be whole blocks."""
    if prod(shape) <= MAX_VALUES:
        return (Part(extent),) if prod(shape) else ()
    values, size = BLOCK_DTYPES[dtype]
    axis = next(a for a in range(len(shape)) if prod(shape[a + 1 :]) <= MAX_VALUES)
    inside = shape[axis + 1 :]
    step = MAX_VALUES // prod(inside)
    parts = []
    offset = extent.offset
    for above in product(*map(range, shape[:axis])):
        for start in range(0, shape[axis], step):
            count = min(step, shape[axis] - start)
            length = count * prod(inside) // values * size
            origin = (*above, start, *(0 for _ in inside))
            parts.append(Part(Extent(extent.file, offset, length), origin, (*(1 for _ in above), count, *inside)))
            offset += length
    return tuple(parts)
