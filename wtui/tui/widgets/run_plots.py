"""The two plots below the table of a run: a metric over time, and a distribution over time as quantile bands."""

from __future__ import annotations

import math
from asyncio import to_thread
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from wtui.render.bands import LEGEND, SHARES, Band
from wtui.render.spans import escape, wrap
from wtui.series.timeline import pooled_quantiles
from wtui.tui.widgets.plots import PlotPane

if TYPE_CHECKING:
    from wtui.render.spans import Line
    from wtui.series.record import Numbers

__all__ = ["BandsPane", "Course", "CoursePane"]

FOOT_ROWS = 1
"""Lines below a plot that say what it shows."""


class Course(NamedTuple):
    """What the plots show."""

    what: str
    """Tensor, layer or figure."""
    metric: str
    values: tuple[float, ...]
    """At each checkpoint, NaN where there is none."""
    names: tuple[str, ...]
    """Of the checkpoints, short."""
    current: int
    from_zero: bool
    parts: tuple[tuple[Numbers, ...], ...] = ()
    """Numbers of its tensors at each checkpoint."""
    no_parts: str = ""
    """Why there are none."""
    unit: str = ""
    """What the names count: `epoch`."""


class CoursePane(PlotPane):
    """A number over time."""

    def show(self, course: Course) -> None:
        """Draw beside the screen."""
        if self.size.width:
            self.draw_later(partial(self._draw, course))

    async def _draw(self, course: Course) -> None:
        lines = await to_thread(self._lines, course, self.size.width, self.size.height - FOOT_ROWS)
        self.put(lines, title=f"{escape(course.metric)} over time", subtitle=escape(course.what))

    def _lines(self, course: Course, width: int, height: int) -> list[Line]:
        """The plot and the line below it; runs in a thread."""
        from wtui.render.plots import DepthPoint, depth_plot

        points = tuple(DepthPoint(i, v) for i, v in enumerate(course.values, 1) if math.isfinite(v))
        if not points:
            return [[("nothing to draw: no checkpoint has a finite number for it", "dim")]]
        members, current = len(course.values), course.current + 1
        plot = depth_plot(points, members, current, width, height, course.from_zero, names=course.names)
        missing = members - len(points)
        gap = f" · {missing} without a finite number" if missing else ""
        return [*plot, [(f"{escape(course.unit) or 'checkpoints'}{gap} · metric (m)", "dim")]]


class BandsPane(PlotPane):
    """A distribution over time."""

    def show(self, course: Course) -> None:
        """Draw beside the screen."""
        if self.size.width:
            self.draw_later(partial(self._draw, course))

    async def _draw(self, course: Course) -> None:
        lines = await to_thread(self._lines, course, self.size.width, self.size.height - FOOT_ROWS)
        self.put(lines, title="Distribution over time", subtitle=escape(course.what) if course.parts else "")

    def _lines(self, course: Course, width: int, height: int) -> list[Line]:
        """The plot and the line below it; runs in a thread."""
        from wtui.render.bands import bands_plot

        if not course.parts:
            return wrap([(course.no_parts, "dim")], width)
        bands = tuple(Band(pooled_quantiles(parts, SHARES)) for parts in course.parts)
        plot = bands_plot(bands, course.names, course.current, width, height)
        near = " · approximate" if any(len(parts) > 1 for parts in course.parts) else ""
        return [*plot, [(LEGEND + near, "dim")]] if plot else [[("no finite values", "dim")]]
