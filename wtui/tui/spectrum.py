"""Spectra over the panes: one kernel's numbers and singular values, or a metric of its kind along the depth.

Measured on request, in the scan process, one after the other; leaving the screen ends the work.
"""

from __future__ import annotations

from asyncio import to_thread
from typing import TYPE_CHECKING, Any, cast

from textual.binding import Binding
from textual.screen import ModalScreen

from wtui.engine.protocol import AskSpectrum, Spectrum, SpectrumShare
from wtui.render.spans import Line, escape, wrap
from wtui.render.spectrum import SPECTRUM_METRICS, by_chance, number_lines, spectrum_points
from wtui.tui.widgets.bars import Bar
from wtui.tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.app import ComposeResult

    from wtui.model import Catalogue
    from wtui.stats.spectrum_row import SpectrumRow
    from wtui.tui.results import Results

__all__ = ["SpectrumScreen"]

VIEWS = ("by rank", "distribution", "by depth")

LEAST_PLOT = 8
"""Rows that a plot gets, however long the numbers above it are: they can be scrolled."""


class SpectrumScreen(ModalScreen[None]):
    """One kernel's spectrum; tab goes on to its distribution and to a metric along the depth."""

    BINDINGS = [
        Binding("tab,x", "view(1)", "next view", tooltip="Singular values by rank, distribution, metric by depth"),
        Binding("shift+tab", "view(-1)", "previous view", tooltip="The view before"),
        Binding("left,comma", "other(-1)", "previous", tooltip="The kernel of the same kind before this one"),
        Binding("right,full_stop", "other(1)", "next", tooltip="The kernel of the same kind behind this one"),
        Binding("m", "metric(1)", "metric", tooltip="Next metric by depth"),
        Binding("M", "metric(-1)", "metric back", tooltip="Previous metric by depth"),
        Binding("L", "log", "log", tooltip="Singular values on a linear or a logarithmic scale"),
        Binding("escape,q", "dismiss", "close", tooltip="Back to the panes; what is being measured is given up"),
    ]

    def __init__(
        self,
        number: int,
        members: Sequence[int],
        catalogue: Catalogue,
        results: Results,
        ask: Callable[[Any], None],
    ) -> None:
        """`members` are the tensors of the same kind in depth order."""
        super().__init__()
        self._number = number
        self._members = tuple(members)
        self._catalogue = catalogue
        self._results = results
        self._ask = ask
        self._view = 0
        self._metric = 0
        self._log = True
        self._share = 0.0
        self._measuring: int | None = None

    def compose(self) -> ComposeResult:
        yield TextPane(id="spectrum")
        yield Bar(id="spectrum_said")
        yield Bar(id="spectrum_keys")

    def on_mount(self) -> None:
        """Ask once there is a size."""
        self.call_after_refresh(self._request)

    def on_resize(self) -> None:
        """The plot has another size."""
        self.call_after_refresh(self._draw)

    def on_unmount(self) -> None:
        """Nobody waits any more."""
        self._ask(AskSpectrum(()))

    @property
    def view(self) -> str:
        """Which view is shown."""
        return VIEWS[self._view]

    def take(self, answer: Spectrum | SpectrumShare) -> None:
        """How far it is, or another spectrum, which the results hold by now."""
        if isinstance(answer, SpectrumShare):
            self._measuring, self._share = answer.tensor, answer.share
            self._say()
        elif self.view == "by depth" or answer.tensor == self._number:
            self._measuring = None
            self._draw()

    def _request(self) -> None:
        """Ask for what is shown and not known; this one first."""
        wanted = self._members if self.view == "by depth" else ()
        missing = [i for i in dict.fromkeys((self._number, *wanted)) if i not in self._results.spectra]
        self._measuring = missing[0] if missing else None
        self._share = 0.0
        self._ask(AskSpectrum(tuple(missing)))
        self._draw()

    def _draw(self) -> None:
        self._say()
        self.run_worker(cast("Any", self._drawn), exclusive=True)

    async def _drawn(self) -> None:
        pane = self.query_one("#spectrum", TextPane)
        size = pane.size
        lines = await to_thread(self._lines, max(size.width, 20), max(size.height, 10))
        pane.put(lines, title=f"{escape(self._catalogue.tensors[self._number].name)} · spectrum", subtitle=self.view)

    def _lines(self, width: int, height: int) -> list[Line]:
        """What is known of the view, for a pane of this size; runs in a thread."""
        if self.view == "by depth":
            return self._depth_lines(width, height)
        known = self._results.spectra.get(self._number)
        if known is None:
            return [[("measuring …", "dim")]]
        if known.row is None:
            return wrap([("no spectrum: ", "warning"), (escape(known.problem), "")], width, 2)
        numbers = number_lines(known.row, known.said, width)
        room = max(height - len(numbers) - 2, LEAST_PLOT)
        plot = self._by_rank if self.view == "by rank" else self._distribution
        return [*numbers, [], *plot(known.row, width, room)]

    def _by_rank(self, row: SpectrumRow, width: int, height: int) -> list[Line]:
        from wtui.render.plots import rank_plot

        scale = "logarithmic" if self._log else "linear"
        title: Line = [("singular values by rank", "title"), (f"  {scale} (L)", "dim")]
        return [title, *rank_plot(row.values, width, height, self._log)]

    def _distribution(self, row: SpectrumRow, width: int, height: int) -> list[Line]:
        from wtui.render.plots import canvas_columns, histogram_plot

        high = max(row.spectral_norm, row.edge)
        if not high > 0 or row.method == "randomised":
            return [[("not drawn: it needs all singular values, and one above 0", "dim")]]
        bins = canvas_columns(width)
        edges = [high * i / bins for i in range(bins + 1)]
        counts = [0.0] * bins
        for value in row.values:
            counts[min(int(value / high * bins), bins - 1)] += 1
        title: Line = [("singular values", "title"), ("  ∙ ", "overlay")]
        title.append(("if weights were independent (Marchenko-Pastur)", "dim"))
        curve = by_chance(row, edges)
        return [title, *histogram_plot(tuple(counts), 0.0, high, width, height, False, curve)]

    def _depth_lines(self, width: int, height: int) -> list[Line]:
        from wtui.render.plots import depth_plot

        metric = SPECTRUM_METRICS[self._metric]
        known = self._results.spectra
        rows = {i: found.row for i in self._members if (found := known.get(i)) is not None and found.row is not None}
        points = spectrum_points(metric, self._members, rows)
        here = self._members.index(self._number) + 1 if self._number in self._members else None
        title: Line = [(metric.name, "title"), (" by depth  (m)", "dim")]
        lacking = [known[i] for i in self._members if i in known and i not in rows]
        about: Line = [(f"{len(points)} of {len(self._members)}", "dim")]
        without = len(rows) - len(points)
        about += [(f", {without} have none", "dim")] if without else []
        about += [(f", {len(lacking)} not measured: {escape(lacking[0].problem)}", "warning")] if lacking else []
        plot = depth_plot(points, len(self._members), here, width, max(height - 2, LEAST_PLOT))
        return [
            title,
            *(plot or [[("measuring …" if len(rows) < len(self._members) else "none has one", "dim")]]),
            about,
        ]

    def _say(self) -> None:
        """The line below: how far it is; the keys."""
        line: Line = []
        if self._measuring is not None:
            name = escape(self._catalogue.tensors[self._measuring].name)
            line = [(f" measuring {name}  {100 * self._share:.0f} %", "accent")]
        self.query_one("#spectrum_said", Bar).show(line)
        own: Line = [("m", "accent"), (" metric  ", "dim")]
        if self.view != "by depth":
            own = [("L", "accent"), (" log  ", "dim")] if self.view == "by rank" else []
        keys: Line = [(" tab", "accent"), (" next view  ", "dim"), ("←→", "accent"), (" other kernel  ", "dim"), *own]
        self.query_one("#spectrum_keys", Bar).show([*keys, ("esc", "accent"), (" back", "dim")])

    def action_view(self, step: int) -> None:
        """Another view."""
        self._view = (self._view + step) % len(VIEWS)
        self._request()

    def action_other(self, step: int) -> None:
        """The next or previous kernel of the same kind."""
        if self._number in self._members:
            place = self._members.index(self._number) + step
            self._number = self._members[max(0, min(place, len(self._members) - 1))]
            self._request()

    def action_metric(self, step: int) -> None:
        """Another metric by depth."""
        self._metric = (self._metric + step) % len(SPECTRUM_METRICS)
        self._draw()

    def action_log(self) -> None:
        """Linear or logarithmic singular values."""
        self._log = not self._log
        self._draw()
