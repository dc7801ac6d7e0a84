"""Examines a whole run for a command: every checkpoint is read, the run is judged, and two are looked at closely.

These two are the last good checkpoint, which one would go on from, and the newest. Knows no front end.
"""

from __future__ import annotations

import time
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from wtui.errors import WtuiError
from wtui.insight.types import Finding
from wtui.series.figures import best_of, figures_of
from wtui.series.jumps import jump_between, jump_words
from wtui.series.reading import Reader
from wtui.series.verdict import verdict_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from wtui.checking import Report
    from wtui.insight.types import Severity
    from wtui.series.figures import Best, Figures
    from wtui.series.members import Member, Run
    from wtui.series.record import Record
    from wtui.series.verdict import RunVerdict

__all__ = ["RunReport", "examine"]


class RunReport(NamedTuple):
    """What is known of a run."""

    run: Run
    records: dict[str, Record]
    """By path of the checkpoint."""
    problems: dict[str, str]
    """Why the others have none."""
    verdict: RunVerdict
    figures: Figures
    best: Best | None
    findings: tuple[Finding, ...]
    """About the run as a whole, the worst first."""
    reports: dict[str, Report]
    """Of the last good checkpoint and of the newest, by path."""

    @property
    def complete(self) -> bool:
        """Whether every checkpoint was read and both that are looked at closely were examined to the end."""
        return None not in self.verdict.health and all(r.complete for r in self.reports.values())


class TimeUp(Exception):
    """The time is over; raised and caught here alone."""


def examine(
    run: Run,
    *,
    within: float | None = None,
    threads: int | None = None,
    cache: bool = True,
    tell: Callable[[str], None] = lambda text: None,
) -> RunReport:
    """Read a run, the newest checkpoint first, for at most about `within` seconds; `tell` hears what is being done."""
    deadline = None if within is None else time.monotonic() + within
    reader = Reader(threads=threads, cache=cache)
    records: dict[str, Record] = {}
    problems: dict[str, str] = {}

    def check_time(done: int = 0, total: int = 0) -> None:
        if deadline is not None and time.monotonic() > deadline:
            raise TimeUp

    try:
        for number, member in enumerate(reversed(run.members), 1):
            check_time()
            tell(f"{member.label} ({number} of {len(run.members)})")
            try:
                records[member.path] = reader.recall(member.path) or reader.read(member.path, check_time)
            except WtuiError as error:
                problems[member.path] = error.what
    except TimeUp:
        pass
    finally:
        reader.close()
    verdict = verdict_of(run.members, records, problems, frozenset())
    figures = figures_of(run)
    close = _worth_a_closer_look(run, verdict)
    reports = _closely(close, records, deadline, threads, cache, tell)
    return RunReport(
        run, records, problems, verdict, figures, best_of(figures), _findings(run, records, verdict), reports
    )


def _worth_a_closer_look(run: Run, verdict: RunVerdict) -> list[Member]:
    """The last good checkpoint, and the newest that can be read and belongs to the run."""
    last = [] if verdict.last_good is None else [run.members[verdict.last_good]]
    readable = ("good", "fault", "incomplete")
    known = [m for m, h in zip(run.members, verdict.health, strict=True) if h is not None and h.kind in readable]
    return [*last, *(m for m in known[-1:] if m not in last)]


def _closely(
    members: list[Member],
    records: dict[str, Record],
    deadline: float | None,
    threads: int | None,
    cache: bool,
    tell: Callable[[str], None],
) -> dict[str, Report]:
    """Reports by path; nothing of those that cannot be opened (any more)."""
    from wtui.cache import open_shelf
    from wtui.checking import Examination
    from wtui.formats import open_catalogue
    from wtui.storage import Files

    reports = {}
    for member in members:
        left = None if deadline is None else max(0.001, deadline - time.monotonic())
        if member.path not in records:
            continue
        tell(f"{member.label}, closely")
        try:
            catalogue = open_catalogue(member.path)
        except WtuiError:
            continue
        files, shelf = Files(catalogue.files), open_shelf(catalogue, cache)
        reports[member.path] = Examination(catalogue, files, None, left, threads, shelf=shelf).run()
        shelf.close()
        files.close()
    return reports


def _findings(run: Run, records: dict[str, Record], verdict: RunVerdict) -> tuple[Finding, ...]:
    """The first fault and whatever is wrong with single checkpoints. A fault that the run has outlived is a warning."""
    found = []
    if verdict.first_fault is not None:
        member = run.members[verdict.first_fault]
        fault = records[member.path].fault
        assert fault is not None
        outlived = verdict.last_good is not None and verdict.last_good > verdict.first_fault
        numbers: dict[str, float | int | str | None] = {"checkpoint": member.opened_as, "since": member.label}
        advice = "go on from a checkpoint before it, with a lower learning rate or loss scale"
        found.append(Finding("warning" if outlived else "error", "fault-in-run", "", fault.tensor,
                             verdict.fault_words, numbers, "" if outlived else advice))  # fmt: skip
    for member, health in zip(run.members, verdict.health, strict=True):
        if health is not None and health.kind in ("unreadable", "incomplete", "stranger"):
            severity: Severity = "warning" if health.kind == "stranger" else "error"
            text = f"{member.label}: {health.words}"
            found.append(Finding(severity, f"{health.kind}-checkpoint", "", "", text, {"checkpoint": member.opened_as}))
    known = [(m, records[m.path]) for m in run.members if m.path in records]
    for (a, before), (b, after) in pairwise(known):
        jump = jump_between(before, after)
        if jump is not None:
            numbers = {"checkpoint": b.opened_as, "ratio": jump.ratio, "tensors": jump.tensors}
            text = jump_words(jump, a.label, b.label)
            found.append(Finding("warning", "jump-in-run", "", jump.tensor, text, numbers))
    return tuple(sorted(found, key=lambda f: f.severity != "error"))
