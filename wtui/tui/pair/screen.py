"""The browser of two models: one tree, what changed and by how much, what opens over the panes. Reads no file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.message import Message

from wtui.comparing.protocol import BothCounted, OpenedBoth, Paired, SideSeen
from wtui.engine.protocol import Finished, Progress
from wtui.render.spans import Line, line_width
from wtui.tui.keys import PAIR_KEYS
from wtui.tui.outline import Outline, subject_of_layer
from wtui.tui.pair import over
from wtui.tui.pair.plots import PairColumn
from wtui.tui.pair.results import PairResults
from wtui.tui.pair.tree import PairTree
from wtui.tui.panes import LAST_KEYS
from wtui.tui.tree_screen import TreeScreen

if TYPE_CHECKING:
    from textual.timer import Timer

    from wtui.comparing.joined import Joined
    from wtui.tui.outline import Subject
    from wtui.tui.pair.opening import OpeningBoth
    from wtui.tui.widgets.layer_tree import LayerTree
    from wtui.tui.widgets.plots_column import PlotsColumn

__all__ = ["PairScreen"]

ROOT_EVERY = 0.5
"""Seconds between two readings of both models while they are compared: each looks at all tensors."""


class PairScreen(TreeScreen):
    """Tree, numbers and plots of A against B."""

    BINDINGS = PAIR_KEYS

    KEY_LINE: Line = [
        (" ↑↓", "accent"), (" move  ", "dim"), ("] [", "accent"), (" by change  ", "dim"), ("/", "accent"),
        (" search  ", "dim"), ("t", "accent"), (" table  ", "dim"), ("p", "accent"), (" picture  ", "dim"),
        ("v", "accent"), (" values  ", "dim"), ("m", "accent"), (" metric  ", "dim"), ("z", "accent"),
        (" zoom  ", "dim"),
    ]  # fmt: skip

    tree_class: type[LayerTree] = PairTree
    plots_class: type[PlotsColumn] = PairColumn

    class Joint(Message):
        """Which tensors belong together is known, and the tree of both is made."""

        def __init__(self, results: PairResults, outline: Outline) -> None:
            super().__init__()
            self.results = results
            self.outline = outline

    def __init__(self, opening: OpeningBoth) -> None:
        super().__init__(opening)
        self.both = opening
        self.results: PairResults | None = None
        self._root_due: Timer | None = None
        self._early: list[Any] = []
        """Answers that came while the tree of both was being made."""

    def arrived(self, outline: Outline) -> None:
        """Show B alone until it is known what of A belongs to it."""
        assert self.both.joined is not None
        self._show_results(PairResults(self.both.joined))
        super().arrived(outline)

    def _show_results(self, results: PairResults) -> None:
        self.results = results
        tree = self.layer_tree
        assert isinstance(tree, PairTree)
        tree.results = results

    def look(self) -> None:
        """As ever, once subjects mean the same here and in the scan process."""
        if self.results is not None and self.results.joined.pairing is not None:
            super().look()

    def show_status(self) -> None:
        from wtui.render.status import pair_line, scan_line

        results = self.results
        if results is not None:
            right = scan_line(results.progress, results.finished, results.failed)
            room = self.size.width - line_width(right) - 1
            self.status.show(pair_line(self.both.names, _facts(results), room), right)

    def show_numbers(self) -> None:
        from wtui.tui.pair.panel import panel_lines

        if self.outline is not None and self.results is not None:
            pane = self.stats_pane
            lines, title = panel_lines(self.outline, self.subject, self.results, pane.size.width or 36)
            pane.put(lines, title=title)

    def show_plots(self) -> None:
        if self.outline is not None and self.results is not None:
            self.plots.show(self.outline, self.subject, self.results)

    def take(self, answer: Any) -> None:
        results = self.results
        if results is None or self.outline is None:
            return
        if isinstance(answer, OpenedBoth):
            if answer != (results.joined.a.files, results.joined.b.files):
                self.stop_since_changed()
        elif isinstance(answer, Paired):
            self.run_worker(lambda: self._join(results.joined, answer), thread=True)
        elif results.joined.pairing is None:
            self._early.append(answer)
        else:
            self._take_numbers(answer, results, self.outline)

    def _join(self, joined: Joined, answer: Paired) -> None:
        """Make the tree of both; runs in a thread."""
        from wtui.comparing.joined import Joined

        both = Joined(joined.a, joined.b, answer.pairing)
        both.catalogue.totals()
        outline, results = Outline(both.catalogue), PairResults(both)
        results.mark_all(outline)
        self.post_message(self.Joint(results, outline))

    def on_pair_screen_joint(self, message: Joint) -> None:
        """Show the tree of both in place of B's."""
        outline = message.outline
        self._show_results(message.results)
        self.layer_tree.show(outline)
        self.outline = outline
        self.subject = self.layer_tree.subject
        self._finder = None
        early, self._early = self._early, []
        for answer in early:
            self.take(answer)
        self.show_status()
        self.show_numbers()
        self.look()

    def _take_numbers(self, answer: Any, results: PairResults, outline: Outline) -> None:
        if isinstance(answer, BothCounted):
            self.plots.take(answer)
            return
        if isinstance(answer, SideSeen):
            over.hand_over(self.app, answer)
            return
        touched = results.take(answer, outline)
        if isinstance(answer, Progress | Finished):
            self.show_status()
            if isinstance(answer, Finished):
                self._say_changes(results)
                self.show_numbers()
                self.layer_tree.refresh()
        self._show_news(touched)

    def _say_changes(self, results: PairResults) -> None:
        """How many tensors differ, at the bottom beside the keys that walk through them."""
        n = len(results.ranked)
        said: Line = [(f"{n:,} differ ", "accent")] if n else [("no pair differs ", "good")]
        self.key_bar.show(right=[*said, *LAST_KEYS])

    def _show_news(self, touched: set[Subject]) -> None:
        """Bring the tree, the numbers and, at leisure, the plots up to date."""
        if not touched:
            return
        self.layer_tree.refresh()
        if self.subject in touched:
            self.show_numbers()
        elif self.subject == subject_of_layer(0) and self._root_due is None:
            self._root_due = self.set_timer(ROOT_EVERY, self._show_root)
        self.plots.news(self.subject in touched)

    def _show_root(self) -> None:
        """Bring up to date what is said of both models."""
        self._root_due = None
        if self.subject == subject_of_layer(0):
            self.show_numbers()

    def action_change(self, step: int) -> None:
        """To the next or previous tensor in the order of change."""
        ranked = self.results.ranked if self.results is not None else []
        if ranked:
            at = ranked.index(self.subject) + step if self.subject in ranked else 0 if step > 0 else -1
            self.layer_tree.go_to(ranked[at % len(ranked)])

    def action_over(self, what: str) -> None:
        """Open the table, the values, the picture or what is recorded over the panes."""
        results = self.results
        if results is not None and self.outline is not None and results.joined.pairing is not None:
            over.open_over(self, self.outline, results, what)


def _facts(results: PairResults) -> list[str]:
    joined = results.joined
    if joined.pairing is None:
        return ["pairing …"]
    facts = [f"{len(joined.pairs):,} pairs"]
    if joined.only_a:
        facts.append(f"{len(joined.only_a):,} only in A")
    if joined.only_b:
        facts.append(f"{len(joined.only_b):,} only in B")
    return facts
