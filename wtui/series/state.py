"""A run as far as it is known, kept from what its scan process tells: what every front end draws from.

Standard library only. Whatever comes late or twice finds its own place: everything is kept by path.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from wtui.series.changes import Change, relative
from wtui.series.figures import Best, Figures, best_of, ordered_names
from wtui.series.jumps import Jump, jump_between, jump_words
from wtui.series.protocol import Changed, Gone, Listed, Pending, Reading, Recalled, Rested, Taken, Trouble
from wtui.series.timeline import CHANGE, Rows
from wtui.series.verdict import RunVerdict, verdict_of

if TYPE_CHECKING:
    from wtui.series.members import Member, Run
    from wtui.series.record import Numbers
    from wtui.series.timeline import Metric, Subject

__all__ = ["RunState"]


class RunState:
    """Filled from answers. One thread uses it."""

    def __init__(self, run: Run, figures: Figures) -> None:
        self.run = run
        self.rows = Rows()
        self.problems: dict[str, str] = {}
        self.gone: frozenset[str] = frozenset()
        self.pending: dict[str, str] = {}
        self.reading: Reading | None = None
        self.rested = False
        self.version = 0
        """Goes up with everything that is new."""
        self._figures = figures
        self._changes: dict[str, tuple[str, Change]] = {}
        self._verdict: tuple[int, RunVerdict] | None = None
        self._jumps: dict[tuple[str, str], Jump | None] = {}

    @property
    def members(self) -> tuple[Member, ...]:
        """The checkpoints in order."""
        return self.run.members

    @property
    def figures(self) -> Figures:
        """What was found beside the checkpoints and recorded with them."""
        recorded = [dict(r.figures) if (r := self.rows.records.get(m.path)) else {} for m in self.members]
        if not any(recorded):
            return self._figures
        rows = self._figures.rows or ({},) * len(self.members)
        merged = tuple({**its, **row} for its, row in zip(recorded, rows, strict=True))
        return Figures(ordered_names(merged), merged, (*self._figures.sources, "logged with the weights"))

    @property
    def best(self) -> Best | None:
        """The best checkpoint by the first figure that says how good a model is."""
        return best_of(self.figures)

    @property
    def verdict(self) -> RunVerdict:
        """What is to be said of the run, as far as it is read."""
        if self._verdict is None or self._verdict[0] != self.version:
            self._verdict = self.version, verdict_of(self.members, self.rows.records, self.problems, self.gone)
        return self._verdict[1]

    @property
    def jumps(self) -> list[str]:
        """Where weights grew or shrank all at once, a sentence for each checkpoint."""
        known = [(m, r) for m in self.members if (r := self.rows.records.get(m.path)) is not None]
        found = []
        for (a, before), (b, after) in pairwise(known):
            key = a.path, b.path
            if key not in self._jumps:
                self._jumps[key] = jump_between(before, after)
            jump = self._jumps[key]
            if jump is not None:
                found.append(jump_words(jump, a.label, b.label))
        return found

    def take(self, answer: Any) -> bool:
        """Keep an answer; whether it was one of this run's."""
        match answer:
            case Listed(run, figures):
                self.run, self._figures = run, figures
                self.gone &= {m.path for m in run.members}
            case Taken(path, record):
                self.rows.take(path, record)
                self._settle(path)
            case Recalled(taken):
                for each in taken:
                    self.take(each)
            case Trouble(path, message):
                self.rows.forget(path)
                self._settle(path)
                self.problems[path] = message
            case Pending(path, message):
                self.pending[path] = message
                self._is_read(path)
            case Gone(path):
                self.gone |= {path}
                self.pending.pop(path, None)
            case Reading():
                self.reading, self.rested = answer, False
            case Changed(before, after, norms):
                self._changes[after] = before, Change(norms)
            case Rested():
                self.rested, self.reading = True, None
            case _:
                return False
        self.version += 1
        return True

    def numbers(self, subject: Subject, member: int) -> Numbers | None:
        """The numbers of a tensor or layer at a checkpoint; None where it is not read or not there."""
        return self.rows.numbers(subject, self.members[member].path)

    def value(self, metric: Metric, subject: Subject, member: int) -> float:
        """A metric of a tensor or layer at a checkpoint; NaN where there is none."""
        if metric.name == CHANGE:
            _, change = self._changes.get(self.members[member].path, ("", None))
            return math.nan if change is None else relative(change, subject.tensors)
        found = self.numbers(subject, member)
        return math.nan if found is None else metric.value(found)

    def _settle(self, path: str) -> None:
        """What is known of a path is up to date."""
        self.problems.pop(path, None)
        self.pending.pop(path, None)
        self.gone -= {path}
        self._jumps = {pair: jump for pair, jump in self._jumps.items() if path not in pair}
        self._changes = {after: pair for after, pair in self._changes.items() if path not in (after, pair[0])}
        self._is_read(path)

    def _is_read(self, path: str) -> None:
        """It is not being read any more."""
        if self.reading is not None and self.reading.path == path:
            self.reading = None
