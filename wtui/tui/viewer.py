"""The values themselves, in a window over the panes that can be scrolled along any two axes. Reads only what shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.binding import Binding
from textual.screen import ModalScreen

from wtui.engine.protocol import AskValues, Values
from wtui.render.slices import SliceView, box_of, first_view, moved, slice_lines, turned, view_at
from wtui.render.spans import escape
from wtui.tui.widgets.bars import KeyBar
from wtui.tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.app import ComposeResult

    from wtui.model import TensorEntry
    from wtui.stats.row import SummaryRow

__all__ = ["ValuesScreen"]


class ValuesScreen(ModalScreen[None]):
    """A table of values of one tensor."""

    BINDINGS = [
        Binding("up,k", "scroll(-1,0)", "up", tooltip="One row up"),
        Binding("down,j", "scroll(1,0)", "down", tooltip="One row down"),
        Binding("left,h", "scroll(0,-1)", "left", tooltip="One column to the left"),
        Binding("right,l", "scroll(0,1)", "right", tooltip="One column to the right"),
        Binding("pageup", "page(-1)", "page up", tooltip="One page up"),
        Binding("pagedown", "page(1)", "page down", tooltip="One page down"),
        Binding("comma", "step(-1)", "previous", tooltip="Previous index of the fixed axes"),
        Binding("full_stop", "step(1)", "next", tooltip="Next index of the fixed axes"),
        Binding("x", "turn", "axes", tooltip="Show another pair of axes"),
        Binding("1", "jump('min_at')", "min", tooltip="To the smallest value"),
        Binding("2", "jump('max_at')", "max", tooltip="To the largest value"),
        Binding("3", "jump('nan_at')", "NaN", tooltip="To the first NaN"),
        Binding("escape,v,q", "dismiss", "close", tooltip="Back to the panes"),
    ]

    def __init__(
        self,
        number: int,
        tensor: TensorEntry,
        row: SummaryRow | None,
        ask: Callable[[AskValues], None],
        axes: Sequence[str] = (),
    ) -> None:
        """`axes` are their names, as far as they are known."""
        super().__init__()
        self._axes = axes
        self._number = number
        self._tensor = tensor
        self._row = row
        self._ask = ask
        self._view: SliceView | None = None
        self._asked: AskValues | None = None

    def compose(self) -> ComposeResult:
        yield TextPane(id="values", title=escape(self._tensor.name))
        keys = KeyBar(id="values_keys")
        keys.left = [
            (" ←↑↓→", "accent"), (" scroll  ", "dim"), (", .", "accent"), (" other index  ", "dim"), ("x", "accent"),
            (" other axes  ", "dim"), ("1 2 3", "accent"), (" to min, max, NaN  ", "dim"), ("esc", "accent"),
            (" back", "dim"),
        ]  # fmt: skip
        yield keys

    def on_mount(self) -> None:
        """Ask once there is a size."""
        self.call_after_refresh(self._fit)

    def on_resize(self) -> None:
        """More or less may fit now."""
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        size = self.query_one("#values", TextPane).size
        view = first_view(self._tensor.shape, size.width, size.height)
        if self._view is not None:
            view = self._view._replace(rows=view.rows, columns=view.columns)
        elif self._row is not None and self._row.nan_at is not None:
            view = view_at(view, self._row.nan_at.index)
        self._show(view)

    def _show(self, view: SliceView) -> None:
        """Ask for what a view shows; it is drawn when it comes."""
        self._view = view
        self._asked = AskValues(self._number, *box_of(view))
        self._ask(self._asked)

    def take(self, answer: Values) -> None:
        """Draw the values, if they are those asked for last."""
        if self._view is None or self._asked is None or answer[:3] != self._asked:
            return
        pane = self.query_one("#values", TextPane)
        if answer.problem:
            pane.put([[("not readable: ", "error"), (escape(answer.problem), "")]])
            return
        scale = self._row.std if self._row is not None and self._row.std == self._row.std else 0.0
        pane.put(slice_lines(self._view, answer.values, scale), subtitle=self._view.described(self._axes))

    def action_scroll(self, rows: int, columns: int) -> None:
        """Scroll by rows and columns."""
        if self._view is not None:
            self._show(moved(self._view, rows, columns))

    def action_page(self, pages: int) -> None:
        """Scroll by as many rows as show."""
        if self._view is not None:
            self._show(moved(self._view, pages * self._view.rows, 0))

    def action_step(self, step: int) -> None:
        """Another index of the axes that are fixed."""
        if self._view is not None:
            self._show(moved(self._view, 0, 0, step))

    def action_turn(self) -> None:
        """Another pair of axes."""
        if self._view is not None:
            self._show(turned(self._view))

    def action_jump(self, where: str) -> None:
        """To an extreme or the first NaN, if its place is known."""
        at = getattr(self._row, where, None)
        index: Sequence[int] | None = at.index if at is not None else None
        if self._view is not None and index is not None:
            self._show(view_at(self._view, index))
