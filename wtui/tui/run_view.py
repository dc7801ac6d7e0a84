"""The looks of the screen of a run: the lines at the top, the table, the plots and when they are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Horizontal
from textual.screen import Screen

from wtui.render.run_table import headline, run_line, short_names
from wtui.render.spans import escape, line_width
from wtui.series.timeline import CHANGE
from wtui.tui.run_rows import RunRows
from wtui.tui.widgets.bars import Bar, KeyBar
from wtui.tui.widgets.run_plots import BandsPane, Course, CoursePane
from wtui.tui.widgets.run_table import RunTable
from wtui.tui.widgets.search_bar import SearchBar

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.timer import Timer

    from wtui.render.spans import Line
    from wtui.tui.run_opening import OpeningRun

__all__ = ["WARM_UP", "RunView"]

REST = 0.08
"""Seconds a cell has to be selected before its plots are drawn, so that a held arrow key stays quick."""

TOGETHER = 0.05
"""Seconds over which news are gathered: a known run of a thousand checkpoints brings as many at once."""

WARM_UP = 0.3
"""Seconds that the plotting library waits for the numbers of a run that is known: each would slow the other down."""

KEY_LINE: Line = [
    (" ↑↓←→", "accent"), (" move  ", "dim"), ("enter", "accent"), (" open  ", "dim"), ("m", "accent"),
    (" metric  ", "dim"), ("d", "accent"), (" other plot  ", "dim"), ("c", "accent"), (" change  ", "dim"),
    ("/", "accent"), (" search  ", "dim"), ("t", "accent"), (" layers  ", "dim"), ("]", "accent"),
    (" fault  ", "dim"), ("b", "accent"), (" best  ", "dim"),
]  # fmt: skip

LAST_KEYS: Line = [(" ?", "accent"), (" keys  ", "dim"), ("q", "accent"), (" quit ", "dim")]


class RunView(Screen[None]):
    """Table and plots of one run."""

    AUTO_FOCUS = "#run"

    def __init__(self, opening: OpeningRun) -> None:
        super().__init__()
        self.opening = opening
        self.state = opening.state
        self.rows = RunRows(self.state)
        self._due: Timer | None = None
        self.news = False
        """Whether something is known that is not shown yet."""

    def compose(self) -> ComposeResult:
        yield Bar(id="status")
        for name in ("fault", "good", "best", "note"):
            yield Bar(id=name)
        yield Bar(id="run_titles")
        yield RunTable(self.rows, id="run")
        with Horizontal(id="over_time"):
            yield CoursePane(id="course", title="Over time")
            yield BandsPane(id="bands", title="Distribution over time")
        yield SearchBar(id="search")
        yield KeyBar(id="keys")

    @property
    def table(self) -> RunTable:
        """The table."""
        return self.query_one("#run", RunTable)

    def bar(self, name: str) -> Bar:
        """One of the lines."""
        return self.query_one(f"#{name}", Bar)

    def on_mount(self) -> None:
        """Show what the names say."""
        self.bar("keys").show(KEY_LINE, LAST_KEYS)
        self.show_lines()

    def on_resize(self) -> None:
        """Everything may have to be laid out for another width."""
        self.call_after_refresh(self.show_lines)

    def show_lines(self) -> None:
        """Fill the lines above the table."""
        state, verdict = self.state, self.state.verdict
        best, figures = state.best, state.figures
        said = None if best is None else (
            best.name, best.value, state.members[best.member].label, ", ".join(figures.sources)
        )  # fmt: skip
        read = len(state.rows.records)
        good = verdict.last_good is not None
        lines = headline(verdict.fault_words, verdict.good_words, good, said, read, len(state.members))
        for name, line in zip(("fault", "good", "best"), lines, strict=True):
            self.bar(name).show(line)
        notes = [*state.jumps, *verdict.notes, *(f"left out: {o.name}: {o.reason}" for o in state.run.outsiders)]
        more = f" (and {len(notes) - 1} more)" if len(notes) > 1 else ""
        self.bar("note").display = bool(notes)
        self.bar("note").show([(" ⚠ ", "warning"), (escape(notes[0]), ""), (more, "dim")] if notes else [])
        right = self._progress()
        room = self.size.width - line_width(right) - 1
        folder = state.run.folder or self.opening.path
        self.bar("status").show(run_line(folder, len(state.members), state.run.ordered_by, room), right)
        self.bar("run_titles").show([(" ", ""), *self.table.titles()])

    def _progress(self) -> Line:
        """What is being read now; that everything was, or that more is waited for."""
        state, follows = self.state, self.opening.opened.follow
        if state.rested:
            return [("watching " if follows else "all read ", "good")]
        if state.pending:
            label = next((m.label for m in state.members if m.path in state.pending), "")
            return [(f"{escape(label)} is being written ", "info")]
        if state.reading is not None:
            done, total = state.reading.done, state.reading.total
            label = next((m.label for m in state.members if m.path == state.reading.path), "")
            share = f" {int(100 * done / total)} %" if total else ""
            return [(f"reading {escape(label)}{share} ", "info")]
        read = len(state.rows.records)
        return [(f"{read} of {len(state.members)} read ", "info")]

    def on_plot_pane_resized(self) -> None:
        """A plot has another size, or has come into view."""
        self.draw_soon()

    def show_soon(self) -> None:
        """Show what is new in a moment, together with what comes until then."""
        if not self.news:
            self.news = True
            self.set_timer(TOGETHER, self._show_due)

    def _show_due(self) -> None:
        if self.news:  # else it was shown meanwhile
            self.show_news()

    def warm_up(self) -> None:
        """Load the plotting library beside the screen."""
        self.run_worker(_load_plots, thread=True)

    def show_news(self) -> None:
        """Show what is new."""
        self.news = False
        self.show_lines()
        self.table.refresh()
        self.draw_soon()

    def draw_soon(self) -> None:
        """Draw the plots in a while, once, whatever else asks until then."""
        if self._due is not None:
            self._due.stop()
        self._due = self.set_timer(REST, self._draw)

    def _draw(self) -> None:
        self._due = None
        if not self.state.members:
            return
        row = self.table.row
        unit, names = short_names([m.label for m in self.state.members])
        values = tuple(self.rows.value(row, i) for i in range(len(self.state.members)))
        none = "a number has none" if row.subject is None else "too many tensors to take together: t shows each"
        metric = row.name if row.kind == "figure" else self.rows.metric.name
        parts = self.rows.parts(row)
        zero = row.kind == "subject" and self.rows.metric.from_zero
        how = "L2 of the difference over L2 before" if metric == CHANGE else ""
        course = Course(row.name, metric, values, names, self.table.column, zero, parts, none, how or unit)
        self.query_one("#course", CoursePane).show(course)
        self.query_one("#bands", BandsPane).show(course)

    def action_alone(self, what: str) -> None:
        """Table or plots alone, or both again."""
        alone = self.has_class(f"-only-{what}")
        self.remove_class("-only-table", "-only-plots")
        if not alone:
            self.add_class(f"-only-{what}")

    def action_redraw(self) -> None:
        """Draw everything anew, as if nothing were known of the terminal."""
        from wtui.tui.driver import ChangedCellsDriver

        driver = self.app._driver
        if isinstance(driver, ChangedCellsDriver):
            driver.forget()
        self.refresh(layout=True)


def _load_plots() -> None:
    from wtui.render.plots import warm_up

    warm_up()
