"""A program in a pseudo-terminal, recorded: every byte with its time, interpreted only afterwards.

Interpreting output takes time, and time is what is measured; so the screen is replayed once the program has ended.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence

import pyte

from tests.terminal import Terminal

__all__ = ["Recording", "memory_of"]


class Recording(Terminal):
    """Only stores what comes; `replay` shows the screen after each chunk."""

    def read(self, seconds: float) -> bool:
        stream, self._stream = self._stream, _Deaf()  # type: ignore[assignment]
        try:
            return super().read(seconds)
        finally:
            self._stream = stream

    def wait_bytes(self, wanted: bytes, timeout: float = 60.0) -> float:
        """Read until these bytes came; when the chunk that completed them did."""
        end = time.perf_counter() + timeout
        while wanted not in b"".join(data for _, data in self.chunks[-8:]):
            if time.perf_counter() > end:
                raise AssertionError(f"{wanted!r} did not come")
            self.read(0.5)
        return self.chunks[-1][0]

    def replay(self) -> Iterator[tuple[float, pyte.Screen]]:
        """The screen after every chunk, with the chunk's time."""
        screen = pyte.Screen(self.screen.columns, self.screen.lines)
        stream = pyte.ByteStream(screen)
        for moment, data in self.chunks:
            stream.feed(data)
            yield moment, screen


class _Deaf:
    def feed(self, data: bytes) -> None:
        """Ignore it."""


def memory_of(pid: int) -> int:
    """Resident bytes of a process and all below it, shared pages counted once (PSS where the kernel tells)."""
    total = 0
    for process in (pid, *_descendants(pid)):
        try:
            with open(f"/proc/{process}/smaps_rollup") as file:
                total += next(int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:"))
        except (OSError, StopIteration):
            continue
    return total


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            try:
                with open(f"/proc/{entry}/stat") as file:
                    parent = int(file.read().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == pid:
                found += [int(entry), *_descendants(int(entry))]
    return found


def median_of(measure: Callable[[], float], times: int) -> float:
    """The median of several runs."""
    runs: Sequence[float] = sorted(measure() for _ in range(times))
    return runs[len(runs) // 2]
