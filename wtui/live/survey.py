"""The architecture of a model file: at once what its configuration says, then, from Keras, every output shape.

Keras runs in a process of its own; what it finds is kept between runs, by the configuration and by Keras's version,
since nothing else decides it. Knows no screen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.cache.database import Database, is_wanted
from wtui.cache.records import body, content
from wtui.errors import WtuiError
from wtui.live.architecture import NOTHING, Architecture, architecture_of, with_shapes
from wtui.live.process import RESIDENT, FrameworkError, FrameworkProcess, available_memory, backend
from wtui.live.protocol import Shapes, ShapesOf
from wtui.live.recorded import recorded_config
from wtui.live.refusal import pieces

if TYPE_CHECKING:
    from wtui.live.links import Shape

__all__ = ["TIME_LIMIT", "Surveyed", "Surveyor"]

TIME_LIMIT = 120.0
"""Seconds after which Keras is stopped: importing it takes three, building the largest published model ten."""

KIND = "output shapes 1"
"""Of cached records; goes up when their form changes."""


class Surveyed(NamedTuple):
    """An architecture, and what is missing in it."""

    architecture: Architecture
    problem: str = ""
    """Why output shapes are missing that are not those of refused layers; `""` if none are."""


class Surveyor:
    """Finds out about one model. Any thread may `kill` it."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """`config` is the serialised model, `{}` for none."""
        self._config = config
        self._lock = Lock()
        self._process: FrameworkProcess | None = None
        self._killed = False
        self.known = architecture_of(config) if config else NOTHING
        """What the configuration says."""

    @classmethod
    def of_file(cls, path: str, format: str | None = None) -> Surveyor:
        """Of the model at `path`; reads its configuration, and never raises for what is in it."""
        return cls(recorded_config(path, format))

    def complete(self, limit: float = TIME_LIMIT) -> Surveyed:
        """With the shapes that Keras works out, in `limit` seconds, or that it has worked out before."""
        parts = pieces(self._config, self.known.refused) if self.known.layers else []
        if not parts:
            return Surveyed(self.known)
        task = ShapesOf(tuple((piece.path, json.dumps(piece.config)) for piece in parts))
        key = _key(task)
        database = Database() if is_wanted() else None
        try:
            found = _cached(database, key) or self._ask(task, limit)
            if not found.problems:
                _keep(database, key, found)
        except WtuiError as error:
            return Surveyed(self.known, str(error))
        finally:
            if database is not None:
                database.close()
        return Surveyed(with_shapes(self.known, dict(found.shapes)), _told(found))

    def kill(self) -> None:
        """End what runs."""
        with self._lock:
            self._killed = True
            process = self._process
        if process is not None:
            process.kill()

    def _ask(self, task: ShapesOf, limit: float) -> Shapes:
        """What Keras says; FrameworkError if it cannot, or after `kill`."""
        free = available_memory()
        if free is not None and free < RESIDENT:
            raise FrameworkError(f"Keras takes {RESIDENT / 1e6:.0f} MB of memory, {free / 1e6:.0f} are free")
        with self._lock:
            if self._killed:
                raise FrameworkError("stopped")
            process = self._process = FrameworkProcess(task, limit=limit)
        for message in process:
            if isinstance(message, Shapes):
                return message
        raise FrameworkError("stopped")


def _told(found: Shapes) -> str:
    """Why some shapes could not be had, in one line."""
    if not found.problems:
        return ""
    path, why = found.problems[0]
    return f"Keras cannot build {path or 'the model'}: {why}"


def _key(task: ShapesOf) -> bytes:
    """What decides about the shapes: the configuration and the version of Keras and of what it runs on."""
    names = ("keras", backend())
    text = json.dumps([KIND, task.pieces, [(name, _version(name)) for name in names]])
    return blake2b(text.encode(), digest_size=16).digest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _cached(database: Database | None, key: bytes) -> Shapes | None:
    for kind, _, text in database.records(key) if database is not None else ():
        if kind == KIND:
            try:
                shapes, problems = content(text)
                found: dict[str, tuple[Shape, ...]] = {p: tuple(tuple(s) for s in each) for p, each in shapes}
                return Shapes(tuple(found.items()), tuple((p, why) for p, why in problems))
            except (ValueError, TypeError):
                return None
    return None


def _keep(database: Database | None, key: bytes, found: Shapes) -> None:
    if database is not None:
        database.put(key, [(KIND, "", body([found.shapes, found.problems]))])
