"""Which tensor is read next: what is looked at, then what is visible, then the rest in the model's order.

Knows indices and their owners, no bytes. Not locked: the caller holds the lock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

__all__ = ["Order"]


class Order:
    """Tensors still to be read, the most urgent first; each is handed out once."""

    def __init__(self, tensors: Iterable[int]) -> None:
        self.only_urgent = False
        """Whether the others wait until they are urgent."""
        self._rest = deque(tensors)
        self._urgent: deque[int] = deque()
        self._waiting = set(self._rest)

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, tensor: int) -> bool:
        return tensor in self._waiting

    def urge(self, tensors: Iterable[int]) -> None:
        """Put these first, in this order, before whatever was urgent until now; those already read are ignored."""
        self._urgent = deque(t for t in tensors if t in self._waiting)

    def add(self, tensors: Iterable[int]) -> None:
        """Ask for tensors (again), behind all others."""
        for tensor in tensors:
            if tensor not in self._waiting:
                self._waiting.add(tensor)
                self._rest.append(tensor)

    def next_urgent(self) -> int | None:
        """The first of the urgent tensors, handed out; None when none is waiting."""
        return self._pop(self._urgent)

    def next(self) -> int | None:
        """The most urgent tensor, handed out; None when all are."""
        urgent = self.next_urgent()
        return urgent if urgent is not None or self.only_urgent else self._pop(self._rest)

    def _pop(self, queue: deque[int]) -> int | None:
        while queue:
            tensor = queue.popleft()
            if tensor in self._waiting:
                self._waiting.remove(tensor)
                return tensor
        return None
