"""What a screen that follows a run and its scan process say to each other: plain tuples, pickled over two pipes.

Standard library only: the first frame imports this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from wtui.series.figures import Figures
    from wtui.series.members import Run
    from wtui.series.record import Record

__all__ = [
    "PATIENCE",
    "AskChanges",
    "Changed",
    "Gone",
    "Listed",
    "LookAt",
    "OpenRun",
    "Pending",
    "Reading",
    "Recalled",
    "Rested",
    "Taken",
    "Trouble",
]  # fmt: skip


PATIENCE = 10.0
"""Seconds that a checkpoint may stay unreadable without being written to before that is told: a training that writes
in several steps, over a slow network, pauses between them."""


class OpenRun(NamedTuple):
    """Open a run: one that is known, or with `follow` whatever is and will be in `folder`."""

    run: Run | None
    folder: str = ""
    follow: bool = False
    every: float = 1.0
    """Seconds between two looks at the folder."""
    max_rate: float | None = None
    """Bytes per second that are read at most."""
    oldest_first: bool = False
    """Whether it is read as it was written; else the newest checkpoint comes first."""
    patience: float = PATIENCE
    """Seconds that a checkpoint may stay incomplete before that is told."""


class LookAt(NamedTuple):
    """The user looks at this checkpoint: read it first."""

    path: str


class AskChanges(NamedTuple):
    """The change from each checkpoint to the next is wanted, which takes one more pass over all of them."""


class Listed(NamedTuple):
    """The members of the run, as they are now; those that are deleted and were read stay among them."""

    run: Run
    figures: Figures


class Taken(NamedTuple):
    """A checkpoint was read, for the first time or because its content is another one now."""

    path: str
    record: Record


class Recalled(NamedTuple):
    """Checkpoints that an earlier run has read, together: lists of tensors that are equal are one object in it."""

    taken: tuple[Taken, ...]


class Trouble(NamedTuple):
    """A checkpoint cannot be read, and why."""

    path: str
    message: str


class Pending(NamedTuple):
    """A checkpoint that is not complete yet, and why one thinks so."""

    path: str
    message: str


class Gone(NamedTuple):
    """A checkpoint was deleted; what is known of it stays known."""

    path: str


class Reading(NamedTuple):
    """How far the reading of a checkpoint is, in bytes."""

    path: str
    done: int
    total: int


class Changed(NamedTuple):
    """How far the weights moved from one checkpoint to the next, by tensor: see `wtui.series.changes.Change`."""

    before: str
    after: str
    norms: Mapping[str, tuple[float, float]]


class Rested(NamedTuple):
    """Everything that is there has been read."""
