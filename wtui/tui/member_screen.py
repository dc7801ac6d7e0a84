"""The browser of one checkpoint of a run: steps to the same tensor in the next one, and back to the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wtui.render.spans import escape, line_width
from wtui.render.status import model_line, scan_line
from wtui.tui.browser import BrowserScreen
from wtui.tui.jobs import Opening
from wtui.tui.keys import SCREEN_KEYS
from wtui.tui.run_keys import MEMBER_KEYS

if TYPE_CHECKING:
    from wtui.render.spans import Line
    from wtui.series.members import Member
    from wtui.series.state import RunState
    from wtui.tui.outline import Outline

__all__ = ["MemberScreen", "Spot"]


class Spot(NamedTuple):
    """What is looked at in a checkpoint: a tensor, or else a layer; neither is the model itself."""

    tensor: str = ""
    layer: str = ""


class MemberScreen(BrowserScreen):
    """A checkpoint."""

    BINDINGS = [*SCREEN_KEYS, *MEMBER_KEYS]
    KEY_LINE: Line = [
        (" esc", "accent"), (" run  ", "dim"), ("< >", "accent"), (" checkpoint  ", "dim"),
        *BrowserScreen.KEY_LINE[:2], *BrowserScreen.KEY_LINE[4:],
    ]  # fmt: skip

    def __init__(self, state: RunState, member: Member, spot: Spot) -> None:
        super().__init__(Opening(member.path))
        self.member = member
        self._state = state
        self._spot = spot

    def arrived(self, outline: Outline) -> None:
        super().arrived(outline)
        found = self._subject(outline)
        if found is None:
            name = escape(self._spot.tensor or self._spot.layer)
            self.notify(f"{escape(self.member.label)} has no {name}", severity="warning", markup=False)
        elif found != self.subject:
            self.layer_tree.go_to(found)

    def _subject(self, outline: Outline) -> int | None:
        """The spot in this checkpoint; None where it is not."""
        tensor, layer = self._spot
        if not tensor:
            found = outline.subject_at(layer)
            return found if not layer or found != -1 else None
        return next((i for i, t in enumerate(outline.catalogue.tensors) if t.name == tensor), None)

    def _arrived(self, outline: Outline | None) -> None:
        """A checkpoint that cannot be opened (any more) leads back to the run."""
        if outline is not None:
            super()._arrived(outline)
            return
        self.app.notify(escape(str(self.opening.error)), title="not opened", severity="error", markup=False)
        self.app.pop_screen()

    def show_status(self) -> None:
        if self.outline is None:
            return
        failures = len(self.results.failures) + self.outline.catalogue.unreadable
        right = scan_line(self.results.progress, self.results.finished, failures)
        members = self._state.members
        number = next((i for i, m in enumerate(members, 1) if m.path == self.member.path), 0)
        left: Line = [(f" {escape(self.member.label)}", "title"), (f"  {number} of {len(members)} ", "dim")]
        room = self.size.width - line_width(right) - line_width(left) - 1
        self.status.show([*left, *model_line(self.outline.catalogue, len(self.outline.layers) - 1, room)], right)

    @property
    def spot(self) -> Spot:
        """What is looked at now."""
        if self.outline is None:
            return self._spot
        if self.subject >= 0:
            return Spot(self.outline.catalogue.tensors[self.subject].name)
        return Spot(layer=self.outline.layer(self.subject).path)

    def action_checkpoint(self, step: int) -> None:
        """The same tensor in the next or previous checkpoint that is there and can be read."""
        members = self._state.members
        here = next((i for i, m in enumerate(members) if m.path == self.member.path), 0)
        found = next((members[i] for i in range(here + step, len(members) if step > 0 else -1, step)
                      if members[i].path not in self._state.gone | set(self._state.problems)), None)  # fmt: skip
        if found is None:
            self.notify(f"this is the {'last' if step > 0 else 'first'} checkpoint")
        else:
            self.app.switch_screen(MemberScreen(self._state, found, self.spot))

    def action_back(self) -> None:
        """All panes again; from there, back to the run."""
        if self.is_plain:
            self.app.pop_screen()
        else:
            super().action_back()
