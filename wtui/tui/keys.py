"""Every key of the browsers: lists shown by `?`, used by the screens, remappable by id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.binding import Binding

if TYPE_CHECKING:
    from textual.binding import BindingType

__all__ = ["LIST_KEYS", "PAIR_KEYS", "SCREEN_KEYS", "TREE_KEYS", "groups"]


def _key(keys: str, action: str, label: str, tooltip: str, *, first: bool = False) -> Binding:
    """A binding; its id is its label in one word."""
    return Binding(keys, action, label, show=False, tooltip=tooltip, priority=first, id=label.replace(" ", "_"))


LIST_KEYS: list[BindingType] = [
    _key("up,k", "up", "up", "One row up"),
    _key("down,j", "down", "down", "One row down"),
    _key("pageup,ctrl+u", "page(-1)", "page up", "One page up"),
    _key("pagedown,ctrl+d", "page(1)", "page down", "One page down"),
    _key("home,g", "first", "first", "To the first row"),
    _key("end,G", "last", "last", "To the last row"),
]
"""Keys of every pane with a cursor."""

TREE_KEYS: list[BindingType] = [
    _key("right,l", "open", "open", "Open the layer, or step into it"),
    _key("left,h", "close", "close", "Close the layer, or step out to it"),
    _key("enter,space", "toggle_open", "open/close", "Open or close the layer"),
    _key("asterisk", "open_all", "open all", "Open every layer (of at most 2,000 rows)"),
    _key("F", "fold", "fold", "Fold runs of alike blocks into one row, or show them all"),
    _key("comma", "sibling(-1)", "previous block", "The same tensor in the previous block"),
    _key("full_stop", "sibling(1)", "next block", "The same tensor in the next block"),
]

SCREEN_KEYS: list[BindingType] = [
    # Before all others, so that what is typed right behind it goes into the search and not to the tree.
    _key("slash", "search", "search", "Search layers and tensors by name", first=True),
    _key("right_square_bracket", "finding(1)", "next finding", "To the next finding, the worst first"),
    _key("left_square_bracket", "finding(-1)", "previous finding", "To the previous finding"),
    _key("o", "plot('curve', 1)", "overlay", "The distribution as it was initialised, over the histogram"),
    _key("n", "match(1)", "next match", "To the next match of the search"),
    _key("N", "match(-1)", "previous match", "To the previous match of the search"),
    _key(
        "t",
        "over('table')",
        "table",
        "All tensors in one table, or back to the tree; s and S choose the column to sort by",
    ),
    _key(
        "v",
        "over('values')",
        "values",
        "The values of the selected tensor, along any two axes; jumps to extremes and NaN",
    ),
    _key("p", "over('picture')", "picture", "The tensor as a heat map, as filters, as norms of its channels"),
    _key(
        "x",
        "over('spectrum')",
        "spectrum",
        "Singular values of the kernel: norm, ranks, condition, power law, by depth",
    ),
    _key("a", "over('outputs')", "layer outputs", "Run the model once, in another process: what every layer gives"),
    _key(
        "d", "over('ridges')", "distributions", "Distributions of all tensors of this kind, side by side over one axis"
    ),
    _key("b", "over('grid')", "blocks", "The same tensor across all blocks, a row each, so that an odd one stands out"),
    _key(
        "f",
        "plot('family', 1)",
        "filter",
        "Which tensors the depth plot shows: convolution kernels, dense kernels, biases, ...",
    ),
    _key("m", "plot('metric', 1)", "next metric", "Next metric of the depth plot"),
    _key("M", "plot('metric', -1)", "previous metric", "Previous metric of the depth plot"),
    _key("L", "plot('log', 1)", "log", "Counts of the histogram on a linear or a logarithmic scale"),
    _key("equals_sign,plus", "plot('bins', 1)", "more bins", "More bins in the histogram"),
    _key("minus", "plot('bins', -1)", "fewer bins", "Fewer bins in the histogram"),
    _key(
        "z", "plot('zoom', 1)", "zoom", "Histogram over 0.1 to 99.9 %, over the whole range, or close around the median"
    ),
    _key("i", "over('info')", "info", "The configuration and metadata that the file records"),
    _key("e", "over('export')", "export", "Write the numbers of what is selected into a JSON file in this folder"),
    _key("y", "copy", "copy name", "Copy the name of what is selected, and show it as text"),
    _key("1", "maximise('outline')", "tree", "Tree alone, or all panes again"),
    _key("2", "maximise('stats')", "numbers", "Numbers alone, or all panes again"),
    _key("3", "maximise('plots')", "plots", "Plots alone, or all panes again"),
    _key("tab", "next_pane(1)", "next pane", "To the next pane"),
    _key("shift+tab", "next_pane(-1)", "previous pane", "To the previous pane"),
    _key("escape", "back", "back", "Close what is open over the panes, or give up the search"),
    _key("question_mark", "help", "keys", "This list of keys"),
    _key("colon", "palette", "commands", "Every command by name"),
    _key("ctrl+l", "redraw", "redraw", "Draw the screen anew"),
    _key("q", "quit", "quit", "Leave"),
]


_OF_PAIRS: list[BindingType] = [
    _key("right_square_bracket", "change(1)", "next change", "To the next tensor by change, the most changed first"),
    _key("left_square_bracket", "change(-1)", "previous change", "To the previous tensor by change"),
    _key("t", "over('table')", "table", "All tensors in one table, the most changed first, or back to the tree"),
    _key("v", "over('values')", "values", "The values of the selected tensor: their difference, in A, in B"),
    _key("p", "over('picture')", "picture", "The difference as a heat map, as filters, by output channel"),
    _key("m", "plot('metric', 1)", "next metric", "Next metric of change along the depth: relative L2, mean |d|, ..."),
    _key("i", "over('info')", "info", "The configuration and metadata that both files record"),
    _key(
        "e", "over('export')", "export", "Write the numbers of the selected difference into a JSON file in this folder"
    ),
]
"""Keys that mean something else where two models are compared."""

_ALSO_OF_PAIRS = frozenset({
    "search", "next match", "previous match", "filter", "previous metric", "log", "more bins", "fewer bins", "zoom",
    "copy name", "tree", "numbers", "plots", "next pane", "previous pane", "back", "keys", "commands", "redraw", "quit",
})  # fmt: skip
"""Labels of those that mean the same; what only one model can be asked is not offered."""


def _pair_keys() -> list[BindingType]:
    """The keys of a comparison, in the order of those of one model."""
    own = {b.key: b for b in _OF_PAIRS if isinstance(b, Binding)}
    of_one = [b for b in SCREEN_KEYS if isinstance(b, Binding)]
    return [own.get(b.key, b) for b in of_one if b.key in own or b.description in _ALSO_OF_PAIRS]


PAIR_KEYS = _pair_keys()


def groups(screen_keys: list[BindingType]) -> list[tuple[str, list[BindingType]]]:
    """All keys under the headings of the help screen, for a screen with these of its own."""
    return [("Move", LIST_KEYS), ("Layer tree", TREE_KEYS), ("Everywhere", screen_keys)]
