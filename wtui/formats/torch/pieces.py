"""Tensors of which several files hold a piece each: flat runs laid one after the other, and boxes.

Knows extents and shapes; nothing of ranks, files or formats.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from math import prod
from typing import NamedTuple

from wtui.formats.boxes import cut
from wtui.model import DTYPE_BITS, Extent, Part

__all__ = ["Box", "Run1D", "assembled", "covered", "in_c_order", "take"]

MAX_BOXES = 100_000
"""Boxes that one piece is cut into."""


class Run1D(NamedTuple):
    """A run of values in a file."""

    extent: Extent
    item: int
    """Bytes of a value."""

    @property
    def values(self) -> int:
        """Number of values."""
        return self.extent.length // self.item


class Box(NamedTuple):
    """A piece of a tensor, in C order."""

    origin: tuple[int, ...]
    shape: tuple[int, ...]
    extent: Extent


def take(runs: Iterable[Run1D], start: int, count: int) -> tuple[list[Extent], int]:
    """The extents of the values `start : start + count` of runs laid one after the other, and how many there are."""
    found: list[Extent] = []
    got = 0
    for run in runs:
        if got == count:
            break
        if start >= run.values:
            start -= run.values
            continue
        n = min(run.values - start, count - got)
        found.append(Extent(run.extent.file, run.extent.offset + start * run.item, n * run.item))
        got += n
        start = 0
    return found, got


def covered(boxes: Sequence[tuple[tuple[int, ...], tuple[int, ...]]], shape: tuple[int, ...]) -> bool:
    """Whether boxes (origin, shape) lie inside the shape, and hold as many values together as it has."""
    for origin, size in boxes:
        if len(origin) != len(shape) or len(size) != len(shape):
            return False
        if any(o < 0 or n < 0 or o + n > t for o, n, t in zip(origin, size, shape, strict=True)):
            return False
    return sum(prod(size) for _, size in boxes) == prod(shape)


def in_c_order(box: Box, strides: tuple[int, ...], item: int) -> list[Box]:
    """A box whose values lie without gaps in another order of its axes, as boxes in C order; `[]` if there are gaps or
    too many of them. A transposed matrix becomes its columns."""
    axes = [a for a, n in enumerate(box.shape) if n > 1]
    stored = sorted(axes, key=lambda a: (-strides[a], a))
    step = 1
    for axis in reversed(stored):
        if strides[axis] != step:
            return []
        step *= box.shape[axis]
    loose = 0
    while stored[loose:] != sorted(stored[loose:]):
        loose += 1
    outer = stored[:loose]
    size = prod(box.shape[a] for a in stored[loose:]) * item
    if prod(box.shape[a] for a in outer) > MAX_BOXES:
        return []
    shape = tuple(1 if a in outer else n for a, n in enumerate(box.shape))
    found = []
    for number, index in enumerate(product(*(range(box.shape[a]) for a in outer))):
        inside = dict(zip(outer, index, strict=True))
        origin = tuple(o + inside.get(a, 0) for a, o in enumerate(box.origin))
        found.append(Box(origin, shape, Extent(box.extent.file, box.extent.offset + number * size, size)))
    return found


def assembled(boxes: Iterable[Box], shape: tuple[int, ...], dtype: str) -> tuple[Part, ...]:
    """The parts of a tensor: runs one after the other where its pieces follow each other along the first axis, else
    boxes, which are cut so that none takes much memory."""
    ordered = sorted((b for b in boxes if prod(b.shape)), key=lambda b: b.origin)
    at = 0
    for box in ordered:
        if box.shape[1:] != shape[1:] or any(box.origin[1:]) or (shape and box.origin[0] != at):
            break
        at += box.shape[0] if shape else 1
    else:
        return tuple(Part(box.extent) for box in ordered)
    bits = DTYPE_BITS[dtype]
    return tuple(part for box in ordered for part in cut(box.extent, box.origin, box.shape, bits))
