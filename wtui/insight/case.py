"""What rules are given: a model's chart, the numbers that are known so far, and further evidence.

Rules look at nothing else, so the same rules serve a screen that fills while a scan runs and a command at its end.
Standard library only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from wtui.insight.types import Evidence, Finding, Severity, Verdict

if TYPE_CHECKING:
    from wtui.insight.chart import Chart, Part, Subject, Unit
    from wtui.stats.channel_row import ChannelRow
    from wtui.stats.rank_row import RankRow
    from wtui.stats.row import SummaryRow

__all__ = ["Case", "Extra", "Rule", "Untouched"]


class Untouched(NamedTuple):
    """Rows of an embedding whose values are still those of its initialiser."""

    unused: int
    rows: int
    first: tuple[int, ...]
    """The first of them, by number."""


class Extra(NamedTuple):
    """Evidence beyond rows, by index of the tensor; whatever is missing is simply not judged."""

    verdicts: Mapping[int, Verdict] = {}
    channels: Mapping[int, ChannelRow] = {}
    failures: Mapping[int, str] = {}
    """Why tensors could not be read."""
    untouched: Mapping[int, Untouched] = {}
    tokens: Sequence[str] = ()
    """Texts of tokens by their number, where a tokenizer is known."""
    ranks: Mapping[int, RankRow] = {}


class Rule(NamedTuple):
    """A rule: its id, what it looks for, where it draws the line and why, and the function that applies it."""

    id: str
    severity: Severity
    """The worst that it gives."""
    what: str
    threshold: str
    apply: Callable[[Case], Iterable[Finding]]
    normal: str = ""
    """What looks like it and is no fault."""


class Case:
    """A model under examination."""

    def __init__(self, chart: Chart, rows: Mapping[int, SummaryRow], extra: Extra) -> None:
        self.chart = chart
        self.rows = rows
        self.extra = extra
        states = [self._history(unit) for unit in chart.units] if extra.verdicts else []
        self.moved = states.count("moved")
        """Layers that training has changed."""
        self.initial = states.count("initial")
        """Layers whose kernels and embeddings are as initialised."""
        self.open = states.count("open")
        """Layers of which their kernels cannot tell."""

    @property
    def trained(self) -> bool:
        """Whether training has changed most of what can be judged; without verdicts, whether any bias or norm moved."""
        if self.extra.verdicts:
            return self.moved > 0 and self.moved >= self.initial
        rows = (self.rows.get(s.number) for s in self.chart.of("bias", "scale", "shift"))
        return any(row is not None and row.min != row.max for row in rows)

    def _history(self, unit: Unit) -> str:
        """State of a layer: moved if a kernel is, or if none can tell and its bias is; `""` if it cannot be judged."""
        states = {self.state(s) for s in unit.parts("kernel", "embedding")} - {"", "none"}
        found = next((state for state in ("moved", "initial", "open") if state in states), "")
        witnesses = unit.parts("bias", "scale", "shift") if found == "open" else ()
        return "moved" if any(self.state(s) == "moved" for s in witnesses) else found

    def known(self, *parts: Part) -> Iterable[tuple[Subject, SummaryRow]]:
        """The tensors of these parts of which numbers are known, with these."""
        for subject in self.chart.of(*parts):
            row = self.rows.get(subject.number)
            if row is not None and row.seen:
                yield subject, row

    def verdict(self, subject: Subject) -> Verdict | None:
        """The verdict on a tensor, where there is one."""
        return self.extra.verdicts.get(subject.number)

    def state(self, subject: Subject) -> str:
        """Its state, `""` without a verdict."""
        found = self.extra.verdicts.get(subject.number)
        return found.state if found else ""


def finding(
    severity: Severity, rule: str, subject: Subject, message: str, evidence: Evidence, advice: str = ""
) -> Finding:
    """A finding about one tensor."""
    return Finding(severity, rule, subject.tensor.layer, subject.tensor.name, message, evidence, advice)


def is_constant(row: SummaryRow, value: float | None = None) -> bool:
    """Whether all values were read and are equal, to `value` if it is given."""
    whole = row.seen == row.total == row.finite and row.min == row.max
    return whole and (value is None or row.min == value)
