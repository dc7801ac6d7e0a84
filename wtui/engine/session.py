"""One open model being scanned for a screen: takes questions, gives answers, keeps what was found.

The scan process runs one of these; a model that lives in this process's memory runs one in a thread. The questions
and answers are those of `wtui.engine.protocol`; which desk answers what is in `wtui.engine.desks`.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

from wtui.engine.desks import HistogramDesk, InsideDesk, LookDesk
from wtui.engine.keeping import KeepDesk
from wtui.engine.known import Known
from wtui.engine.protocol import Failed, Finished, Progress, Scanned
from wtui.engine.remembered import Memory
from wtui.engine.scan import Scanner
from wtui.storage import Files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wtui.engine.desks import Desk
    from wtui.engine.scan import Outcome
    from wtui.model import Catalogue

    MoreDesks = Callable[[Known, Callable[[], None]], Iterable[Desk]]

__all__ = ["Session"]

GATHER = 0.05
"""Seconds over which finished tensors are gathered into one answer."""

PROGRESS_EVERY = 0.25
"""Seconds between two words on progress."""

ON_DEMAND = 256 << 20
"""Bytes behind an address from which on nothing is read but what is looked at: nobody asked for gigabytes."""

SPEED_OVER = 3.0
"""Seconds over which the speed of the scan is measured."""


class Session:
    """Scans every tensor of a catalogue, what is looked at first. One thread calls `ask` and `answers`."""

    def __init__(
        self,
        catalogue: Catalogue,
        files: Files | None = None,
        threads: int | None = None,
        desks: MoreDesks | None = None,
        memory: Memory | None = None,
    ) -> None:
        """`desks` makes further desks, given what is known and a function that lets `answers` return soon.

        What is in `memory` is not read again until somebody asks for its distribution.
        """
        self._files = files or Files(catalogue.files)
        memory = memory or Memory(catalogue)
        readable = [i for i, t in enumerate(catalogue.tensors) if not t.problem and t.alias_of is None]
        readable = [i for i in readable if i not in memory.done]
        readable.sort(key=lambda i: catalogue.tensors[i].group != "model")
        self._scanner = Scanner(catalogue, self._files, readable, threads)
        self._total = sum(catalogue.tensors[i].nbytes for i in readable)
        self._on_demand = self._total > ON_DEMAND and any(file.remote for file in catalogue.files)
        if self._on_demand:
            self._scanner.only_urgent()
        self.known = Known(catalogue, self._files, self._scanner, readable, memory)
        self._desks: list[Desk] = [
            LookDesk(self.known),
            HistogramDesk(self.known),
            InsideDesk(self.known, self.wake),
            *(desks(self.known, self.wake) if desks else ()),
            KeepDesk(self.known),
        ]
        self._started = time.perf_counter()
        self._steps: deque[tuple[float, int]] = deque([(self._started, 0)])
        self._last_progress = 0.0
        self._last_said = -1
        self._finished = False
        self._asked = False

    def start(self) -> None:
        """Start to scan."""
        self._started = time.perf_counter()
        self._scanner.start()

    def close(self) -> None:
        """Stop scanning and close the files."""
        for desk in self._desks:
            desk.close()
        self._scanner.stop()
        self._files.close()

    def ask(self, question: Any) -> None:
        """Take a question; a newer one of a kind replaces an older one that is not answered yet."""
        self._asked = True
        for desk in self._desks:
            if desk.take(question):
                return

    def wake(self) -> None:
        """Let `answers` return soon, since there is a question; may be called from any thread."""
        self._scanner.wake()

    def answers(self, wait: bool = True) -> list[Any]:
        """What is new since the last call; with `wait`, waits for it, for `wake`, or until progress is due."""
        at_once = not wait or self._asked
        idle = self._finished and not any(desk.due for desk in self._desks)
        self._asked = False
        answers = self._read(self._scanner.take(0 if at_once else None if idle else PROGRESS_EVERY))
        for desk in self._desks:
            answers += desk.answers()
        return answers + self._progress()

    def _read(self, outcome: Outcome | None) -> list[Any]:
        """Keep what the scanner has brought, and let the desks hear of it."""
        answers: list[Any] = []
        done: list[int] = []
        until = time.perf_counter() + GATHER
        while outcome is not None:
            tensor, summary, problem = outcome
            if summary is None:
                self.known.waiting.discard(tensor)
                answers += [Failed(i, problem) for i in self.known.with_aliases([tensor])]
            else:
                self.known.keep(tensor, summary)
                done.append(tensor)
            for desk in self._desks:
                desk.keep(tensor, summary, problem)
            outcome = self._scanner.take(0) if time.perf_counter() < until else None
        if done:
            answers.append(
                Scanned(tuple((i, self.known.rows[self.known.owner(i)]) for i in self.known.with_aliases(done)))
            )
        return answers

    def _progress(self) -> list[Any]:
        """A word on how far the scan is, now and then; at its end, that it is done."""
        now, waiting = time.perf_counter(), self.known.waiting
        if self._finished or (waiting and now - self._last_progress < PROGRESS_EVERY):
            return []
        self._last_progress = now
        done = min(self._scanner.bytes_done, self._total)
        if self._on_demand and waiting and self._last_said == done:
            return []
        self._last_said = done
        self._steps.append((now, done))
        while now - self._steps[0][0] > SPEED_OVER:
            self._steps.popleft()
        since, before = self._steps[0]
        words: list[Any] = [
            Progress(done, self._total, (done - before) / (now - since) if now > since else 0.0, self._on_demand)
        ]
        if not waiting:
            self._finished = True
            words.append(Finished(now - self._started))
        return words
