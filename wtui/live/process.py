"""Our end of the process in which a framework runs: starts it, hears it, and ends it whatever it does.

It sees no GPU unless it is told to, is niced, and goes first when the system runs out of memory. What it or its
libraries write to stderr never reaches the screen. Standard library only.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from threading import Lock, Thread, Timer
from typing import IO, Any, Literal

from wtui.errors import WtuiError
from wtui.live.protocol import Failed, Task

__all__ = ["Device", "FrameworkError", "FrameworkProcess", "available_memory", "backend", "environment", "is_installed"]

Device = Literal["cpu", "gpu"]

HEADER = 4
"""Bytes of the length before every message, little-endian."""

LAST_LINES = 40
"""Lines of its stderr that are kept, for the one that says why it died."""

NO_GPU: Mapping[str, str] = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "HIP_VISIBLE_DEVICES": "-1",
    "ROCR_VISIBLE_DEVICES": "-1",
    "JAX_PLATFORMS": "cpu",
}
"""Set before a framework is imported: an inspector must not take a byte of a GPU's memory."""

RESIDENT = 600_000_000
"""Bytes that TensorFlow itself takes (537 MB measured)."""

MEMORY = "/proc/meminfo"

QUIET: Mapping[str, str] = {"TF_CPP_MIN_LOG_LEVEL": "3", "GRPC_VERBOSITY": "NONE", "PYTHONUNBUFFERED": "1"}


class FrameworkError(WtuiError):
    """What a framework was asked for could not be had, in one sentence."""


def is_installed(module: str) -> bool:
    """Whether a module can be imported; imports nothing."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # somebody keeps it from being imported
        return False


def backend() -> str:
    """What Keras is to run on: TensorFlow, or where that is missing, what there is. Imports none of them."""
    return next((name for name in ("tensorflow", "jax", "torch") if is_installed(name)), "tensorflow")


def available_memory() -> int | None:
    """Bytes of memory that are free or can be freed; None where the system does not say."""
    try:
        with open(MEMORY) as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None


THREAD_LIMITS = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""Threads of a framework: one processor is left to the screen, which a nice value alone does not give it at once."""


def environment(device: Device) -> dict[str, str]:
    """The environment of the process; Keras's own settings of its user do not count there."""
    found = {**os.environ, **QUIET, "KERAS_BACKEND": backend()}
    threads = str(max(1, (os.cpu_count() or 1) - 1))
    found |= dict.fromkeys(THREAD_LIMITS, threads)
    found["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p)
    if device == "cpu":
        found |= NO_GPU
    else:
        found["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
    return found


class FrameworkProcess:
    """One task being done in a process of its own. Iterate over what it says; `kill` ends it from any thread."""

    def __init__(self, task: Task, *, device: Device = "cpu", limit: float | None = None) -> None:
        """Start it; it is killed after `limit` seconds. FrameworkError if it cannot be started."""
        self._limit = limit
        self._killed = self._late = False
        self._lock = Lock()
        self._errors: list[str] = []
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "wtui.live.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment(device),
                start_new_session=True,  # Ctrl+C in the terminal is ours to handle, and a kill reaches its children
            )
        except OSError as error:
            raise FrameworkError(f"the process for it could not be started: {error}") from error
        self._drain = Thread(target=self._keep_errors, daemon=True)
        self._drain.start()
        self._timer = Timer(limit, self._time_is_up) if limit else None
        if self._timer is not None:
            self._timer.daemon = True
            self._timer.start()
        self._send(task)

    def __enter__(self) -> FrameworkProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def __iter__(self) -> Iterator[Any]:
        """Every message until the task is done; FrameworkError if it fails, dies, or takes too long.

        After `kill` the iteration just ends.
        """
        pipe = self._process.stdout
        assert pipe is not None
        try:
            while (message := _receive(pipe)) is not None:
                if isinstance(message, Failed):
                    raise FrameworkError(message.what, hint=message.hint)
                yield message
            code = self._process.wait()
            if code and not self._killed:
                raise self._died(code)
        finally:
            self._end()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def kill(self) -> None:
        """End it now, and everything that it started; nothing happens if it has ended already."""
        self._killed = True
        self._end()

    def _end(self) -> None:
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            if self._process.poll() is None:
                try:
                    os.killpg(self._process.pid, signal.SIGKILL)
                except (OSError, AttributeError):
                    self._process.kill()
            self._process.wait()

    def _time_is_up(self) -> None:
        self._late = True
        self._end()

    def _send(self, task: Task) -> None:
        data = pickle.dumps(task, pickle.HIGHEST_PROTOCOL)
        pipe = self._process.stdin
        assert pipe is not None
        try:
            pipe.write(len(data).to_bytes(HEADER, "little") + data)
            pipe.flush()  # the pipe stays open: when it closes, because we are gone, the process ends itself
        except OSError:
            pass  # it died already; whoever listens is told why

    def _keep_errors(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            text = line.decode("utf-8", "replace").strip()
            if text:
                self._errors[:] = [*self._errors[1 - LAST_LINES :], text]

    def _died(self, code: int) -> FrameworkError:
        """Why it is gone, in one sentence."""
        if self._late:
            return FrameworkError(f"took longer than {self._limit:g} s and was stopped", hint="--time-limit raises it")
        if code == -signal.SIGKILL:
            return FrameworkError("its process was killed by the system", hint="out of memory? try a smaller --batch")
        if code < 0:
            return FrameworkError(f"its process crashed ({signal.Signals(-code).name})")
        self._drain.join(1.0)
        last = self._errors[-1][:200] if self._errors else f"exit code {code}"
        return FrameworkError(f"its process ended: {last}")


def _receive(pipe: IO[bytes]) -> Any:
    """The next message; None at the end, also in the middle of a message."""
    header = pipe.read(HEADER)
    if len(header) < HEADER:
        return None
    data = pipe.read(int.from_bytes(header, "little"))
    try:
        return pickle.loads(data)
    except (EOFError, pickle.UnpicklingError):
        return None
