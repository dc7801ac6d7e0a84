"""Every key of the table of a run, and those that a checkpoint's browser has on top of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.binding import Binding

from wtui.tui.keys import LIST_KEYS

if TYPE_CHECKING:
    from textual.binding import BindingType

__all__ = ["MEMBER_KEYS", "RUN_KEYS", "TABLE_KEYS", "run_groups"]


def _key(keys: str, action: str, label: str, tooltip: str, *, first: bool = False) -> Binding:
    """A binding; its id is its label in one word."""
    name = f"run_{label.replace(' ', '_')}"
    return Binding(keys, action, label, show=False, tooltip=tooltip, priority=first, id=name)


TABLE_KEYS: list[BindingType] = [
    _key("left,h,less_than_sign", "column(-1)", "previous checkpoint", "To the previous checkpoint"),
    _key("right,l,greater_than_sign", "column(1)", "next checkpoint", "To the next checkpoint"),
    _key("enter", "choose", "open", "Open the checkpoint at the tensor or layer of the row; esc comes back"),
]

RUN_KEYS: list[BindingType] = [
    # Before all others, so that what is typed right behind it goes into the search.
    _key("slash", "search", "search", "Search the rows by name", first=True),
    _key("n", "match(1)", "next match", "To the next match of the search"),
    _key("N", "match(-1)", "previous match", "To the previous match of the search"),
    _key("m", "metric(1)", "next metric", "Next metric of the cells and of the plot over time"),
    _key("M", "metric(-1)", "previous metric", "Previous metric"),
    _key("c", "change", "change", "How far the weights moved from the checkpoint before; reads all checkpoints again"),
    _key("v", "versus", "versus", "The checkpoint against the one before it: what moved, tensor by tensor"),
    _key("t", "by_layer", "tensors/layers", "A row for each tensor, or for each layer"),
    _key("d", "other_plot", "other plot", "The metric over time, or the distribution over time (where one has room)"),
    _key("right_square_bracket", "fault", "first fault", "To the first value that is not finite"),
    _key("b", "best", "best", "To the best checkpoint by the figures found beside them"),
    _key("y", "copy", "copy path", "Copy the path of the checkpoint, and show it as text"),
    _key("1", "alone('table')", "table", "Table alone, or with the plots again"),
    _key("2", "alone('plots')", "plots", "Plots alone, or with the table again"),
    _key("question_mark", "help", "keys", "This list of keys"),
    _key("colon", "palette", "commands", "Every command by name"),
    _key("ctrl+l", "redraw", "redraw", "Draw the screen anew"),
    _key("q", "quit", "quit", "Leave"),
]

MEMBER_KEYS: list[BindingType] = [
    _key("less_than_sign", "checkpoint(-1)", "previous checkpoint", "The same tensor in the previous checkpoint"),
    _key("greater_than_sign", "checkpoint(1)", "next checkpoint", "The same tensor in the next checkpoint"),
]


def run_groups() -> list[tuple[str, list[BindingType]]]:
    """All keys under the headings of the help screen."""
    return [("Move", LIST_KEYS), ("Checkpoints", TABLE_KEYS), ("Everywhere", RUN_KEYS)]
