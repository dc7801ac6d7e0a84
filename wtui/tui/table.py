"""All tensors in one table, over the panes: sorted by any column, worst first. Enter goes to the tensor in the tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from textual.binding import Binding
from textual.screen import ModalScreen

from wtui.render.table import COLUMNS, header_line, sorted_order, table_line
from wtui.tui.widgets.bars import Bar
from wtui.tui.widgets.lines import RowsPane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult

    from wtui.model import Catalogue
    from wtui.render.spans import Line
    from wtui.render.table import Column

__all__ = ["TableScreen"]

REFRESH = 1.0
"""Seconds between two looks at whether more tensors were scanned."""


class Known(Protocol):
    """What is known of tensors so far."""

    rows: Any
    """Numbers by tensor, as the columns read them."""
    version: int
    """Goes up with every tensor that is done."""


class TensorTable(RowsPane):
    """The rows; sorts itself again when it is asked to."""

    def __init__(
        self, catalogue: Catalogue, results: Known, columns: Sequence[Column] = COLUMNS, column: int | None = None
    ) -> None:
        super().__init__(id="table")
        self._catalogue = catalogue
        self._results = results
        self.columns = columns
        self.column = column
        self.reverse = False
        self._listed = sorted(catalogue.root.all_tensors())
        self.order = self._listed

    @property
    def tensor(self) -> int | None:
        """The tensor under the cursor."""
        return self.order[self.cursor] if self.order else None

    def sort(self) -> None:
        """Sort by the chosen column; the cursor stays on its row."""
        tensors, rows = self._catalogue.tensors, self._results.rows
        self.order = sorted_order(tensors, rows, self.column, self.reverse, self.columns, self._listed)
        chosen = self.columns[self.column].title if self.column is not None else "model order"
        self.entitle(f"{len(self.order):,} tensors by {chosen}{' reversed' if self.reverse else ''}")
        self.refresh()

    def header(self) -> Line:
        """The titles over the rows."""
        return header_line(max(self.size.width, 20), self.column, self.reverse, self.columns)

    def line_count(self) -> int:
        return len(self.order)

    def line_at(self, row: int, width: int) -> Line:
        tensor = self.order[row]
        entry = self._catalogue.tensors[tensor]
        return table_line(entry, self._results.rows.get(tensor), width, self.column, self.columns)


class TableScreen(ModalScreen[int | None]):
    """The table; closes with the tensor that was chosen, or None."""

    BINDINGS = [
        Binding("s", "sort(1)", "sort", tooltip="Sort by the next column"),
        Binding("S", "sort(-1)", "sort back", tooltip="Sort by the previous column"),
        Binding("r", "reverse", "reverse", tooltip="Turn the order around"),
        Binding("enter", "choose", "go to", tooltip="Go to the tensor in the tree"),
        Binding("escape,t,q", "close", "close", tooltip="Back to the tree"),
    ]

    def __init__(
        self, catalogue: Catalogue, results: Known, columns: Sequence[Column] = COLUMNS, column: int | None = None
    ) -> None:
        """Sorted by `column` of these; None: in the model's own order."""
        super().__init__()
        self._results = results
        self._table = TensorTable(catalogue, results, columns, column)
        self._version = -1

    def compose(self) -> ComposeResult:
        yield Bar(id="titles")
        yield self._table
        bar = Bar(id="table_keys")
        bar.left = [
            (" s S", "accent"), (" sort by the next, previous column  ", "dim"), ("r", "accent"),
            (" reverse  ", "dim"), ("enter", "accent"), (" go to it  ", "dim"), ("esc", "accent"), (" back", "dim"),
        ]  # fmt: skip
        yield bar

    def on_mount(self) -> None:
        """Sort once there is a size, and again while numbers come in."""
        self._table.focus()
        self.call_after_refresh(self._update)
        self.set_interval(REFRESH, self._update_if_new)

    def on_resize(self) -> None:
        """Other columns may fit now."""
        self.call_after_refresh(self._update)

    def _update_if_new(self) -> None:
        if self._version != self._results.version:
            self._update()

    def _update(self) -> None:
        self._version = self._results.version
        self._table.sort()
        self.query_one("#titles", Bar).show([(" ", ""), *self._table.header()])

    def action_sort(self, step: int) -> None:
        """The next or previous column, with the model's own order between the last and the first."""
        choices: list[int | None] = [None, *range(len(self._table.columns))]
        at = choices.index(self._table.column)
        self._table.column = choices[(at + step) % len(choices)]
        self._table.move_cursor(0)
        self._update()

    def action_reverse(self) -> None:
        """The other direction."""
        self._table.reverse = not self._table.reverse
        self._update()

    def action_choose(self) -> None:
        """Close with the tensor under the cursor."""
        self.dismiss(self._table.tensor)

    def action_close(self) -> None:
        """Close with nothing."""
        self.dismiss(None)
