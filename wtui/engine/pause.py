"""When to answer once more about something that is still being read: often enough, and never for most of the time."""

from __future__ import annotations

import time

__all__ = ["Pause"]

EVERY = 0.5
"""Seconds between two answers about the same layer while it is being read."""

SHARE = 0.1
"""Share of the time that may go into them: with 20,000 tensors one takes a third of a second."""


class Pause:
    """Between two answers; a context manager around each that measures how long it takes."""

    def __init__(self) -> None:
        self._began = self._settled = self._until = 0.0

    def over(self, settled: bool) -> bool:
        """Whether it is time. With `settled`, when nothing more is to be read, only the share of the time counts."""
        return time.perf_counter() >= (self._settled if settled else self._until)

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        now = time.perf_counter()
        self._settled = now + (now - self._began) / SHARE
        self._until = max(now + EVERY, self._settled)
