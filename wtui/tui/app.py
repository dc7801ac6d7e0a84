"""The Textual application: theme, driver and the one screen; everything else lives in the screen and its panes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import App

from wtui.tui.palette import WTUI_THEME

if TYPE_CHECKING:
    from textual.screen import Screen

    from wtui.tui.jobs import Opening

__all__ = ["WtuiApp", "browse_path"]


class WtuiApp(App[None]):
    """Browses one model."""

    TITLE = "wtui"
    ENABLE_COMMAND_PALETTE = True
    CSS = """
    Screen { layout: vertical; background: $background; }
    Bar { height: 1; width: 1fr; }
    #panes { height: 1fr; }
    LinesPane { border: round $border-blurred; height: 1fr; width: 1fr; border-title-color: $secondary; border-subtitle-color: $secondary; background: $background; }
    LinesPane:focus { border: round $primary; border-title-color: $primary; }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-medium"), (120, "-wide")]

    def __init__(self, opening: Opening) -> None:
        from wtui.tui.driver import ChangedCellsDriver

        super().__init__(driver_class=ChangedCellsDriver)
        self.opening = opening

    def get_default_screen(self) -> Screen[None]:
        """The browser itself, without a blank screen below it."""
        from wtui.tui.browser import BrowserScreen

        return BrowserScreen(self.opening)

    def on_mount(self) -> None:
        """Set the theme before the first frame."""
        self.register_theme(WTUI_THEME)
        self.theme = WTUI_THEME.name


def browse_path(path: str, format: str | None = None) -> int:
    """Open the browser on a path; the exit code. The file is opened while Textual is still being imported."""
    from wtui.tui.jobs import Opening

    opening = Opening(path, format)
    app = WtuiApp(opening)
    app.run()
    return app.return_code or 0
