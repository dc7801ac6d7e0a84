"""Threads that read two models for a screen: pairs together, what stands alone by itself, the most urgent first.

Which numbers stand for what is for the caller to say. Knows no screen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wtui.engine.blocks import plan_blocks
from wtui.engine.compare import ComparedPair, PairJob, WantedPair
from wtui.engine.job import Job
from wtui.engine.pool import Pool, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wtui.engine.compare_read import Stored
    from wtui.engine.pool import Worker
    from wtui.stats.summary import Summary

__all__ = ["AnyScanner", "ReadOutcome", "Wanted"]


class Wanted(NamedTuple):
    """What is to be read for a number: a pair, or what is there of it. One of the three is not None."""

    pair: WantedPair | None = None
    a: Stored | None = None
    b: Stored | None = None


class ReadOutcome(NamedTuple):
    """What was read, or why it could not be."""

    number: int
    pair: ComparedPair | None = None
    a: Summary | None = None
    b: Summary | None = None
    problem: str = ""


class _Lone(Task):
    """One tensor, or two whose shapes do not fit: each read for itself."""

    def __init__(self, number: int, sides: tuple[Stored | None, Stored | None]) -> None:
        self._jobs = tuple(Job(number, s.entry, plan_blocks(*s)) if s is not None else None for s in sides)
        self._first = self._jobs[0].units if self._jobs[0] is not None else 0
        super().__init__(number, sum(j.units for j in self._jobs if j is not None))

    def read(self, unit: int, worker: Worker) -> int:
        """Do one unit of A's, then of B's."""
        job = self._jobs[unit >= self._first]
        assert job is not None
        return job.read(unit - self._first if unit >= self._first else unit, worker)

    def outcome(self, workers: list[Worker]) -> ReadOutcome:
        """Both summaries."""
        a, b = (None if j is None else j.summary([w.scratches[0] for w in workers]) for j in self._jobs)
        return ReadOutcome(self.number, None, a, b)


class AnyScanner(Pool[ReadOutcome]):
    """Reads what numbers stand for; outcomes come in the order in which they are done."""

    def __init__(self, numbers: Iterable[int], wanted: Callable[[int], Wanted], threads: int | None = None) -> None:
        super().__init__(numbers, threads)
        self._wanted = wanted

    def begin(self, number: int) -> Task:
        """The job of reading a pair, or what stands alone."""
        wanted = self._wanted(number)
        return PairJob(number, wanted.pair) if wanted.pair is not None else _Lone(number, (wanted.a, wanted.b))

    def finish(self, task: Task, workers: list[Worker]) -> ReadOutcome:
        """What was read."""
        if isinstance(task, _Lone):
            return task.outcome(workers)
        assert isinstance(task, PairJob)
        found = task.located(task.compared(workers))
        return ReadOutcome(task.number, found, found.summary_a, found.summary_b)

    def failed(self, number: int, problem: str) -> ReadOutcome:
        """What cannot be read."""
        return ReadOutcome(number, problem=problem)
