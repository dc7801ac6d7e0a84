"""Histograms and depth plots as lines of text, drawn on the canvas of `wtui.render.canvas`.

Every function is pure and may be called from any thread.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.render.canvas import (
    BAND,
    BOTH,
    CURRENT,
    CURVE,
    FRAME_ROWS,
    LABEL_WIDTH,
    LOCK,
    ONLY_A,
    ONLY_B,
    POINT,
    canvas_columns,
    figure_of,
    set_axis,
    styled,
    to_ascii,
)
from wtui.render.numbers import value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wtui.render.spans import Line

__all__ = [
    "DepthPoint",
    "canvas_columns",
    "channel_plot",
    "depth_plot",
    "histogram_plot",
    "overlay_plot",
    "rank_plot",
    "to_ascii",
    "warm_up",
]


class DepthPoint(NamedTuple):
    """One tensor in a depth plot: its number along the depth, the metric, and the range drawn behind it."""

    position: int
    value: float
    low: float | None = None
    high: float | None = None


def warm_up() -> None:
    """Import plotext and draw once, so that the first plot a user asks for is quick."""
    histogram_plot((1.0, 2.0), 0.0, 1.0, 30, 8)


@lru_cache(64)
def histogram_plot(
    counts: tuple[float, ...],
    low: float,
    high: float,
    width: int,
    height: int,
    log: bool = False,
    curve: tuple[float, ...] = (),
) -> tuple[Line, ...]:
    """Bars of equal bins over [low, high]; `log` draws log10(1 + n). `curve`: expected counts per bin, drawn over them.

    Draws two bins a column at most; more bins are joined, fewer are widened.
    """
    pixels = 2 * canvas_columns(width)
    heights = _resample(counts, pixels)
    expected = _resample(curve, pixels) if curve else []
    scale = math.log10 if log else float
    shift = 1.0 if log else 0.0
    top = max([*heights, *expected, 1e-300])
    ys = [scale(h + shift) for h in heights]
    over = [scale(h + shift) if h > 0 else 0.0 for h in expected]
    return _bars(ys, over, scale(top + shift), _short(top), _x_ticks(low, high, pixels), (width, height))


@lru_cache(32)
def overlay_plot(
    a: tuple[float, ...], b: tuple[float, ...], low: float, high: float, width: int, height: int, log: bool = False
) -> tuple[Line, ...]:
    """Two histograms in the same bins over [low, high], either may be empty: what both reach, and what only one does.

    Draws one bin a column at most; more bins are joined.
    """
    columns = canvas_columns(width)
    scale = (lambda n: math.log10(1 + n)) if log else float
    raw = [_resample(counts, columns) for counts in (a, b)]
    top = max([*raw[0], *raw[1], 1e-300])
    heights = [[scale(n) for n in counts] for counts in raw]
    both = [min(pair) for pair in zip(*heights, strict=True)]
    limit = scale(top)
    with LOCK:
        figure = figure_of(width, height)
        floor = limit / (2 * max(1, height - FRAME_ROWS))
        for ys, marker in ((heights[0], ONLY_A), (heights[1], ONLY_B), (both, BOTH)):
            for run in _runs(ys):
                figure.draw(figure.signal(list(run), [max(ys[i], floor / 2) for i in run], marker=marker).fillx())
        set_axis(figure, "x", (0.0, columns - 1.0), _x_ticks(low, high, columns))
        set_axis(figure, "y", (floor, limit), {floor: "0".rjust(LABEL_WIDTH), limit: _short(top).rjust(LABEL_WIDTH)})
        text = figure.build().string()
    return tuple(styled(text, {BOTH: "", ONLY_A: "overlay", ONLY_B: "info"}))


@lru_cache(16)
def channel_plot(norms: tuple[float, ...], width: int, height: int) -> tuple[Line, ...]:
    """A bar for each channel in order; where there are more than fit, the largest of those that share a place."""
    pixels, n = 2 * canvas_columns(width), len(norms)
    edges = [i * n // pixels for i in range(pixels + 1)]
    heights = [max(norms[a : max(b, a + 1)], default=0.0) for a, b in pairwise(edges)]
    top = max([*heights, 1e-300])
    ticks = {0.0: "0", pixels - 1.0: str(n - 1)}
    return _bars(heights, [], top, _tick(top, top), ticks, (width, height))


@lru_cache(16)
def rank_plot(values: tuple[float, ...], width: int, height: int, log: bool = False) -> tuple[Line, ...]:
    """Bars of values that fall from left to right, by their rank; `log` spreads the powers of ten above the least."""
    pixels, n = 2 * canvas_columns(width), len(values)
    shown = [values[i * n // pixels] for i in range(pixels)]
    top, least = max([*shown, 1e-300]), min([x for x in shown if x > 0], default=1.0)
    ticks = {0.0: "1", pixels - 1.0: f"{n:,}"}
    if not log or not least < top:
        return _bars(shown, [], top, _tick(top, top), ticks, (width, height))
    decades = math.log10(top / least)
    heights = [1 + math.log10(x / least) / decades * height if x > 0 else 0.0 for x in shown]
    return _bars(heights, [], 1.0 + height, _tick(top, top), ticks, (width, height), _tick(least, top))


def _bars(
    ys: Sequence[float],
    over: Sequence[float],
    limit: float,
    peak: str,
    ticks: dict[float, str],
    size: tuple[int, int],
    foot: str = "0",
) -> tuple[Line, ...]:
    """Bars of the heights `ys`, two a column, and the curve `over` before them; the y axis from 0 to `limit`, which
    are called `foot` and `peak`."""
    with LOCK:
        figure = figure_of(*size)
        floor = limit / (2 * max(1, size[1] - FRAME_ROWS))
        for run in _runs(ys):
            figure.draw(figure.signal(list(run), [max(ys[i], floor / 2) for i in run], marker="hd").fillx())
        xs = [i for i in range(0, len(over), 2) if over[i] > 0]
        if xs:
            figure.draw(figure.signal(xs, [max(over[i], floor) for i in xs], marker=CURVE))
        set_axis(figure, "x", (0.0, len(ys) - 1.0), ticks)
        set_axis(figure, "y", (floor, limit), {floor: foot.rjust(LABEL_WIDTH), limit: peak.rjust(LABEL_WIDTH)})
        text = figure.build().string()
    return tuple(styled(text))


@lru_cache(64)
def depth_plot(
    points: tuple[DepthPoint, ...],
    members: int,
    current: int | None,
    width: int,
    height: int,
    zero: bool = True,
    top: float = -math.inf,
    names: tuple[str, ...] = (),
) -> tuple[Line, ...]:
    """A metric against depth, 1 to `members`; the point at position `current` is marked. `zero` keeps 0 in sight.

    `top` is what the y axis reaches at least, so that plots side by side have one scale. With `names` it is a course
    over time: they stand below the axis in place of the members' numbers, and lines join neighbours.
    """
    shown = [p for p in points if math.isfinite(p.value)]
    if not shown:
        return ()
    low, high = _value_range(shown, zero)
    high = max(high, top)
    with LOCK:
        figure = figure_of(width, height)
        _draw_band(figure, shown, (high - low) / (2 * max(1, height - FRAME_ROWS)))
        if names:
            _draw_course(figure, shown)
        others = [p for p in shown if p.position != current]
        dense = members > 3 * canvas_columns(width)
        figure.draw(figure.signal(*_columns(others), marker="braille" if dense else POINT))
        here = [p for p in shown if p.position == current]
        if here:
            figure.draw(figure.signal(*_columns(here), marker=CURRENT))
        ticks = {float(n): names[n - 1] if names else str(n) for n in sorted({1, (1 + members) // 2, members})}
        set_axis(figure, "x", (0.5, members + 0.5), ticks)
        middle = (low + high) / 2
        labels = {y: _tick(y, high - low).rjust(LABEL_WIDTH) for y in (low, middle, high)}
        set_axis(figure, "y", (low, high), labels)
        text = figure.build().string()
    return tuple(styled(text))


def _value_range(points: Sequence[DepthPoint], zero: bool) -> tuple[float, float]:
    """What the y axis shows: all values and their ranges, never nothing."""
    low = min(p.value if p.low is None else p.low for p in points)
    high = max(p.value if p.high is None else p.high for p in points)
    if zero and low >= 0:
        low = 0.0
    if low == high:
        return (0.0, 1.0) if low == 0 else (low - abs(low) * 0.1, high + abs(high) * 0.1)
    return low, high


def _columns(points: Iterable[DepthPoint]) -> tuple[list[int], list[float]]:
    pairs = [(p.position, p.value) for p in points]
    return [x for x, _ in pairs] or [0], [y for _, y in pairs] or [math.inf]


def _draw_band(figure: Any, points: Sequence[DepthPoint], step: float) -> None:
    """A broken line from `low` to `high` behind every point that has a range."""
    xs: list[int] = []
    ys: list[float] = []
    for p in points:
        if p.low is None or p.high is None or not (math.isfinite(p.low) and math.isfinite(p.high)):
            continue
        steps = max(1, math.ceil((p.high - p.low) / step)) if step > 0 else 1
        xs += [p.position] * (steps + 1)
        ys += [p.low + (p.high - p.low) * i / steps for i in range(steps + 1)]
    if xs:
        figure.draw(figure.signal(xs, ys, marker=BAND))


def _draw_course(figure: Any, points: Sequence[DepthPoint]) -> None:
    """Lines between points that follow each other; a gap stays one."""
    runs: list[list[DepthPoint]] = []
    for point in points:
        if runs and point.position == runs[-1][-1].position + 1:
            runs[-1].append(point)
        else:
            runs.append([point])
    for run in runs:
        if len(run) > 1:
            figure.draw(figure.signal(*_columns(run), marker="braille").lines())


def _resample(counts: Sequence[float], pixels: int) -> list[float]:
    """Counts for `pixels` equal bins over the same range: repeated when there are fewer bins, summed when more."""
    n = len(counts)
    if n == 0:
        return [0.0] * pixels
    if n <= pixels:
        return [float(counts[i * n // pixels]) for i in range(pixels)]
    edges = [i * n // pixels for i in range(pixels + 1)]
    return [float(sum(counts[a:b])) for a, b in itertools.pairwise(edges)]


def _runs(heights: Sequence[float]) -> list[range]:
    """Maximal ranges of positive heights: a filled curve would draw a line where there is nothing."""
    runs: list[range] = []
    start = None
    for i, h in enumerate([*heights, 0.0]):
        if h > 0 and start is None:
            start = i
        elif h <= 0 and start is not None:
            runs.append(range(start, i))
            start = None
    return runs


def _x_ticks(low: float, high: float, pixels: int) -> dict[float, str]:
    """The two ends, and zero or the middle between them where there is room."""
    ticks = {0.0: value(low, 3), pixels - 1.0: value(high, 3)}
    inside = 0.0 if low < 0 < high else (low + high) / 2
    at = (inside - low) / (high - low) * (pixels - 1) if high > low else 0.0
    if 0.22 * pixels < at < 0.78 * pixels:
        ticks[float(round(at))] = value(inside, 3)
    return dict(sorted(ticks.items()))


def _short(n: float) -> str:
    """A count in at most LABEL_WIDTH columns."""
    if n < 10_000:
        return f"{n:.0f}"
    exponent = min(int(math.log10(n)) // 3, 4)
    return f"{n / 1000**exponent:.3g}{' KMBT'[exponent]}"


def _tick(y: float, span: float) -> str:
    """A number at the y axis with as many decimals as the span needs."""
    if y == 0:
        return "0"
    if span > 0 and 1e-3 <= max(abs(y), span) < 1e5:
        return f"{y:.{max(0, min(5, 2 - math.floor(math.log10(span))))}f}"
    return f"{y:.1e}"
