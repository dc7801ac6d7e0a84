"""The browser of one model: its numbers, what was found about them, what opens over the panes. Reads no file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.message import Message

from wtui.engine.protocol import (
    AskParts,
    Distribution,
    Finished,
    Found,
    Opened,
    Picture,
    Progress,
    Recalled,
    Spectrum,
    SpectrumShare,
    Values,
)
from wtui.render.spans import line_width
from wtui.tui import over
from wtui.tui.keys import SCREEN_KEYS
from wtui.tui.marks import marks_of, next_finding, subject_of
from wtui.tui.panes import LAST_KEYS
from wtui.tui.results import Results
from wtui.tui.surveying import LATEST, REST, Surveying, plan_of
from wtui.tui.tree_screen import TreeScreen

if TYPE_CHECKING:
    from wtui.insight.references import References
    from wtui.live.survey import Surveyed
    from wtui.render.spans import Line
    from wtui.tui.jobs import Opening
    from wtui.tui.outline import Subject
    from wtui.tui.passes import Pass
    from wtui.tui.surveying import Plan
    from wtui.tui.widgets.plots_column import PlotsColumn

__all__ = ["BrowserScreen"]


class BrowserScreen(TreeScreen):
    """Tree, numbers and plots of one model."""

    BINDINGS = SCREEN_KEYS

    def __init__(self, opening: Opening) -> None:
        super().__init__(opening)
        self.results = Results()
        self.references: References | None = None
        self.plan: Plan | None = None
        self._outputs: Pass | None = None
        self._seed = 0
        self.surveying = Surveying(opening.surveys, self._hear_survey)

    class Planned(Message):
        """More is known of the architecture."""

        def __init__(self, known: Surveyed, complete: bool) -> None:
            super().__init__()
            self.known = known
            self.complete = complete

    def _hear_survey(self, known: Surveyed, complete: bool) -> None:
        """Bring what is known from the survey's thread into this one."""
        self.post_message(self.Planned(known, complete))

    def _after_first_frame(self) -> None:
        super()._after_first_frame()
        self.surveying.begin()
        self.set_timer(LATEST, self.surveying.complete)

    def on_unmount(self) -> None:
        """End with the screen what runs for it."""
        self.surveying.close()
        if self._outputs is not None:
            self._outputs.close()

    def why_no_outputs(self) -> str:
        """Why the model cannot be run, as far as that is known already; `""` if it may be."""
        if not self.opening.can_be_run:
            return "layer outputs are shown of Keras models"
        if self.plan is None:
            return "the architecture is being read"
        known = self.plan.known.architecture
        if not known.layers:
            return "there is no record of a Keras model that could be run"
        if known.refused:
            where, reason = next(iter(known.refused.items()))
            return f"cannot be run, since code of the file never is: {where or 'the model'} {reason}"
        return ""

    def outputs(self, anew: bool = False) -> Pass:
        """The forward pass that was whole or still runs, or another one; `anew` with other random values."""
        from wtui.live.passing import Settings
        from wtui.tui.passes import Pass

        known = self._outputs
        if known is not None and not anew and (known.running or known.whole):
            return known
        settings = self.opening.settings or Settings()
        if known is not None:
            known.close()
            self._seed += anew
        assert self.outline is not None
        size = self.outline.catalogue.totals().bytes
        settings = settings._replace(seed=settings.seed + self._seed)
        self._outputs = Pass(self.opening.runnable, self.opening.format, settings, size)
        return self._outputs

    def on_browser_screen_planned(self, message: Planned) -> None:
        """Show what is known of the architecture."""
        if self.outline is not None:
            self.plan = plan_of(message.known, message.complete, self.outline)
            self.layer_tree.facts = self.plan.facts
            self.layer_tree.refresh()
            self.show_numbers()
            if not self.why_no_outputs():
                self.key_bar.show([*self.KEY_LINE, ("a", "accent"), (" outputs  ", "dim")])

    def warm_up(self) -> None:
        """Import plotext before the first plot is asked for, and read what to compare with; runs in a thread."""
        from wtui.insight.references import References

        super().warm_up()
        assert self.outline is not None
        self.references = References(self.outline.catalogue)

    def show_status(self) -> None:
        from wtui.render.status import model_line, scan_line

        if self.outline is not None:
            failures = len(self.results.failures) + self.outline.catalogue.unreadable
            right = scan_line(self.results.progress, self.results.finished, failures)
            room = self.size.width - line_width(right) - 1
            self.status.show(model_line(self.outline.catalogue, len(self.outline.layers) - 1, room), right)

    def show_plots(self) -> None:
        if self.outline is not None:
            self.plots.show(self.outline, self.subject, self.results)

    def on_plots_column_asked(self, message: PlotsColumn.Asked) -> None:
        """The selection rests: its parts are wanted as well as its distribution."""
        super().on_plots_column_asked(message)
        from wtui.parts import views_of

        subject, outline = self.subject, self.outline
        if outline is None or subject < 0 or subject in self.results.parts:
            return
        if views_of(outline.catalogue, subject, outline.layer(subject)):
            self.client.ask(AskParts(subject))

    def show_numbers(self) -> None:
        from wtui.tui.reading import SHORT, panel_lines

        if self.outline is not None:
            pane = self.stats_pane
            width = pane.size.width or 36
            lines, title = panel_lines(
                self.outline, self.subject, self.results, width, self.references, self.plan, pane.size.height or SHORT
            )
            pane.put(lines, title=title)

    def take(self, answer: Any) -> None:
        if isinstance(answer, Opened):
            if self.outline is not None and answer.files != self.outline.catalogue.files:
                self.stop_since_changed()
            return
        touched = self.results.take(answer)
        if isinstance(answer, Progress | Finished | Recalled):
            self.show_status()
            if not isinstance(answer, Progress):
                self.show_numbers()
            if self.results.finished is not None:
                self.set_timer(REST, self.surveying.complete)
        elif isinstance(answer, Found):
            self._show_found(answer)
        elif isinstance(answer, Values | Picture | Spectrum | SpectrumShare):
            over.hand_over(self.app, answer)
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

    def _show_news(self, touched: set[Subject]) -> None:
        """Bring the tree, the numbers and, at leisure, the plots up to date."""
        tree = self.layer_tree
        if touched:
            tree.sparklines = self.results.sparklines
            if not touched.isdisjoint(self.in_sight()):
                tree.refresh()
        if self.subject in touched:
            self.show_numbers()
        if touched:
            self.plots.news(self.subject in touched)

    def action_over(self, what: str) -> None:
        """Open the table, the block grid, the values or what is recorded over the panes."""
        if self.outline is not None:
            over.open_over(self, self.outline, what)
