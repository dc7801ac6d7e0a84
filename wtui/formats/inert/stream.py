"""A source read forwards in windows, in which long runs are stepped over without being read.

Knows positions and lengths only; every length is checked against the source before a byte of memory is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.errors import FormatError

if TYPE_CHECKING:
    from wtui.storage import Source

__all__ = ["Stream"]

WINDOW = 1 << 16
"""Bytes read at a time."""

FIRST_WINDOW = 1 << 13
"""Bytes of the first window: pickles of a few KB in front of gigabytes of values are common."""

MAX_LINE = 1 << 20
"""Bytes of a line: the arguments of protocol 0 end with one."""


class Stream:
    """The bytes of `source` from `position` on. `data[at]` is the next byte; `fill` makes sure that there is one."""

    __slots__ = ("_end", "_source", "_start", "at", "data")

    def __init__(self, source: Source, position: int = 0, end: int | None = None) -> None:
        self._source = source
        self._end = source.size if end is None else min(end, source.size)
        self._start = position
        self.data = b""
        self.at = 0

    @property
    def name(self) -> str:
        """What to call the source in an error."""
        return self._source.name

    @property
    def position(self) -> int:
        """Offset in the source of the next byte."""
        return self._start + self.at

    def fill(self, need: int = 1) -> None:
        """Have at least `need` bytes from `at` on; FormatError if the source ends before."""
        position = self.position
        left = self._end - position
        if need > left:
            raise FormatError(f"ends at byte {self._end:,}, inside a pickle", self.name, "truncated?")
        size = max(need, WINDOW if self.data else FIRST_WINDOW)
        self.data = self._source.read(position, min(size, left))
        self._start = position
        self.at = 0

    def take(self, length: int) -> bytes:
        """The next `length` bytes."""
        at = self.at
        if at + length > len(self.data):
            self.fill(length)
            at = 0
        self.at = at + length
        return self.data[at : at + length]

    def skip(self, length: int) -> int:
        """Step over `length` bytes; the offset at which they begin."""
        position = self.position
        if position + length > self._end:
            missing = position + length - self._end
            raise FormatError(f"{missing:,} bytes of a byte string lie behind its end", self.name, "truncated?")
        self.at += length
        if self.at > len(self.data):
            self._start, self.at, self.data = position + length, 0, b""
        return position

    def check(self, length: int) -> None:
        """FormatError if fewer than `length` bytes are left."""
        if self.position + length > self._end:
            raise FormatError("ends inside a frame of a pickle", self.name, "truncated?")

    def line(self) -> bytes:
        """The bytes up to the next newline, which is stepped over."""
        found = b""
        while True:
            if self.at >= len(self.data):
                self.fill()
            end = self.data.find(b"\n", self.at)
            found += self.data[self.at : end if end >= 0 else len(self.data)]
            self.at = end + 1 if end >= 0 else len(self.data)
            if end >= 0:
                return found
            if len(found) > MAX_LINE:
                raise FormatError(f"a line of more than {MAX_LINE:,} bytes in a pickle", self.name)
