"""The one-line bars: what is open at the top, the keys that matter now at the bottom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widget import Widget

from wtui.render.spans import Line, line_width
from wtui.tui.widgets.lines import line_strip

if TYPE_CHECKING:
    from textual.strip import Strip

__all__ = ["Bar"]


class Bar(Widget):
    """A line with a left and a right part; the right one gives way when there is no room for both."""

    left: Line = []
    right: Line = []

    def show(self, left: Line | None = None, right: Line | None = None) -> None:
        """Put other text into one or both parts."""
        left, right = self.left if left is None else left, self.right if right is None else right
        if (left, right) != (self.left, self.right):
            self.left, self.right = left, right
            self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        gap = width - line_width(self.left) - line_width(self.right)
        line = [*self.left, (" " * gap, ""), *self.right] if gap > 0 else self.left
        return line_strip(self, line, width)
