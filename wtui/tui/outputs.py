"""Layer outputs over the panes: a table in the order in which layers ran, filled while they run, and views of each."""

from __future__ import annotations

from asyncio import to_thread
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from textual.binding import Binding
from textual.containers import Container
from textual.message import Message
from textual.screen import ModalScreen

from wtui.render.findings import MARKS
from wtui.render.outputs import METRICS, input_lines, output_name
from wtui.render.outputs_table import empty_columns, output_header, output_line
from wtui.render.spans import Line, escape, line_width
from wtui.tui.output_view import VIEWS, Wanted, view_lines
from wtui.tui.widgets.bars import Bar, KeyBar
from wtui.tui.widgets.lines import RowsPane
from wtui.tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult

    from wtui.live.seen import Seen
    from wtui.tui.passes import Pass

__all__ = ["OutputsScreen"]

REST = 0.08
"""Seconds that a selection has to rest before it is drawn."""

KEYS: Line = [
    (" ↑↓", "accent"), (" layer  ", "dim"), ("tab", "accent"), (" view  ", "dim"), ("d u", "accent"),
    (" scroll it  ", "dim"), ("m", "accent"), (" by depth  ", "dim"), ("enter", "accent"), (" go to it  ", "dim"),
    ("r", "accent"), (" run again", "dim"),
]  # fmt: skip


class OutputsTable(RowsPane):
    """A row for each output."""

    class Moved(Message):
        """Another output is selected."""

    def __init__(self, seen: Seen) -> None:
        super().__init__(id="outputs")
        self.seen = seen
        self.empty: frozenset[str] = frozenset()
        """Columns that are left out."""
        self.entitle("In the order of layers")

    def line_count(self) -> int:
        return len(self.seen.outputs)

    def line_at(self, row: int, width: int) -> Line:
        return output_line(self.seen.outputs[row], width, self.empty)

    def say_where(self) -> None:
        """Put the place of the cursor into the border."""
        self.entitle(subtitle=f"{self.cursor + 1}/{self.line_count()}" if self.line_count() else "")

    def cursor_moved(self) -> None:
        self.say_where()
        self.post_message(self.Moved())


