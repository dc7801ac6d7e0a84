"""The columns of the table of two models' tensors: how far each pair is apart. Pure."""

from __future__ import annotations

from math import inf, nan
from typing import TYPE_CHECKING, Any

from wtui.insight.changes import change_rank
from wtui.render import numbers
from wtui.render.change import amount
from wtui.render.spans import escape
from wtui.render.table import NAME_MIN, Column

if TYPE_CHECKING:
    from collections.abc import Callable

    from wtui.stats.difference_row import DifferenceRow

__all__ = ["CHANGE", "PAIR_COLUMNS"]


def _difference(
    title: str,
    read: Callable[[DifferenceRow], float],
    width: int = 11,
    *,
    largest_first: bool = True,
    shown: Callable[[float], str] = lambda x: numbers.value(x, 4),
    key: Callable[[DifferenceRow], float] | None = None,
) -> Column:
    """A column of one number of the difference, `·` where there is none (yet)."""

    def value(found: Any, how: Callable[[DifferenceRow], float]) -> float:
        return nan if found is None or found.row is None else float(how(found.row))

    def text(found: Any) -> str:
        return "·" if found is None or found.row is None else shown(value(found, read))

    return Column(title, width, lambda t, f: text(f), lambda t, f: value(f, key or read), largest_first)


def _rank(row: DifferenceRow) -> float:
    """`change_rank` as one number."""
    group, within = change_rank(row)
    return group + (within / (1 + within) if within < inf else 1.0)


PAIR_COLUMNS: tuple[Column, ...] = (
    Column("tensor", NAME_MIN, lambda t, f: escape(t.name), lambda t, f: t.name, largest_first=False),
    _difference("rel. L2", lambda r: r.relative_l2, 8, shown=amount, key=_rank),
    _difference("max |d|", lambda r: r.max_abs),
    _difference("mean |d|", lambda r: r.mean_abs),
    _difference("cosine", lambda r: r.cosine, 11, largest_first=False, shown=numbers.cosine),
    _difference("changed %", lambda r: 100 * r.changed / r.pairs if r.pairs else nan, 9),
    _difference("flips %", lambda r: 100 * r.sign_flips / r.pairs if r.pairs else nan, 8),
    _difference("KS", lambda r: r.ks, 8),
    _difference("NaN, Inf", lambda r: float(r.left_out_differ), 8, shown=lambda x: f"{x:,.0f}"),
    Column("shape", 15, lambda t, f: numbers.shape(t.shape), lambda t, f: len(t.shape)),
    Column("values", 8, lambda t, f: numbers.short_count(t.size), lambda t, f: t.size),
    _difference("mean d", lambda r: r.mean),
    _difference("L2 of A", lambda r: r.l2_a),
    _difference("L2 of B", lambda r: r.l2_b),
)
"""All columns; numbers are those of a `wtui.comparing.protocol.PairRow`."""

CHANGE = next(i for i, c in enumerate(PAIR_COLUMNS) if c.title == "rel. L2")
"""The column that the table opens sorted by."""
