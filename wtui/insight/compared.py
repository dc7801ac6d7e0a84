"""`Compared`: everything that came of comparing two models, as plain data that outlives their files.

What front ends print, and what the Python API hands out; `wtui.comparing` makes it. Reads nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wtui.insight.changes import LayerChange, TensorChange
    from wtui.insight.pairing import Prefixes
    from wtui.model import Catalogue
    from wtui.stats.difference_row import DifferenceRow

__all__ = ["Compared"]


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """B against A: differences are B - A throughout."""

    a: Catalogue
    """A's metadata; the file may be closed."""
    b: Catalogue
    results: tuple[TensorChange, ...]
    """Every tensor that was compared: those of B in B's order, then those that only A has in A's."""
    layers: tuple[LayerChange, ...]
    """B's layers in depth order, each with its pairs taken together; those of which something was read."""
    whole: DifferenceRow | None
    """All pairs taken together; None if none could be read."""
    prefixes: tuple[Prefixes, ...]
    """What names of one model begin with that those of the other do not."""
    notes: tuple[str, ...]
    """What a reader should know of the pairing, in sentences."""
    beside: int
    """Tensors stored beside either model (optimizer slots) that were left out."""
    tolerance: float | None
    lost: bool
    """Whether a reader missed something that is in one of the files."""

    @property
    def is_same(self) -> bool:
        """Whether every tensor has its partner, each was read, and each is identical (or within the tolerance)."""
        return bool(self.results) and not self.differs and self.is_complete

    @property
    def differs(self) -> bool:
        """Whether a difference is known, whatever could not be read."""
        return any(c.differs(self.tolerance) for c in self.results)

    @property
    def is_complete(self) -> bool:
        """Whether everything in both files was read."""
        return not self.lost and not any(c.is_unread for c in self.results)

    @property
    def pairs(self) -> tuple[TensorChange, ...]:
        """Those that both models have."""
        return tuple(c for c in self.results if c.is_pair)

    @property
    def alone(self) -> tuple[TensorChange, ...]:
        """Those that only one model has."""
        return tuple(c for c in self.results if not c.is_pair)
