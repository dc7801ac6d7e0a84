"""Panes that draw styled lines: the base of every pane of the browser.

Only what is visible is drawn, so that a list of 200,000 rows costs what 40 cost. Knows nothing of models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.content import Content
from textual.strip import Strip
from textual.widget import Widget

from wtui.render.spans import Line, clip, text_width
from wtui.tui.keys import LIST_KEYS
from wtui.tui.palette import rich_style

if TYPE_CHECKING:
    from textual import events

__all__ = ["LinesPane", "RowsPane"]

WHEEL_ROWS = 3
"""Rows that one notch of the mouse wheel scrolls."""


class LinesPane(Widget, can_focus=True):
    """A bordered pane of lines, drawn from `top`; a subclass says how many there are and how each looks."""

    BINDINGS = LIST_KEYS

    top = 0

    def entitle(self, title: str | None = None, subtitle: str | None = None) -> None:
        """Put texts into the border; they are shown as they are, never read as markup."""
        if title is not None and title != self._titles[0]:
            self.border_title = Content(title)
        if subtitle is not None and subtitle != self._titles[1]:
            self.border_subtitle = Content(subtitle)
        old = self._titles
        self._titles = (old[0] if title is None else title, old[1] if subtitle is None else subtitle)

    _titles = ("", "")

    def line_count(self) -> int:
        """How many lines there are."""
        return 0

    def line_at(self, row: int, width: int) -> Line:
        """The line `row` for a pane of `width` columns."""
        raise NotImplementedError

    def background_at(self, row: int) -> str:
        """Name of the background of the line `row`: `""`, `cursor` or `selected`."""
        return ""

    def render_line(self, y: int) -> Strip:
        """Line `y` of the pane's content, as Textual wants it."""
        width = self.size.width
        row = self.top + y
        if row >= self.line_count():
            return Strip.blank(width, rich_style(self.app, "", ""))
        background = self.background_at(row)
        return line_strip(self, self.line_at(row, width), width, background)

    def scroll_rows(self, rows: int) -> None:
        """Scroll down (or up) by so many rows."""
        self.show_from(self.top + rows)

    def show_from(self, top: int) -> None:
        """Scroll so that the line `top` is the first shown, as far as there are lines to fill the pane."""
        top = max(0, min(top, self.line_count() - self.size.height))
        if top != self.top:
            self.top = top
            self.refresh()

    def step(self, rows: int) -> None:
        """What the keys for up and down do: scroll, or move a cursor."""
        self.scroll_rows(rows)

    def action_up(self) -> None:
        """One row up."""
        self.step(-1)

    def action_down(self) -> None:
        """One row down."""
        self.step(1)

    def action_page(self, pages: int) -> None:
        """A page up or down."""
        self.step(pages * max(1, self.size.height - 1))

    def action_first(self) -> None:
        """To the first row."""
        self.step(-self.line_count())

    def action_last(self) -> None:
        """To the last row."""
        self.step(self.line_count())

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll down."""
        event.stop()
        self.scroll_rows(WHEEL_ROWS)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll up."""
        event.stop()
        self.scroll_rows(-WHEEL_ROWS)


class RowsPane(LinesPane):
    """Lines with a cursor on one of them."""

    cursor = 0

    def background_at(self, row: int) -> str:
        if row != self.cursor:
            return ""
        return "cursor" if self.has_focus else "selected"

    def cursor_moved(self) -> None:
        """Called whenever the cursor has come to rest on another row."""

    def move_cursor(self, row: int) -> None:
        """Put the cursor on `row` (clamped) and scroll it into view."""
        row = max(0, min(row, self.line_count() - 1))
        height = max(1, self.size.height)
        old_top = self.top
        if row < self.top:
            self.top = row
        elif row >= self.top + height:
            self.top = row - height + 1
        moved = row != self.cursor
        self.cursor = row
        if moved or self.top != old_top:
            self.refresh()
        if moved:
            self.cursor_moved()

    def step(self, rows: int) -> None:
        self.move_cursor(self.cursor + rows)

    def on_resize(self) -> None:
        """Keep the cursor in view, and no rows out of it that there is room for."""
        height = max(1, self.size.height)
        self.top = max(0, min(self.top, self.line_count() - height))
        if not self.top <= self.cursor < self.top + height:
            self.top = max(0, self.cursor - height // 2)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the row that was clicked."""
        content = event.get_content_offset(self)
        if content is not None and self.top + content.y < self.line_count():
            self.move_cursor(self.top + content.y)


def line_strip(widget: Widget, line: Line, width: int, background: str = "") -> Strip:
    """The line as a strip of exactly `width` columns."""
    segments: list[Segment] = []
    left = width
    for text, name in line:
        if left <= 0:
            break
        text = clip(text, left)
        left -= text_width(text)
        segments.append(Segment(text, rich_style(widget.app, name, background)))
    if left > 0:
        segments.append(Segment(" " * left, rich_style(widget.app, "", background)))
    return Strip(segments, width)
