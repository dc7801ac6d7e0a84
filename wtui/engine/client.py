"""The browser's end of the scan process: starts it, asks it, and hands over what it answers.

The process is niced, holds numpy and numba so that the drawing process need not, and dies with its parent: its input
pipe closes. Standard library only.
"""

from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from threading import Lock, Thread
from typing import Any, Protocol

from wtui.engine.protocol import GoneWrong, Open, Stop

__all__ = ["Scan", "ScanClient"]

SCAN_PROCESS = "wtui.scanning"
"""The module that the process runs: above the engine, since it knows what the numbers mean."""

ONE_BLAS_THREAD = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""For the process, unless the user has said otherwise: threads of BLAS wait for each other in busy loops, which on a
machine that trains a model made a spectrum ten times slower, and took the time from the training."""

HEADER = 4
"""Bytes of the length before every message, little-endian."""

Answer = Callable[[Any], None]


class Scan(Protocol):
    """A scan, wherever it runs, as the browser sees it."""

    def listen(self, on_answer: Answer) -> None:
        """Hand over every answer from now on, in a thread of the scan's own, those that came until now first."""

    def ask(self, message: tuple[Any, ...]) -> None:
        """Ask, and do not wait."""

    def close(self) -> None:
        """End it."""


LARGE = 100_000
"""Bytes of an answer that holds so much that the garbage collector would slow it down."""


class ScanClient:
    """One scan process. Answers are kept until somebody listens, then handed over in a thread of the client's own."""

    process = SCAN_PROCESS
    """The module that it runs."""

    def __init__(self, path: str, format: str | None = None, *, start: bool = True) -> None:
        """Start the process and let it open `path`; returns at once."""
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = Lock()
        self._unsent: list[bytes] | None = []
        self._unheard: list[Any] = []
        self._on_answer: Answer | None = None
        self._closing = False
        if start:
            self.begin(path, format)

    def begin(self, path: str, format: str | None = None) -> None:
        """Start the process, if that was not done yet; returns at once."""
        self.begin_with(Open(path, format))

    def begin_with(self, first: tuple[Any, ...]) -> None:
        """Start the process with the message that says what it is to open; returns at once."""
        Thread(target=self._run, args=(first,), name="wtui-scan", daemon=True).start()

    def listen(self, on_answer: Answer) -> None:
        """Hand over every answer from now on, those that came until now first."""
        with self._lock:
            self._on_answer = on_answer
            unheard, self._unheard = self._unheard, []
            for answer in unheard:
                on_answer(answer)

    def _hand_over(self, answer: Any) -> None:
        with self._lock:
            if self._on_answer is None:
                self._unheard.append(answer)
            else:
                self._on_answer(answer)

    def ask(self, message: tuple[Any, ...]) -> None:
        """Send a message, or keep it until the process is there. To a process that is gone it is dropped: GoneWrong
        has told of that."""
        data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        data = len(data).to_bytes(HEADER, "little") + data
        with self._lock:
            if self._unsent is not None:
                self._unsent.append(data)
            else:
                self._write(data)

    def _write(self, data: bytes) -> None:
        process = self._process
        try:
            if process is not None and process.stdin is not None:
                process.stdin.write(data)
                process.stdin.flush()
        except (OSError, ValueError):
            pass

    def close(self) -> None:
        """End the process: ask it, and do not wait."""
        self._closing = True
        self.ask(Stop())
        process = self._process
        if process is not None:
            process.terminate()

    def _run(self, first: tuple[Any, ...]) -> None:
        """Start, then hand over answers until the pipe ends."""
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self.process],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**ONE_BLAS_THREAD, **os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
            )
        except OSError as error:
            self._hand_over(GoneWrong(f"the scan process could not be started: {error}"))
            return
        errors: list[bytes] = []
        Thread(target=self._drain, args=(errors,), daemon=True).start()
        data = pickle.dumps(first, pickle.HIGHEST_PROTOCOL)
        with self._lock:
            unsent, self._unsent = self._unsent or [], None
            self._write(len(data).to_bytes(HEADER, "little") + data + b"".join(unsent))
        if self._closing:
            self.close()
        self._receive()
        if not self._closing:
            last = b"".join(errors).decode("utf-8", "replace").strip().rpartition("\n")[2]
            self._hand_over(GoneWrong(f"the scan process ended{': ' + last if last else ''}"))

    def _receive(self) -> None:
        assert self._process is not None
        pipe = self._process.stdout
        assert pipe is not None
        while True:
            header = pipe.read(HEADER)
            if len(header) < HEADER:
                return
            length = int.from_bytes(header, "little")
            data = pipe.read(length)
            if len(data) < length:
                return  # it ended inside a message
            self._hand_over(_loads(data))

    def _drain(self, errors: list[bytes]) -> None:
        """Keep the last of what the process writes to stderr: it must not fill the pipe nor reach the screen."""
        assert self._process is not None
        assert self._process.stderr is not None
        for line in self._process.stderr:
            errors[:] = [*errors[-20:], line]


def _loads(data: bytes) -> Any:
    """An answer; without the garbage collector, which would look through all of a large one again and again."""
    was = len(data) > LARGE and gc.isenabled()
    if was:
        gc.disable()
    try:
        return pickle.loads(data)
    finally:
        if was:
            gc.enable()
