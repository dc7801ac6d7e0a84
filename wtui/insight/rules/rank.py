"""A rule on the rank of kernels: what a piece of each shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from wtui.insight.case import Case, Rule, finding, is_constant

if TYPE_CHECKING:
    from wtui.insight.types import Finding, Severity

__all__ = ["RULES"]

COLLAPSED = 1 / 3
"""Share of the rows of a piece that may be independent for the rank to count as collapsed: what training leaves of the
initial values keeps every row apart from the others, so that trained kernels have all of them, or nearly."""


def collapsed(case: Case) -> Iterator[Finding]:
    """Kernels of which most rows are made of a few others."""
    for index, piece in case.extra.ranks.items():
        subject, row = case.chart.subjects.get(index), case.rows.get(index)
        if subject is None or row is None or is_constant(row) or piece.rank > COLLAPSED * piece.possible:
            continue
        severity: Severity = "info" if subject.frozen else "warning"
        text = f"its rank has collapsed: of {piece.possible} rows that were looked at, {piece.rank} are independent"
        numbers = {"rank": piece.rank, "looked_at": piece.possible, "rows": piece.rows}
        advice = "a product of two small matrices (a factorised or merged layer), or lost weights: see `wtui spectrum`"
        yield finding(severity, "collapsed-rank", subject, text, numbers, advice)


RULES = (
    Rule(
        "collapsed-rank", "warning", "kernels of which most rows are combinations of a few",
        f"at most {COLLAPSED:.0%} of the rows of a piece of up to 96 rows are independent beyond rounding; zero rows "
        "are left out; not for quantised values", collapsed,
        "factorised layers; adapters, which are of a low rank by design, are not looked at",
    ),
)  # fmt: skip
