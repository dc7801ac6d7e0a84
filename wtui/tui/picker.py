"""A list of models to choose one from, before the browser opens. Knows candidates, opens none of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from textual.app import App
from textual.binding import Binding
from textual.message import Message

from wtui.render.candidates import candidate_lines
from wtui.render.spans import escape, wrap
from wtui.tui.driver import ChangedCellsDriver
from wtui.tui.palette import WTUI_THEME, no_colours
from wtui.tui.widgets.bars import Bar
from wtui.tui.widgets.lines import RowsPane
from wtui.tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from textual.app import ComposeResult

    from wtui.formats.candidates import Candidate
    from wtui.render.spans import Line

__all__ = ["PickerApp", "pick"]

KEY_LINE: Line = [
    (" ↑↓", "accent"), (" move  ", "dim"), ("enter", "accent"), (" open  ", "dim"), ("q", "accent"), (" quit ", "dim"),
]  # fmt: skip


def pick(folder: str, candidates: Sequence[Candidate], notes: Mapping[str, str]) -> str | None:
    """Let the user choose; the path of the chosen model, None if none was."""
    return PickerApp(folder, candidates, notes).run()


class ModelRows(RowsPane):
    """A row for each model."""

    def __init__(self, folder: str, candidates: Sequence[Candidate], notes: Mapping[str, str]) -> None:
        super().__init__(id="models")
        self._folder = folder
        self._candidates = candidates
        self._notes = notes
        self._table: tuple[int, list[Line]] = (0, [])
        self.border_title = f"{len(candidates):,} models in {escape(os.path.abspath(folder))}"

    class Moved(Message):
        """Another row is under the cursor."""

    def cursor_moved(self) -> None:
        self.post_message(self.Moved())

    @property
    def note(self) -> str:
        """What is noted about the model under the cursor."""
        return self._notes.get(self.chosen, "")

    @property
    def chosen(self) -> str:
        """Path of the model under the cursor."""
        return self._candidates[self.cursor].path

    def titles(self, width: int) -> Line:
        """The line above the rows."""
        return self._lines(width)[0]

    def line_count(self) -> int:
        return len(self._candidates)

    def line_at(self, row: int, width: int) -> Line:
        return self._lines(width)[row + 1]

    def _lines(self, width: int) -> list[Line]:
        """Titles and rows for a width, made once."""
        if self._table[0] != width:
            self._table = width, candidate_lines(self._candidates, self._folder, self._notes, width)
        return self._table[1]


class ClearingDriver(ChangedCellsDriver):
    """Leaves an empty screen behind, for the browser to draw on: not every terminal clears it by itself."""

    def stop_application_mode(self) -> None:
        """Clear the screen, then leave it."""
        self.write("\x1b[2J")
        super().stop_application_mode()


class PickerApp(App[str | None]):
    """Returns the path of the chosen model."""

    TITLE = "wtui"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { background: $background; layout: vertical; }
    #note { height: 4; width: 1fr; background: $background; border: none; padding: 0 1; }
    Bar { height: 1; width: 1fr; }
    ModelRows { border: round $primary; border-title-color: $primary; height: 1fr; width: 1fr; }
    """
    BINDINGS = [
        Binding("enter,right,l", "choose", "open", tooltip="Browse the model under the cursor"),
        Binding("q,escape", "leave", "quit", tooltip="Choose none"),
    ]

    def __init__(self, folder: str, candidates: Sequence[Candidate], notes: Mapping[str, str]) -> None:
        super().__init__(driver_class=ClearingDriver, ansi_color=no_colours())
        self._rows = ModelRows(folder, candidates, notes)

    def compose(self) -> ComposeResult:
        yield Bar(id="titles")
        yield self._rows
        yield TextPane(id="note")
        yield Bar(id="keys")

    def on_mount(self) -> None:
        """Set the theme and show the keys."""
        self.register_theme(WTUI_THEME)
        self.theme = WTUI_THEME.name
        self.query_one("#keys", Bar).show(KEY_LINE)
        self._rows.focus()
        self.call_after_refresh(self._lay_out)

    def on_resize(self) -> None:
        """Lay the texts out for another width."""
        self.call_after_refresh(self._lay_out)

    def on_model_rows_moved(self) -> None:
        """Another model is under the cursor."""
        self._show_note()

    def _lay_out(self) -> None:
        self._show_note()
        self.query_one("#titles", Bar).show([(" ", ""), *self._rows.titles(max(1, self._rows.size.width))])

    def _show_note(self) -> None:
        """All that is noted about the model under the cursor: its row has room for the beginning only."""
        pane = self.query_one("#note", TextPane)
        note = self._rows.note
        pane.put(wrap([(escape(note), "dim")], max(1, pane.size.width)) if note else [])

    def action_choose(self) -> None:
        """Return what is under the cursor."""
        self.exit(self._rows.chosen)

    def action_leave(self) -> None:
        """Return nothing."""
        self.exit(None)
