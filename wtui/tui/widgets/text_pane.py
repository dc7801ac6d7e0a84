"""A pane of ready-made lines that can be scrolled: the numbers, a plot, a help text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.tui.keys import LIST_KEYS
from wtui.tui.widgets.lines import LinesPane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wtui.render.spans import Line

__all__ = ["TextPane"]


class TextPane(LinesPane):
    """Shows the lines it was given last."""

    BINDINGS = LIST_KEYS

    def __init__(self, id: str | None = None, title: str = "") -> None:
        super().__init__(id=id)
        self.lines: Sequence[Line] = ()
        self.border_title = title

    def put(self, lines: Sequence[Line], *, title: str | None = None, subtitle: str | None = None) -> None:
        """Show other lines; the place is kept as far as there are lines for it."""
        if title is not None:
            self.border_title = title
        if subtitle is not None:
            self.border_subtitle = subtitle
        if list(lines) != list(self.lines):
            self.lines = lines
            self.top = max(0, min(self.top, len(lines) - max(1, self.size.height)))
            self.refresh()

    def line_count(self) -> int:
        return len(self.lines)

    def line_at(self, row: int, width: int) -> Line:
        return self.lines[row]

    def action_up(self) -> None:
        """One row up."""
        self.scroll_rows(-1)

    def action_down(self) -> None:
        """One row down."""
        self.scroll_rows(1)

    def action_page(self, pages: int) -> None:
        """A page up or down."""
        self.scroll_rows(pages * max(1, self.size.height - 1))

    def action_first(self) -> None:
        """To the first row."""
        self.show_from(0)

    def action_last(self) -> None:
        """To the last row."""
        self.show_from(self.line_count())
