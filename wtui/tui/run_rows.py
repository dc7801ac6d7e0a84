"""The rows of a run's table and what stands in their cells, from what is known of the run. Draws nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from wtui.render.run_table import Cell, count_cell, figure_cell, state_cell, value_cell
from wtui.series.timeline import METRICS, Subject

if TYPE_CHECKING:
    from wtui.render.spans import StyleName
    from wtui.series.record import Numbers
    from wtui.series.state import RunState
    from wtui.series.timeline import Metric

__all__ = ["Row", "RunRows"]

COUNT = "NaN + Inf"

MAX_POOLED = 32
"""Tensors of a layer whose distribution over time is drawn: the work goes with the square of their number."""


class Row(NamedTuple):
    """A row: the checkpoints themselves (`state`), a figure found beside them, or a tensor or layer."""

    kind: str
    """`state`, `figure` or `subject`."""
    name: str
    subject: Subject | None = None


STATE = Row("state", "checkpoint")


class RunRows:
    """What the table shows now."""

    def __init__(self, state: RunState) -> None:
        self.state = state
        self.by_layer = False
        self._metric = 0
        self._rows: tuple[object, list[Row]] = (None, [STATE])
        self._firsts: dict[tuple[int, Row], int | None] = {}

    @property
    def metric(self) -> Metric:
        """What cells of tensors and layers show."""
        return METRICS[self._metric]

    def next_metric(self, step: int) -> None:
        """The next or previous metric."""
        self._metric = (self._metric + step) % len(METRICS)

    def choose_metric(self, name: str) -> None:
        """A metric by name."""
        self._metric = next(i for i, m in enumerate(METRICS) if m.name == name)

    @property
    def rows(self) -> list[Row]:
        """All rows, the checkpoints' states and the figures on top."""
        key = (self.state.version, self.by_layer)
        if self._rows[0] != key:
            subjects = self.state.rows.layers() if self.by_layer else self.state.rows.tensors()
            figures = [Row("figure", name) for name in self.state.figures.names]
            self._rows = key, [STATE, *figures, *(Row("subject", s.name, s) for s in subjects)]
            self._firsts.clear()
        return self._rows[1]

    def style(self, row: Row) -> StyleName:
        """How the name of a row is drawn."""
        if row.kind != "subject":
            return "accent" if row.kind == "figure" else "dim"
        return "dim" if row.subject is not None and row.subject.beside else "name"

    def cell(self, row: Row, member: int) -> Cell:
        """What stands in a cell."""
        state = self.state
        path = state.members[member].path
        if row.kind == "state":
            health = state.verdict.health[member]
            reading = state.reading is not None and state.reading.path == path
            return state_cell(health.kind if health else None, path in state.gone, path in state.pending, reading)
        if row.kind == "figure":
            best = state.best
            known = state.figures.rows[member].get(row.name) if member < len(state.figures.rows) else None
            return figure_cell(known, best is not None and (best.name, best.member) == (row.name, member))
        assert row.subject is not None
        found = state.numbers(row.subject, member)
        if found is None:
            return value_cell(math.nan, 0, False, False)
        if math.isnan(found.nan):
            return Cell("unread", "warning")
        faulty = found.nan + found.infinite
        if self.metric.name == COUNT:
            return count_cell(faulty, True)
        kind = "Inf" if not found.nan else "NaN"
        shown = value_cell(state.value(self.metric, row.subject, member), faulty, self._first(row) == member, True)
        return shown._replace(text=shown.text.replace("NaN", kind)) if faulty else shown

    def value(self, row: Row, member: int) -> float:
        """The number in a cell; NaN where there is none."""
        if row.kind == "subject" and row.subject is not None:
            return self.state.value(self.metric, row.subject, member)
        if row.kind == "figure" and member < len(self.state.figures.rows):
            return self.state.figures.rows[member].get(row.name, math.nan)
        return math.nan

    def parts(self, row: Row) -> tuple[tuple[Numbers, ...], ...]:
        """Numbers of the tensors of a row at every checkpoint; `()` for what has no distribution."""
        if row.subject is None or len(row.subject.tensors) > MAX_POOLED:
            return ()
        return tuple(self.state.rows.parts(row.subject, m.path) for m in self.state.members)

    def place(self, kind: str, name: str) -> int | None:
        """The number of a row; None where there is none."""
        return next((i for i, r in enumerate(self.rows) if (r.kind, r.name) == (kind, name)), None)

    def row_of_tensor(self, tensor: str) -> int | None:
        """The number of the row that a tensor is in."""
        return next((i for i, r in enumerate(self.rows) if r.subject is not None and tensor in r.subject.tensors), None)

    def _first(self, row: Row) -> int | None:
        """The first checkpoint at which a row's values are not all finite."""
        key = (self.state.version, row)
        if key not in self._firsts:
            start = self.state.verdict.first_fault or 0
            assert row.subject is not None
            self._firsts[key] = next(
                (
                    i
                    for i in range(start, len(self.state.members))
                    if (n := self.state.numbers(row.subject, i)) is not None and n.nan + n.infinite > 0
                ),
                None,
            )
        return self._firsts[key]
