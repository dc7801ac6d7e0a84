"""A program in a pseudo-terminal: what it draws, when each byte came, and keys pressed in it.

Used by the end-to-end tests and by the bench. The screen is kept by pyte; times are those of the raw bytes.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Sequence

import pyte

__all__ = ["Terminal"]


class Terminal:
    """Runs `command` in a terminal of `columns` x `rows`; use as a context manager."""

    def __init__(
        self, command: Sequence[str], columns: int = 120, rows: int = 40, env: dict[str, str] | None = None
    ) -> None:
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.chunks: list[tuple[float, bytes]] = []
        """(seconds since the start, bytes) as they came."""
        self.started = time.perf_counter()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            self._exec(command, env or {})
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.code: int | None = None

    @staticmethod
    def _exec(command: Sequence[str], env: dict[str, str]) -> None:
        base = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8", "WTUI_CACHE": "0"}
        try:
            os.execvpe(command[0], list(command), {**os.environ, **base, **env})
        finally:
            os._exit(127)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._fd)

    @property
    def bytes_sent(self) -> int:
        """Bytes that the program sent to the terminal so far."""
        return sum(len(data) for _, data in self.chunks)

    @property
    def text(self) -> str:
        """The screen as lines of text."""
        return "\n".join(self.screen.display)

    def press(self, keys: str) -> float:
        """Type into the program; the moment, in seconds since the start."""
        now = time.perf_counter() - self.started
        os.write(self._fd, keys.encode())
        return now

    def read(self, seconds: float) -> bool:
        """Take in what comes within `seconds`, return after the first chunk; False if nothing came or it ended."""
        ready, _, _ = select.select([self._fd], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self._fd, 1 << 16)
        except OSError:
            data = b""
        if not data:
            return False
        self.chunks.append((time.perf_counter() - self.started, data))
        self._stream.feed(data)
        self._answer(data)
        return True

    def _answer(self, data: bytes) -> None:
        """Answer the questions that a terminal is asked at the start, as xterm does."""
        if b"\x1b[?2026$p" in data:
            os.write(self._fd, b"\x1b[?2026;2$y")

    def wait(self, seen: str | Callable[[str], bool], timeout: float = 20.0) -> float:
        """Read until the text is on the screen, or a predicate holds; seconds since the start, or AssertionError."""
        shown = seen if callable(seen) else (lambda text: seen in text)
        end = time.perf_counter() + timeout
        while not shown(self.text):
            left = end - time.perf_counter()
            if left <= 0 or (not self.read(min(left, 0.5)) and self._ended()):
                raise AssertionError(f"waited for {seen!r}; the screen shows:\n{self.text}")
        return self.chunks[-1][0] if self.chunks else 0.0

    def settle(self, quiet: float = 0.3, timeout: float = 20.0) -> float:
        """Read until nothing comes for `quiet` seconds; when the last byte came."""
        end = time.perf_counter() + timeout
        while self.read(quiet) and time.perf_counter() < end:
            pass
        return self.chunks[-1][0] if self.chunks else 0.0

    def read_until(self, moment: float) -> None:
        """Read what comes until so many seconds after the start."""
        while (left := moment - (time.perf_counter() - self.started)) > 0:
            self.read(left)

    def finish(self, timeout: float = 10.0) -> int:
        """Read to the end of the program; its exit code."""
        end = time.perf_counter() + timeout
        while time.perf_counter() < end:
            self.read(0.1)
            if self._ended():
                return self.code or 0
        raise AssertionError(f"did not end; the screen shows:\n{self.text}")

    def _ended(self) -> bool:
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code is not None
