"""A checkpoint of a run against the one before it, in the browser of two models; escape leads back to the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.render.spans import escape
from wtui.tui.pair.opening import OpeningBoth
from wtui.tui.pair.screen import PairScreen

if TYPE_CHECKING:
    from wtui.render.spans import Line
    from wtui.series.members import Member
    from wtui.tui.outline import Outline

__all__ = ["StepScreen"]


class StepScreen(PairScreen):
    """What changed from one checkpoint to the next."""

    KEY_LINE: Line = [(" esc", "accent"), (" run  ", "dim"), *PairScreen.KEY_LINE]

    def __init__(self, before: Member, after: Member) -> None:
        super().__init__(OpeningBoth(before.path, after.path))

    def _arrived(self, outline: Outline | None) -> None:
        """Checkpoints that cannot be opened (any more) lead back to the run."""
        if outline is not None:
            super()._arrived(outline)
            return
        self.app.notify(escape(str(self.opening.error)), title="not opened", severity="error", markup=False)
        self.app.pop_screen()

    def action_back(self) -> None:
        """All panes again; from there, back to the run."""
        if self.is_plain:
            self.app.pop_screen()
        else:
            super().action_back()
