"""What every browser of a tree does, whatever stands in it: selecting, search, plots. Reads no file.

A subclass says what is selected in words and numbers, and what an answer of the scan process means.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

from textual.message import Message

from wtui.engine.protocol import GoneWrong, Look
from wtui.tui.arriving import ArrivingScreen

if TYPE_CHECKING:
    from wtui.tui.finder import Finder
    from wtui.tui.jobs import Opening
    from wtui.tui.outline import Outline, Subject
    from wtui.tui.widgets.plots_column import PlotsColumn
    from wtui.tui.widgets.search_bar import SearchBar

__all__ = ["TreeScreen"]


class TreeScreen(ArrivingScreen):
    """Tree, numbers and plots: owns what is selected."""

    class Answered(Message):
        """The scan process answered."""

        def __init__(self, answer: Any) -> None:
            super().__init__()
            self.answer = answer

    def __init__(self, opening: Opening) -> None:
        super().__init__(opening)
        self.subject: Subject = -1
        self.outline: Outline | None = None
        self.client = opening.client
        self._finder: Finder | None = None

    def _hear(self, answer: Any) -> None:
        """Bring an answer of the scan process from its thread into this one."""
        self.post_message(self.Answered(answer))

    def arrived(self, outline: Outline) -> None:
        """Show the model."""
        self.outline = outline
        self.subject = self.layer_tree.subject
        self.show_status()
        self.show_numbers()
        self.call_after_refresh(self._after_first_frame)

    def _after_first_frame(self) -> None:
        """Start what the first frame did not need: the scan process and the plotting library."""
        gc.freeze()
        gc.enable()
        self.client.listen(self._hear)
        self.run_worker(self.warm_up, thread=True)
        self.look()

    def warm_up(self) -> None:
        """Import plotext before the first plot is asked for; runs in a thread."""
        from wtui.render.plots import warm_up

        warm_up()

    def on_unmount(self) -> None:
        """End the scan process with the screen."""
        self.client.close()

    def on_layer_tree_selected(self) -> None:
        """Another layer or tensor is selected."""
        self.subject = self.layer_tree.subject  # the message may still be about the first rows of a listing
        self.show_numbers()
        self.look()

    def on_resize(self) -> None:
        """The numbers and the status line may have to be laid out for another width."""
        self.call_after_refresh(self.show_numbers)
        self.call_after_refresh(self.show_status)

    def show_status(self) -> None:
        """Fill the line at the top."""

    def show_numbers(self) -> None:
        """Fill the middle pane for what is selected now."""

    def show_plots(self) -> None:
        """Let the plots be about what is selected now."""

    def take(self, answer: Any) -> None:
        """Keep an answer and show it if it is about what is selected."""

    def look(self) -> None:
        """Ask for what is selected and visible, and for its plots once the selection rests."""
        if self.outline is not None:
            self.client.ask(Look(self.subject, self.in_sight()))
            self.show_plots()

    def on_plots_column_asked(self, message: PlotsColumn.Asked) -> None:
        """The plots want numbers."""
        self.client.ask(message.question)

    def on_tree_screen_answered(self, message: Answered) -> None:
        """Hand an answer over; the end of the scan process is told by every browser in the same way."""
        if isinstance(message.answer, GoneWrong):
            self.notify(message.answer.message, title="the scan stopped", severity="error", timeout=20)
        else:
            self.take(message.answer)

    def stop_since_changed(self) -> None:
        """The scan process has opened something else than this one: a file was replaced in between."""
        self.client.close()
        self.notify("it has changed since it was opened: open it again", title="the scan stopped", severity="error")

    def in_sight(self) -> tuple[int, ...]:
        """Tensors whose rows are on the screen."""
        tree = self.layer_tree
        rows = self.outline.rows[tree.top : tree.top + tree.size.height] if self.outline else []
        return tuple(row.subject for row in rows if row.subject >= 0)

    @property
    def finder(self) -> Finder:
        """The search through all names."""
        if self._finder is None:
            from wtui.tui.finder import Finder

            assert self.outline is not None
            self._finder = Finder(self.outline)
        return self._finder

    def action_search(self) -> None:
        """Type a name; the first match is selected while typing."""
        if self.outline is not None:
            self.search_bar.begin(self.finder, self.subject)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A slash typed into a search is a letter like any other."""
        return not (action == "search" and self.focused is self.search_bar)

    def on_search_bar_found(self, message: SearchBar.Found) -> None:
        """Select what was found."""
        if message.subject is not None:
            self.layer_tree.go_to(message.subject)
        self._say_matches()

    def on_search_bar_done(self, message: SearchBar.Done) -> None:
        """Back to the tree; n and N walk through the other matches, if the search is kept."""
        self.layer_tree.focus()
        if not message.kept:
            self.finder.search("")
            self._say_matches()

    def action_match(self, step: int) -> None:
        """The next or previous match."""
        found = self.finder.nearest(self.subject, step) if self.outline else None
        if found is not None:
            self.layer_tree.go_to(found)
            self._say_matches()

    def _say_matches(self) -> None:
        finder = self.finder
        where = f" · match {finder.number(self.layer_tree.subject)} of {len(finder.matches):,}"
        self.layer_tree.entitle("Layers" + where if finder.words else "Layers")

    def go_to(self, tensor: int | None) -> None:
        """Select what was chosen over the panes, if anything was."""
        if tensor is not None:
            self.layer_tree.go_to(tensor)

    def action_plot(self, what: str, step: int) -> None:
        """Change a setting of the plots."""
        self.plots.change(what, step)

    def action_copy(self) -> None:
        """Copy the full name of what is selected, and show it."""
        from wtui.render.spans import escape

        if self.outline is not None:
            chosen = self.subject
            name = self.outline.catalogue.tensors[chosen].name if chosen >= 0 else self.outline.layer(chosen).path
            self.app.copy_to_clipboard(name)
            self.notify(escape(name), title="name", markup=False)
