"""The table of a run: tensors, layers and figures by checkpoint, and the lines above it. Pure; names are escaped.

A cell says in letters what its colour says too: the first value of a row that is not finite is marked with a sign.
"""

from __future__ import annotations

import math
import os
import re
from typing import TYPE_CHECKING, NamedTuple

from wtui.render import numbers
from wtui.render.columns import cut_beginning
from wtui.render.spans import ELLIPSIS, Line, StyleName, clip, escape, pad, text_width

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "CELL",
    "Cell",
    "Columns",
    "columns_for",
    "count_cell",
    "figure_cell",
    "fitted_name",
    "headline",
    "run_line",
    "short_names",
    "state_cell",
    "title_of",
    "titles",
    "value_cell",
]

CELL = 9
"""Columns of a checkpoint, the gap before it included."""

NAME_MIN, NAME_MAX = 20, 44
"""Columns of the names."""


class Cell(NamedTuple):
    """What stands in a cell."""

    text: str
    style: StyleName = "number"


NOTHING = Cell("·", "dim")


class Columns(NamedTuple):
    """Which checkpoints are in sight, and how wide the names are."""

    name: int
    """Columns."""
    first: int
    stop: int


def columns_for(width: int, names: int, members: int, cursor: int, first: int) -> Columns:
    """As many checkpoints as fit beside names of up to `names` columns, scrolled so that the cursor is among them."""
    name = max(NAME_MIN, min(names, NAME_MAX, width * 2 // 5))
    room = max(1, (width - name) // CELL)
    first = min(max(first, cursor - room + 1), cursor)
    first = max(0, min(first, members - room))
    return Columns(name, first, min(members, first + room))


def fitted_name(name: str, width: int) -> str:
    """The name in at most `width` columns: its end, and the number of its block, which tells it from its brothers."""
    if text_width(name) <= width:
        return name
    block = next((m for m in reversed(list(re.finditer(r"(?<![^./])\d+[./]", name)))), None)
    if block is None:
        return cut_beginning(name, width)
    kept = ELLIPSIS + block.group()
    return kept + cut_beginning(name[block.end() :], max(1, width - text_width(kept)))


def value_cell(value: float, faulty: float, first: bool, known: bool) -> Cell:
    """A metric; `faulty` values of it are not finite, and `first` says that they were before."""
    if not known:
        return NOTHING
    if faulty:
        return Cell("✗ NaN" if first else "NaN", "error")
    if math.isnan(value):
        return Cell("–", "dim")
    return Cell(numbers.value(value, 4))


def count_cell(count: float, known: bool) -> Cell:
    """How many values are not finite."""
    return NOTHING if not known else Cell(numbers.short_count(int(count)), "error" if count else "dim")


def figure_cell(value: float | None, best: bool) -> Cell:
    """A figure of merit; the best of its row has a star."""
    if value is None:
        return NOTHING
    if math.isnan(value):
        return Cell("NaN", "warning")
    text = numbers.value(value, 4)
    if not best:
        return Cell(text, "number")
    digits = (d for d in (4, 3, 2) if text_width(numbers.value(value, d)) < CELL - 1)  # beside its neighbour, with room
    return Cell(numbers.value(value, next(digits, 2)) + "*", "good")


STATES: dict[str, Cell] = {
    "good": Cell("✓", "good"),
    "fault": Cell("✗ NaN", "error"),
    "incomplete": Cell("⚠ lacks", "warning"),
    "unreadable": Cell("⚠ damage", "warning"),
    "stranger": Cell("⚠ other", "warning"),
}
"""The state of a checkpoint in a word."""


def state_cell(kind: str | None, gone: bool, pending: bool, reading: bool) -> Cell:
    """The state of a checkpoint: of `kind` as `wtui.series.verdict` has it, None where it is not read yet."""
    if pending:
        return Cell("written…", "info")
    if kind is None:
        return Cell("reading…" if reading else "…", "info")
    found = STATES[kind]
    return found._replace(text=found.text + " gone", style="dim") if gone and kind == "good" else found


def short_names(labels: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The word that all labels begin with (`epoch`) and what is left of them; `""` where there is none."""
    words = {re.sub(r" \d+$", "", label) for label in labels}
    common = words.pop() if len(words) == 1 and all(re.search(r" \d+$", label) for label in labels) else ""
    return common, tuple(escape(label.removeprefix(common).strip()) for label in labels)


def title_of(labels: Sequence[str], what: str) -> str:
    """What the rows are, and what the checkpoints are numbered by."""
    return f"{what} by {escape(short_names(labels)[0]) or 'checkpoint'}"


def titles(labels: Sequence[str], what: str, columns: Columns) -> Line:
    """The line above the table: what the rows are, and the checkpoints by number where they share a word."""
    _, names = short_names(labels)
    line: Line = [(pad(title_of(labels, what), columns.name), "dim")]
    for text in names[columns.first : columns.stop]:
        text = clip(text, CELL - 1)
        line.append((" " * (CELL - text_width(text)) + text, "bold"))
    return line


def run_line(folder: str, count: int, ordered_by: str, width: int) -> Line:
    """` digits-run  6 checkpoints · ordered by the epoch in the names`."""
    name = escape(os.path.basename(os.path.abspath(folder)))
    facts = f"{count:,} checkpoint{'s' * (count != 1)}" + (f" · ordered by {escape(ordered_by)}" if ordered_by else "")
    return [
        (f" {clip(name, max(8, width // 2))}  ", "bold"),
        (clip(facts, max(0, width - text_width(name) - 4)), "dim"),
    ]


def headline(
    fault: str, good: str, good_known: bool, best: tuple[str, float, str, str] | None, read: int, members: int
) -> list[Line]:
    """Three lines: the first fault, the last good checkpoint, what validation says; so many are read, of so many.

    `best`: a figure, its best value, whose it is, and where it is from.
    """
    if not members:
        return [[(" waiting for the first checkpoint", "info")], [], []]
    if fault:
        first: Line = [(" ✗ ", "error"), (escape(fault), ""), ("  ] goes there", "dim")]
    elif read:
        first = [(" ✓ ", "good"), (f"no NaN and no infinity in {read:,} checkpoint{'s' * (read != 1)}", "")]
    else:
        first = [(" reading …", "info")]
    second: Line = [(" ✓ " if good_known else "   ", "good"), (escape(good), "")] if fault or read else []
    if best is None:
        text = "   which one is better no weights can say, and no validation figures were found"
        return [first, second, [(text, "dim")]]
    figure, value, whose, source = best
    said = f"best {escape(figure)}: {numbers.value(value, 4)}, {escape(whose)}"
    return [first, second, [(" * ", "good"), (said, ""), (f"  ({escape(source)}; weights cannot tell)", "dim")]]
