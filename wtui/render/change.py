"""How much something changed, as a sign and a few characters: for rows of trees and tables. Pure.

A sign and a word carry the meaning; colour only repeats it.
"""

from __future__ import annotations

from math import inf, isnan
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wtui.render.spans import StyleName

__all__ = ["amount", "changed_cell", "state_cell"]

STEPS: tuple[tuple[float, str, StyleName], ...] = (
    (0.001, "▁", "dim"), (0.01, "▂", ""), (0.1, "▄", "info"), (0.5, "▆", "accent"), (inf, "█", "mark"),
)  # fmt: skip
"""Relative L2 change up to which a sign stands for it: a tenth of a percent, 1 %, 10 %, half, more."""

_CELLS: dict[str, tuple[str, StyleName]] = {
    "waiting": ("·       ", "dim"),
    "same": ("=   same", "dim"),
    "broken": ("✗    NaN", "error"),
    "only A": ("A   only", "warning"),
    "only B": ("B   only", "warning"),
    "shape": ("≠  shape", "warning"),
    "failed": ("✗ unread", "error"),
    "alias": ("   alias", "dim"),
    "text": ("    text", "dim"),
}


def amount(relative: float) -> str:
    """A relative change in at most six columns: `0.05 %`, `12.3 %`, `142 %`, `×31`, `new` where A is all 0."""
    if isnan(relative):
        return "–"
    if relative == inf:
        return "new"
    percent = 100 * relative
    if percent >= 999.5:
        return f"×{relative:.0f}" if relative < 1e5 else "×>1e5"
    if percent >= 99.95:
        return f"{percent:.0f} %"
    if percent < 0.005:
        return "<.01 %" if percent else "0 %"
    return f"{percent:.1f} %" if percent >= 0.95 else f"{percent:.2f} %"


def changed_cell(relative: float) -> tuple[str, StyleName]:
    """`▄ 3.1 %`: the sign and the amount."""
    sign, style = next((s, n) for limit, s, n in STEPS if relative < limit or limit == inf or isnan(relative))
    return f"{sign} {amount(relative):>6}", style


def state_cell(state: str, relative: float | None) -> tuple[str, StyleName]:
    """What stands at the end of a tensor's row, given its `State`."""
    if state == "changed" and relative is not None:
        return changed_cell(relative)
    return _CELLS.get(state, _CELLS["waiting"])
