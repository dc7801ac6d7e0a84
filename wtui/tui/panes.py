"""The layout of the browser: which panes there are, which have the focus, which fill the screen. Knows no model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Horizontal
from textual.screen import Screen

from wtui.tui.widgets.bars import Bar, KeyBar
from wtui.tui.widgets.layer_tree import LayerTree
from wtui.tui.widgets.plots_column import PlotsColumn
from wtui.tui.widgets.search_bar import SearchBar
from wtui.tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from wtui.render.spans import Line

__all__ = ["PanesScreen"]

FOCUS_ORDER = ("outline", "stats", "histogram", "depth")


LAST_KEYS: Line = [(" ?", "accent"), (" keys  ", "dim"), ("q", "accent"), (" quit ", "dim")]
"""What must be seen in the narrowest terminal: where all keys are, and the way out."""


class PanesScreen(Screen[None]):
    """Tree, numbers and plots; in a narrow terminal the tree beside one of the two others."""

    AUTO_FOCUS = "#outline"

    tree_class: type[LayerTree] = LayerTree
    plots_class: type[PlotsColumn] = PlotsColumn

    KEY_LINE: Line = [
        (" ↑↓", "accent"), (" move  ", "dim"), ("←→", "accent"), (" close open  ", "dim"), ("/", "accent"),
        (" search  ", "dim"), ("v", "accent"), (" values  ", "dim"), ("p", "accent"), (" picture  ", "dim"),
        ("t", "accent"), (" table  ", "dim"), ("b", "accent"), (" blocks  ", "dim"), ("m", "accent"),
        (" metric  ", "dim"), ("z", "accent"), (" zoom  ", "dim"),
    ]  # fmt: skip
    """Keys that matter, at the bottom."""

    def compose(self) -> ComposeResult:
        yield Bar(id="status")
        with Horizontal(id="panes"):
            yield self.tree_class(id="outline")
            yield TextPane(id="stats", title="Numbers")
            yield self.plots_class(id="plots")
        yield SearchBar(id="search")
        yield KeyBar(id="keys")

    def on_mount(self) -> None:
        """Show the keys that matter."""
        self.query_one("#keys", Bar).show(self.KEY_LINE, LAST_KEYS)

    @property
    def layer_tree(self) -> LayerTree:
        """The layer tree."""
        return self.query_one("#outline", LayerTree)

    @property
    def stats_pane(self) -> TextPane:
        """The pane of numbers."""
        return self.query_one("#stats", TextPane)

    @property
    def plots(self) -> PlotsColumn:
        """The column of plots."""
        return self.query_one("#plots", PlotsColumn)

    @property
    def key_bar(self) -> Bar:
        """The line at the bottom."""
        return self.query_one("#keys", Bar)

    @property
    def search_bar(self) -> SearchBar:
        """The line for searching."""
        return self.query_one("#search", SearchBar)

    @property
    def status(self) -> Bar:
        """The line at the top."""
        return self.query_one("#status", Bar)

    def action_maximise(self, pane: str) -> None:
        """One pane alone, or all of them again."""
        panes = self.query_one("#panes")
        alone = f"-only-{pane}"
        showed = panes.has_class(alone)
        panes.remove_class("-only-outline", "-only-stats", "-only-plots")
        if not showed:
            panes.add_class(alone)
        if pane != "outline":
            panes.set_class(pane == "plots", "-side-plots")
        self.query_one("#" + {"plots": "histogram"}.get(pane, pane) if not showed else "#outline").focus()

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing to go back from: all panes are there, and the tree has the focus."""
        alone = any(name.startswith("-only-") for name in self.query_one("#panes").classes)
        return not alone and self.focused is self.layer_tree

    def action_back(self) -> None:
        """All panes again, and back to the tree."""
        self.query_one("#panes").remove_class("-only-outline", "-only-stats", "-only-plots")
        self.layer_tree.focus()

    def action_next_pane(self, step: int) -> None:
        """Focus the next pane; in a narrow terminal that also chooses which one stands beside the tree."""
        here = self.focused.id if self.focused is not None and self.focused.id in FOCUS_ORDER else FOCUS_ORDER[0]
        target = FOCUS_ORDER[(FOCUS_ORDER.index(here) + step) % len(FOCUS_ORDER)]
        panes = self.query_one("#panes")
        if target != "outline":
            panes.set_class(target in ("histogram", "depth"), "-side-plots")
        self.query_one(f"#{target}").focus()

    def action_redraw(self) -> None:
        """Draw everything anew, as if nothing were known of the terminal."""
        from wtui.tui.driver import ChangedCellsDriver

        driver = self.app._driver
        if isinstance(driver, ChangedCellsDriver):
            driver.forget()
        self.refresh(layout=True)

    def action_help(self) -> None:
        """The list of keys."""
        from wtui.tui.keys import groups
        from wtui.tui.overlays import TextOverlay, help_lines, overlay_width

        width = overlay_width(self.app.size.width) - 2
        self.app.push_screen(TextOverlay("Keys", help_lines(groups(self.BINDINGS), width)))

    def action_palette(self) -> None:
        """Every command by name."""
        self.app.action_command_palette()

    def action_quit(self) -> None:
        """Leave."""
        self.app.exit()
