"""Reading no faster than asked for: a training job on the same disk goes first. Knows no tensor."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Lock
from typing import TYPE_CHECKING

from wtui.storage.files import open_ref

if TYPE_CHECKING:
    from wtui.model import FileRef
    from wtui.storage.source import Source

__all__ = ["Pace"]

STEP = 256 << 10
"""Bytes that are read between two waits, so that a slow pace is an even one."""


class Pace:
    """A bound on the bytes per second of all sources that it opens together. Any thread may read."""

    def __init__(self, bytes_per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds."""
        self._rate = bytes_per_second
        self._clock = clock
        self._lock = Lock()
        self._next = 0.0
        self._stopped = Event()

    def open(self, ref: FileRef) -> Source:
        """Open a file of a catalogue; an opener for `wtui.storage.Files`."""
        return PacedSource(open_ref(ref), self)

    def stop(self) -> None:
        """Let nobody wait any more."""
        self._stopped.set()

    def wait(self, length: int) -> float:
        """Wait until `length` bytes more may be read; seconds that it took."""
        with self._lock:
            now = self._clock()
            at = max(self._next, now)
            self._next = at + length / self._rate
        if at > now:
            self._stopped.wait(at - now)
        return at - now


class PacedSource:
    """A source whose readers wait for their turn."""

    def __init__(self, source: Source, pace: Pace) -> None:
        self._source = source
        self._pace = pace

    @property
    def name(self) -> str:
        """As the source's."""
        return self._source.name

    @property
    def size(self) -> int:
        """As the source's."""
        return self._source.size

    @property
    def bytes_read(self) -> int:
        """As the source's."""
        return self._source.bytes_read

    @property
    def requests(self) -> int:
        """As the source's."""
        return self._source.requests

    def read_into(self, buffer: memoryview, offset: int) -> None:
        """As the source's, in steps, each when its turn has come."""
        for start in range(0, len(buffer), STEP):
            part = buffer[start : start + STEP]
            self._pace.wait(len(part))
            self._source.read_into(part, offset + start)

    def read(self, offset: int, length: int) -> bytes:
        """As the source's, when its turn has come."""
        self._pace.wait(length)
        return self._source.read(offset, length)

    def close(self) -> None:
        """As the source's."""
        self._source.close()
