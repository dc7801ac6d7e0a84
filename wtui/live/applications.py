"""`keras:VGG16` as a model to open: built by Keras in a process of its own, saved to a temporary file, opened as such.

Saved rather than streamed: the file is then read like any other, twice if need be and by several processes, and the
framework's half a gigabyte of memory is gone before the first weight is looked at.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import weakref
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from wtui.errors import UsageError
from wtui.live.process import FrameworkError, FrameworkProcess
from wtui.live.protocol import Build, Built, Said

if TYPE_CHECKING:
    from collections.abc import Callable

    from wtui.live.process import Device

__all__ = ["Application", "Builder", "BuiltFile", "application_of", "is_application", "with_weights"]

PREFIX = "keras:"

TIME_LIMIT = 900.0
"""Seconds after which Keras is stopped: half a gigabyte may have to be downloaded."""

_LEFT_BEHIND = re.compile(r"^wtui-built-(\d+)-")
"""Folders of processes that were killed before they could remove them."""


class Application(NamedTuple):
    """Which architecture, with which weights."""

    name: str
    weights: str
    """`none`, `imagenet`, or the path of a file."""


def is_application(path: str) -> bool:
    """Whether a path means an architecture by name; `./keras:x` is a file."""
    return path.startswith(PREFIX)


def application_of(path: str) -> Application:
    """What `keras:NAME` or `keras:NAME:WEIGHTS` means; UsageError without a name, or for a file that is not there."""
    name, _, weights = path.removeprefix(PREFIX).partition(":")
    if not name.isidentifier():
        raise UsageError(f"{path!r} names no architecture", hint="keras:VGG16, or another of keras.applications")
    weights = weights or "none"
    if weights not in ("none", "imagenet") and not os.path.exists(weights):
        raise UsageError("no such file of weights", weights, "--weights none, imagenet, or a file")
    return Application(name, weights)


def with_weights(path: str, weights: str | None) -> str:
    """The path with the weights that an option asks for; UsageError where they cannot be chosen."""
    if weights is None:
        return path
    if not is_application(path):
        raise UsageError("--weights is for architectures by name", path, "keras:VGG16 --weights imagenet")
    return f"{PREFIX}{path.removeprefix(PREFIX).partition(':')[0]}:{weights}"


class BuiltFile:
    """A model file in a temporary folder, which goes with it."""

    def __init__(self, folder: str, name: str) -> None:
        self.path = os.path.join(folder, f"{name}.keras")
        self._remove = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    def close(self) -> None:
        """Remove it."""
        self._remove()


class Builder:
    """Builds one architecture. Any thread may `kill` it."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._lock = Lock()
        self._process: FrameworkProcess | None = None
        self._killed = False

    def build(
        self, on_said: Callable[[str], object] = lambda text: None, device: Device = "cpu", limit: float = TIME_LIMIT
    ) -> BuiltFile:
        """The model, saved; `on_said` hears how it goes. FrameworkError if it cannot be had, or after `kill`."""
        name, weights = self._application
        _sweep()
        file = BuiltFile(tempfile.mkdtemp(prefix=f"wtui-built-{os.getpid()}-"), name)
        task = Build(name, weights if weights in ("none", "imagenet") else os.path.abspath(weights), file.path)
        try:
            with self._lock:
                if self._killed:
                    raise FrameworkError("stopped")
                process = self._process = FrameworkProcess(task, device=device, limit=limit)
            on_said("starting Keras")
            for message in process:
                if isinstance(message, Said):
                    on_said(message.text)
                elif isinstance(message, Built):
                    return file
            raise FrameworkError("stopped")
        except BaseException:
            file.close()
            raise

    def kill(self) -> None:
        """End what runs."""
        with self._lock:
            self._killed = True
            process = self._process
        if process is not None:
            process.kill()


def _sweep() -> None:
    """Remove what processes of ours left behind that are gone."""
    folder = tempfile.gettempdir()
    for name in os.listdir(folder):
        match = _LEFT_BEHIND.match(name)
        path = os.path.join(folder, name)
        if match and not _is_alive(int(match[1])) and _is_mine(path):
            shutil.rmtree(path, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _is_mine(path: str) -> bool:
    try:
        return os.lstat(path).st_uid == os.getuid()
    except (OSError, AttributeError):
        return False
