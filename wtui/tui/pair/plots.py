"""The plots of two models: both distributions in the same bins, and the change along the depth."""

from __future__ import annotations

from asyncio import to_thread
from typing import TYPE_CHECKING, Any

from wtui.render import numbers
from wtui.render.depth import CHANGE_METRICS, Metric, change_points
from wtui.tui.plot_data import DepthData
from wtui.tui.widgets.plots import FOOT_ROWS, ZOOMS, CountsPane
from wtui.tui.widgets.plots_column import PlotsColumn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wtui.comparing.protocol import BothCounted
    from wtui.engine.protocol import Distribution
    from wtui.model import TensorEntry
    from wtui.render.plots import DepthPoint
    from wtui.render.spans import Line
    from wtui.tui.outline import Outline
    from wtui.tui.pair.results import PairResults
    from wtui.tui.widgets.plots_column import Shown

__all__ = ["OverlayPane", "PairColumn"]


class OverlayPane(CountsPane):
    """A's and B's values counted in the same bins: B as bars, A as a line of points over them."""

    async def draw_counts(self, counts: BothCounted, name: str) -> None:
        lines = await to_thread(self._lines, counts, self.size.width, self.size.height - FOOT_ROWS - 1, self.log_counts)
        self.put(lines, title="Distribution of A and B", subtitle=name)

    def _lines(self, both: BothCounted, width: int, height: int, log: bool) -> list[Line]:
        """The plot and the lines below it; runs in a thread."""
        from wtui.render.plots import overlay_plot

        a, b = both.a, both.b
        there = [d for d in (a, b) if d is not None and d.seen and d.low == d.low]
        if not there:
            return [[("no finite values", "dim")]]
        low, high = there[0].low, there[0].high
        if low == high:
            return [[("every value is ", "dim"), (numbers.value(low), "number")], *_legend(a, b)]
        counts_a, counts_b = _counts(a), _counts(b)
        if a is not None and b is not None and a.seen != b.seen and a.seen:
            counts_a = tuple(n * b.seen / a.seen for n in counts_a)
        lines = list(overlay_plot(counts_a, counts_b, low, high, width, height, log))
        return [*lines, *_legend(a, b), self._where(a, b, width), self._how(there[0], log)]

    def _where(self, a: Distribution | None, b: Distribution | None, width: int) -> Line:
        """The window, and how many values of each lie outside of it."""
        there = [(side, d) for side, d in (("A", a), ("B", b)) if d is not None and d.seen and d.low == d.low]
        counts = [(side, numbers.short_count(round(d.below + d.above))) for side, d in there]
        text = f"{ZOOMS[self.zoom]} (z), outside {' '.join(f'{side} {n}' for side, n in counts)}"
        if len(text) > width:
            text = f"{ZOOMS[self.zoom]} (z), {'/'.join(n for _, n in counts)} outside"
        line: Line = [(text, "dim")]
        if any(d.seen < d.total for _, d in there):
            line.append(("  sample", "warning"))
        return line

    def _how(self, d: Distribution, log: bool) -> Line:
        return [(f"{len(d.counts)} bins (= -) · {'log' if log else 'linear'} (L)", "dim")]


def _counts(d: Distribution | None) -> tuple[float, ...]:
    return () if d is None else d.counts


def _legend(a: Distribution | None, b: Distribution | None) -> list[Line]:
    """Which is which; that they are of the same size or drawn as if."""
    if a is None or b is None:
        here, sign, style = ("A", "░░", "overlay") if b is None else ("B", "▒▒", "info")
        return [[(sign, style), (f" {here}", ""), ("  the other has no such tensor", "dim")]]  # type: ignore[list-item]
    line: Line = [("░░", "overlay"), (" A  ", ""), ("▒▒", "info"), (" B  ", ""), ("██", ""), (" both", "")]
    if a.seen != b.seen:
        line.append((f"  A drawn as {b.seen:,} values", "dim"))
    return [line]


class ChangeData(DepthData):
    """Change against depth: only pairs have a place."""

    metrics: Sequence[Metric] = CHANGE_METRICS

    def __init__(self, outline: Outline, results: PairResults) -> None:
        self._results = results
        super().__init__(outline)
        self._choice = len(self._choices) - 1  # all: a share of itself can be compared between any two tensors

    def belongs(self, tensor: int) -> bool:
        pair = self._results.joined.pairs.get(tensor)
        return pair is not None and bool(pair.layouts)

    def points(
        self, metric: Metric, members: Sequence[tuple[int, TensorEntry]], results: Any
    ) -> tuple[DepthPoint, ...]:
        return change_points(metric, members, results.differences)


class PairColumn(PlotsColumn):
    """Both plots of a comparison."""

    histogram_class: type[CountsPane] = OverlayPane

    def make_depth_data(self, shown: Shown) -> DepthData:
        from wtui.tui.pair.results import PairResults

        assert isinstance(shown.results, PairResults)
        return ChangeData(shown.outline, shown.results)
