"""A forward pass through a model file, from outside: what may be run, by whom, and what comes of it.

Knows no framework and no screen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.errors import UsageError
from wtui.formats import sniff
from wtui.live.process import RESIDENT, FrameworkError, FrameworkProcess, available_memory
from wtui.live.protocol import Forward
from wtui.live.recorded import recorded_config
from wtui.live.refusal import refusals
from wtui.storage import is_remote

if TYPE_CHECKING:
    from wtui.live.process import Device

__all__ = ["BATCH", "TIME_LIMIT", "ForwardPass", "Settings"]

BATCH = 8
"""Samples unless something else is asked for: enough to tell a dead unit from a quiet one, small enough for VGG16."""

TIME_LIMIT = 600.0
"""Seconds after which Keras is stopped."""

COPIES = 2
"""How often the weights may lie in the memory of the process at a time: read, and in the model."""


class Settings(NamedTuple):
    """What a model is to be given, and where it is to run."""

    input: str | None = None
    """A `.npy` or `.npz` file; None: random values."""
    batch: int = BATCH
    seed: int = 0
    device: Device = "cpu"
    limit: float = TIME_LIMIT


class ForwardPass:
    """One forward pass, run when it is iterated over. Any thread may `kill` it."""

    def __init__(self, path: str, format: str | None, settings: Settings, weight_bytes: int = 0) -> None:
        """FrameworkError where there is nothing that Keras could run, or where it may not; see `wtui.live.refusal`."""
        if is_remote(path):
            raise FrameworkError("runs the model, which Keras needs on a disk", path, "download it first")
        config = recorded_config(path, format)
        if not config.get("class_name"):
            hint = "a .keras file, an .h5 of a whole model, a SavedModel of Keras 2, or keras:NAME"
            raise FrameworkError("records no Keras model that could be run", path, hint)
        refused = refusals(config)
        if refused:
            where, why = next(iter(refused.items()))
            more = f", and {len(refused) - 1} more layer{'s' * (len(refused) > 2)}" if len(refused) > 1 else ""
            hint = "what a file brings as code is never run here"
            raise FrameworkError(f"cannot be run: {where or 'the model'} {why}{more}", path, hint)
        if settings.batch < 1:
            raise UsageError(f"a batch of {settings.batch}", hint="--batch 1 or more")
        _check_memory(path, weight_bytes)
        chosen = format or sniff(path)
        self._settings = settings
        self._task = Forward(path, chosen, json.dumps(config), settings.input, settings.batch, settings.seed)
        self._lock = Lock()
        self._process: FrameworkProcess | None = None
        self._killed = False

    def __iter__(self) -> Iterator[Any]:
        """Said, InputUsed, OutputRow, Unseen and at last Done; FrameworkError if it fails. `kill` ends it."""
        with self._lock:
            if self._killed:
                return
            process = FrameworkProcess(self._task, device=self._settings.device, limit=self._settings.limit)
            self._process = process
        yield from process

    def kill(self) -> None:
        """End it."""
        with self._lock:
            self._killed = True
            process = self._process
        if process is not None:
            process.kill()


def _check_memory(path: str, weight_bytes: int) -> None:
    """Refuse a model whose weights alone do not fit: the machine belongs to others, too."""
    available = available_memory()
    needed = RESIDENT + COPIES * weight_bytes
    if available is not None and needed > available:
        what = f"needs about {needed / 1e9:.1f} GB of memory to run, {available / 1e9:.1f} GB are free"
        raise FrameworkError(what, path)
