"""The process in which a framework runs: does one task, says how it goes, and ends. Run as `python -m wtui.live.child`.

It does what it can to be a good guest before it imports a framework: nice, first in line when memory runs out, its
stdout out of reach of libraries that print. It ends at once when whoever started it is gone.
"""

from __future__ import annotations

import os
import pickle
import sys
from threading import Lock, Thread
from typing import Any, BinaryIO

from wtui.errors import WtuiError
from wtui.live.process import HEADER, is_installed
from wtui.live.protocol import Build, BuildFrom, Failed, Forward, ShapesOf

__all__ = ["Say", "main"]

NICE = 15
"""Added to the nice value: the screen, the scan and a training run on the same machine all go first."""

FIRST_TO_GO = "1000"
"""What the kernel adds to the share of memory that it goes by when it has to end a process."""


class Say:
    """Hands messages over, from any thread."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe
        self._lock = Lock()

    def __call__(self, message: tuple[Any, ...]) -> None:
        data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        with self._lock:
            self._pipe.write(len(data).to_bytes(HEADER, "little") + data)
            self._pipe.flush()


def main() -> None:
    """Do the task that comes in."""
    _be_modest()
    pipe_in = sys.stdin.buffer
    say = Say(_own_stdout())
    header = pipe_in.read(HEADER)
    if len(header) < HEADER:
        return
    task = pickle.loads(pipe_in.read(int.from_bytes(header, "little")))
    Thread(target=_end_with_parent, args=(pipe_in,), daemon=True).start()
    try:
        _do(task, say)
    except WtuiError as error:
        say(Failed(str(error), ""))
    except MemoryError:
        say(Failed("there is not enough memory for it", "try a smaller --batch"))
    except Exception as error:
        say(Failed(*_reason(error)))
    os._exit(0)  # frameworks take long to let go, and may crash while they do


def _do(task: object, say: Say) -> None:
    """Import what the task needs, and do it."""
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    for module in ("keras", backend):
        if module in ("keras", "tensorflow") and not is_installed(module):
            say(Failed(f"{module} is not installed", "pip install tensorflow"))
            return
    try:
        _task(task, say)
    except ImportError as error:
        say(Failed(f"{backend} cannot be imported: {_first_line(error)}", "is its installation complete?"))


def _task(task: object, say: Say) -> None:
    if isinstance(task, ShapesOf):
        from wtui.live.shapes import work_out

        work_out(task, say)
    elif isinstance(task, Build):
        from wtui.live.building import build

        build(task, say)
    elif isinstance(task, BuildFrom):
        from wtui.live.building import build_from

        build_from(task, say)
    elif isinstance(task, Forward):
        from wtui.live.forward import run

        run(task, say)


def _reason(error: Exception) -> tuple[str, str]:
    """What went wrong inside a framework, in a line, and what may help."""
    name = type(error).__name__
    if name in ("ResourceExhaustedError", "InternalError") and "alloc" in str(error).lower():
        return "there is not enough memory for it", "try a smaller --batch"
    return f"{name}: {_first_line(error)}", ""


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__


def _be_modest() -> None:
    try:
        os.nice(NICE)
    except OSError:
        pass
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write(FIRST_TO_GO)
    except OSError:
        pass  # not on Linux, or not allowed


def _end_with_parent(pipe: BinaryIO) -> None:
    """Wait for the input to end: nothing more comes as long as somebody is there."""
    pipe.read(1)
    os._exit(0)


def _own_stdout() -> BinaryIO:
    """The answers' pipe, moved away from file descriptor 1, so that nothing a library prints can get into it."""
    own = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return own


if __name__ == "__main__":
    main()
