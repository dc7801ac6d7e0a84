"""What a tensor is, with how that is known, and the numbers of its parts, as lines for a given width. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.render import numbers
from wtui.render.spans import Line, escape, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wtui.insight.anatomy import Anatomy
    from wtui.insight.types import Said
    from wtui.stats.row import SummaryRow

__all__ = ["anatomy_lines", "part_lines"]

NAME_WIDTH = 7
"""Columns of a part's name: `head 12`."""

EXPERT_WIDTH = 10
"""The same of `expert 127`."""

VALUE_WIDTH = 9

MIN_WIDTH = 54
"""Columns of a pane from which on the largest |w| has a column as well."""


def anatomy_lines(known: Anatomy, width: int) -> list[Line]:
    """Role and heads, each marked as recorded, inferred or unknown, and why; axes stand with the shape."""
    lines = _said(known.role, "its role is unknown", width)
    if known.axes_known.value and known.axes_known[1:] != known.role[1:]:
        lines += _said(known.axes_known._replace(value="axes"), "", width)
    elif not known.axes_known.value and known.role.value:
        lines.append([("what its axes mean is unknown", "dim")])
    if known.heads.value:
        heads = f"{known.heads.value} head{'s' if known.heads.value != '1' else ''}"
        lines += _said(known.heads._replace(value=heads), "", width)
    return lines


def _said(said: Said, unknown: str, width: int) -> list[Line]:
    """`LSTM input kernel  recorded: the file names its class, LSTMCell`."""
    if not said.value:
        return [[(unknown, "dim")]]
    why = f": {escape(said.why)}" if said.why else ""
    return wrap([(escape(said.value), "title"), (f"  {said.how}{why}", "dim")], width, 2)


def part_lines(parts: Sequence[tuple[str, SummaryRow]], what: str, width: int) -> list[Line]:
    """A line for each part: mean, std, mean |w|, and the largest |w| where there is room."""
    wide = width >= MIN_WIDTH
    label = EXPERT_WIDTH if what == "expert" else NAME_WIDTH
    titles = ("mean", "std", "|w|", "max |w|") if wide else ("mean", "std", "|w|")
    lines: list[Line] = [[(what.ljust(label), "title"), ("".join(t.rjust(VALUE_WIDTH + 1) for t in titles), "dim")]]
    for name, row in parts:
        largest = max(abs(float(row.min)), abs(float(row.max))) if row.finite else None
        shown = (row.mean, row.std, row.abs_mean, largest) if row.finite else (None,) * 4
        cells = "".join(numbers.value(x, 4).rjust(VALUE_WIDTH + 1) for x in shown[: len(titles)])
        broken: Line = [(f"  {row.seen - row.finite:,} not finite", "error")] if row.finite < row.seen else []
        lines.append([(escape(name).ljust(label), "name"), (cells, "number"), *broken])
    return lines
