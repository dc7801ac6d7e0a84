"""The screen with the three panes; puts messages into effect, owns what is selected. Reads no file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Horizontal, Vertical
from textual.screen import Screen

from wtui.tui.outline import Outline
from wtui.tui.widgets.bars import Bar
from wtui.tui.widgets.layer_tree import LayerTree
from wtui.tui.widgets.lines import LinesPane

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from wtui.tui.jobs import Opening

__all__ = ["BrowserScreen"]


class BrowserScreen(Screen[None]):
    """Tree, numbers and plots of one model."""

    def __init__(self, opening: Opening) -> None:
        super().__init__()
        self.opening = opening

    def compose(self) -> ComposeResult:
        self.opening.wait()
        outline = Outline(self.opening.catalogue) if self.opening.catalogue else None
        yield Bar(id="status")
        with Horizontal(id="panes"):
            yield LayerTree(outline)
            yield LinesPane(id="stats")
            with Vertical():
                yield LinesPane(id="hist")
                yield LinesPane(id="depth")
        yield Bar(id="keys")
