"""The architecture of the model on the screen: what its file says at once, what Keras says of it when it is done.

Both are found out in a thread, the second by a process of its own that begins once the scan leaves it room; the screen
is told of either. Knows no widget.
"""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wtui.live.architecture import Architecture, LayerFacts
    from wtui.live.survey import Surveyed
    from wtui.tui.outline import Outline, Subject

__all__ = ["LATEST", "REST", "Plan", "Surveying", "Surveys", "plan_of"]

REST = 1.0
"""Seconds after the end of the scan at which Keras is started: whoever only looks in never waits for it to be ended."""

LATEST = 10.0
"""Seconds after the first frame at which it is started however long the scan takes."""


class Plan(NamedTuple):
    """What is known of the architecture."""

    known: Surveyed
    complete: bool
    """Whether that is all that will be known."""
    facts: Mapping[Subject, LayerFacts]
    """By layer of the tree."""


class Surveys(Protocol):
    """Finds out about one model."""

    known: Architecture
    """What its file or object says."""

    def complete(self) -> Surveyed:
        """With all output shapes; takes as long as Keras takes."""

    def kill(self) -> None:
        """End that."""


class Surveying:
    """One survey: `begin`, then `complete` at any time, once; `close` ends it."""

    def __init__(self, make: Callable[[], Surveys], tell: Callable[[Surveyed, bool], object]) -> None:
        """`tell` hears what is known, and whether that is all, from a thread."""
        self._make = make
        self._tell = tell
        self._surveys: Surveys | None = None
        self._first: Thread | None = None
        self._second: Thread | None = None
        self._closed = False

    def begin(self) -> None:
        """Read what the file says; returns at once."""
        self._first = Thread(target=self._read, name="wtui-architecture", daemon=True)
        self._first.start()

    def complete(self) -> None:
        """Ask Keras for the rest; returns at once, and does nothing the second time."""
        if self._second is None and self._first is not None and not self._closed:
            self._second = Thread(target=self._ask, name="wtui-shapes", daemon=True)
            self._second.start()

    def close(self) -> None:
        """End what runs; returns at once."""
        self._closed = True
        if self._surveys is not None:
            self._surveys.kill()

    def _read(self) -> None:
        from wtui.live.survey import Surveyed

        surveys = self._surveys = self._make()
        if not self._closed:
            self._tell(Surveyed(surveys.known), not surveys.known.layers)

    def _ask(self) -> None:
        assert self._first is not None
        self._first.join()
        surveys = self._surveys
        if surveys is None or self._closed or not surveys.known.layers:
            return
        found = surveys.complete()
        if not self._closed:
            self._tell(found, True)


def plan_of(known: Surveyed, complete: bool, outline: Outline) -> Plan:
    """What is known, by what is in the tree."""
    found: dict[Subject, LayerFacts] = {}
    for path, facts in known.architecture.by_path().items():
        subject = outline.subject_at(path)
        if outline.layer(subject).path == path:
            found[subject] = facts
    return Plan(known, complete, found)
