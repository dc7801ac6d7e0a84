"""What became of a tensor between two models, in one word each; and how much of it. Pure, standard library only."""

from __future__ import annotations

from math import inf, sqrt
from typing import TYPE_CHECKING, Literal

from wtui.insight.changes import change_rank

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wtui.comparing.joined import Joined
    from wtui.comparing.protocol import PairRow

__all__ = ["State", "by_change", "relative", "state_of"]

State = Literal["waiting", "same", "changed", "broken", "only A", "only B", "shape", "failed", "alias", "text"]
"""`same`: every value is; `broken`: values that are finite in one are not in the other; `alias`: another name of a
tensor that is compared; `text`: without numbers; `waiting`: not read yet, or not known yet whether it has a partner."""


def state_of(joined: Joined, number: int, found: PairRow | None) -> State:
    """The state of a tensor of the joined tree, given what is known of it."""
    if joined.pairing is None:
        return "waiting"
    if joined.has_no_numbers(number):
        return "text"
    if number in joined.only_a:
        return "only A"
    pair = joined.pairs.get(number)
    if pair is None:
        return "only B" if number in joined.only_b else "alias"
    if not pair.layouts:
        return "shape"
    if found is not None and found.problem:
        return "failed"
    if found is None or found.row is None:
        return "waiting"
    row = found.row
    return "same" if row.unchanged else "broken" if row.broken or row.mended or row.left_out_differ else "changed"


def relative(d: float, a: float) -> float:
    """Root of a sum of squared differences over that of A's squares: 0 of nothing, infinite where A is all 0."""
    return sqrt(d / a) if a > 0 else inf if d > 0 else 0.0


def by_change(rows: Iterable[PairRow]) -> list[int]:
    """Numbers of the tensors that differ, the most changed first; of equal ones the first in the tree."""
    found = [(change_rank(r.row), r.number) for r in rows if r.row is not None and not r.row.unchanged]
    found.sort(key=lambda f: (-f[0][0], -f[0][1], f[1]))
    return [number for _, number in found]
