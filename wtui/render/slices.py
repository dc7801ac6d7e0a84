"""A slice of a tensor as a table of numbers: which part of it a window shows, and how. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from wtui.render import numbers

if TYPE_CHECKING:
    from wtui.render.spans import Line, StyleName

__all__ = ["CELL_WIDTH", "SliceView", "box_of", "first_view", "moved", "slice_lines", "split_name", "turned", "view_at"]

CELL_WIDTH = 11
"""Columns of a value: `-0.0012345` and a space."""

ROW_LABEL = 8
"""Columns of a row's index."""


class SliceView(NamedTuple):
    """Two axes of a tensor in a window, the others fixed."""

    shape: tuple[int, ...]
    row_axis: int
    """-1 for tensors of less than two axes: they have one row."""
    column_axis: int
    """-1 for scalars."""
    corner: tuple[int, ...]
    """Of the window's first row and column, and of the fixed axes."""
    rows: int
    columns: int

    def described(self, names: Sequence[str]) -> str:
        """What lies where, in the names of the axes: `height 0 · width 2 · in ↓ 100:130 · out → 0:8`."""
        if len(names) != len(self.shape):
            names = [f"axis {i}" for i in range(len(self.shape))]
        arrows = {self.row_axis: " ↓", self.column_axis: " →"}
        start, stop = box_of(self)
        words = []
        for axis, (name, a, b) in enumerate(zip(names, start, stop, strict=True)):
            words.append(f"{name}{arrows[axis]} {a}:{b}" if axis in arrows else f"{name} {a}")
        return " · ".join(words)


def first_view(shape: tuple[int, ...], width: int, height: int) -> SliceView:
    """The last two axes from their beginning, the others at 0, as much as fits into a pane.

    An axis of one index makes no table: the longest of the others takes its place.
    """
    rank = len(shape)
    columns, rows = max(1, (width - ROW_LABEL) // CELL_WIDTH), max(1, height - 1)
    row_axis = rank - 2 if rank > 1 else -1
    if rank > 2 and shape[row_axis] == 1:
        row_axis = max(range(rank - 1), key=lambda axis: shape[axis])
    return SliceView(shape, row_axis, rank - 1, (0,) * rank, rows, columns)


def split_name(shape: Sequence[int], names: Sequence[str], split: int) -> str:
    """Which axes are the rows of a matrix and which its columns: `rows height × width × in, columns out`."""
    if len(names) != len(shape):
        names = [str(n) for n in shape]
    rows, columns = (" × ".join(part) or "1" for part in (names[:split], names[split:]))
    return f"rows {rows}, columns {columns}"


def view_at(view: SliceView, index: Sequence[int]) -> SliceView:
    """The same axes around a certain value."""
    at = list(index)
    for axis, size in ((view.row_axis, view.rows), (view.column_axis, view.columns)):
        if axis >= 0:
            at[axis] = max(0, min(at[axis] - size // 2, view.shape[axis] - size))
    return view._replace(corner=tuple(at))


def moved(view: SliceView, rows: int, columns: int, step: int = 0) -> SliceView:
    """Scrolled by rows and columns; `step` goes to another index of the last fixed axis, and of those before it."""
    at = list(view.corner)
    for axis, by, size in ((view.row_axis, rows, view.rows), (view.column_axis, columns, view.columns)):
        if axis >= 0 and by:
            at[axis] = max(0, min(at[axis] + by, view.shape[axis] - min(size, view.shape[axis])))
    fixed = [a for a in range(len(view.shape)) if a not in (view.row_axis, view.column_axis)]
    for axis in reversed(fixed):
        if not step:
            break
        step, at[axis] = divmod(at[axis] + step, max(view.shape[axis], 1))
    return view._replace(corner=tuple(at)) if not step else view


def turned(view: SliceView) -> SliceView:
    """The next pair of axes as rows and columns, from their beginning."""
    rank = len(view.shape)
    if rank < 2:
        return view
    choices = [(r, c) for r in range(rank) for c in range(rank) if r != c]
    here = choices.index((view.row_axis, view.column_axis))
    row, column = choices[(here + 1) % len(choices)]
    return view._replace(row_axis=row, column_axis=column, corner=(0,) * rank)


def box_of(view: SliceView) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Start and stop of what the window shows."""
    stop = [i + 1 for i in view.corner]
    for axis, size in ((view.row_axis, view.rows), (view.column_axis, view.columns)):
        if axis >= 0:
            stop[axis] = min(view.corner[axis] + size, view.shape[axis])
    return view.corner, tuple(stop)


def slice_lines(view: SliceView, values: Sequence[float | int], scale: float) -> list[Line]:
    """Column indices, then a row of values each; `scale` (about the std) decides which values look small."""
    start, stop = box_of(view)
    columns = range(start[view.column_axis], stop[view.column_axis]) if view.column_axis >= 0 else range(1)
    rows = range(start[view.row_axis], stop[view.row_axis]) if view.row_axis >= 0 else range(1)
    lines: list[Line] = [[(" " * ROW_LABEL + "".join(f"{c:>{CELL_WIDTH}}" for c in columns), "dim")]]
    transposed = view.row_axis > view.column_axis >= 0
    place: Callable[[int, int], int] = (
        (lambda r, c: c * len(rows) + r) if transposed else (lambda r, c: r * len(columns) + c)
    )
    for r, row in enumerate(rows):
        line: Line = [(f"{row if view.row_axis >= 0 else '':>{ROW_LABEL}}", "dim")]
        for c in range(len(columns)):
            x = values[place(r, c)]
            line.append((f"{_number(x):>{CELL_WIDTH}}", _style(x, scale)))
        lines.append(line)
    return lines


def _number(x: float | int) -> str:
    """A value in CELL_WIDTH - 1 columns; NaN is named here, where it is a value and not a missing one."""
    return "NaN" if x != x else numbers.value(x, 5)


def _style(x: float | int, scale: float) -> StyleName:
    if not math.isfinite(x):
        return "error"
    if x == 0 or (scale > 0 and abs(x) < 0.1 * scale):
        return "dim"
    if scale > 0 and abs(x) > 4 * scale:
        return "warning"
    return "positive" if x > 0 else "negative"
