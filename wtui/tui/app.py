"""The Textual application: theme, driver and the one screen; everything else lives in the screen and its panes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import App

from wtui.tui.palette import WTUI_THEME, no_colours

if TYPE_CHECKING:
    from textual.command import Provider
    from textual.screen import Screen

    from wtui.tui.jobs import Opening

__all__ = ["WtuiApp"]


def _key_commands() -> type[Provider]:
    """The palette's commands, imported when it is opened."""
    from wtui.tui.commands import KeyCommands

    return KeyCommands


class WtuiApp(App[None]):
    """Browses what is being opened."""

    TITLE = "wtui"
    ENABLE_COMMAND_PALETTE = True
    COMMANDS = App.COMMANDS | {_key_commands}
    CSS = """
    Screen { layout: vertical; background: $background; }
    Bar { height: 1; width: 1fr; }
    #keys { background: $background; }
    #panes { height: 1fr; }
    #outline { width: 34%; min-width: 30; max-width: 56; }
    #stats { width: 33%; max-width: 56; }
    #plots { width: 1fr; }
    LinesPane {
        border: round $border-blurred; height: 1fr; width: 1fr; background: $background;
        border-title-color: $secondary; border-subtitle-color: $secondary;
    }
    LinesPane:focus { border: round $primary; border-title-color: $primary; }
    .-medium #outline { width: 36; }
    .-medium #stats { width: 1fr; max-width: 100; }
    .-medium #plots { display: none; }
    .-medium #panes.-side-plots #stats { display: none; }
    .-medium #panes.-side-plots #plots { display: block; }
    #panes.-only-outline #stats, #panes.-only-outline #plots { display: none; }
    #panes.-only-stats #outline, #panes.-only-stats #plots { display: none; }
    #panes.-only-plots #outline, #panes.-only-plots #stats { display: none; }
    #panes.-only-outline #outline, #panes.-only-stats #stats, #panes.-only-plots #plots {
        width: 1fr; max-width: 1000; display: block;
    }
    TextOverlay, TableScreen, GridScreen, ValuesScreen, PictureScreen, SpectrumScreen,
    RidgesScreen
    { align: center middle; background: $background; }
    #overlay { width: 90%; max-width: 110; height: 90%; border: round $primary; }
    #search { display: none; }
    #over_time { height: 36%; min-height: 8; }
    RunScreen.-medium #bands { display: none; }
    RunScreen.-medium #over_time.-bands #bands { display: block; }
    RunScreen.-medium #over_time.-bands #course { display: none; }
    RunScreen.-only-table #over_time { display: none; }
    RunScreen.-only-plots #run, RunScreen.-only-plots #run_titles { display: none; }
    RunScreen.-only-plots #over_time { height: 1fr; }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-medium"), (120, "-wide")]

    def __init__(self, opening: Opening) -> None:
        from wtui.tui.driver import ChangedCellsDriver

        super().__init__(driver_class=ChangedCellsDriver, ansi_color=no_colours())
        self.opening = opening

    def get_default_screen(self) -> Screen[None]:
        """The browser itself, without a blank screen below it."""
        return self.opening.screen()

    def on_mount(self) -> None:
        """Set the theme before the first frame."""
        self.register_theme(WTUI_THEME)
        self.theme = WTUI_THEME.name
