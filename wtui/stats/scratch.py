"""A thread's table of counts: four megabytes that are worth using again.

A scratch serves one owner at a time. When another takes it over, or its owner asks for it, what it counted is moved out
first, so that threads may change between tensors as they like. Knows no value, only counters.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Protocol

import numpy as np

from wtui.stats.buckets import IDS
from wtui.stats.rows import CHUNK

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Counted", "Owner", "Scratch"]

FULL = (1 << 32) - 1
"""Values after which a counter of 32 bits might overflow."""

Counted = tuple["NDArray[np.integer]", "NDArray[np.integer]"]
"""Ascending numbers of counters, and their counts."""


class Owner(Protocol):
    """Whoever counts in a scratch."""

    def take_over(self, counted: Counted) -> None:
        """Keep what was counted."""


class Scratch:
    """A table of 2^20 counters, made when it is first used, and whom its counts belong to."""

    def __init__(self) -> None:
        self._table: NDArray[np.uint32] | None = None
        self._owner: Owner | None = None
        self._lock = Lock()
        self._values = 0
        self._used = 0

    def table(self, owner: Owner, size: int, values: int, compiled: bool) -> NDArray[np.uint32]:
        """The first `size` counters, for `owner` to count at most `values` more values in. -> (size,) uint32

        Only the thread that the scratch belongs to may call this.
        """
        with self._lock:
            if self._owner is not owner or self._values + values > FULL:
                self._move_out(compiled)
            self._owner = owner
            self._values += values
            self._used = size
            if self._table is None:
                self._table = np.zeros(IDS, np.uint32)
            return self._table[:size]

    def release(self, owner: Owner, compiled: bool) -> None:
        """Hand to `owner` what it counted here, if it is still here."""
        with self._lock:
            if self._owner is owner:
                self._move_out(compiled)

    def _move_out(self, compiled: bool) -> None:
        owner, self._owner = self._owner, None
        if owner is not None and self._table is not None and self._values:
            used = -(-self._used // CHUNK) * CHUNK
            owner.take_over(_drain(self._table[:used], self._values, compiled))
        self._values = 0


def _drain(table: NDArray[np.uint32], most: int, compiled: bool) -> Counted:
    """Counters that are not zero, which are reset."""
    if compiled:
        from wtui.stats import kernels

        return kernels.drain(table, most)
    ids = np.flatnonzero(table)
    counts = table[ids]
    table[ids] = 0
    return ids, counts
