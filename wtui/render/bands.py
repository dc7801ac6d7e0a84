"""Distributions over time as quantile bands, and metrics over time: lines of text for a given size. Pure.

Bands are drawn in shades, so that they can be told apart without colour: the middle half dense, the outer ones light,
the median as a line. Between two checkpoints they run straight. No library is needed for that.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from wtui.render.numbers import value
from wtui.render.spans import text_width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wtui.render.spans import Line, StyleName

__all__ = ["LEGEND", "SHARES", "Band", "bands_plot"]

LABEL = 9
"""Columns of the numbers at the y axis and the axis itself."""

AXIS_ROWS = 2
"""Rows below the canvas: the axis and the checkpoints' names."""

SHADES = "░▒▓"
"""Of the bands, from the outermost to the innermost."""

MEDIAN = "━"

LEGEND = "━ median  ▓ 25–75 %  ▒ 5–95 %  ░ 1–99 %"


SHARES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
"""Of the quantiles of a band."""


class Band(NamedTuple):
    """Quantiles of one checkpoint at SHARES, NaN where there are none."""

    quantiles: tuple[float, ...]


@lru_cache(32)
def bands_plot(
    bands: tuple[Band, ...], names: tuple[str, ...], current: int | None, width: int, height: int
) -> tuple[Line, ...]:
    """The bands of all checkpoints, the one at position `current` marked below the axis; `()` without any."""
    known = [q for b in bands for q in b.quantiles if math.isfinite(q)]
    columns, rows = width - LABEL, height - AXIS_ROWS
    if not known or columns < 4 or rows < 2:
        return ()
    low, high = min(known), max(known)
    if low == high:
        low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
    places = _places(len(bands), columns)
    drawn = [_at(bands, places, x) for x in range(columns)]
    lines: list[Line] = []
    for row in range(rows):
        top, bottom = high - (high - low) * row / rows, high - (high - low) * (row + 1) / rows
        label = {0: high, rows - 1: low, rows // 2: (low + high) / 2 if rows > 4 else math.nan}.get(row, math.nan)
        text = "" if math.isnan(label) else value(label, 3)
        lines.append([(text.rjust(LABEL - 1) + "│", "dim"), *_merged([_cell(q, bottom, top) for q in drawn])])
    lines.append([(" " * (LABEL - 1) + "└", "dim"), *_axis(places, columns, current)])
    lines.append(_below(places, names, columns, current))
    return tuple(lines)


def _places(count: int, columns: int) -> list[int]:
    """The column of each checkpoint."""
    if count == 1:
        return [columns // 2]
    return [round(i * (columns - 1) / (count - 1)) for i in range(count)]


def _at(bands: Sequence[Band], places: Sequence[int], x: int) -> tuple[float, ...] | None:
    """The quantiles in a column: those of a checkpoint, or between its neighbours' if both have some."""
    right = next((i for i, place in enumerate(places) if place >= x), len(places) - 1)
    if abs(places[right] - x) <= (len(places) == 1):
        return bands[right].quantiles if math.isfinite(bands[right].quantiles[0]) else None
    left = right - 1
    if left < 0 or places[right] < x:
        return None
    a, b = bands[left].quantiles, bands[right].quantiles
    if not (math.isfinite(a[0]) and math.isfinite(b[0])):
        return None
    share = (x - places[left]) / (places[right] - places[left])
    return tuple(p + (q - p) * share for p, q in zip(a, b, strict=True))


def _cell(quantiles: tuple[float, ...] | None, bottom: float, top: float) -> tuple[str, StyleName]:
    """What to draw between two values: the median if it is there, else the innermost band that reaches in."""
    if quantiles is None:
        return " ", "dim"
    median = quantiles[3]
    if bottom < median <= top or (median == bottom and median == quantiles[0]):
        return MEDIAN, "accent"
    middle = (bottom + top) / 2
    for shade, low, high in zip(reversed(SHADES), (2, 1, 0), (4, 5, 6), strict=True):
        if quantiles[low] <= middle <= quantiles[high]:
            return shade, "info"
    reaches = quantiles[0] < top and quantiles[6] > bottom
    return (SHADES[0], "info") if reaches and quantiles[6] - quantiles[0] < top - bottom else (" ", "dim")


def _merged(cells: Sequence[tuple[str, StyleName]]) -> Line:
    """Neighbours of one style as one span."""
    line: Line = []
    for text, style in cells:
        if line and line[-1][1] == style:
            line[-1] = (line[-1][0] + text, style)
        else:
            line.append((text, style))
    return line


def _axis(places: Sequence[int], columns: int, current: int | None) -> Line:
    ticks = set(places)
    here = places[current] if current is not None else -1
    return _merged([("◉", "mark") if x == here else ("┴" if x in ticks else "─", "dim") for x in range(columns)])


def _below(places: Sequence[int], names: Sequence[str], columns: int, current: int | None) -> Line:
    """The names of the current checkpoint, the first and the last, as far as they do not run into each other."""
    order = [i for i in (current, 0, len(names) - 1) if i is not None]
    text = [" "] * columns
    for i in dict.fromkeys(order):
        wide = text_width(names[i])
        start = max(0, min(places[i] - wide // 2, columns - wide))
        if wide <= columns and all(c == " " for c in text[max(0, start - 1) : start + wide + 1]):
            text[start : start + wide] = list(names[i])
    return [(" " * LABEL + "".join(text), "dim")]