class OutputsScreen(ModalScreen[str | None]):
    """One forward pass; closes with the path of the layer that was chosen, or None."""

    BINDINGS = [
        Binding(
            "tab,a", "view(1)", "next view", tooltip="Distribution, feature maps, channels, numbers, depth, findings"
        ),
        Binding("shift+tab", "view(-1)", "previous view", tooltip="The view before"),
        Binding("m", "metric(1)", "metric", tooltip="Next metric of the view by depth"),
        Binding("M", "metric(-1)", "metric back", tooltip="Previous metric of the view by depth"),
        Binding("L", "log", "log", tooltip="Counts of the distribution on a linear or a logarithmic scale"),
        Binding("d", "scroll_view(1)", "view down", tooltip="Further down in the view"),
        Binding("u", "scroll_view(-1)", "view up", tooltip="Further up in the view"),
        Binding("r", "again", "run again", tooltip="Run it once more, with other random values"),
        Binding("enter", "choose", "go to", tooltip="Go to the layer in the tree"),
        Binding("escape,q", "leave", "close", tooltip="Back to the panes; a pass that runs is ended"),
    ]

    DEFAULT_CSS = """
    OutputsScreen { layout: vertical; background: $background; }
    OutputsScreen #outputs_panes { height: 1fr; layout: vertical; }
    OutputsScreen #outputs { height: 2fr; }
    OutputsScreen #output_view { height: 3fr; }
    OutputsScreen.-wide #outputs_panes { layout: horizontal; }
    OutputsScreen.-wide #outputs { width: 11fr; height: 1fr; }
    OutputsScreen.-wide #output_view { width: 9fr; height: 1fr; }
    """

    class News(Message):
        """The pass has said something."""

    def __init__(self, current: Pass, again: Callable[[], Pass]) -> None:
        """`again` makes another pass in place of the current one, which is begun here."""
        super().__init__()
        self._pass = current
        self._again = again
        self._table = OutputsTable(current.seen)
        self._pane = TextPane(id="output_view")
        self._top, self._titles, self._below = Bar(), Bar(), Bar()
        self._keys = KeyBar()
        self._view = 0
        self._metric = 0
        self._log: bool | None = None
        self._told = False
        """Whether news is on its way already: a burst of outputs is one look."""

    def compose(self) -> ComposeResult:
        yield self._top
        yield self._titles
        with Container(id="outputs_panes"):
            yield self._table
            yield self._pane
        yield self._below
        yield self._keys

    def on_mount(self) -> None:
        """Show what there is, and start what was not started."""
        self._titles.display = False
        self._table.focus()
        self._attend()
        self.call_after_refresh(self._update)

    def _attend(self) -> None:
        """Hear the pass; start it if it is a new one."""
        self._table.seen = self._pass.seen
        if self._pass.running or self._pass.whole or self._pass.problem:
            self._pass.listen(self._hear)
        else:
            self._pass.begin(self._hear)

    def _hear(self) -> None:
        """In the pass's thread."""
        if not self._told:
            self._told = True
            self.post_message(self.News())

    def on_outputs_screen_news(self) -> None:
        """Look at what is new."""
        self._told = False
        self._update()

    def on_resize(self) -> None:
        """Everything has to be laid out anew."""
        self.call_after_refresh(self._update)

    def on_outputs_table_moved(self) -> None:
        """Draw another output once the selection rests."""
        self._pane.show_from(0)
        self.set_timer(REST, self._draw)

    def _update(self) -> None:
        seen, table = self._pass.seen, self._table
        status = self._status()
        room = self.size.width - line_width(status) - 2
        given: Line = [(" layer outputs  ", "bold")]
        given += [span for line in input_lines(seen.inputs)[:1] for span in line] if room > 60 else []
        self._top.show(given, status)
        table.empty = empty_columns(seen.outputs)
        table.say_where()
        self._titles.display = bool(seen.outputs)
        self._titles.show([(" ", ""), *output_header(max(table.size.width, 20), table.empty)])
        table.refresh()
        self._below.show(self._remarks())
        closing = " end it" if self._pass.running else " back"
        self._keys.show(KEYS, [("esc", "accent"), (f"{closing} ", "dim")])
        self._draw()

    def _status(self) -> Line:
        current, seen = self._pass, self._pass.seen
        if current.problem:
            return [(f" {escape(current.problem)} ", "warning")]
        if seen.seconds is None:
            return [(f" {escape(seen.said) or 'starting Keras'} … ", "accent")]
        count = len(seen.outputs)
        return [(f" {count:,} output{'s' * (count != 1)} in {seen.seconds:.2g} s ", "good")]

    def _remarks(self) -> Line:
        """How much stands out, and for which input that holds."""
        seen = self._pass.seen
        if not seen.outputs:
            return []
        serious = [f for f in seen.remarks() if f.severity != "info"]
        random = any(one.source.startswith("random") for one in seen.inputs)
        how = "random values: wtui PATH --input FILE.npy gives real ones" if random else "it holds for this input only"
        if not serious:
            return [(" nothing bad stands out on this input  ", ""), (how, "dim")]
        sign, style = MARKS[serious[0].severity]
        first = f"{sign} {escape(serious[0].layer)}: {escape(serious[0].message)}"
        more = f", and {len(serious) - 1} more (tab: findings)" if len(serious) > 1 else ""
        return [(f" {first}{more}", style), (f"  {how}", "dim")]

    def _draw(self) -> None:
        """Draw the view beside the screen; what is still being drawn is given up."""
        if self._pane.size.width:
            colour = not self.app.no_color and self.app.console.color_system in ("truecolor", "256")
            wanted = Wanted(
                VIEWS[self._view], self._table.cursor, METRICS[self._metric], *self._pane.size, colour, self._log
            )
            self.run_worker(cast("Any", partial(self._drawn, wanted)), exclusive=True, group="view")

    async def _drawn(self, wanted: Wanted) -> None:
        seen = self._pass.seen
        lines = await to_thread(view_lines, seen, wanted)
        following = VIEWS[(self._view + 1) % len(VIEWS)]
        about_one = wanted.view in VIEWS[:-2] and wanted.number < len(seen.outputs)
        title = f"{wanted.view} · {output_name(seen.outputs[wanted.number])}" if about_one else wanted.view
        self._pane.put(lines, title=title, subtitle=f"tab: {following}")

    def action_view(self, step: int) -> None:
        """Another view."""
        self._view = (self._view + step) % len(VIEWS)
        self._pane.show_from(0)
        self._draw()

    def action_metric(self, step: int) -> None:
        """Another metric by depth, which is shown then."""
        if VIEWS[self._view] == "by depth":
            self._metric = (self._metric + step) % len(METRICS)
        self._view = VIEWS.index("by depth")
        self._draw()

    def action_log(self) -> None:
        """Linear or logarithmic counts."""
        self._log = not self._log
        self._draw()

    def action_scroll_view(self, pages: int) -> None:
        """Scroll the view."""
        self._pane.action_page(pages)

    def action_again(self) -> None:
        """Run once more."""
        if not self._pass.running:
            self._pass = self._again()
            self._table.move_cursor(0)
            self._attend()
            self._update()

    def action_choose(self) -> None:
        """Close with the layer under the cursor."""
        outputs = self._pass.seen.outputs
        self.dismiss(outputs[self._table.cursor].layer if outputs else None)

    def action_leave(self) -> None:
        """End the pass if it runs, and close."""
        if self._pass.running:
            self._pass.stop()
        self._pass.listen(lambda: None)
        self.dismiss(None)
