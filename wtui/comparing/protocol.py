"""What the browser of two models and its scan process say to each other, besides what one model needs as well.

Plain tuples as in `wtui.engine.protocol`. Tensors and layers have their numbers in the joined tree (`joined`); a number
that is asked for before the browser knows the pairing is B's own. Standard library only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from wtui.engine.protocol import AskPicture, AskValues, Distribution, Picture, Subject, Values
    from wtui.insight.pairing.types import Pairing
    from wtui.model import FileRef
    from wtui.stats.difference_row import DifferenceRow
    from wtui.stats.row import SummaryRow

__all__ = [
    "AskSide",
    "BothCounted",
    "Compared",
    "LayerCompared",
    "OpenBoth",
    "OpenedBoth",
    "PairRow",
    "Paired",
    "Side",
    "SideSeen",
]

Side = Literal["A", "B", "B - A"]
"""What is looked at."""


class OpenBoth(NamedTuple):
    """Open these two models in the scan process."""

    a: str
    b: str
    format: str | None


class OpenedBoth(NamedTuple):
    """What the scan process has opened."""

    files_a: tuple[FileRef, ...]
    files_b: tuple[FileRef, ...]


class Paired(NamedTuple):
    """Which tensors belong together."""

    pairing: Pairing


class PairRow(NamedTuple):
    """Everything that is shown of a tensor in the joined tree."""

    number: int
    a: SummaryRow | None
    """None where A has no such tensor, or it could not be read."""
    b: SummaryRow | None
    row: DifferenceRow | None
    """None for what only one has, for shapes that do not fit, and where `problem` says why."""
    layout: str = ""
    """How B's values lie among A's, in words; empty for the same order."""
    squares: tuple[float, float] = (0.0, 0.0)
    """Sums of (b - a)^2 and of a^2."""
    problem: str = ""


class Compared(NamedTuple):
    """Tensors that are done."""

    rows: tuple[PairRow, ...]


class LayerCompared(NamedTuple):
    """The tensors below a layer taken together, as far as they are read."""

    subject: Subject
    a: SummaryRow | None
    b: SummaryRow | None
    row: DifferenceRow | None
    """Of its pairs."""
    pairs: int
    done: int
    tensors: int


class BothCounted(NamedTuple):
    """A's and B's values in the same bins; None for the one that has none."""

    subject: Subject
    a: Distribution | None
    b: Distribution | None


class AskSide(NamedTuple):
    """Values, or a picture, of A, of B, or of their difference; A's in the places of their partners in B."""

    side: Side
    question: AskValues | AskPicture


class SideSeen(NamedTuple):
    """The answer."""

    side: Side
    answer: Values | Picture
