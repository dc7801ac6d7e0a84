"""What is told of the rank of a piece of a kernel. Standard library only, as `wtui.stats.row`."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["RankRow"]


class RankRow(NamedTuple):
    """Rank of a piece of a matrix."""

    rank: int
    """Singular values above what rounding makes."""
    possible: int
    """Singular values of the piece."""
    rows: int
    """Rows of the whole matrix."""
