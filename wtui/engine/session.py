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
    from wtui.engine.pool import Pool
    from wtui.engine.scan import Outcome
    from wtui.model import Catalogue, FileRef

    MoreDesks = Callable[[Known, Callable[[], None]], Iterable[Desk]]

__all__ = ["DeskSession", "Session"]

START_WAIT = 0.4
"""Seconds that a scan waits for the screen's first question: until then it would take time and memory from the first
frame, and the sample that the question wants would wait for the scan's imports."""

GATHER = 0.05
"""Seconds over which finished tensors are gathered into one answer."""

PROGRESS_EVERY = 0.25
"""Seconds between two words on progress."""

ON_DEMAND = 256 << 20
"""Bytes behind an address from which on nothing is read but what is looked at: nobody asked for gigabytes."""

SPEED_OVER = 3.0
"""Seconds over which the speed of the scan is measured."""


class DeskSession:
    """Whatever is scanned for a screen: a pool that brings outcomes, and desks. One thread calls `ask` and `answers`.

    Once its pool, `desks`, and how much there is to read are known, the subclass calls `_ready`.
    """

    waiting: set[int]
    """What is not read whole yet."""
    desks: list[Any]

    def _ready(self, scanner: Pool[Any], total: int, files: Iterable[FileRef]) -> None:
        """`total` is in bytes, as the scanner counts them; `files` are those that it reads."""
        self._scanner = scanner
        self._total = total
        self._on_demand = total > ON_DEMAND and any(file.remote for file in files)
        if self._on_demand:
            scanner.only_urgent()
        self._started = time.perf_counter()
        self._steps: deque[tuple[float, int]] = deque([(self._started, 0)])
        self._last_progress = 0.0
        self._last_said = -1
        self._finished = False
        self._asked = False

    patience = START_WAIT

    def keep(self, outcome: Any) -> Any:
        """Keep what the scanner has brought, and let the desks hear of it; what `said` needs to know."""
        raise NotImplementedError

    def said(self, kept: list[Any]) -> list[Any]:
        """What there is to say of all that was kept within a moment."""
        raise NotImplementedError

    def start(self) -> None:
        """Start to scan."""
        self._started = time.perf_counter()
        self._scanner.start()

    def close(self) -> None:
        """Stop scanning."""
        for desk in self.desks:
            desk.close()
        self._scanner.stop()

    def ask(self, question: Any) -> None:
        """Take a question; a newer one of a kind replaces an older one that is not answered yet."""
        self._asked = True
        for desk in self.desks:
            if desk.take(question):
                return

    def wake(self) -> None:
        """Let `answers` return soon, since there is a question; may be called from any thread."""
        self._scanner.wake()

    def answers(self, wait: bool = True) -> list[Any]:
        """What is new since the last call; with `wait`, waits for it, for `wake`, or until progress is due."""
        at_once = not wait or self._asked
        idle = self._finished and not any(desk.due for desk in self.desks)
        self._asked = False
        answers = self._read(self._scanner.take(0 if at_once else None if idle else PROGRESS_EVERY))
        for desk in self.desks:
            answers += desk.answers()
        return answers + self._progress()

    def _read(self, outcome: Any) -> list[Any]:
        """Keep what the scanner brings within a moment."""
        kept: list[Any] = []
        until = time.perf_counter() + GATHER
        while outcome is not None:
            kept.append(self.keep(outcome))
            outcome = self._scanner.take(0) if time.perf_counter() < until else None
        return self.said(kept) if kept else []

    def _progress(self) -> list[Any]:
        """A word on how far the scan is, now and then; at its end, that it is done."""
        now = time.perf_counter()
        if self._finished or (self.waiting and now - self._last_progress < PROGRESS_EVERY):
            return []
        self._last_progress = now
        done = min(self._scanner.bytes_done, self._total)
        if self._on_demand and self.waiting and self._last_said == done:
            return []
        self._last_said = done
        self._steps.append((now, done))
        while now - self._steps[0][0] > SPEED_OVER:
            self._steps.popleft()
        since, before = self._steps[0]
        speed = (done - before) / (now - since) if now > since else 0.0
        words: list[Any] = [Progress(done, self._total, speed, self._on_demand)]
        if not self.waiting:
            self._finished = True
            words.append(Finished(now - self._started))
        return words


class Session(DeskSession):
    """Scans every tensor of a catalogue, what is looked at first."""

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
        scanner = Scanner(catalogue, self._files, readable, threads)
        self.known = Known(catalogue, self._files, scanner, readable, memory)
        self.waiting = self.known.waiting
        self.desks = [
            LookDesk(self.known),
            HistogramDesk(self.known),
            InsideDesk(self.known, self.wake),
            *(desks(self.known, self.wake) if desks else ()),
            KeepDesk(self.known),
        ]
        self._ready(scanner, sum(catalogue.tensors[i].nbytes for i in readable), catalogue.files)

    def close(self) -> None:
        """Stop scanning and close the files."""
        super().close()
        self._files.close()

    def keep(self, outcome: Outcome) -> Outcome:
        tensor, summary, problem = outcome
        if summary is None:
            self.known.waiting.discard(tensor)
        else:
            self.known.keep(tensor, summary)
        for desk in self.desks:
            desk.keep(tensor, summary, problem)
        return outcome

    def said(self, kept: list[Outcome]) -> list[Any]:
        known = self.known
        answers: list[Any] = [
            Failed(i, k.problem) for k in kept if k.summary is None for i in known.with_aliases([k.tensor])
        ]
        done = [k.tensor for k in kept if k.summary is not None]
        if done:
            answers.append(Scanned(tuple((i, known.rows[known.owner(i)]) for i in known.with_aliases(done))))
        return answers
