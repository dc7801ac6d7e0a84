"""Threads that share tasks: the most urgent first, several threads on a large one, outcomes in the order they are done.

A task is cut into units that any thread may do. A consumer that stops draining stops the work. Knows no tensor and no
statistic: subclasses say what a task is, and what comes of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from queue import Empty, SimpleQueue
from threading import Condition, Thread
from typing import Generic, TypeVar

from wtui.engine.blocks import Buffer
from wtui.engine.order import Order
from wtui.errors import WtuiError
from wtui.stats.scratch import Scratch

__all__ = ["Pool", "Task", "Worker", "default_threads", "reason"]

MAX_THREADS = 8
"""More threads than this wait for memory, not for the processor."""

BACKLOG, BACKLOG_WAIT = 1000, 0.05
"""Outcomes that may wait to be taken, and the seconds after which a thread looks again: tiny tensors are read faster
than their numbers are shown, and each outcome holds its values."""

MAX_PREEMPTED = 4
"""Tasks that may be left half done for more urgent ones."""

Told = TypeVar("Told")


def default_threads() -> int:
    """Processors that this process may use, at most MAX_THREADS."""
    affinity = getattr(os, "sched_getaffinity", None)
    return min(len(affinity(0)) if affinity else os.cpu_count() or 1, MAX_THREADS)


class Worker:
    """What one thread works with: two of each, since a comparison reads two files; memory is taken on first use."""

    def __init__(self) -> None:
        self.buffers = Buffer(), Buffer()
        self.scratches = Scratch(), Scratch()


class Task:
    """Something to be done in units, and what is left of it."""

    def __init__(self, number: int, units: int) -> None:
        self.number = number
        """What it is about; the order of numbers is the caller's."""
        self.units = units
        self.next_unit = 0
        self.finished_units = 0
        self.problem = ""

    @property
    def done(self) -> bool:
        """Whether every unit that was begun is finished and no other one will be."""
        return self.finished_units >= (self.next_unit if self.problem else self.units)

    def read(self, unit: int, worker: Worker) -> int:
        """Do one unit; the bytes it took off what is to be read. Raises what reading and decoding raise."""
        raise NotImplementedError


