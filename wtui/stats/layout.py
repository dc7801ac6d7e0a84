"""How the values of one tensor lie among those of another that holds the same ones in another order.

Frameworks store the same weights differently: kernels are transposed, two axes are one, gates of a recurrent layer
stand in another order. Standard library only; knows no framework and no file.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

__all__ = ["Layout", "cut", "inverse_layout", "plain_layout", "transposed_layout"]


class Layout(NamedTuple):
    """B is A.reshape(factors), its axes in another `order`, then reshaped to B's shape.

    Where `blocks` is not empty, index i along the factor `block_axis` means the same in B as `blocks[i]` in A.
    """

    factors: tuple[int, ...]
    """A's axes in A's order, some cut in two; none of length 1."""
    order: tuple[int, ...]
    """Which factor each axis of B is, one after the other."""
    block_axis: int = -1
    blocks: tuple[int, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether the values of both lie in the same order."""
        return self.order == tuple(range(len(self.order))) and self.blocks == tuple(range(len(self.blocks)))

    @property
    def text(self) -> str:
        """`same order`, `transposed 3 2 0 1`, `transposed 1 2 0, blocks 1 0 2`."""
        if self.is_plain:
            return "same order"
        moved = self.order != tuple(range(len(self.order)))
        parts = [f"transposed {' '.join(map(str, self.order))}"] if moved else []
        return ", ".join([*parts, *([f"blocks {' '.join(map(str, self.blocks))}"] if self.blocks else [])])

    def fits(self, shape_a: tuple[int, ...], shape_b: tuple[int, ...]) -> bool:
        """Whether it leads from tensors of the one shape to tensors of the other."""
        there = tuple(self.factors[i] for i in self.order)
        return cut(shape_a, self.factors) is not None and cut(shape_b, there) is not None


def plain_layout(shape: tuple[int, ...]) -> Layout:
    """Values in the same order, whatever the shapes are."""
    factors = tuple(n for n in shape if n != 1)
    return Layout(factors, tuple(range(len(factors))))


def transposed_layout(factors: tuple[int, ...], order: tuple[int, ...]) -> Layout:
    """A's axes (or parts of them) in another order; axes of length 1 are left out."""
    kept = [i for i, n in enumerate(factors) if n != 1]
    return Layout(tuple(factors[i] for i in kept), tuple(kept.index(i) for i in order if i in kept))


def cut(shape: tuple[int, ...], factors: tuple[int, ...]) -> list[list[int]] | None:
    """The factors that each axis is made of, slowest first; None if they are not cuts of these axes.

    An axis of length 1 has none. An axis of length 0 has itself.
    """
    groups: list[list[int]] = []
    at = 0
    for length in shape:
        group: list[int] = []
        while prod(factors[i] for i in group) != length or (length == 0 and not group):
            if at == len(factors) or prod(factors[i] for i in group) > max(length, 1):
                return None
            group.append(at)
            at += 1
        groups.append(group)
    return groups if at == len(factors) else None


def inverse_layout(layout: Layout) -> Layout:
    """The layout that leads from B to A."""
    factors = tuple(layout.factors[i] for i in layout.order)
    order = tuple(layout.order.index(i) for i in range(len(layout.order)))
    if not layout.blocks:
        return Layout(factors, order)
    blocks = tuple(layout.blocks.index(i) for i in range(len(layout.blocks)))
    return Layout(factors, order, layout.order.index(layout.block_axis), blocks)
