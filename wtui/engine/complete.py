"""Which layers have all their tensors read, in the order in which that comes about. Knows indices, no numbers."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wtui.model import Catalogue

__all__ = ["CompleteLayers"]

MAX_TENSORS = 256
"""Layers of more tensors are left out, but for the whole model: putting them together takes longer than a key may."""


class CompleteLayers:
    """Positions in depth order of layers whose tensors are all done; each is given once."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._above: list[int] = []
        self._owner: dict[int, int] = {}
        self._index()
        self._counted = [0] * len(self._above)
        """Tensors of each layer that count; where there are none, its others make it up (see `those_that_count`)."""
        self._left = [0] * len(self._above)
        own = [0] * len(self._above)
        for tensor in self._owner:
            counts = catalogue.tensors[tensor].counted
            for position in self._path(tensor):
                own[position] += 1
                self._counted[position] += counts
        self._left = [c or o for c, o in zip(self._counted, own, strict=True)]
        self._given = {p for p, n in enumerate(self._left) if p and n > MAX_TENSORS}
        self._ready: deque[int] = deque()

    def __len__(self) -> int:
        return len(self._ready)

    def done(self, tensor: int) -> None:
        """A tensor was read for the first time; aliases are nobody's."""
        if tensor not in self._owner:
            return
        counts = self._catalogue.tensors[tensor].counted
        for position in self._path(tensor):
            if counts or not self._counted[position]:
                self._left[position] -= 1
                if not self._left[position] and position not in self._given:
                    self._given.add(position)
                    self._ready.append(position)

    def next(self) -> int | None:
        """The next of them, None if there is none now."""
        return self._ready.popleft() if self._ready else None

    def _index(self) -> None:
        """The layer that owns each tensor, and the layer above each layer, by position in depth order."""
        stack = [(self._catalogue.root, -1)]
        while stack:
            node, above = stack.pop()
            position = len(self._above)
            self._above.append(above)
            for tensor in node.tensors:
                if self._catalogue.tensors[tensor].alias_of is None:
                    self._owner[tensor] = position
            stack.extend((child, position) for child in reversed(node.children))

    def _path(self, tensor: int) -> list[int]:
        """The layer that owns it and all above."""
        path = []
        position = self._owner[tensor]
        while position >= 0:
            path.append(position)
            position = self._above[position]
        return path
