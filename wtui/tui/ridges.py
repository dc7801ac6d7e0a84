"""Distributions of all tensors of a kind over the panes, side by side; filled while they are scanned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.binding import Binding
from textual.screen import ModalScreen

from wtui.render.ridges import MOST_LINES, ridge_lines
from wtui.tui.widgets.bars import Bar
from wtui.tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.app import ComposeResult

    from wtui.tui.results import Results

__all__ = ["RidgesScreen"]

REFRESH = 1.0
"""Seconds between two looks at whether more tensors were scanned."""


class RidgesScreen(ModalScreen[None]):
    """A line for each tensor of a kind."""

    BINDINGS = [
        Binding("z", "scale", "scale", tooltip="One axis for all, or each over its own range"),
        Binding("escape,q,d", "dismiss", "close", tooltip="Back to the panes"),
    ]

    def __init__(self, kind: str, names: Mapping[int, str], results: Results, current: int) -> None:
        super().__init__()
        self._kind = kind
        self._names = names
        self._results = results
        self._current = current
        self._own_scale = False
        self._version = -1

    def compose(self) -> ComposeResult:
        yield TextPane(id="ridges")
        keys = Bar(id="ridges_keys")
        keys.left = [(" ↑↓", "accent"), (" scroll  ", "dim"), ("z", "accent"), (" one axis or each its own  ", "dim"),
                     ("esc", "accent"), (" back", "dim")]  # fmt: skip
        yield keys

    def on_mount(self) -> None:
        """Draw once there is a size, and again while numbers come in."""
        self.call_after_refresh(self._draw)
        self.set_interval(REFRESH, self._draw_if_new)

    def on_resize(self) -> None:
        """Other columns fit now."""
        self.call_after_refresh(self._draw)

    def _draw_if_new(self) -> None:
        if self._version != self._results.version:
            self._draw()

    def _draw(self) -> None:
        self._version = self._results.version
        pane = self.query_one("#ridges", TextPane)
        width = max(pane.size.width, 40)
        height = max(1, min(MOST_LINES, (pane.size.height - 1) // len(self._names)))
        lines = ridge_lines(
            self._names,
            self._results.rows,
            width,
            current=self._current,
            own_scale=self._own_scale,
            height=height,
        )
        where = "each over its own 0.1 to 99.9 %" if self._own_scale else "one axis, heights by each one's own peak"
        pane.put(lines, title=f"distributions of {len(self._names):,} {self._kind}", subtitle=where)

    def action_scale(self) -> None:
        """One axis for all, or one each."""
        self._own_scale = not self._own_scale
        self._draw()