class Pool(Generic[Told]):
    """Does the tasks of an order in threads."""

    def __init__(self, numbers: Iterable[int], threads: int | None = None) -> None:
        self.bytes_done = 0
        """Bytes of values read so far, as tasks count them."""
        self._order = Order(numbers)
        self._workers = [Worker() for _ in range(threads or default_threads())]
        self._changed = Condition()
        self._tasks: list[Task] = []
        self._urgency: dict[int, int] = {}
        """Places of those that were urged last."""
        self._open = 0
        self._stopped = False
        self._outcomes: SimpleQueue[Told | None] = SimpleQueue()
        self._threads: list[Thread] = []

    def begin(self, number: int) -> Task:
        """The task for a number, in any thread; an error is its outcome."""
        raise NotImplementedError

    def finish(self, task: Task, workers: list[Worker]) -> Told | Task:
        """What comes of a task whose units are done: an outcome, or another task for the same number."""
        raise NotImplementedError

    def failed(self, number: int, problem: str) -> Told:
        """The outcome of what cannot be done."""
        raise NotImplementedError

    def start(self) -> None:
        """Start the threads; they wait for work until `stop`."""
        self._threads = [Thread(target=self._run, args=(w,), daemon=True) for w in self._workers]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the threads after the units they are at."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def only_urgent(self) -> None:
        """From now on do only what is urged, or asked for again."""
        self._order.only_urgent = True

    def urge(self, numbers: Iterable[int]) -> None:
        """Do these first, one after the other."""
        wanted = list(numbers)
        with self._changed:
            self._urge(wanted)
            self._changed.notify_all()

    def _urge(self, wanted: list[int]) -> None:
        self._order.urge(wanted)
        self._urgency = {number: place for place, number in enumerate(wanted)}

    def again(self, numbers: Iterable[int]) -> None:
        """Do these once more, and first."""
        wanted = list(numbers)
        with self._changed:
            busy = {task.number for task in self._tasks}
            wanted = [n for n in wanted if n not in busy]
            self._order.add(wanted)
            self._urge(wanted)
            self._changed.notify_all()

    @property
    def idle(self) -> bool:
        """Whether nothing is waiting or being done; outcomes may still be waiting to be taken."""
        with self._changed:
            return not self._order and not self._open

    def wake(self) -> None:
        """Let the `take` that waits, or the next one, return at once with None."""
        self._outcomes.put(None)

    def take(self, timeout: float | None = None) -> Told | None:
        """The next outcome, None if there is none within `timeout` seconds (None: wait for it)."""
        try:
            return self._outcomes.get(block=timeout != 0, timeout=timeout or None)
        except Empty:
            return None

    def outcomes(self, on_wait: Callable[[], object] | None = None) -> Iterator[Told]:
        """Every outcome until all tasks are done; closing the generator stops the work.

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

    def _run(self, worker: Worker) -> None:
        while (work := self._next_work()) is not None:
            task, unit = work
            size = 0
            try:
                size = task.read(unit, worker)
            except Exception as error:
                task.problem = task.problem or reason(error)
            self._after_unit(task, size)

    def _next_work(self) -> tuple[Task, int] | None:
        """A unit of the most urgent task; waits when there is none, None when stopped."""
        while True:
            with self._changed:
                if self._stopped:  # looked at under the lock: nobody would wake a thread that waits after `stop`
                    return None
                if self._outcomes.qsize() >= BACKLOG:
                    self._changed.wait(BACKLOG_WAIT)
                    continue
                task = self._foremost()
                number = None
                if (task is None or task.number not in self._urgency) and len(self._tasks) < MAX_PREEMPTED:
                    number = self._order.next_urgent()
                if number is None and task is not None:
                    task.next_unit += 1
                    return task, task.next_unit - 1
                number = self._order.next() if number is None else number
                if number is None:
                    self._changed.wait()
                    continue
                self._open += 1
            self._begin(number)

    def _foremost(self) -> Task | None:
        """The task with units left to be begun that was urged first; where none was urged, the one begun last."""
        open_ones = [t for t in reversed(self._tasks) if t.next_unit < t.units and not t.problem]
        return min(open_ones, key=lambda t: self._urgency.get(t.number, len(self._urgency)), default=None)

    def _begin(self, number: int) -> None:
        """Make a task's units available; what cannot be begun fails at once."""
        try:
            task = self.begin(number)
        except Exception as error:
            self._emit(self.failed(number, reason(error)))
            return
        if task.units:
            self._add(task)
        else:
            self._finish(task)

    def _add(self, task: Task) -> None:
        with self._changed:
            self._tasks.append(task)
            self._changed.notify_all()

    def _after_unit(self, task: Task, size: int) -> None:
        """Count the unit and its bytes; the thread that finishes the last one finishes the task."""
        with self._changed:
            self.bytes_done += size
            task.finished_units += 1
            if not task.done or task not in self._tasks:
                return
            self._tasks.remove(task)
        if task.problem:
            self._emit(self.failed(task.number, task.problem))
        else:
            self._finish(task)

    def _finish(self, task: Task) -> None:
        try:
            told = self.finish(task, self._workers)
        except Exception as error:
            told = self.failed(task.number, reason(error))
        if isinstance(told, Task):
            self._add(told)
        else:
            self._emit(told)

    def _emit(self, outcome: Told) -> None:
        with self._changed:
            self._outcomes.put(outcome)
            self._open -= 1
            self._changed.notify_all()


def reason(error: Exception) -> str:
    """Why something cannot be done, in a few words."""
    if isinstance(error, WtuiError):
        return error.what
    return f"cannot be decoded ({type(error).__name__}: {error})"
