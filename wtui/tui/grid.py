"""The block grid over the panes: moves from tensor to tensor, says what each is, goes to it in the tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.binding import Binding
from textual.screen import ModalScreen

from wtui.render import numbers
from wtui.render.depth import METRICS
from wtui.render.grid import BlockGrid, block_grid, cell_width, grid_lines, label_width, oddness
from wtui.render.spans import escape
from wtui.tui.widgets.bars import Bar, KeyBar
from wtui.tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.app import ComposeResult

    from wtui.model import Catalogue
    from wtui.render.spans import Line, StyleName
    from wtui.tui.results import Results

__all__ = ["GridScreen"]

REFRESH = 1.0
"""Seconds between two looks at whether more tensors were scanned."""


class GridScreen(ModalScreen[int | None]):
    """The grid; closes with the tensor that was chosen, or None."""

    BINDINGS = [
        Binding("up,k", "move(-1,0)", "up", tooltip="The tensor above, in the same block"),
        Binding("down,j", "move(1,0)", "down", tooltip="The tensor below, in the same block"),
        Binding("left,h", "move(0,-1)", "left", tooltip="The same tensor in the previous block"),
        Binding("right,l", "move(0,1)", "right", tooltip="The same tensor in the next block"),
        Binding("m", "metric(1)", "metric", tooltip="Next metric"),
        Binding("M", "metric(-1)", "metric back", tooltip="Previous metric"),
        Binding("enter", "choose", "go to", tooltip="Go to the tensor in the tree"),
        Binding("escape,b,q", "close", "close", tooltip="Back to the panes"),
    ]

    def __init__(self, catalogue: Catalogue, results: Results, marks: Mapping[int, tuple[str, StyleName]]) -> None:
        super().__init__()
        self._catalogue = catalogue
        self._results = results
        self._marks = marks
        self._grid: BlockGrid = block_grid(catalogue)
        self._cursor = (0, 0)
        self._first_column = 0
        self._metric = 0
        self._version = -1

    def compose(self) -> ComposeResult:
        yield TextPane(id="grid")
        yield Bar(id="cell")
        keys = KeyBar(id="grid_keys")
        keys.left = [
            (" ←↑↓→", "accent"), (" move  ", "dim"), ("esc", "accent"), (" back  ", "dim"), ("m", "accent"),
            (" metric  ", "dim"), ("enter", "accent"), (" go to it  ", "dim"),
        ]  # fmt: skip
        keys.right = [("· low  █ high in its row   ▲▼ odd   ✗ not finite   ? not read yet ", "dim")]
        yield keys

    def on_mount(self) -> None:
        """Draw once there is a size, and again while numbers come in."""
        self.call_after_refresh(self._draw)
        self.set_interval(REFRESH, self._draw_if_new)

    def on_resize(self) -> None:
        """Other columns may fit now."""
        self.call_after_refresh(self._draw)

    def _draw_if_new(self) -> None:
        if self._version != self._results.version:
            self._draw()

    def _draw(self) -> None:
        self._version = self._results.version
        pane = self.query_one("#grid", TextPane)
        width = max(pane.size.width, 40)
        metric = METRICS[self._metric]
        lines = grid_lines(
            self._grid,
            self._results.rows,
            self._catalogue,
            metric,
            self._marks,
            width,
            self._cursor,
            self._first_column,
        )
        pane.put(lines, title=f"{metric.name} of {self._grid.what}")
        self.query_one("#cell", Bar).show(self._about())

    def _about(self) -> Line:
        """The cell under the cursor in words."""
        row, column = self._cursor
        index = self._grid.cells[row][column] if self._grid.cells else None
        if index is None:
            return [(" no such tensor in this block", "dim")]
        name = escape(self._catalogue.tensors[index].name)
        found = self._results.rows.get(index)
        metric = METRICS[self._metric]
        if found is None:
            return [(f" {name}", "bold"), ("  not read yet", "dim")]
        value = metric.value(self._catalogue.tensors[index], found)
        rows = self._results.rows
        values = [
            metric.value(self._catalogue.tensors[i], rows[i]) if i is not None and i in rows else None
            for i in self._grid.cells[row]
        ]
        odd = oddness(values)[column]
        beside = f"  {odd:+.1f} robust std from the median of its row" if odd is not None else ""
        return [(f" {name}", "bold"), (f"  {metric.name} {numbers.value(value, 4)}", ""), (beside, "dim")]

    def action_move(self, rows: int, columns: int) -> None:
        """To another cell."""
        if not self._grid.cells:
            return
        row = max(0, min(len(self._grid.rows) - 1, self._cursor[0] + rows))
        column = max(0, min(len(self._grid.columns) - 1, self._cursor[1] + columns))
        self._cursor = (row, column)
        pane = self.query_one("#grid", TextPane)
        width = pane.size.width
        fit = max(1, (width - label_width(self._grid, width) - 1) // cell_width(self._grid, width))
        self._first_column = max(min(self._first_column, column), column - fit + 1)
        if not pane.top <= row + 1 < pane.top + pane.size.height:
            pane.show_from(row)
        self._draw()

    def action_metric(self, step: int) -> None:
        """Another metric."""
        self._metric = (self._metric + step) % len(METRICS)
        self._draw()

    def action_choose(self) -> None:
        """Close with the tensor under the cursor."""
        row, column = self._cursor
        self.dismiss(self._grid.cells[row][column] if self._grid.cells else None)

    def action_close(self) -> None:
        """Close with nothing."""
        self.dismiss(None)
