"""A pane of ready-made lines that can be scrolled: the numbers, a plot, a help text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.tui.widgets.lines import LinesPane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wtui.render.spans import Line

__all__ = ["TextPane"]


class TextPane(LinesPane):
    """Shows the lines it was given last."""

    def __init__(self, id: str | None = None, title: str = "") -> None:
        super().__init__(id=id)
        self.lines: Sequence[Line] = ()
        self.entitle(title)

    def put(self, lines: Sequence[Line], *, title: str | None = None, subtitle: str | None = None) -> None:
        """Show other lines; the place is kept as far as there are lines for it."""
        self.entitle(title, subtitle)
        if list(lines) != list(self.lines):
            self.lines = lines
            self.top = max(0, min(self.top, len(lines) - max(1, self.size.height)))
            self.refresh()

    def line_count(self) -> int:
        return len(self.lines)

    def line_at(self, row: int, width: int) -> Line:
        return self.lines[row]
