"""The table of a run: a row for each tensor, layer or figure, a column for each checkpoint, a cursor on one cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message
from textual.strip import Strip

from wtui.render.run_table import CELL, Columns, columns_for, fitted_name, title_of, titles
from wtui.render.spans import escape, pad, text_width
from wtui.tui.run_keys import TABLE_KEYS
from wtui.tui.widgets.lines import RowsPane, line_strip

if TYPE_CHECKING:
    from textual import events

    from wtui.render.spans import Line
    from wtui.tui.run_rows import Row, RunRows

__all__ = ["RunTable"]


class RunTable(RowsPane):
    """Draws `RunRows` and moves in them; says by `Moved` where the cursor is, by `Chosen` what was chosen."""

    BINDINGS = TABLE_KEYS

    class Moved(Message):
        """The cursor is on another cell."""

    class Chosen(Message):
        """The checkpoint under the cursor is to be opened."""

    def __init__(self, rows: RunRows, id: str | None = None) -> None:
        super().__init__(id=id)
        self._model = rows
        self.column = max(0, len(rows.state.members) - 1)
        self._first_column = self.column

    @property
    def row(self) -> Row:
        """The row under the cursor."""
        rows = self._model.rows
        return rows[min(self.cursor, len(rows) - 1)]

    @property
    def place(self) -> tuple[int, int]:
        """Numbers of the row and the column under the cursor."""
        return self.cursor, self.column

    def columns(self, width: int) -> Columns:
        """Which checkpoints are in sight."""
        title = title_of([m.label for m in self._model.state.members], self._model.metric.name)
        names = max(text_width(title), *(text_width(r.name) for r in self._model.rows[:500])) + 1
        found = columns_for(width, names, len(self._model.state.members), self.column, self._first_column)
        self._first_column = found.first
        return found

    def titles(self) -> Line:
        """The line above the rows."""
        labels = [m.label for m in self._model.state.members]
        return titles(labels, self._model.metric.name, self.columns(max(1, self.size.width)))

    def line_count(self) -> int:
        return len(self._model.rows)

    def render_line(self, y: int) -> Strip:
        """A row: its name, then a cell for each checkpoint in sight; the cell under the cursor stands out."""
        width, number = self.size.width, self.top + y
        if number >= self.line_count():
            return super().render_line(y)
        columns = self.columns(width)
        row = self._model.rows[number]
        behind = "selected" if number == self.cursor else ""
        name = pad(fitted_name(escape(row.name), columns.name - 1), columns.name)
        strips = [line_strip(self, [(name, self._model.style(row))], columns.name, behind)]
        for member in range(columns.first, columns.stop):
            cell = self._model.cell(row, member)
            text = cell.text if text_width(cell.text) < CELL else cell.text[: CELL - 1]
            line: Line = [(" " * (CELL - 1 - text_width(text)) + text, cell.style)]
            here = "cursor" if behind and member == self.column else behind
            strips += [line_strip(self, [(" ", "")], 1, behind), line_strip(self, line, CELL - 1, here)]
        used = columns.name + CELL * (columns.stop - columns.first)
        return Strip.join([*strips, line_strip(self, [], max(0, width - used), behind)])

    def cursor_moved(self) -> None:
        self.post_message(self.Moved())

    def put(self, row: int, column: int) -> None:
        """Put the cursor on a cell; the nearest where there is none."""
        column = max(0, min(column, len(self._model.state.members) - 1))
        moved = column != self.column
        self.column = column
        self.move_cursor(row)
        if moved:
            self.refresh()
            self.post_message(self.Moved())

    def action_column(self, step: int) -> None:
        """The next or previous checkpoint."""
        self.put(self.cursor, self.column + step)

    def action_choose(self) -> None:
        """Open the checkpoint."""
        self.post_message(self.Chosen())

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the cell that was clicked."""
        content = event.get_content_offset(self)
        if content is None or self.top + content.y >= self.line_count():
            return
        columns = self.columns(self.size.width)
        inside = (content.x - columns.name) // CELL
        column = columns.first + inside if content.x >= columns.name else self.column
        self.put(self.top + content.y, min(column, columns.stop - 1))
