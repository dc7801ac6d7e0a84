"""Threads that read tensors and summarise them: the most urgent first, several threads on a large one.

Every front end drains the same outcomes. Where a tensor's values lie so far from zero that its quantiles come out
coarse, it is read a second time at once. Knows no format and no screen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from wtui.engine.blocks import plan_blocks
from wtui.engine.job import Job
from wtui.engine.pool import Pool, Worker, default_threads, reason

if TYPE_CHECKING:
    from wtui.engine.pool import Task
    from wtui.model import Catalogue
    from wtui.stats.linear import Window
    from wtui.stats.summary import Summary
    from wtui.storage import Files

__all__ = ["Outcome", "Scanner", "default_threads", "summarised"]

WORTH_THREADS = 32 << 20
"""Bytes of values from which on threads are done sooner than the one that asks, though they have to be started."""


class Outcome(NamedTuple):
    """A tensor that was read whole, or could not be."""

    tensor: int
    summary: Summary | None
    problem: str = ""


class Scanner(Pool[Outcome]):
    """Reads the tensors of an order; outcomes come in the order in which they are done."""

    def __init__(self, catalogue: Catalogue, files: Files, tensors: Iterable[int], threads: int | None = None) -> None:
        super().__init__(tensors, threads)
        self._catalogue = catalogue
        self._files = files
        self._refining: dict[int, tuple[Summary, Window]] = {}

    def refine(self, tensor: int, known: Summary, window: Window) -> None:
        """Read a tensor once more for a finer distribution in a window; the outcome is its summary with that."""
        self._refining[tensor] = known, window
        self.again([tensor])

    def begin(self, number: int) -> Task:
        """The job of reading a tensor."""
        entry = self._catalogue.tensors[number]
        plan = plan_blocks(entry, self._catalogue, self._files)
        known, window = self._refining.pop(number, (None, None))
        return Job(number, entry, plan, known, window)

    def finish(self, task: Task, workers: list[Worker]) -> Outcome | Task:
        """The summary, or a second pass for one whose quantiles came out coarse."""
        assert isinstance(task, Job)
        summary = task.summary([w.scratches[0] for w in workers])
        window = None if task.is_second or not task.units else summary.quantile_window()
        if window is not None:
            return Job(task.number, task.entry, task.plan, summary, window)
        return Outcome(task.number, summary)

    def failed(self, number: int, problem: str) -> Outcome:
        """A tensor that cannot be read."""
        return Outcome(number, None, problem)


def summarised(catalogue: Catalogue, files: Files, tensors: Iterable[int]) -> Iterator[Outcome]:
    """The outcomes of these tensors: for programs that do this often and want it over; few bytes start no thread."""
    wanted = list(tensors)
    if sum(catalogue.tensors[t].nbytes for t in wanted) >= WORTH_THREADS:
        yield from Scanner(catalogue, files, wanted).outcomes()
        return
    scanner, worker = Scanner(catalogue, files, (), 1), Worker()
    for tensor in wanted:
        try:
            yield _outcome(scanner, worker, tensor)
        except Exception as error:
            yield scanner.failed(tensor, reason(error))


def _outcome(scanner: Scanner, worker: Worker, tensor: int) -> Outcome:
    """One tensor, read in this thread."""
    found: Task | Outcome = scanner.begin(tensor)
    while not isinstance(found, Outcome):
        for unit in range(found.units):
            found.read(unit, worker)
        found = scanner.finish(found, [worker])
    return found
