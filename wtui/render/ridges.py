"""Distributions of alike tensors side by side in one histogram: a line each, over the same axis. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING

from wtui.render.numbers import value
from wtui.render.spans import Line, clip, escape, pad, text_width

if TYPE_CHECKING:
    from wtui.stats.row import SummaryRow

__all__ = ["MOST_LINES", "ridge_lines"]

BLOCKS, ASCII = " ▁▂▃▄▅▆▇█", " .:-=+*#@"
"""Density from none to that of the line's own peak."""

NAME_WIDTH = 30
"""Most columns of a name."""

MOST_LINES = 3
"""More lines for a distribution would be a plot of its own."""

STD_WIDTH = 11

MIN_PLOT = 16


def ridge_lines(
    names: Mapping[int, str],
    rows: Mapping[int, SummaryRow],
    width: int,
    *,
    current: int | None = None,
    own_scale: bool = False,
    ascii: bool = False,
    height: int = 1,
) -> list[Line]:
    """`height` lines for each tensor in the order of `names`: name, density over the axis, std; what is not read says
    so.

    The axis spans the 0.1 to 99.9 % quantiles of all, or with `own_scale` of each. `current` is marked.
    """
    shown = {i: escape(name) for i, name in names.items()}
    label = min(max([text_width(n) for n in shown.values()] + [6]), NAME_WIDTH, max(width // 3, 8))
    columns = max(width - label - STD_WIDTH - 4, MIN_PLOT)
    low, high = _span([rows[i] for i in names if i in rows])
    lines: list[Line] = [_axis(low, high, label, columns, own_scale)]
    for i, name in shown.items():
        mark = "▸ " if i == current and not ascii else "> " if i == current else "  "
        head: Line = [(mark, "mark"), (pad(clip(name, label), label), "name"), (" ", "")]
        row = rows.get(i)
        if row is None or not row.finite:
            lines.append([*head, ("not read yet" if row is None else "no value is finite", "dim")])
            continue
        ends = (row.sketch.lo, row.sketch.hi) if own_scale else (low, high)
        *above, drawn = _density(row, *ends, columns, ASCII if ascii else BLOCKS, height)
        lines += [[(" " * (label + 3), ""), (upper, "info")] for upper in above]
        lines.append([*head, (drawn, "info"), (value(row.std, 4).rjust(STD_WIDTH), "number")])
    return lines


def _span(rows: Sequence[SummaryRow]) -> tuple[float, float]:
    """The quantiles between which all of them lie, with 0 if it is near."""
    ends = [(r.sketch.lo, r.sketch.hi) for r in rows if r.finite and isfinite(r.sketch.lo) and isfinite(r.sketch.hi)]
    low, high = min((a for a, _ in ends), default=0.0), max((b for _, b in ends), default=1.0)
    return (low, high) if low < high else (low - 0.5, low + 0.5)


def _axis(low: float, high: float, label: int, columns: int, own_scale: bool) -> Line:
    ends = ("0.1 %", "99.9 %") if own_scale else (value(low, 3), value(high, 3))
    zero = round(-low / (high - low) * (columns - 1)) if not own_scale and low < 0 < high else -1
    text = ends[0] + " " * max(1, columns - text_width(ends[0]) - text_width(ends[1])) + ends[1]
    if text_width(ends[0]) + 1 <= zero <= columns - text_width(ends[1]) - 2:
        text = text[:zero] + "0" + text[zero + 1 :]
    return [(" " * (label + 3) + text + "std".rjust(STD_WIDTH), "dim")]


def _density(row: SummaryRow, low: float, high: float, columns: int, ramp: str, height: int) -> list[str]:
    """The sketch's counts spread over the columns they overlap, as lines of characters from the top."""
    sketch = row.sketch
    if not sketch.counts or not sketch.lo < sketch.hi or not low < high:
        at = round((float(row.mean) - low) / (high - low) * (columns - 1)) if low < high else columns // 2
        place = max(0, min(columns - 1, at))
        return [" " * place + ramp[-1] + " " * (columns - place - 1)] * height
    heights = [0.0] * columns
    bin_width, cell = (sketch.hi - sketch.lo) / len(sketch.counts), (high - low) / columns
    for number, count in enumerate(sketch.counts):
        start, stop = sketch.lo + number * bin_width, sketch.lo + (number + 1) * bin_width
        first, last = int((start - low) / cell), int((stop - low) / cell)
        for c in range(max(first, 0), min(last, columns - 1) + 1):
            overlap = min(stop, low + (c + 1) * cell) - max(start, low + c * cell)
            heights[c] += count * max(overlap, 0.0) / bin_width
    top, steps = max(heights), len(ramp) - 1
    levels = [max(1, round(h / top * steps * height)) if h > 0 else 0 for h in heights]
    return [
        "".join(ramp[max(0, min(steps, level - steps * below))] for level in levels)
        for below in range(height - 1, -1, -1)
    ]
