"""Threads that read tensors and summarise them: the most urgent first, several threads on a large one.

Every front end drains the same outcomes. A consumer that stops draining stops the work. Where a tensor's values lie so
far from zero that its quantiles come out coarse, it is read a second time at once. Knows no format and no screen.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from queue import Empty, SimpleQueue
from threading import Condition, Thread
from typing import TYPE_CHECKING, NamedTuple

from wtui.engine.blocks import Buffer, plan_blocks
from wtui.engine.job import Job
from wtui.engine.order import Order
from wtui.errors import WtuiError
from wtui.stats.scratch import Scratch

if TYPE_CHECKING:
    from wtui.model import Catalogue
    from wtui.stats.linear import Window
    from wtui.stats.summary import Summary
    from wtui.storage import Files

__all__ = ["Outcome", "Scanner", "default_threads"]

MAX_THREADS = 8
"""More threads than this wait for memory, not for the processor."""

MAX_PREEMPTED = 4
"""Tensors that may be left half-read for more urgent ones."""


class Outcome(NamedTuple):
    """A tensor that was read whole, or could not be."""

    tensor: int
    summary: Summary | None
    problem: str = ""


def default_threads() -> int:
    """Processors that this process may use, at most MAX_THREADS."""
    affinity = getattr(os, "sched_getaffinity", None)
    return min(len(affinity(0)) if affinity else os.cpu_count() or 1, MAX_THREADS)


class Scanner:
    """Reads the tensors of an order; outcomes come in the order in which they are done."""

    def __init__(self, catalogue: Catalogue, files: Files, tensors: Iterable[int], threads: int | None = None) -> None:
        self.bytes_done = 0
        """Bytes of values read so far in first passes."""
        self._catalogue = catalogue
        self._files = files
        self._order = Order(tensors)
        self._scratches = [Scratch() for _ in range(threads or default_threads())]
        self._refining: dict[int, tuple[Summary, Window]] = {}
        self._changed = Condition()
        self._jobs: list[Job] = []
        self._open = 0
        self._stopped = False
        self._outcomes: SimpleQueue[Outcome | None] = SimpleQueue()
        self._workers: list[Thread] = []

    def start(self) -> None:
        """Start the threads; they wait for work until `stop`."""
        self._workers = [Thread(target=self._run, args=(s,), daemon=True) for s in self._scratches]
        for worker in self._workers:
            worker.start()

    def stop(self) -> None:
        """End the threads after the units they are at."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for worker in self._workers:
            worker.join()

    def urge(self, tensors: Iterable[int]) -> None:
        """Read these first."""
        with self._changed:
            self._order.urge(tensors)
            self._changed.notify_all()

    def again(self, tensors: Iterable[int]) -> None:
        """Read these once more, and first."""
        wanted = list(tensors)
        with self._changed:
            reading = {job.tensor for job in self._jobs}
            wanted = [t for t in wanted if t not in reading]
            self._order.add(wanted)
            self._order.urge(wanted)
            self._changed.notify_all()

    def refine(self, tensor: int, known: Summary, window: Window) -> None:
        """Read a tensor once more for a finer distribution in a window; the outcome is its summary with that."""
        self._refining[tensor] = known, window
        self.again([tensor])

    @property
    def idle(self) -> bool:
        """Whether nothing is waiting or being read; outcomes may still be waiting to be taken."""
        with self._changed:
            return not self._order and not self._open

    def wake(self) -> None:
        """Let the `take` that waits, or the next one, return at once with None."""
        self._outcomes.put(None)

    def take(self, timeout: float | None = None) -> Outcome | None:
        """The next outcome, None if there is none within `timeout` seconds (None: wait for it)."""
        try:
            return self._outcomes.get(block=timeout != 0, timeout=timeout or None)
        except Empty:
            return None

    def outcomes(self, on_wait: Callable[[], object] | None = None) -> Iterator[Outcome]:
        """Every outcome until all tensors are done; closing the generator stops the work.

        `on_wait` is called after every outcome and several times a second while there is none.
        """
        self.start()
        try:
            while True:
                idle = self.idle
                outcome = self.take(0 if idle else 0.1)
                if on_wait is not None:
                    on_wait()
                if outcome is not None:
                    yield outcome
                elif idle:
                    return
        finally:
            self.stop()

    def _run(self, scratch: Scratch) -> None:
        buffer = Buffer()
        while (work := self._next_work()) is not None:
            job, unit = work
            try:
                size = job.read(unit, buffer, scratch)
                self.bytes_done += 0 if job.is_second else size
            except Exception as error:
                job.problem = job.problem or _reason(error)
            self._after_unit(job, buffer)

    def _next_work(self) -> tuple[Job, int] | None:
        """A unit of the most urgent job; waits when there is none, None when stopped."""
        while not self._stopped:
            with self._changed:
                tensor = self._order.next_urgent() if len(self._jobs) < MAX_PREEMPTED else None
                if tensor is None:
                    for job in reversed(self._jobs):
                        if job.next_unit < job.plan.units and not job.problem:
                            job.next_unit += 1
                            return job, job.next_unit - 1
                    tensor = self._order.next()
                if tensor is None:
                    self._changed.wait()
                    continue
                self._open += 1
            self._begin(tensor)
        return None

    def _begin(self, tensor: int) -> None:
        """Plan a tensor and make its units available; what cannot be planned fails at once."""
        try:
            entry = self._catalogue.tensors[tensor]
            plan = plan_blocks(entry, self._catalogue, self._files)
            known, window = self._refining.pop(tensor, (None, None))
            job = Job(tensor, entry, plan, known, window)
            if plan.units == 0:
                self._emit(Outcome(tensor, job.summary([], Buffer())))
                return
        except Exception as error:
            self._emit(Outcome(tensor, None, _reason(error)))
            return
        self._add(job)

    def _add(self, job: Job) -> None:
        with self._changed:
            self._jobs.append(job)
            self._changed.notify_all()

    def _after_unit(self, job: Job, buffer: Buffer) -> None:
        """Count the unit; the thread that finishes the last one finishes the job."""
        with self._changed:
            job.finished_units += 1
            if not job.done or job not in self._jobs:
                return
            self._jobs.remove(job)
        if job.problem:
            self._emit(Outcome(job.tensor, None, job.problem))
            return
        try:
            summary = job.summary(self._scratches, buffer)
            window = None if job.is_second else summary.quantile_window()
            if window is not None:
                self._add(Job(job.tensor, job.entry, job.plan, summary, window))
                return
        except Exception as error:
            self._emit(Outcome(job.tensor, None, _reason(error)))
            return
        self._emit(Outcome(job.tensor, summary))

    def _emit(self, outcome: Outcome) -> None:
        with self._changed:
            self._outcomes.put(outcome)
            self._open -= 1
            self._changed.notify_all()


def _reason(error: Exception) -> str:
    """Why a tensor cannot be read, in a few words."""
    if isinstance(error, WtuiError):
        return error.what
    return f"cannot be decoded ({type(error).__name__}: {error})"
