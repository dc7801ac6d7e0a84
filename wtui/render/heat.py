"""Matrices of numbers as coloured cells: heat maps and small images of filters. Pure.

Colours are blue for negative and orange for positive values, as far from each other for colour-blind eyes as on a
printer; two rows of cells share a line. Without colours, characters of growing darkness stand for |x|: blocks above
zero, letters below.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from wtui.render.numbers import value
from wtui.render.spans import Line, Paint

__all__ = ["Matrix", "enlarged", "filter_lines", "heat_lines", "legend", "scale_of"]

NEUTRAL, NEGATIVE, POSITIVE = (44, 46, 52), (78, 154, 255), (255, 150, 56)
BROKEN = "#e5534b"
RAMP, BELOW = " ·:░▒▓█", " ,;coO@"
"""Without colours: how far a value is above zero, and how far below."""
LEVELS = 24
"""Steps of colour on each side of zero: more cannot be told apart and would cost bytes."""

MAX_ZOOM = 6
"""Pixels of a cell, each way: a small kernel fills a screen no more than it must to be seen."""


class Matrix(NamedTuple):
    """Cells in C order."""

    rows: int
    columns: int
    values: Sequence[float]


def scale_of(values: Sequence[float]) -> float:
    """The |x| that gets the full colour: the 99 % quantile, so that one outlier does not darken everything else."""
    sizes = sorted(abs(x) for x in values if math.isfinite(x))
    if not sizes:
        return 1.0
    return sizes[min(len(sizes) - 1, int(0.99 * len(sizes)))] or sizes[-1] or 1.0


def heat_lines(matrix: Matrix, scale: float, *, colour: bool, cell: int = 1) -> list[Line]:
    """The matrix with cells `cell` columns wide; with colour, two rows of cells in a line."""
    if not colour:
        return [[("".join(_shade(x, scale) * cell for x in _row(matrix, r)), "")] for r in range(matrix.rows)]
    lines: list[Line] = []
    for r in range(0, matrix.rows, 2):
        upper = _row(matrix, r)
        lower = _row(matrix, r + 1) if r + 1 < matrix.rows else None
        line: Line = []
        for c in range(matrix.columns):
            above = _colour(upper[c], scale)
            below = _colour(lower[c], scale) if lower is not None else ""
            paint = Paint(f"{above}/{below}")
            if line and line[-1][1] == paint:
                line[-1] = (line[-1][0] + "▀" * cell, paint)
            else:
                line.append(("▀" * cell, paint))
        lines.append(line)
    return lines


def enlarged(matrix: Matrix, scale: float, width: int, height: int, *, colour: bool) -> list[Line]:
    """The matrix as a heat map with square cells as large as fit into `width` columns and `height` lines."""
    if not matrix.values:
        return []
    across, down = (1, 2) if colour else (2, 1)
    zoom = max(1, min(MAX_ZOOM, width // (matrix.columns * across), height * down // matrix.rows))
    wide = zoom * across if zoom * across * matrix.columns <= width else zoom
    return heat_lines(_zoomed(matrix, zoom), scale, colour=colour, cell=wide)


def filter_lines(
    images: Sequence[Matrix], numbers: Sequence[int], scale: float, width: int, *, colour: bool
) -> list[Line]:
    """Images of equal size in rows as wide as the pane, each with its number above it."""
    if not images:
        return []
    zoom = max(1, min(4, 12 // max(images[0].columns, 1)))
    cell = zoom if colour else 2
    size = max(images[0].columns * cell, 4) + 2
    across = max(1, width // size)
    lines: list[Line] = []
    for first in range(0, len(images), across):
        batch = images[first : first + across]
        lines.append([("".join(str(n).ljust(size) for n in numbers[first : first + across]), "dim")])
        drawn = [heat_lines(_zoomed(m, zoom if colour else 1), scale, colour=colour, cell=cell) for m in batch]
        for r in range(len(drawn[0])):
            line: Line = []
            for m, lines_of in zip(batch, drawn, strict=True):
                line += [*lines_of[r], (" " * (size - m.columns * cell), "")]
            lines.append(line)
        lines.append([])
    return lines


def legend(scale: float, *, colour: bool) -> Line:
    """What the colours mean: `-0.12 ▀▀▀▀▀▀ 0 ▀▀▀▀▀▀ +0.12`."""
    shown = value(scale, 3)
    if not colour:
        return [(f"-{shown} '{BELOW[:0:-1]}' 0 '{RAMP[1:]}' +{shown}", "dim")]
    line: Line = [(f"-{shown} ", "dim")]
    for step in range(-6, 7):
        line.append(("█", Paint(f"{_colour(scale * step / 6, scale)}/")))
    return [*line, (f" +{shown}", "dim"), ("  red: not finite", "dim")]


def _row(matrix: Matrix, r: int) -> Sequence[float]:
    return matrix.values[r * matrix.columns : (r + 1) * matrix.columns]


def _zoomed(matrix: Matrix, times: int) -> Matrix:
    """Every row `times` times."""
    rows = [x for r in range(matrix.rows) for _ in range(times) for x in _row(matrix, r)]
    return Matrix(matrix.rows * times, matrix.columns, rows)


def _shade(x: float, scale: float) -> str:
    if not math.isfinite(x):
        return "✗"
    ramp = RAMP if x >= 0 else BELOW
    return ramp[min(len(ramp) - 1, int(abs(x) / scale * len(ramp)))]


def _colour(x: float, scale: float) -> str:
    if not math.isfinite(x):
        return BROKEN
    return _step(round(max(-1.0, min(1.0, x / scale)) * LEVELS))


@lru_cache(2 * LEVELS + 1)
def _step(level: int) -> str:
    """The colour of a level from -LEVELS to LEVELS."""
    end = POSITIVE if level > 0 else NEGATIVE
    share = abs(level) / LEVELS
    return "#" + "".join(f"{round(n + (e - n) * share):02x}" for n, e in zip(NEUTRAL, end, strict=True))
