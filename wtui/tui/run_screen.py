"""The screen of a run of checkpoints: takes answers, moves the cursor, opens checkpoints. Reads no file.

Everything comes from the scan process, and what belongs to another content of a checkpoint than the one
last heard of is replaced by what is heard next.
"""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from textual.message import Message

from wtui.engine.protocol import GoneWrong
from wtui.render.spans import escape
from wtui.series.protocol import AskChanges, Listed, LookAt, Rested
from wtui.series.record import LOG
from wtui.series.timeline import CHANGE
from wtui.tui.finder import NameFinder
from wtui.tui.run_keys import RUN_KEYS, run_groups
from wtui.tui.run_view import WARM_UP, RunView
from wtui.tui.widgets.search_bar import SearchBar

if TYPE_CHECKING:
    from textual.binding import BindingType

    from wtui.series.members import Member
    from wtui.tui.run_opening import OpeningRun
    from wtui.tui.run_rows import Row

__all__ = ["RunScreen"]


class Anchor(NamedTuple):
    """Where the cursor was before there was news."""

    row: Row
    path: str
    at_end: bool
    """Whether it was on the newest checkpoint."""
    place: tuple[int, int]
    """Numbers of row and column."""


class RunScreen(RunView):
    """What happens on the screen of a run."""

    BINDINGS = RUN_KEYS

    class Answered(Message):
        """The scan process answered."""

        def __init__(self, answer: Any) -> None:
            super().__init__()
            self.answer = answer

    def __init__(self, opening: OpeningRun) -> None:
        super().__init__(opening)
        self._anchor: Anchor | None = None
        self._finder: NameFinder | None = None
        self._listed = False
        """Whether there are other members since the last time that news were shown."""
        self._moved = False
        """Whether the user has moved: until then the cursor goes to what matters."""

    def on_mount(self) -> None:
        """Hear of what is read once the first frame is there."""
        self.call_after_refresh(self._after_first_frame)

    def _after_first_frame(self) -> None:
        """Start what the first frame did not need: the answers of the scan process and the plotting library."""
        gc.freeze()
        gc.enable()
        self.show_lines()
        self.opening.client.listen(self._hear)
        self.set_timer(WARM_UP, self.warm_up)

    def _hear(self, answer: Any) -> None:
        """Bring an answer of the scan process from its thread into this one."""
        self.post_message(self.Answered(answer))

    def on_unmount(self) -> None:
        """End the scan process with the screen."""
        self.opening.client.close()

    def on_run_screen_answered(self, message: Answered) -> None:
        """Keep an answer and show what it changes."""
        answer = message.answer
        if isinstance(answer, GoneWrong):
            self.notify(escape(answer.message), title="the reading stopped", severity="error", timeout=20, markup=False)
            return
        if self._anchor is None:
            at_end = self.table.column >= len(self.state.members) - 1
            self._anchor = Anchor(self.table.row, self._path, at_end, self.table.place)
        if self.state.take(answer):
            self._listed |= isinstance(answer, Listed)
            if isinstance(answer, Rested):
                self.show_news()  # nothing follows that could be shown with it
            else:
                self.show_soon()

    def show_news(self) -> None:
        """Put the cursor where it belongs among the new rows and checkpoints, then show them."""
        anchor, listed = self._anchor, self._listed
        self._anchor, self._listed = None, False
        if not self._moved:
            self._to_what_matters()
        elif anchor is not None and anchor.place == self.table.place:  # else the user has moved since
            self._return_to(anchor, listed)
        super().show_news()

    @property
    def _path(self) -> str:
        """Path of the checkpoint under the cursor."""
        members = self.state.members
        return members[min(self.table.column, len(members) - 1)].path if members else ""

    def _return_to(self, anchor: Anchor, listed: bool) -> None:
        """The cursor stays on its cell; at the end of a list that grew, it follows the newest."""
        members = self.state.members
        last = len(members) - 1
        column = next((i for i, m in enumerate(members) if m.path == anchor.path), last)
        row = self.rows.place(anchor.row.kind, anchor.row.name)
        at_end = anchor.at_end and listed
        self.table.put(self.table.cursor if row is None else row, last if at_end else column)

    def _to_what_matters(self) -> None:
        """To the first fault, else to the first tensor of the newest checkpoint."""
        if not self._go_to_fault():
            first = next((i for i, r in enumerate(self.rows.rows) if r.kind == "subject"), 0)
            self.table.put(first, len(self.state.members) - 1)

    def _go_to_fault(self) -> bool:
        first = self.state.verdict.first_fault
        if first is None:
            return False
        fault = self.state.rows.records[self.state.members[first].path].fault
        row = self.rows.row_of_tensor(fault.tensor) if fault else None
        self.table.put(row or 0, first)
        return True

    def on_run_table_moved(self) -> None:
        """Another cell is selected."""
        if self._path:
            self.opening.client.ask(LookAt(self._path))
        self.bar("run_titles").show([(" ", ""), *self.table.titles()])
        self.draw_soon()

    def on_key(self) -> None:
        """From the first key on the cursor is the user's."""
        self._moved = True

    def on_click(self) -> None:
        """The same for the mouse."""
        self._moved = True

    def _changed_rows(self) -> None:
        """The table shows other rows or numbers."""
        self.table.move_cursor(self.table.cursor)
        self.show_lines()
        self.table.refresh()
        self.draw_soon()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A slash typed into a search is a letter like any other."""
        return not (action == "search" and isinstance(self.focused, SearchBar))

    def action_search(self) -> None:
        """Type a name; the first match is selected while typing."""
        self._moved = True
        self._finder = NameFinder([r.name for r in self.rows.rows])
        self.query_one("#search", SearchBar).begin(self._finder, self.table.cursor)

    def on_search_bar_found(self, message: SearchBar.Found) -> None:
        """Select what was found."""
        if message.subject is not None:
            self.table.put(message.subject, self.table.column)

    def on_search_bar_done(self, message: SearchBar.Done) -> None:
        """Back to the table."""
        self.table.focus()
        if not message.kept:
            self._finder = None

    def action_match(self, step: int) -> None:
        """The next or previous match of the search, among the rows that there are now."""
        if self._finder is None:
            return
        finder = NameFinder([r.name for r in self.rows.rows])
        finder.search(self._finder.words)
        found = finder.nearest(self.table.cursor, step)
        if found is not None:
            self.table.put(found, self.table.column)

    def action_metric(self, step: int) -> None:
        """The next or previous metric."""
        self.rows.next_metric(step)
        if self.rows.metric.name == CHANGE:
            self.opening.client.ask(AskChanges())
        self._changed_rows()

    def action_change(self) -> None:
        """The change from each checkpoint to the next."""
        if any(r.format == LOG for r in self.state.rows.records.values()):
            self.notify("a log keeps numbers and no weights that could be compared", severity="warning")
            return
        self.rows.choose_metric(CHANGE)
        self.opening.client.ask(AskChanges())
        self._changed_rows()

    def action_by_layer(self) -> None:
        """Rows for layers, or for tensors; the cursor stays on what it was on."""
        subject = self.table.row.subject
        self.rows.by_layer = not self.rows.by_layer
        row = self.rows.row_of_tensor(subject.tensors[0]) if subject else None
        if row is not None:
            self.table.move_cursor(row)
        self._changed_rows()

    def action_other_plot(self) -> None:
        """The other plot, where there is room for one."""
        self.query_one("#over_time").toggle_class("-bands")

    def action_fault(self) -> None:
        """To the first fault."""
        if not self._go_to_fault():
            self.notify("every value that was read is finite")

    def action_best(self) -> None:
        """To the best checkpoint by its figures."""
        best = self.state.best
        if best is None:
            self.notify("no validation figures were found beside the checkpoints")
        else:
            self.table.put(self.rows.place("figure", best.name) or 0, best.member)

    def action_copy(self) -> None:
        """Copy the path of the checkpoint, and show it."""
        if self._path:
            path = self.state.members[self.table.column].opened_as
            self.app.copy_to_clipboard(os.path.abspath(path))
            self.notify(escape(path), title="path", markup=False)

    def on_run_table_chosen(self) -> None:
        """Browse the checkpoint at what the row is about."""
        from wtui.tui.member_screen import MemberScreen, Spot

        if not self.state.members:
            return
        member, row = self.state.members[self.table.column], self.table.row
        if member.path in self.state.gone:
            self.notify("it was deleted; its numbers are all that is left", severity="warning")
            return
        record = self.state.rows.records.get(member.path)
        if record is not None and record.format == LOG:
            self.notify("a log keeps numbers and no weights: there is nothing more to open", severity="warning")
            return
        spot = Spot()
        if row.subject is not None:
            layer = row.name if self.rows.by_layer and row.name != "(model)" else ""
            spot = Spot(layer=layer) if self.rows.by_layer else Spot(row.name)
        self.app.push_screen(MemberScreen(self.state, member, spot))

    def action_versus(self) -> None:
        """The checkpoint under the cursor against the last one before it that is there and can be read."""
        from wtui.tui.step_screen import StepScreen

        here = self.table.column
        open_ones = [m for m in self.state.members[: here + 1] if self._can_be_opened(m)]
        if len(open_ones) < 2 or open_ones[-1] != self.state.members[here]:
            self.notify("needs a checkpoint, and one before it, that are there and can be read", severity="warning")
        else:
            self.app.push_screen(StepScreen(*open_ones[-2:]))

    def _can_be_opened(self, member: Member) -> bool:
        record = self.state.rows.records.get(member.path)
        return record is not None and record.format != LOG and member.path not in self.state.gone

    def key_groups(self) -> list[tuple[str, list[BindingType]]]:
        """All keys of this screen, for the list of keys and the palette."""
        return run_groups()

    def action_help(self) -> None:
        """The list of keys."""
        from wtui.tui.overlays import TextOverlay, help_lines, overlay_width

        width = overlay_width(self.size.width) - 4
        self.app.push_screen(TextOverlay("Keys", help_lines(run_groups(), width)))

    def action_palette(self) -> None:
        """Every command by name."""
        self.app.action_command_palette()

    def action_quit(self) -> None:
        """Leave."""
        self.app.exit()
