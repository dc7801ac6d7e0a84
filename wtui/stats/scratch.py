"""A thread's table of counts: megabytes that are worth using again.

A scratch serves one owner at a time. When another takes it over, or its owner asks for it, what it counted is moved out
first, so that threads may change between tensors as they like. Knows no value, only counters.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from wtui.stats.buckets import IDS
from wtui.stats.rows import CHUNK

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Counted", "Owner", "Scratch", "Table"]

FULL = (1 << 32) - 1
"""Values after which a counter of 32 bits might overflow."""

Counted = tuple["NDArray[np.integer]", "NDArray[np.integer]"]
"""Ascending numbers of counters, and their counts."""


class Table(NamedTuple):
    """Counters. In a pair each count is split between both arrays, and counters in use have a byte that is not 0."""

    large: NDArray[np.uint32]
    small: NDArray[np.uint8] | None = None
    """The other part of a pair, see `loops32`."""

    def add(self, ids: NDArray[np.integer], counts: NDArray[np.integer]) -> None:
        """Count many values of each of these different ids."""
        if self.small is not None:
            fresh = self.small[ids] == 0
            self.small[ids] += fresh
            counts = counts - fresh
        self.large[ids] += counts.astype(np.uint32)


class Owner(Protocol):
    """Whoever counts in a scratch."""

    counters: int
    """How many it needs."""
    compiled: bool
    """Whether it uses kernels."""
    paired: bool
    """Whether these take a pair of tables."""

    def take_over(self, counted: Counted) -> None:
        """Keep what was counted."""


class Scratch:
    """2^20 counters, made when they are first used, and whom their counts belong to."""

    def __init__(self) -> None:
        self._large: NDArray[np.uint32] | None = None
        self._small: NDArray[np.uint8] | None = None
        self._owner: Owner | None = None
        self._lock = Lock()
        self._values = 0

    def table(self, owner: Owner, values: int) -> Table:
        """Counters for `owner` to count at most `values` more values in.

        Only the thread that the scratch belongs to may call this.
        """
        with self._lock:
            if self._owner is not owner or self._values + values > FULL:
                self._move_out()
            self._owner = owner
            self._values += values
            return self._table(owner, owner.counters)

    def release(self, owner: Owner) -> None:
        """Hand to `owner` what it counted here, if it is still here."""
        with self._lock:
            if self._owner is owner:
                self._move_out()

    def _table(self, owner: Owner, size: int) -> Table:
        if self._large is None:
            self._large = np.zeros(IDS, np.uint32)
        if not owner.paired:
            return Table(self._large[:size])
        if self._small is None:
            self._small = np.zeros(IDS, np.uint8)
        return Table(self._large[:size], self._small[:size])

    def _move_out(self) -> None:
        owner, self._owner = self._owner, None
        if owner is not None and self._values:
            whole_chunks = -(-owner.counters // CHUNK) * CHUNK
            owner.take_over(_drain(self._table(owner, whole_chunks), self._values, owner.compiled))
        self._values = 0


def _drain(table: Table, most: int, compiled: bool) -> Counted:
    """Counters that are not zero, which are reset."""
    if compiled:
        from wtui.stats import kernels

        return kernels.drain(table, most)
    ids = np.flatnonzero(table.large)
    counts = table.large[ids]
    table.large[ids] = 0
    return ids, counts
