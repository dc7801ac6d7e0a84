"""Whether frozen tensors stayed as they were and the others were trained, as lines. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.render import numbers
from wtui.render.change_table import change_cell
from wtui.render.spans import Line, StyleName, escape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wtui.insight.changes import TensorChange

__all__ = ["frozen_lines"]


def frozen_lines(
    frozen: Sequence[TensorChange],
    moved: Sequence[TensorChange],
    unread: Sequence[TensorChange],
    trained: Sequence[str],
    still: Sequence[str],
) -> list[Line]:
    """A line for each tensor that moved, or could not be read, and each layer that did not; then the verdict."""
    told: list[tuple[str, StyleName, str, str]] = [
        *(("✗ frozen, but moved", "error", c.name, _how(c)) for c in moved),
        *(("⚠ frozen, not read", "warning", c.name, c.problem) for c in unread),
        *(("✗ trained, but did not move", "error", layer, "") for layer in still),
    ]
    lines: list[Line] = [
        [(f"{what}  ", style), (escape(name), "name"), (f"  {escape(how)}", "")] for what, style, name, how in told
    ]
    kept = len(frozen) - len(moved) - len(unread)
    text = f"{kept:,} of {len(frozen):,} frozen tensors stayed as they were, "
    text += f"{len(trained) - len(still):,} of {len(trained):,} other layers moved"
    held = not moved and not still
    return [*lines, [("as expected" if held else "not as expected", "good" if held else "error"), (f": {text}", "")]]


def _how(change: TensorChange) -> str:
    """In which way a frozen tensor is not what it was."""
    if not change.is_pair:
        return "only in A" if change.b is None else "only in B"
    row = change.row
    if row is None:
        return change.problem
    return f"change {change_cell(row)}, {numbers.percent(row.changed, row.pairs)} of its values"
