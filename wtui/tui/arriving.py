"""How a model comes onto the screen: at once, or after word that it is being opened and perhaps its first rows.

The first rows are a preview to move about in: nothing is asked about them, since their numbers within the model are
not known yet. When the rest is there the cursor stays on what it was on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

from wtui.render.spans import escape
from wtui.tui.outline import Outline
from wtui.tui.panes import PanesScreen

if TYPE_CHECKING:
    from wtui.model import Catalogue
    from wtui.tui.jobs import Opening

__all__ = ["ArrivingScreen"]

FIRST_FRAME_WAIT = 0.15
"""Seconds that the first frame waits for the file to be opened before it shows that it is being opened."""


class ArrivingScreen(PanesScreen):
    """The panes, and the model that they will show."""

    class FirstRows(Message):
        """The first tensors of a long listing are there."""

        def __init__(self, first: Catalogue) -> None:
            super().__init__()
            self.first = first

    class OpenedLate(Message):
        """The model is open, or (None) could not be opened, after the first frame."""

        def __init__(self, outline: Outline | None) -> None:
            super().__init__()
            self.outline = outline

    def __init__(self, opening: Opening) -> None:
        super().__init__()
        self.opening = opening

    def on_mount(self) -> None:
        """Show the model if it is open already, else what there is of it, and wait for it beside the screen."""
        opening = self.opening
        opening.wait_for_rows(FIRST_FRAME_WAIT)
        catalogue, first = opening.catalogue, opening.first
        if catalogue is not None or opening.error is not None:
            self._arrived(None if catalogue is None else Outline(catalogue))
            return
        self.status.show([(f" opening {escape(opening.path)} …", "dim")])
        if first is not None:
            self._show_first(first)
        self.run_worker(self._open_later, thread=True)

    def arrived(self, outline: Outline) -> None:
        """The model is there."""
        raise NotImplementedError

    def _open_later(self) -> None:
        """Wait for the model, and do what takes a moment for a large one; runs in a thread."""
        opening = self.opening
        opening.wait_for_rows()
        first = opening.first
        if first is not None:
            self.post_message(self.FirstRows(first))
        opening.wait()
        catalogue = opening.catalogue
        if catalogue is not None:
            catalogue.totals()
        self.post_message(self.OpenedLate(None if catalogue is None else Outline(catalogue)))

    def on_arriving_screen_first_rows(self, message: FirstRows) -> None:
        """Show the first rows, unless they are shown already."""
        if self.layer_tree.outline is None:
            self._show_first(message.first)

    def on_arriving_screen_opened_late(self, message: OpenedLate) -> None:
        """Show the model, or why there is none."""
        self._arrived(message.outline)

    def _show_first(self, first: Catalogue) -> None:
        """A tree of the first tensors that says what it is."""
        tree = self.layer_tree
        tree.show(Outline(first))
        if self.opening.first_is_shown is not None:
            self.call_after_refresh(self.opening.first_is_shown.set)
        tree.entitle(f"Layers · the first {len(first.tensors):,} tensors")
        self.stats_pane.put(
            [
                [("reading the listing …", "accent")],
                [],
                [(f"The tree shows the first {len(first.tensors):,};", "")],
                [("the others and all numbers follow.", "")],
            ]
        )

    def _arrived(self, outline: Outline | None) -> None:
        if outline is None:
            self.app.exit(return_code=2)  # `launch` says why where it can be read whole, and copied
            return
        self.layer_tree.entitle("Layers")
        self.layer_tree.show(outline)
        self.arrived(outline)
