"""A run being read for a screen: takes questions, gives answers. One thread reads, another one asks.

What is known from earlier runs comes first and at once; then what the user looks at, then the newest checkpoint, and
backwards. Only summaries are kept, and those with the asker.
"""

from __future__ import annotations

import time
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from wtui.engine.protocol import GoneWrong
from wtui.errors import WtuiError
from wtui.series.changes import Changes
from wtui.series.follow import Follower
from wtui.series.protocol import AskChanges, Changed, LookAt, Reading, Recalled, Rested
from wtui.series.reading import Reader
from wtui.storage.pace import Pace

if TYPE_CHECKING:
    from wtui.series.members import Member
    from wtui.series.protocol import OpenRun, Taken

__all__ = ["RunSession"]

AT_ONCE = 100
"""Checkpoints that are known from earlier runs and told together."""

GATHER = 0.05
"""Seconds over which answers are gathered."""

PROGRESS_EVERY = 0.25
"""Seconds between two words on progress."""

FOLLOWING_THREADS = 1
"""Threads that read while a training runs on the same machine."""


class Stopped(Exception):
    """Somebody has closed the session; raised and caught here alone."""


class RunSession:
    """Reads a run, and what is added to it. `answers` waits; everything else returns at once."""

    patience = 0.0

    def __init__(self, opened: OpenRun) -> None:
        self._opened = opened
        self._pace = Pace(opened.max_rate) if opened.max_rate else None
        threads = FOLLOWING_THREADS if opened.follow else None
        self._reader = Reader(threads=threads, pace=self._pace)
        self._changes = Changes(threads=threads, pace=self._pace)
        folder = opened.folder if opened.follow else ""
        run = None if opened.follow else opened.run
        self._follower = Follower(self._reader, run=run, folder=folder, patience=opened.patience)
        self._answers: SimpleQueue[Any] = SimpleQueue()
        self._asked = Event()
        self._looked_at = ""
        self._wants_changes = False
        self._compared: dict[tuple[str, str], object] = {}
        self._stopped = False
        self._progress_at = 0.0
        self._thread = Thread(target=self._run, name="wtui-run", daemon=True)

    def start(self) -> None:
        """Start to read."""
        self._thread.start()

    def ask(self, question: Any) -> None:
        """Take a question."""
        if isinstance(question, LookAt):
            self._looked_at = question.path
        elif isinstance(question, AskChanges):
            self._wants_changes = True
        self._asked.set()

    def wake(self) -> None:
        """Let `answers` return soon."""
        self._answers.put(None)

    def answers(self, wait: bool = True) -> list[Any]:
        """What is new since the last call; with `wait`, waits for it, or for `wake`."""
        if not wait and self._answers.empty():
            return []
        found = [self._answers.get()]
        until = time.monotonic() + GATHER
        while (left := until - time.monotonic()) > 0 and found[-1] is not None:
            try:
                found.append(self._answers.get(timeout=left))
            except Empty:
                break
        return [answer for answer in found if answer is not None]

    def close(self) -> None:
        """Stop reading."""
        self._stopped = True
        self._asked.set()
        if self._pace is not None:
            self._pace.stop()
        self._thread.join()
        self._reader.close()
        self._changes.close()

    def _run(self) -> None:
        try:
            self._look()
            self._recall()
            self._go_on()
        except Stopped:
            pass
        except Exception as error:  # whoever waits for answers must hear of it
            self._answers.put(GoneWrong(f"the reading cannot go on: {type(error).__name__}: {error}"))

    def _recall(self) -> None:
        """What is known from earlier runs, in few and large answers."""
        found: list[Taken] = []
        for member in self._in_order():
            self._check()
            recalled = self._follower.recall(member)
            if recalled is not None:
                found.append(recalled)
            if len(found) == AT_ONCE:
                self._tell_at_once(Recalled(tuple(found)))
                found = []
        if found:
            self._tell_at_once(Recalled(tuple(found)))

    def _tell_at_once(self, answer: Any) -> None:
        """An answer that does not wait for others."""
        self._answers.put(answer)
        self.wake()

    def _go_on(self) -> None:
        """Read what there is to be read, then wait for more, until somebody stops it."""
        rested = False
        while True:
            self._check()
            if self._step():
                rested = False
                continue
            if not rested and not self._follower.waiting:
                rested = True
                self._tell_at_once(Rested())
            self._asked.wait(self._opened.every if self._opened.follow else None)
            self._asked.clear()
            if self._opened.follow and self._look():
                rested = False

    def _look(self) -> bool:
        """Look for what is new in the list; whether there is something."""
        events = self._follower.look()
        for event in events:
            self._answers.put(event)
        return bool(events)

    def _step(self) -> bool:
        """Read one checkpoint, or compare two; False if there is nothing to do."""
        member = self._next()
        if member is not None:
            for event in self._follower.read(member, lambda done, total: self._tell(member.path, done, total)):
                self._answers.put(event)
            if self._opened.follow:
                self._look()
            return True
        return self._wants_changes and self._compare()

    def _next(self) -> Member | None:
        """What the user looks at, else what comes first."""
        ready = self._in_order()
        return next((m for m in ready if m.path == self._looked_at), ready[0] if ready else None)

    def _in_order(self) -> list[Member]:
        """What is to be read, in the order that is wanted."""
        ready = self._follower.ready
        return list(ready) if self._opened.oldest_first else ready[::-1]

    def _compare(self) -> bool:
        """The next pair of neighbours that was not compared in their present content; False without one."""
        for before, after in reversed(self._follower.pairs()):
            contents = before[1], after[1]
            if self._compared.get((before[0], after[0])) != contents:
                self._compared[before[0], after[0]] = contents
                self._compare_pair(before[0], after[0])
                return True
        return False

    def _compare_pair(self, before: str, after: str) -> None:
        def tell(done: int, total: int) -> None:
            self._tell(after, done, total)

        try:
            found = self._changes.recall(before, after) or self._changes.read(before, after, tell)
        except WtuiError:
            return  # it is gone, or written: what is to be said of it is said elsewhere
        self._answers.put(Changed(before, after, found.norms))

    def _tell(self, path: str, done: int, total: int) -> None:
        self._check()
        now = time.monotonic()
        if now - self._progress_at >= PROGRESS_EVERY:
            self._progress_at = now
            self._answers.put(Reading(path, done, total))

    def _check(self) -> None:
        if self._stopped:
            raise Stopped
