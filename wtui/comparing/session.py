"""Two open models being compared for a screen: takes questions, gives answers, keeps what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wtui.comparing.desks import CountDesk, LookAtBothDesk
from wtui.comparing.inside import InsideBothDesk
from wtui.comparing.known import KnownPairs
from wtui.comparing.protocol import Compared
from wtui.engine.session import DeskSession

if TYPE_CHECKING:
    from wtui.comparing.comparison import Comparison
    from wtui.comparing.joined import Joined
    from wtui.comparing.protocol import PairRow
    from wtui.engine.compare_all import ReadOutcome

__all__ = ["CompareSession"]


class CompareSession(DeskSession):
    """Compares every pair, and reads what stands alone; what is looked at first."""

    def __init__(self, comparison: Comparison, joined: Joined, threads: int | None = None) -> None:
        self.known = KnownPairs(comparison, joined, threads)
        self.waiting = self.known.waiting
        self.desks = [
            LookAtBothDesk(self.known),
            CountDesk(self.known),
            InsideBothDesk(self.known, self.wake),
        ]
        files = (*comparison.a.catalogue.files, *comparison.b.catalogue.files)
        self._ready(self.known.scanner, sum(map(self.known.nbytes, self.known.numbers)), files)

    def keep(self, outcome: ReadOutcome) -> PairRow:
        row = self.known.keep(outcome)
        for desk in self.desks:
            desk.news()
        return row

    def said(self, kept: list[PairRow]) -> list[Any]:
        return [Compared(tuple(kept))]

    def close(self) -> None:
        """Stop scanning and close the files."""
        super().close()
        self.known.comparison.a.files.close()
        self.known.comparison.b.files.close()
