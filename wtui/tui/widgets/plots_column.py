"""The column of plots: the distribution of what is selected above a metric along the depth, and when they are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from textual.containers import Vertical
from textual.message import Message

from wtui.render.spans import escape
from wtui.tui.widgets.plots import CountsPane, DepthPane, HistogramPane

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.timer import Timer

    from wtui.engine.protocol import AskHistogram, Distribution
    from wtui.stats.row import SummaryRow
    from wtui.tui.outline import Outline, Subject
    from wtui.tui.plot_data import DepthData

__all__ = ["PlotsColumn"]

REST = 0.08
"""Seconds a selection has to rest before plots are drawn, so that a held arrow key stays quick."""

NEWS_REST = 0.5
"""Seconds between two drawings while the scan goes on: each costs bytes on the line."""


class Ranges(Protocol):
    """What is known of subjects so far; what more there is only the depth plot's data know."""

    def row_of(self, subject: Subject) -> SummaryRow | None:
        """Numbers that say which range a histogram may show."""


class Shown(NamedTuple):
    """What the plots are about."""

    outline: Outline
    subject: Subject
    results: Ranges


class PlotsColumn(Vertical):
    """Both plots and their settings. Asks for the numbers that it needs by `Asked`."""

    class Asked(Message):
        """The distribution of the subject is wanted."""

        def __init__(self, question: AskHistogram) -> None:
            super().__init__()
            self.question = question

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shown: Shown | None = None
        self._depth_data: DepthData | None = None
        self._due: Timer | None = None

    histogram_class: type[CountsPane] = HistogramPane

    def compose(self) -> ComposeResult:
        yield self.histogram_class(id="histogram")
        yield DepthPane(id="depth")

    @property
    def histogram(self) -> CountsPane:
        """The upper plot."""
        return self.query_one("#histogram", CountsPane)

    @property
    def depth_plot(self) -> DepthPane:
        """The lower plot."""
        return self.query_one("#depth", DepthPane)

    def show(self, outline: Outline, subject: Subject, results: Ranges) -> None:
        """Draw the plots of a subject once it has been selected for a moment."""
        if self._shown is not None and self._shown.outline is not outline:
            self._depth_data = None
        self._shown = Shown(outline, subject, results)
        self._draw_in(REST)

    def news(self, about_shown: bool) -> None:
        """More is known; draw again, soon if it is about what is shown."""
        if about_shown or self._due is None:
            self._draw_in(REST if about_shown else NEWS_REST)

    def take(self, answer: Distribution | Any) -> None:
        """Draw counts, which have a `subject`, if they are of what is shown."""
        shown = self._shown
        if shown is not None and answer.subject == shown.subject:
            node = shown.outline.layer(shown.subject)
            tensor = shown.outline.catalogue.tensors[shown.subject].label if shown.subject >= 0 else ""
            name = escape(f"{node.name} › {tensor}" if tensor else node.name)
            self.histogram.show(answer, name)

    def change(self, what: str, step: int) -> None:
        """Change a setting: `metric`, `family`, `log`, `curve`, `bins` or `zoom`."""
        if self._shown is None:
            return
        if what == "metric":
            self.depth_data.next_metric(step)
        elif what == "family":
            self.depth_data.next_kind()
        elif what == "log":
            self.histogram.toggle_log()
        elif what == "curve":
            self.histogram.toggle_curve()
        elif what == "bins":
            self.histogram.change_bins(step)
        elif what == "zoom":
            self.histogram.next_zoom()
        if what in ("metric", "family"):
            self._draw_depth(self._shown)
        elif what in ("bins", "zoom"):
            self._ask(self._shown)

    @property
    def depth_data(self) -> DepthData:
        """Kinds and metric of the depth plot; UsageError before a model is shown."""
        if self._depth_data is None:
            assert self._shown is not None
            self._depth_data = self.make_depth_data(self._shown)
        return self._depth_data

    def make_depth_data(self, shown: Shown) -> DepthData:
        """Which tensors the depth plot shows, by which metrics."""
        from wtui.tui.plot_data import DepthData

        return DepthData(shown.outline)

    def on_plot_pane_resized(self) -> None:
        """A plot has another size, or has come into view: draw it anew."""
        self._draw_in(REST)

    def _draw_in(self, seconds: float) -> None:
        """Draw in a while, once, whatever else asks until then."""
        if self._due is not None:
            self._due.stop()
        self._due = self.set_timer(seconds, self._draw)

    def _draw(self) -> None:
        self._due = None
        if self._shown is not None:
            self._ask(self._shown)
            self._draw_depth(self._shown)

    def _ask(self, shown: Shown) -> None:
        """Ask for the distribution, in the pane's own bins and window."""
        outline, subject, results = shown
        tensors, layer = outline.catalogue.tensors, outline.layer(subject)
        values = tensors[subject].size if subject >= 0 else outline.catalogue.totals(layer).parameters
        if values or subject >= 0:
            self.post_message(self.Asked(self.histogram.question(subject, results.row_of(subject), values)))
        else:
            self.histogram.show(None, "")

    def _draw_depth(self, shown: Shown) -> None:
        self.depth_plot.show(self.depth_data.view(shown.subject, shown.results))
