"""Where in a tensor a block of values is. Standard library only; knows no file."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Box"]


class Box(NamedTuple):
    """A box of a tensor whose values lie in C order of `axes`, and a place in that order."""

    start: int
    """Position of a block's first value in the box."""
    shape: tuple[int, ...]
    """Lengths of its axes, from the slowest to the fastest."""
    axes: tuple[int, ...]
    """Which axis of the tensor each of them is."""
    origin: tuple[int, ...]
    """Index in the tensor of the box's first value, by axis of the tensor."""

    def index_of(self, position: int) -> tuple[int, ...]:
        """The tensor's index of a position in the block."""
        index = list(self.origin)
        place = self.start + position
        for axis, length in zip(reversed(self.axes), reversed(self.shape), strict=True):
            place, i = divmod(place, length)
            index[axis] += i
        return tuple(index)
