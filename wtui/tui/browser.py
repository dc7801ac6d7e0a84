"""The screen with the three panes: owns what is selected and puts messages into effect. Reads no file."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

from textual.message import Message

from wtui.engine.protocol import (
    Distribution,
    Finished,
    Found,
    GoneWrong,
    Look,
    Opened,
    Picture,
    Progress,
    Recalled,
    Values,
)
from wtui.render.spans import line_width
from wtui.tui import over
from wtui.tui.arriving import ArrivingScreen
from wtui.tui.keys import SCREEN_KEYS
from wtui.tui.marks import marks_of, next_finding, subject_of
from wtui.tui.panes import LAST_KEYS
from wtui.tui.results import Results

if TYPE_CHECKING:
    from wtui.insight.references import References
    from wtui.model import Catalogue
    from wtui.render.spans import Line
    from wtui.tui.finder import Finder
    from wtui.tui.jobs import Opening
    from wtui.tui.outline import Outline, Subject
    from wtui.tui.widgets.plots_column import PlotsColumn
    from wtui.tui.widgets.search_bar import SearchBar

__all__ = ["BrowserScreen"]


class BrowserScreen(ArrivingScreen):
    """Tree, numbers and plots of one model."""

    BINDINGS = SCREEN_KEYS

    class Answered(Message):
        """The scan process answered."""

        def __init__(self, answer: Any) -> None:
            super().__init__()
            self.answer = answer

    def __init__(self, opening: Opening) -> None:
        super().__init__(opening)
        self.subject: Subject = -1
        self.results = Results()
        self.outline: Outline | None = None
        self.client = opening.client
        self.references: References | None = None
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
        self.call_after_refresh(self._after_first_frame, outline.catalogue)

    def _after_first_frame(self, catalogue: Catalogue) -> None:
        """Start what the first frame did not need: the scan process and the plotting library."""
        gc.freeze()
        gc.enable()
        self.client.listen(self._hear)
        self.run_worker(self._warm_up, thread=True)
        self.look()

    def _warm_up(self) -> None:
        """Import plotext before the first plot is asked for, and read what to compare with; runs in a thread."""
        from wtui.insight.references import References
        from wtui.render.plots import warm_up

        warm_up()
        assert self.outline is not None
        self.references = References(self.outline.catalogue)

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
        from wtui.render.status import model_line, scan_line

        if self.outline is not None:
            right = scan_line(self.results.progress, self.results.finished, len(self.results.failures))
            room = self.size.width - line_width(right) - 1
            self.status.show(model_line(self.outline.catalogue, len(self.outline.layers) - 1, room), right)

    def look(self) -> None:
        """Ask for what is selected and visible, and for its plots once the selection rests."""
        if self.outline is not None:
            self.client.ask(Look(self.subject, self._visible()))
            self.plots.show(self.outline, self.subject, self.results)

    def on_plots_column_asked(self, message: PlotsColumn.Asked) -> None:
        """The plots want numbers."""
        self.client.ask(message.question)

    def _visible(self) -> tuple[int, ...]:
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

    def show_numbers(self) -> None:
        """Fill the middle pane for what is selected now."""
        from wtui.tui.reading import panel_lines

        if self.outline is not None:
            pane = self.stats_pane
            width = pane.size.width or 36
            lines, title = panel_lines(self.outline, self.subject, self.results, width, self.references)
            pane.put(lines, title=title)

    def on_browser_screen_answered(self, message: Answered) -> None:
        """Keep an answer and show it if it is about what is selected."""
        answer = message.answer
        if isinstance(answer, GoneWrong):
            self.notify(answer.message, title="the scan stopped", severity="error", timeout=20)
            return
        if isinstance(answer, Opened):
            self._check_opened(answer)
            return
        touched = self.results.take(answer)
        if isinstance(answer, Progress | Finished | Recalled):
            self.show_status()
            if not isinstance(answer, Progress):
                self.show_numbers()
        elif isinstance(answer, Found):
            self._show_found(answer)
        elif isinstance(answer, Values | Picture):
            over.hand_over(self, answer)
        elif isinstance(answer, Distribution):
            self.plots.take(answer)
            return
        self._show_news(touched)

    def _show_found(self, found: Found) -> None:
        """Mark what was found in the tree, and say how much it is."""
        if self.outline is not None:
            self.layer_tree.marks = marks_of(found.findings, self.outline)
            self.layer_tree.refresh()
            self.show_numbers()
            serious = sum(f.severity != "info" for f in found.findings)
            said = f"{serious} finding{'s' * (serious > 1)} "
            words: Line = [(said, "warning"), ("] [", "accent")] if serious else []
            self.key_bar.show(right=[*words, *LAST_KEYS])

    def action_finding(self, step: int) -> None:
        """To the next or previous finding."""
        if self.outline is not None:
            finding = next_finding(self.results.findings, self.outline, self.subject, step)
            if finding is not None:
                self.layer_tree.go_to(subject_of(finding, self.outline))

    def _check_opened(self, answer: Opened) -> None:
        """Stop if the scan process has opened something else: the file was replaced in between."""
        if self.outline is not None and answer.files != self.outline.catalogue.files:
            self.client.close()
            self.notify("it has changed since it was opened: open it again", title="the scan stopped", severity="error")

    def _show_news(self, touched: set[Subject]) -> None:
        """Bring the tree, the numbers and, at leisure, the plots up to date."""
        tree = self.layer_tree
        if touched:
            tree.sparklines = self.results.sparklines
            if not touched.isdisjoint(self._visible()):
                tree.refresh()
        if self.subject in touched:
            self.show_numbers()
        if touched:
            self.plots.news(self.subject in touched)

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

    def action_over(self, what: str) -> None:
        """Open the table, the block grid, the values or what is recorded over the panes."""
        if self.outline is not None:
            over.open_over(self, self.outline, what)

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
