"""Stored pieces of a tensor cut into smaller ones, so that what decodes them whole never holds much at once.

Knows shapes and bytes, no format.
"""

from __future__ import annotations

from math import prod

from wtui.model import Extent, Part

__all__ = ["BOX", "cut"]

BOX = 2 << 20
"""Bytes of a piece: large enough to read quickly, small enough to hold one for every thread."""


def cut(extent: Extent, origin: tuple[int, ...], shape: tuple[int, ...], bits: int, limit: int = BOX) -> list[Part]:
    """A box of values of `bits` bits in C order as boxes of at most `limit` bytes, in the order of their bytes.

    Pieces begin at whole bytes; where rows do not (values of less than a byte), or rows are longer than `limit`, a
    piece has more. The extent must hold the values: `prod(shape) * bits / 8` bytes, rounded up.
    """
    axis = next((a for a, n in enumerate(shape) if n > 1), None)
    if extent.length <= limit or axis is None:
        return [Part(extent, origin, shape)]
    row = prod(shape[axis + 1 :]) * bits
    whole = 1 if row % 8 == 0 else 8
    step = max(1, limit * 8 // (row * whole)) * whole
    found: list[Part] = []
    for start in range(0, shape[axis], step):
        count = min(step, shape[axis] - start)
        first = start * row // 8
        size = (count * row + 7) // 8
        place = (*origin[:axis], origin[axis] + start, *origin[axis + 1 :])
        box = (*shape[:axis], count, *shape[axis + 1 :])
        piece = Extent(extent.file, extent.offset + first, size)
        found += cut(piece, place, box, bits, limit) if count == 1 and size > limit else [Part(piece, place, box)]
    return found
