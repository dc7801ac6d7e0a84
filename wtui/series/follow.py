"""Decides what of a run is to be read: which checkpoints are there, complete, and not known in their present content.

While a training writes, a checkpoint is read once its files have looked the same twice, and reported once it is whole
by its own format: what cannot be opened or lacks something may still be being written, and gets a while. Atomic
renames, growing files, files overwritten in place and deleted ones are all the same here: a content that is new, the
same, or gone. One thread; knows no screen.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from wtui.cache import stamp_of
from wtui.errors import WtuiError
from wtui.series.figures import Figures, figures_of, ordered_names
from wtui.series.members import Run, run_in
from wtui.series.protocol import PATIENCE, Gone, Listed, Pending, Taken, Trouble
from wtui.series.signature import signature

if TYPE_CHECKING:
    from wtui.series.members import Member
    from wtui.series.reading import Reader
    from wtui.series.signature import Signature

__all__ = ["Follower"]

OnProgress = Callable[[int, int], None]


class Follower:
    """A folder in which checkpoints come and go, or a run that is known and only read."""

    def __init__(
        self,
        reader: Reader,
        *,
        run: Run | None = None,
        folder: str = "",
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """A `run` that is known, or a `folder` to follow; `clock` gives seconds."""
        self._reader = reader
        self._given = run
        self._folder = folder
        self._patience = patience
        self._clock = clock
        self._listing: object = None
        self._listed = Listed(run or Run(folder, (), ""), Figures())
        self._seen: dict[str, tuple[Signature, float]] = {}
        self._known: dict[str, Signature] = {}
        self._failed: dict[str, Signature] = {}
        self._gone: dict[str, Member] = {}
        self.ready: list[Member] = []
        """Members whose content is to be read, in the order of the run."""

    @property
    def waiting(self) -> bool:
        """Whether a checkpoint may still be being written."""
        return any(self._known.get(p) != s for p, (s, _) in self._seen.items())

    def pairs(self) -> list[tuple[tuple[str, Signature], tuple[str, Signature]]]:
        """Neighbours among the members that are known and still there: their paths and contents."""
        here = [m.path for m in self._listed.run.members if m.path in self._known and m.path not in self._gone]
        known = [(path, self._known[path]) for path in here]
        return list(pairwise(known))

    def look(self) -> list[Any]:
        """Look at what is there now; news about the list. `ready` is up to date afterwards."""
        events: list[Any] = []
        listing = _listing(self._folder) if self._given is None else None
        if listing != self._listing or self._given is not None:
            self._listing = listing
            events = self._list()
        self._sort_out()
        return events

    def recall(self, member: Member) -> Taken | None:
        """A member of `ready` as an earlier run has found it; None if it has to be read."""
        found = self._reader.recall(member.path)
        if found is None or self._seen[member.path][0] != signature(member.path):
            return None
        return self._took(member, found)

    def read(self, member: Member, on_progress: OnProgress = lambda done, total: None) -> list[Any]:
        """Read a member of `ready`: what is known of it, why it cannot be read, or that it is not whole yet."""
        path = member.path
        self.ready = [m for m in self.ready if m.path != path]
        content, since = self._seen[path]
        try:
            record = self._reader.read(path, on_progress)
        except WtuiError as error:
            return self._failure(member, content, since, error.what)
        if record.lost and self._may_grow(since):
            return self._pending(path, content, record.lost[0])
        if signature(path) == content:
            return [self._took(member, record)]
        return [] if self._given is None else [Trouble(path, "was written while it was read")]

    def _took(self, member: Member, record: Any) -> Taken:
        self._known[member.path] = self._seen[member.path][0]
        self.ready = [m for m in self.ready if m.path != member.path]
        return Taken(member.path, record)

    def _failure(self, member: Member, content: Signature, since: float, why: str) -> list[Any]:
        path = member.path
        if not os.path.lexists(path):
            self._gone.setdefault(path, member)
            self._seen.pop(path, None)
            return [Trouble(path, "was deleted before it could be read"), *self._list()]
        if self._given is None and signature(path) != content:
            return []  # it is being written, and comes again
        if self._may_grow(since):
            return self._pending(path, content, why)
        self._known[path] = content
        return [Trouble(path, why)]

    def _may_grow(self, since: float) -> bool:
        return self._given is None and self._clock() - since < self._patience

    def _pending(self, path: str, content: Signature, why: str) -> list[Any]:
        told = self._failed.get(path) == content
        self._failed[path] = content
        return [] if told else [Pending(path, why)]

    def _list(self) -> list[Any]:
        """The run as it is now, if that is news."""
        run = self._given or run_in(self._folder, alone=True) or Run(self._folder, (), "")
        present = {m.path for m in run.members}
        events: list[Any] = []
        for member in self._listed.run.members:
            path = member.path
            if path not in present and path not in self._gone and not os.path.lexists(path):
                if path in self._known:
                    self._gone[path] = member
                    events.append(Gone(path))
                self._seen.pop(path, None)
                self._known.pop(path, None)
        for path in present & self._gone.keys():
            if os.path.lexists(path):
                del self._gone[path]
        run = run._replace(members=_with_gone(run.members, tuple(self._gone.values())))
        listed = Listed(run, self._with_old_figures(run, figures_of(run)))
        if listed != self._listed or self._given is not None:
            self._listed = listed
            events.append(listed)
        return events

    def _with_old_figures(self, run: Run, figures: Figures) -> Figures:
        """The figures, and of what is deleted those that were known before."""
        old = {m.path: row for m, row in zip(self._listed.run.members, self._listed.figures.rows, strict=False)}
        rows = tuple(
            {**old.get(m.path, {}), **row} if m.path in self._gone else row
            for m, row in zip(run.members, figures.rows, strict=True)
        )
        return figures._replace(names=ordered_names(rows), rows=rows)

    def _sort_out(self) -> None:
        """Which members are to be read: their content is new and, in a folder that is followed, at rest."""
        now = self._clock()
        self.ready = []
        for member in self._listed.run.members:
            path = member.path
            content = signature(path)
            if content is None and self._given is None:
                self._seen.pop(path, None)
                continue
            content = content or ()
            if self._known.get(path) == content and path in self._known:
                continue
            seen = self._seen.get(path)
            if seen is None or seen[0] != content:
                self._seen[path] = content, now
                if self._given is None:
                    continue
            if self._failed.get(path) == content and self._may_grow(self._seen[path][1]):
                continue
            self.ready.append(member)


def _with_gone(members: tuple[Member, ...], gone: tuple[Member, ...]) -> tuple[Member, ...]:
    """Members in order, those that are deleted in the places that were theirs."""
    if not gone:
        return members
    present = {m.path for m in members}
    every = [*members, *(m for m in gone if m.path not in present)]
    if all(m.place.order for m in every):
        return tuple(sorted(every, key=lambda m: (m.place.order, m.mtime_ns)))
    return tuple(sorted(every, key=lambda m: m.mtime_ns))


def _listing(folder: str) -> object:
    """Everything in a folder and in those right below it that could have changed."""
    found: list[tuple[str, object]] = []
    try:
        with os.scandir(folder) as entries:
            found += [(e.name, signature(e.path) if e.is_dir() else stamp_of(e.path)) for e in entries]
    except OSError:
        return None
    return sorted(found, key=lambda pair: pair[0])
