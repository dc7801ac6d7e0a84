"""The only module that writes to stderr and decides exit codes: errors in one line, progress in one line.

Commands return a code or raise; nothing else leaves the program, and never a traceback unless WTUI_DEBUG asks for one.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from enum import IntEnum

from wtui.errors import WtuiError
from wtui.render import numbers
from wtui.render.spans import escape

__all__ = ["Exit", "Narration", "Progress", "guarded", "say"]

REDRAW_EVERY = 0.1
"""Seconds between two words on progress."""

SHOW_AFTER = 0.3
"""Seconds before progress is shown at all: most commands are done by then."""

DEBUG = "WTUI_DEBUG"
"""Environment variable that asks for tracebacks."""


class Exit(IntEnum):
    """What the exit code says."""

    DONE = 0
    DIFFERENT = 1
    """The answer is "findings" or "different"."""
    FAILED = 2
    """Bad usage, or nothing could be read."""
    PARTIAL = 3
    """Done, but not everything could be or was read."""
    INTERRUPTED = 130


def guarded(run: Callable[[], int]) -> int:
    """Run a command; whatever it raises becomes one line and a code."""
    try:
        code = run()
        sys.stdout.flush()
        return code
    except SystemExit as exit:
        return exit.code if isinstance(exit.code, int) else Exit.DONE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return Exit.DONE
    except WtuiError as error:
        return _failed(str(error))
    except Exception as error:
        if isinstance(error, OSError) and error.filename is None:
            _drop_output()
        return _failed(f"{type(error).__name__}: {error} ({DEBUG}=1 shows where: please report it with that)")


def say(message: str) -> None:
    """One line to the user; what a terminal could be misled by is escaped."""
    print(f"wtui: {escape(message)}", file=sys.stderr)


class Progress:
    """Bytes done, shown in a terminal only and wiped when it is closed."""

    def __init__(self) -> None:
        self._shows = sys.stderr.isatty()
        self._started = self._drawn = time.monotonic()
        self._dirty = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._dirty:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def __call__(self, done: int, total: int) -> None:
        """Tell how far it is, in bytes."""
        now = time.monotonic()
        if (
            not self._shows
            or now - self._drawn < REDRAW_EVERY
            or now - self._started < SHOW_AFTER
            or not (done and total)
        ):
            return
        self._drawn, self._dirty = now, True
        speed = done / (now - self._started)
        left = f"  {numbers.duration((total - done) / speed)} left" if speed else ""
        text = f"{int(100 * done / total)} %  {numbers.size(int(speed))}/s{left}"
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


class Narration:
    """What is going on, in one line, shown in a terminal only and wiped when it is closed."""

    def __init__(self) -> None:
        self._shows = sys.stderr.isatty()

    def __enter__(self) -> Narration:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shows:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def __call__(self, text: str) -> None:
        """Say something else."""
        if self._shows:
            print(f"\r\x1b[K{escape(text)} …", end="", file=sys.stderr, flush=True)


def _failed(message: str) -> int:
    if os.environ.get(DEBUG):
        import traceback

        traceback.print_exc()
    say(message)
    return Exit.FAILED


def _drop_output() -> None:
    """Nobody reads stdout any more: what is still buffered must not raise again when the interpreter ends."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        pass
