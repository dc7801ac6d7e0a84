"""The flat table of all tensors: its columns, and how it is sorted. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.render import numbers
from wtui.render.spans import Line, clip, escape, pad, text_width

if TYPE_CHECKING:
    from wtui.model import TensorEntry
    from wtui.stats.row import SummaryRow

__all__ = ["COLUMNS", "Column", "header_line", "sorted_order", "table_line"]

NAME_MIN = 18
"""Columns that names keep, however narrow the table is."""


class Column(NamedTuple):
    """A column of the table: its title, its width, what it shows and what it sorts by, given a tensor and its numbers
    (a `SummaryRow`; in another table what that has)."""

    title: str
    width: int
    shown: Callable[[TensorEntry, Any], str]
    key: Callable[[TensorEntry, Any], float | str]
    """NaN sorts last in either direction."""
    largest_first: bool = True


def _stat(title: str, read: Callable[[SummaryRow], float], width: int = 11) -> Column:
    """A column of one statistic, `·` where it is not known yet."""
    return Column(
        title,
        width,
        lambda t, r: numbers.value(read(r), 4) if r is not None and r.seen else "·",
        lambda t, r: float(read(r)) if r is not None and r.seen and read(r) is not None else math.nan,
    )


COLUMNS: tuple[Column, ...] = (
    Column("tensor", NAME_MIN, lambda t, r: escape(t.name), lambda t, r: t.name, largest_first=False),
    Column("shape", 15, lambda t, r: numbers.shape(t.shape), lambda t, r: len(t.shape)),
    Column("dtype", 9, lambda t, r: escape(t.dtype), lambda t, r: t.dtype, largest_first=False),
    Column("values", 8, lambda t, r: numbers.short_count(t.size), lambda t, r: t.size),
    _stat("mean", lambda r: r.mean),
    _stat("std", lambda r: r.std),
    _stat("mean |w|", lambda r: r.abs_mean),
    _stat("min", lambda r: float(r.min)),
    _stat("max", lambda r: float(r.max)),
    _stat("NaN+Inf", lambda r: float(r.nan + r.posinf + r.neginf), 8),
    _stat("zeros %", lambda r: 100 * r.zeros / r.seen, 8),
    _stat("kurtosis", lambda r: r.kurtosis, 9),
    _stat("skewness", lambda r: r.skewness, 9),
    _stat("L2", lambda r: r.l2),
)
"""All columns; those that do not fit are left out from the right, never the one that is sorted by."""


def sorted_order(
    tensors: Sequence[TensorEntry],
    rows: Mapping[int, Any],
    column: int | None,
    reverse: bool,
    columns: Sequence[Column] = COLUMNS,
    listed: Sequence[int] | None = None,
) -> list[int]:
    """Indices of the tensors (or of those `listed`) in the order of a column; None: the model's own order."""
    order = list(range(len(tensors)) if listed is None else listed)
    if column is None:
        return order[::-1] if reverse else order
    chosen = columns[column]
    keys = {i: chosen.key(tensors[i], rows.get(i)) for i in order}
    known = [i for i in order if keys[i] == keys[i]]
    unknown = [i for i in order if keys[i] != keys[i]]
    known.sort(key=lambda i: keys[i], reverse=chosen.largest_first != reverse)
    return known + unknown


def shown_columns(width: int, column: int | None, columns: Sequence[Column] = COLUMNS) -> list[int]:
    """The columns that fit into `width`."""
    shown = [0]
    left = width - NAME_MIN
    wanted = [*range(1, len(columns))]
    if column:
        wanted.remove(column)
        wanted.insert(0, column)
    for i in wanted:
        if columns[i].width + 1 <= left:
            shown.append(i)
            left -= columns[i].width + 1
        else:
            break
    return sorted(shown)


def header_line(width: int, column: int | None, reverse: bool, columns: Sequence[Column] = COLUMNS) -> Line:
    """Titles of the columns; the one that is sorted by carries an arrow."""
    line: Line = []
    shown = shown_columns(width, column, columns)
    for i in shown:
        arrow = ("▾" if columns[i].largest_first != reverse else "▴") if i == column else ""
        title = columns[i].title + arrow
        line.append((_cell(title, i, shown, width, columns), "title" if i == column else "dim"))
    return line


def table_line(
    tensor: TensorEntry, row: Any, width: int, column: int | None, columns: Sequence[Column] = COLUMNS
) -> Line:
    """One tensor's row."""
    shown = shown_columns(width, column, columns)
    line: Line = []
    for i in shown:
        text = _cell(columns[i].shown(tensor, row), i, shown, width, columns)
        bad = columns[i].title == "NaN+Inf" and text.strip() not in ("0", "·")
        line.append((text, "error" if bad else "name" if i == 0 else "number"))
    return line


def _cell(text: str, i: int, shown: Sequence[int], width: int, columns: Sequence[Column]) -> str:
    """The text at its place: names to the left and as wide as there is room, everything else to the right."""
    if i == 0:
        room = width - sum(columns[j].width + 1 for j in shown if j)
        return pad(_keep_end(text, room), room)
    column = columns[i].width
    text = clip(text, column)
    return " " * (column + 1 - text_width(text)) + text


def _keep_end(name: str, room: int) -> str:
    """A long name without its beginning: the end tells tensors apart."""
    if text_width(name) <= room or not name.isascii():
        return name
    return "…" + name[len(name) - room + 1 :]
