"""The one-line bars: what is open at the top, the keys that matter now at the bottom."""

from __future__ import annotations

from textual.strip import Strip
from textual.widget import Widget

from wtui.render.spans import Line, line_width
from wtui.tui.widgets.lines import line_strip

__all__ = ["Bar", "KeyBar"]


class Bar(Widget):
    """A line with a left and a right part; the left one is cut where there is no room for both."""

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
        room = width - line_width(self.right)
        left = line_strip(self, self.fitted(room), room) if room > 0 else Strip.blank(0)
        return Strip.join([left, line_strip(self, self.right, min(width, line_width(self.right)))])

    def fitted(self, room: int) -> Line:
        """The left part as it is shown in so many columns."""
        return self.left


class KeyBar(Bar):
    """Keys and what they do, a span each in turn: as many pairs as there is room for, none cut in two."""

    def fitted(self, room: int) -> Line:
        """The first pairs that fit."""
        pairs = len(self.left) // 2
        while pairs > 1 and line_width(self.left[: 2 * pairs]) > room:
            pairs -= 1
        return self.left[: 2 * pairs]
