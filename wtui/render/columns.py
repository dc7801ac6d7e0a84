"""Tables of plain aligned columns, for terminals and pipes. Pure.

In a terminal a table is fitted to its width: columns of prose are cut, columns give way one after the other, then the
first one is cut at its beginning, since the ends of names tell tensors apart. In a pipe nothing is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from wtui.render.spans import ELLIPSIS, Line, StyleName, clip, text_width

__all__ = ["Column", "NamedRow", "Row", "aligned", "aligned_names", "cut_beginning"]

GAP = 2
"""Columns of blanks between two columns of a table."""

NAME_MIN = 18
"""Columns that the first column keeps, however narrow the terminal."""

NAME_MAX = 80
"""Columns of the first column in a pipe: a longer name moves the rest of its own row, not that of all."""


class Column(NamedTuple):
    """A column of a table."""

    title: str
    right: bool = True
    """Whether it is aligned to the right, as numbers are."""
    keep: int = 0
    """Columns with the lowest number give way first; those of one number from the right."""
    prose: bool = False
    """Whether its cells may be cut at their end, down to half of the table's width."""


class Row(NamedTuple):
    """A row: as many cells as there are columns, drawn in one style."""

    cells: Sequence[str]
    style: StyleName = ""


NamedRow = tuple[str, tuple[str, ...], StyleName]
"""A row as its first cell, the others, and its style."""


def aligned(columns: Sequence[Column], rows: Sequence[Row], width: int | None = None) -> list[Line]:
    """The titles and the rows as lines; None for a width that leaves nothing out."""
    return aligned_names(columns, [(row.cells[0], tuple(row.cells[1:]), row.style) for row in rows], width)


def aligned_names(columns: Sequence[Column], rows: Sequence[NamedRow], width: int | None = None) -> list[Line]:
    """As `aligned`, for tables of very many rows that repeat themselves: equal cells behind names are laid out once."""
    titles: NamedRow = (columns[0].title, tuple(c.title for c in columns[1:]), "dim")
    rests = {titles[1], *(rest for _, rest, _ in rows)}
    longest = max(text_width(titles[0]), max((text_width(first) for first, _, _ in rows), default=0))
    widths = [longest, *(max(map(text_width, cells)) for cells in zip(*rests, strict=True))]
    shown: Sequence[int] = range(len(columns))
    if width is not None:
        shown, widths = _fitted(columns, widths, width)
        rows = [(cut_beginning(first, widths[0]), rest, style) for first, rest, style in rows]
    else:
        widths[0] = min(widths[0], NAME_MAX)
    behind = {rest: _behind(columns, rest, shown, widths) for rest in rests}
    room, right = widths[0], columns[0].right
    return [[((_padded(first, room, right) + behind[rest]).rstrip(), style)] for first, rest, style in (titles, *rows)]


def _fitted(columns: Sequence[Column], wanted: Sequence[int], width: int) -> tuple[Sequence[int], list[int]]:
    """The columns that stay in a table of `width`, and how wide each is then; `wanted`: how wide they would be."""
    widths = [min(w, width // 2) if c.prose else w for w, c in zip(wanted, columns, strict=True)]
    widths[0] = min(wanted[0], max(NAME_MIN, width // 3))
    shown = list(range(len(columns)))
    for i in sorted(shown[1:], key=lambda i: (columns[i].keep, -i)):
        if sum(widths[j] + GAP for j in shown) - GAP > width:
            shown.remove(i)
    spare = width - sum(widths[j] + GAP for j in shown) + GAP
    for i in [0, *(i for i in shown if columns[i].prose)]:
        more = max(0, min(wanted[i] - widths[i], spare))
        widths[i] += more
        spare -= more
    return shown, widths


def _behind(columns: Sequence[Column], rest: Sequence[str], shown: Sequence[int], widths: Sequence[int]) -> str:
    """What stands behind the first column: the cells that are shown, each with the gap before it."""
    cells = (_padded(clip(rest[i - 1], widths[i]), widths[i], columns[i].right) for i in shown if i)
    return "".join(" " * GAP + cell for cell in cells)


def _padded(text: str, width: int, right: bool) -> str:
    blanks = width - (len(text) if text.isascii() else text_width(text))
    return text if blanks <= 0 else " " * blanks + text if right else text + " " * blanks


def cut_beginning(text: str, width: int) -> str:
    """The text if it fits into `width` columns, else its end behind an ellipsis."""
    if text_width(text) <= width:
        return text
    end = text[max(0, len(text) - width) :]
    while text_width(end) > width - 1:
        end = end[1:]
    return ELLIPSIS + end
