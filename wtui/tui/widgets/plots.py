"""The two plots at the right: the distribution of what is selected, and a metric along the depth of the model.

Each keeps its own settings and draws in a thread; what was drawn for another subject is thrown away.
"""

from __future__ import annotations

import math
from asyncio import to_thread
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from textual.message import Message
from textual.worker import Worker, WorkerState

from wtui.engine.protocol import AskHistogram
from wtui.render import numbers
from wtui.tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from textual.geometry import Size

    from wtui.engine.protocol import Distribution
    from wtui.render.spans import Line
    from wtui.stats.row import SummaryRow
    from wtui.tui.outline import Subject
    from wtui.tui.plot_data import DepthView

__all__ = ["FOOT_ROWS", "ZOOMS", "CountsPane", "DepthPane", "HistogramPane"]

ZOOMS = ("0.1 to 99.9 %", "whole range", "5 to 95 %")
MIN_BINS, MAX_BINS = 8, 1024
FOOT_ROWS = 2
"""Lines below a plot that say what it shows."""


class PlotPane(TextPane):
    """A pane whose text has to be drawn anew for another size."""

    class Resized(Message):
        """The pane has another size, or has come into view."""

    def on_resize(self) -> None:
        """Say so: what is drawn is chosen by the screen."""
        if self.size.width:
            self.post_message(self.Resized())

    def draw_later(self, draw: partial[Coroutine[Any, Any, None]]) -> None:
        """Run a drawing beside the screen; one that is still running for this pane is given up."""
        self.run_worker(cast("Any", draw), exclusive=True, group=self.id or "plot", exit_on_error=False)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A plot that cannot be drawn says so and takes nothing else with it."""
        if event.state is WorkerState.ERROR:
            self.put([[("not drawn: ", "error"), (str(event.worker.error), "")]])


class CountsPane(PlotPane):
    """Counts of values in equal bins, and how they are drawn; a subclass draws them."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id, title="Distribution")
        self.bins: int | None = None
        """None: as many as the pane can draw and the values can fill."""
        self._values = 0
        """Values of what is shown."""
        self.log_counts = False
        self.zoom = 0
        self.curve = False
        self._drawn: tuple[Any, str] | None = None

    def question(self, subject: Subject, row: SummaryRow | None, values: int) -> AskHistogram:
        """What to ask for, given what is known so far of a subject of so many values."""
        low: float | None = None
        high: float | None = None
        if self.zoom and row is not None and row.finite:
            low, high = (float(row.min), float(row.max)) if self.zoom == 1 else (row.quantiles[2], row.quantiles[6])
        self._values = values
        return AskHistogram(subject, self.bins or self.auto_bins, low, high)

    @property
    def auto_bins(self) -> int:
        """Two bins a column of the canvas, fewer where there are few values."""
        from wtui.render.bins import bins_for
        from wtui.render.plots import canvas_columns

        finest = max(MIN_BINS, 2 * canvas_columns(self.size.width))
        return bins_for(self._values, finest)

    def change_bins(self, step: int) -> None:
        """Twice or half as many bins."""
        bins = self.bins or self.auto_bins
        self.bins = max(MIN_BINS, min(MAX_BINS, bins * 2 if step > 0 else bins // 2))

    def toggle_log(self) -> None:
        """Linear or logarithmic counts."""
        self.log_counts = not self.log_counts
        if self._drawn is not None:
            self.show(*self._drawn)

    def toggle_curve(self) -> None:
        """With or without the distribution as initialised."""
        self.curve = not self.curve
        if self._drawn is not None:
            self.show(*self._drawn)

    def next_zoom(self) -> None:
        """The next window: most values, all of them, the middle ones."""
        self.zoom = (self.zoom + 1) % len(ZOOMS)

    def show(self, counts: Any, name: str) -> None:
        """Draw an answer to `question`, or (None) nothing."""
        self._drawn = (counts, name) if counts is not None else None
        if counts is None or not self.size.width:
            self.put([], title="Distribution", subtitle="")
        else:
            self.draw_later(partial(self.draw_counts, counts, name))

    async def draw_counts(self, counts: Any, name: str) -> None:
        """Draw an answer for the size that the pane has now."""
        raise NotImplementedError


class HistogramPane(CountsPane):
    """The distribution of one tensor or layer."""

    async def draw_counts(self, distribution: Distribution, name: str) -> None:
        size = self.size.width, self.size.height - FOOT_ROWS - bool(distribution.curve_of)
        lines = await to_thread(self._lines, distribution, *size, self.log_counts, self.curve)
        self.put(lines, title="Distribution", subtitle=name)

    def _lines(self, d: Distribution, width: int, height: int, log: bool, curve: bool) -> list[Line]:
        """The plot and the two lines below it; runs in a thread."""
        from wtui.render.plots import histogram_plot

        if not d.seen or d.low != d.low:
            return [[("no finite values", "dim")]]
        if d.low == d.high:
            return [[("every value is ", "dim"), (numbers.value(d.low), "number")]]
        expected = d.curve if curve else ()
        lines = list(histogram_plot(d.counts, d.low, d.high, width, height, log, expected))
        outside = d.below + d.above
        where: Line = [(f"{ZOOMS[self.zoom]} (z), {outside:,.0f} outside", "dim")]
        if d.seen < d.total:
            where.append((f"  sample {numbers.percent(d.seen, d.total)}", "warning"))
        how: Line = [(f"{len(d.counts)} bins (= -) · {'log' if log else 'linear'} (L)", "dim")]
        if not d.curve_of:
            return [*lines, where, how]
        initial: Line = [("∙ " if curve else "", "overlay"), (f"as {d.curve_of} would be (o)", "dim")]
        return [*lines, where, how, initial]


class DepthPane(PlotPane):
    """A metric of one kind of tensors against their number along the depth."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id, title="Depth")
        self._shown: tuple[DepthView, Size] | None = None

    def show(self, view: DepthView) -> None:
        """Draw a view unless it is what is already drawn."""
        if (view, self.size) != self._shown and self.size.width:
            self._shown = view, self.size
            self.draw_later(partial(self._draw, view))

    async def _draw(self, view: DepthView) -> None:
        lines = await to_thread(self._lines, view, self.size.width, self.size.height - FOOT_ROWS)
        self.put(lines, title=f"{view.metric.name} by depth")

    def _lines(self, view: DepthView, width: int, height: int) -> list[Line]:
        """The plot and the two lines below it; runs in a thread."""
        from wtui.render.plots import depth_plot

        undefined = sum(not math.isfinite(p.value) for p in view.points)
        without = f", {undefined} without a number" if undefined else ""
        what: Line = [(f"{view.kind}", "title"), (f"  {len(view.points)} of {view.members} read{without}", "dim")]
        keys: Line = [("metric (m) · which tensors (f)", "dim")]
        if not view.points:
            return [[("reading …" if view.members else "none in this model", "dim")], what, keys]
        return [*depth_plot(view.points, view.members, view.current, width, height, view.metric.from_zero), what, keys]
