"""What a comparison found of one tensor, in one model or both, and of one layer; and the orders to list tensors in.

Plain data over the rows of `wtui.stats`: reads nothing, computes no statistic. Standard library only.
"""

from __future__ import annotations

from math import inf, isinf
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wtui.insight.pairing.types import How
    from wtui.model import LayerNode, TensorEntry
    from wtui.stats.difference_row import DifferenceRow
    from wtui.stats.layout import Layout

__all__ = ["ORDERS", "LayerChange", "TensorChange", "change_rank", "sorted_changes"]


class TensorChange(NamedTuple):
    """A pair of tensors, or a tensor that only one of two models has."""

    a: TensorEntry | None
    """None: only B has it."""
    b: TensorEntry | None
    """None: only A has it."""
    paired_by: How | None = None
    layout: Layout | None = None
    """How the values of both were laid onto each other; None where they were not."""
    row: DifferenceRow | None = None
    """Every number; None for a tensor that stands alone, shapes that do not fit, and values that cannot be read."""
    problem: str = ""
    """Why a pair has no numbers."""
    fits: bool = True
    """Whether the shapes of a pair fit each other."""

    @property
    def name(self) -> str:
        """B's name, A's for a tensor that only A has."""
        return self.entry.name

    @property
    def entry(self) -> TensorEntry:
        """B's tensor, A's if only A has it."""
        found = self.b if self.b is not None else self.a
        assert found is not None
        return found

    @property
    def is_pair(self) -> bool:
        """Whether both models have it."""
        return self.a is not None and self.b is not None

    @property
    def is_unread(self) -> bool:
        """Whether it is a pair that could be compared, if only both could be read."""
        return self.is_pair and self.fits and self.row is None

    def is_equal(self, tolerance: float | None = None) -> bool:
        """Whether it was read and every bit is equal; with a tolerance, whether no |difference| is larger."""
        if self.row is None:
            return False
        return self.row.identical if tolerance is None else self.row.within(tolerance)

    def differs(self, tolerance: float | None = None) -> bool:
        """Whether it is known to differ: values, shapes, or that it stands alone."""
        return not self.is_unread and not self.is_equal(tolerance)


class LayerChange(NamedTuple):
    """The pairs below a layer of B taken together."""

    node: LayerNode
    row: DifferenceRow
    pairs: int


def change_rank(row: DifferenceRow) -> tuple[int, float]:
    """The larger the worse: numbers that became NaN or infinite, then by relative change, then those that were all 0.

    Then what has other bits but equal values, then what is identical.
    """
    if row.left_out_differ:
        return 4, row.left_out_differ / max(row.pairs, 1)
    if row.changed:
        return (2, row.max_abs) if isinf(row.relative_l2) else (3, _known(row.relative_l2))
    return (0 if row.identical else 1), 0.0


ORDERS: dict[str, Callable[[DifferenceRow], tuple[float, float]]] = {
    "change": change_rank,
    "max": lambda row: (_known(row.max_abs), 0.0),
    "mean": lambda row: (_known(row.mean_abs), 0.0),
    "cosine": lambda row: (-_known(row.cosine, 2.0), 0.0),
    "changed": lambda row: (row.changed / max(row.pairs, 1), 0.0),
    "flips": lambda row: (row.sign_flips / max(row.pairs, 1), 0.0),
    "ks": lambda row: (_known(row.ks), 0.0),
}
"""What changes can be sorted by, all worst first."""


def sorted_changes(changes: Iterable[TensorChange], order: str | None) -> list[TensorChange]:
    """Worst first by one of ORDERS, what has no numbers last; None: as they come."""
    found = list(changes)
    if order is None:
        return found
    rank = ORDERS[order]
    return sorted(found, key=lambda c: (c.row is not None, rank(c.row) if c.row else (0.0, 0.0)), reverse=True)


def _known(value: float, otherwise: float = -inf) -> float:
    return value if value == value else otherwise
