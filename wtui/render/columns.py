"""Tables of plain aligned columns, for terminals and pipes. Pure.

In a terminal a table is fitted to its width: columns give way one after the other, then the first one is cut, at its
beginning, since the ends of names tell tensors apart. In a pipe nothing is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from wtui.render.spans import ELLIPSIS, Line, StyleName, text_width

__all__ = ["Column", "Row", "aligned", "cut_beginning"]

GAP = 2
"""Columns of blanks between two columns of a table."""

NAME_MIN = 18
"""Columns that the first column keeps, however narrow the terminal."""


class Column(NamedTuple):
    """A column of a table."""

    title: str
    right: bool = True
    """Whether it is aligned to the right, as numbers are."""
    keep: int = 0
    """Columns with the lowest number give way first; those of one number from the right."""


class Row(NamedTuple):
    """A row: as many cells as there are columns, drawn in one style."""

    cells: Sequence[str]
    style: StyleName = ""


def aligned(columns: Sequence[Column], rows: Sequence[Row], width: int | None = None) -> list[Line]:
    """The titles and the rows as lines; None for a width that leaves nothing out."""
    widths = [max([text_width(c.title), *(text_width(r.cells[i]) for r in rows)]) for i, c in enumerate(columns)]
    shown = list(range(len(columns)))
    if width is not None:
        shown = _fitting(columns, widths, width)
        used = sum(widths[i] + GAP for i in shown[1:])
        widths[0] = min(widths[0], max(NAME_MIN, width - used))
    titles = Row([c.title for c in columns], "dim")
    return [_line(columns, row, shown, widths) for row in (titles, *rows)]


def _fitting(columns: Sequence[Column], widths: Sequence[int], width: int) -> list[int]:
    """The columns that stay in a table of `width`."""
    shown = list(range(len(columns)))
    leaving = sorted(shown[1:], key=lambda i: (columns[i].keep, -i))
    wanted = min(widths[0], max(NAME_MIN, width // 3))
    while leaving and wanted + sum(widths[i] + GAP for i in shown[1:]) > width:
        shown.remove(leaving.pop(0))
    return shown


def _line(columns: Sequence[Column], row: Row, shown: Sequence[int], widths: Sequence[int]) -> Line:
    text = ""
    for i in shown:
        cell = cut_beginning(row.cells[i], widths[i]) if i == 0 else row.cells[i]
        blanks = " " * (widths[i] - text_width(cell))
        text += (" " * GAP if i else "") + (blanks + cell if columns[i].right else cell + blanks)
    return [(text.rstrip(), row.style)]


def cut_beginning(text: str, width: int) -> str:
    """The text if it fits into `width` columns, else its end behind an ellipsis."""
    if text_width(text) <= width:
        return text
    while text and text_width(text) > width - 1:
        text = text[1:]
    return ELLIPSIS + text
