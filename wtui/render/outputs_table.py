"""The table of layer outputs as rows of a pane of any width. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from wtui.render import numbers
from wtui.render.outputs import output_name
from wtui.render.spans import Line, clip, pad, text_width

if TYPE_CHECKING:
    from wtui.live.protocol import OutputRow

__all__ = ["empty_columns", "output_header", "output_line"]

NAME_MIN = 16
"""Columns that names keep, however narrow the table is."""


class _Column(NamedTuple):
    title: str
    width: int
    rank: int
    """Columns of lower rank go first where there is no room."""
    shown: Callable[[OutputRow], str]


def _value(row: OutputRow, x: float | int) -> str:
    return numbers.value(float(x), 3) if row.row.finite else "–"


_COLUMNS = (
    _Column("output", 15, 4, lambda r: numbers.shape(r.shape)),
    _Column("mean", 9, 7, lambda r: _value(r, r.row.mean)),
    _Column("std", 8, 8, lambda r: _value(r, r.row.std)),
    _Column("zeros", 7, 5, lambda r: numbers.percent(r.row.zeros, r.row.seen)),
    _Column("dead", 9, 6, lambda r: "" if r.dead is None else f"{r.dead}/{r.channels}"),
    _Column("saturated", 9, 3, lambda r: "" if r.saturated is None else numbers.percent(r.saturated, 1)),
    _Column("min", 9, 2, lambda r: _value(r, r.row.min)),
    _Column("max", 9, 2, lambda r: _value(r, r.row.max)),
    _Column("class", 18, 1, lambda r: r.class_name),
)

_SPARSE = tuple(c for c in _COLUMNS if c.title in ("dead", "saturated"))
"""Columns that only certain activations fill."""


def empty_columns(rows: Iterable[OutputRow]) -> frozenset[str]:
    """Titles of columns in which no output would have anything."""
    having = {c.title for row in rows for c in _SPARSE if c.shown(row)}
    return frozenset(c.title for c in _SPARSE) - having


def output_header(width: int, empty: Collection[str] = ()) -> Line:
    """Titles of the columns that fit, without the `empty` ones."""
    shown = _shown(width, empty)
    return [("layer".ljust(_name_width(shown, width)), "dim"), *((_right(c.title, c.width), "dim") for c in shown)]


def output_line(row: OutputRow, width: int, empty: Collection[str] = ()) -> Line:
    """One output; values that are no numbers, or dead units by the half, are marked with a sign."""
    shown = _shown(width, empty)
    broken = row.row.finite < row.row.seen
    sign = "✗ " if broken else "⚠ " if row.dead and 2 * row.dead >= row.channels else ""
    line: Line = [(sign, "error" if broken else "warning")] if sign else []
    line.append((pad(output_name(row), _name_width(shown, width) - len(sign)), "name"))
    return [*line, *((_right(clip(c.shown(row), c.width), c.width), "number") for c in shown)]


def _shown(width: int, empty: Collection[str]) -> Sequence[_Column]:
    """The columns that fit, in their order."""
    left, kept = width - NAME_MIN, set()
    for column in sorted((c for c in _COLUMNS if c.title not in empty), key=lambda c: -c.rank):
        if column.width + 1 > left:
            break
        kept.add(column.title)
        left -= column.width + 1
    return [c for c in _COLUMNS if c.title in kept]


def _name_width(shown: Sequence[_Column], width: int) -> int:
    return max(NAME_MIN, width - sum(c.width + 1 for c in shown))


def _right(text: str, width: int) -> str:
    return " " * (width + 1 - text_width(text)) + text
