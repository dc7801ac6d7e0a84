"""Threads that read tensors and summarise them: one pass each, the most urgent first, several threads on a large one.

Every front end drains the same outcomes. A consumer that stops draining stops the work. Knows no format and no screen.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from queue import Empty, SimpleQueue
from threading import Condition, Thread
from typing import TYPE_CHECKING, NamedTuple

from wtui.engine.blocks import Buffer, Plan, plan_blocks
from wtui.engine.order import Order
from wtui.errors import WtuiError
from wtui.stats.accumulate import Accumulator, Scratch
from wtui.stats.summary import At

if TYPE_CHECKING:
    from wtui.model import Catalogue
    from wtui.stats.summary import Summary
    from wtui.storage import Files

__all__ = ["Outcome", "Scanner", "default_threads"]

MAX_THREADS = 8
"""More threads than this wait for memory, not for the processor."""

MAX_PREEMPTED = 3
"""Tensors that may be left half-read for more urgent ones; each holds a table of counts per thread."""


class Outcome(NamedTuple):
    """A tensor that was read whole, or could not be."""

    tensor: int
    summary: Summary | None
    problem: str = ""


def default_threads() -> int:
    """Processors that this process may use, at most MAX_THREADS."""
    affinity = getattr(os, "sched_getaffinity", None)
    return min(len(affinity(0)) if affinity else os.cpu_count() or 1, MAX_THREADS)


class _Job:
    """One tensor being read."""

    def __init__(self, tensor: int, plan: Plan, size: int) -> None:
        self.tensor = tensor
        self.plan = plan
        self.accumulator = Accumulator(plan.dtype, size, plan.byteorder)
        self.next_unit = 0
        self.left = plan.units
        self.scratches: dict[int, Scratch] = {}
        self.problem = ""


class Scanner:
    """Reads the tensors of an order; outcomes come in the order in which they are done."""

    def __init__(self, catalogue: Catalogue, files: Files, tensors: Iterable[int], threads: int | None = None) -> None:
        self.bytes_done = 0
        """Bytes of values read so far."""
        self._catalogue = catalogue
        self._files = files
        self._order = Order(tensors)
        self._threads = threads or default_threads()
        self._changed = Condition()
        self._jobs: list[_Job] = []
        self._open = 0
        self._stopped = False
        self._free: list[Scratch] = []
        self._outcomes: SimpleQueue[Outcome] = SimpleQueue()
        self._workers: list[Thread] = []

    def start(self) -> None:
        """Start the threads; they wait for work until `stop`."""
        self._workers = [Thread(target=self._run, args=(n,), daemon=True) for n in range(self._threads)]
        for worker in self._workers:
            worker.start()

    def stop(self) -> None:
        """End the threads after the blocks they are at."""
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
            self._order.add(wanted)
            self._order.urge(wanted)
            self._changed.notify_all()

    @property
    def idle(self) -> bool:
        """Whether nothing is waiting or being read; outcomes may still be waiting to be taken."""
        with self._changed:
            return not self._order and not self._open

    def take(self, timeout: float | None = None) -> Outcome | None:
        """The next outcome, None if there is none within `timeout` seconds."""
        try:
            return self._outcomes.get(timeout=timeout)
        except Empty:
            return None

    def outcomes(self) -> Iterator[Outcome]:
        """Every outcome until all tensors are done; closing the generator stops the work."""
        self.start()
        try:
            while True:
                idle = self.idle
                outcome = self.take(0 if idle else 0.1)
                if outcome is not None:
                    yield outcome
                elif idle:
                    return
        finally:
            self.stop()

    def _run(self, me: int) -> None:
        buffer = Buffer()
        while not self._stopped:
            work = self._next_work()
            if work is None:
                return
            job, unit = work
            try:
                self._read(job, unit, me, buffer)
            except WtuiError as error:
                job.problem = job.problem or error.what
            except Exception as error:
                job.problem = job.problem or f"cannot be decoded ({type(error).__name__}: {error})"
            self._finished_unit(job)

    def _next_work(self) -> tuple[_Job, int] | None:
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
                    self._changed.wait(0.5)
                    continue
                self._open += 1
            self._begin(tensor)
        return None

    def _begin(self, tensor: int) -> None:
        """Plan a tensor and make its units available; what cannot be planned fails at once."""
        entry = self._catalogue.tensors[tensor]
        try:
            plan = plan_blocks(entry, self._catalogue, self._files)
            job = _Job(tensor, plan, entry.size)
        except WtuiError as error:
            self._emit(Outcome(tensor, None, error.what))
            return
        except Exception as error:
            self._emit(Outcome(tensor, None, f"cannot be read ({type(error).__name__}: {error})"))
            return
        if plan.units == 0:
            self._emit(Outcome(tensor, job.accumulator.finish([])))
            return
        with self._changed:
            self._jobs.append(job)
            self._changed.notify_all()

    def _read(self, job: _Job, unit: int, me: int, buffer: Buffer) -> None:
        """Summarise one unit into this thread's part of the job."""
        scratch = job.scratches.get(me)
        if scratch is None:
            scratch = job.scratches[me] = job.accumulator.scratch()
        for block, data in job.plan.blocks(unit, buffer):
            if self._stopped:
                return
            job.accumulator.add(block, data, scratch)
            self.bytes_done += data.nbytes

    def _finished_unit(self, job: _Job) -> None:
        with self._changed:
            job.left -= 1
            failed = bool(job.problem)
            started = job.plan.units - job.next_unit
            last = job.left == (started if failed else 0)
            if last:
                self._jobs.remove(job)
        if not last or self._stopped:
            return
        if failed:
            self._emit(Outcome(job.tensor, None, job.problem))
            return
        try:
            self._emit(Outcome(job.tensor, self._summary(job)))
        except Exception as error:
            what = error.what if isinstance(error, WtuiError) else f"{type(error).__name__}: {error}"
            self._emit(Outcome(job.tensor, None, what))

    def _summary(self, job: _Job) -> Summary:
        """The finished summary, with the indices of extremes found by reading the blocks that hold them again."""
        summary = job.accumulator.finish(list(job.scratches.values()))
        return locate_extremes(summary, job.accumulator, job.plan, self._catalogue.tensors[job.tensor].name)

    def _emit(self, outcome: Outcome) -> None:
        self._outcomes.put(outcome)
        with self._changed:
            self._open -= 1
            self._changed.notify_all()


def locate_extremes(summary: Summary, accumulator: Accumulator, plan: Plan, name: str) -> Summary:
    """The summary with `min_at`, `max_at` and `nan_at` filled in, each by reading one block again."""
    raise NotImplementedError


def rate(done: int, started: float) -> float:
    """Bytes a second since `started` (a time.perf_counter value)."""
    return done / max(time.perf_counter() - started, 1e-9)


del At
