"""The values of two tensors and of their difference, and the difference as pictures, over the panes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.binding import Binding

from wtui.comparing.protocol import AskSide
from wtui.engine.protocol import Values
from wtui.insight.roles import axes, is_torch_layout
from wtui.render.slices import view_at
from wtui.render.spans import escape
from wtui.tui.picture import PictureScreen
from wtui.tui.viewer import ValuesScreen
from wtui.tui.widgets.bars import KeyBar
from wtui.tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult

    from wtui.comparing.joined import Joined
    from wtui.comparing.protocol import Side, SideSeen
    from wtui.engine.protocol import AskValues
    from wtui.model import LayerNode, TensorEntry
    from wtui.tui.pair.results import PairResults

__all__ = ["PairPicture", "PairValues"]


class PairValues(ValuesScreen, inherit_bindings=False):
    """Values of one tensor: of the difference, of A in the places of their partners in B, or of B."""

    BINDINGS = [
        *(b for b in ValuesScreen.BINDINGS if isinstance(b, Binding) and not b.action.startswith("jump")),
        Binding("s", "side", "side", tooltip="The difference, A, or B"),
        Binding("1", "largest", "largest", tooltip="To the largest difference"),
    ]

    def __init__(
        self, number: int, results: PairResults, layer: LayerNode, sides: list[Side], ask: Callable[[Any], None]
    ) -> None:
        self._results = results
        self._sides = sides
        self._side = 0
        self._to_child = ask
        entry = self._entry(number)
        torch = is_torch_layout((results.joined.a if number in results.joined.only_a else results.joined.b).format)
        super().__init__(number, entry, None, self._ask_side, axes(entry, layer, torch_layout=torch))

    @property
    def side(self) -> Side:
        """What is shown."""
        return self._sides[self._side]

    def compose(self) -> ComposeResult:
        yield TextPane(id="values", title=self._title())
        keys = KeyBar(id="values_keys")
        keys.left = [(" ←↑↓→", "accent"), (" scroll  ", "dim")]
        if len(self._sides) > 1:
            keys.left += [("s", "accent"), (f" {', '.join(self._sides)}  ", "dim")]
        keys.left += [
            (", .", "accent"), (" other index  ", "dim"), ("x", "accent"), (" other axes  ", "dim"), ("1", "accent"),
            (" to the largest difference  ", "dim"), ("esc", "accent"), (" back", "dim"),
        ]  # fmt: skip
        yield keys

    def _title(self) -> str:
        return f"{escape(self._tensor.name)} · {self.side}"

    def _entry(self, number: int) -> TensorEntry:
        """The tensor whose shape is shown: B's, or A's where that is another one."""
        joined = self._results.joined
        a, b = joined.a_of(number), joined.b_of(number)
        alone = b is None or ("B - A" not in self._sides and self.side == "A")
        return joined.a.tensors[a] if a is not None and alone else joined.catalogue.tensors[number]

    def _ask_side(self, question: AskValues) -> None:
        self._to_child(AskSide(self.side, question))

    def take_side(self, seen: SideSeen) -> None:
        """Draw an answer, if it is of the side that is shown."""
        if seen.side == self.side and isinstance(seen.answer, Values):
            self.take(seen.answer)

    def action_side(self) -> None:
        """The next of difference, A and B."""
        self._side = (self._side + 1) % len(self._sides)
        entry = self._entry(self._number)
        if entry.shape != self._tensor.shape:
            self._view = None
        self._tensor = entry
        self.query_one("#values", TextPane).entitle(self._title())
        self._fit()

    def action_largest(self) -> None:
        """To the largest difference, if its place is known."""
        found = self._results.rows.get(self._number)
        at = found.row.max_at if found is not None and found.row is not None else None
        if self._view is not None and at is not None:
            self._show(view_at(self._view, at.index))


class PairPicture(PictureScreen):
    """The difference of a pair as pictures; what stands alone as it is."""

    def __init__(self, number: int, joined: Joined, layer: LayerNode, side: Side, ask: Callable[[Any], None]) -> None:
        self.of = f" · {side}"
        self._seen_side = side
        if side == "B - A":
            self.modes = ("mean d", "mean |d|", "max |d|")
            self.channel_title = "L2 norm of B - A by output channel"
            self.no_channel = "did not move"
        format = joined.a.format if side == "A" else joined.b.format
        super().__init__(number, joined.catalogue.tensors[number], layer, is_torch_layout(format), ask)

    def take_side(self, seen: SideSeen) -> None:
        """Draw an answer, if it is of what is shown."""
        if seen.side == self._seen_side:
            self.take(seen.answer)
