"""Rows of the layer tree and of the table of tensors, as lines for a given width. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.render import numbers
from wtui.render.spans import Line, StyleName, clip, clip_inside, escape, text_width

if TYPE_CHECKING:
    from wtui.model import Catalogue, LayerNode, TensorEntry

__all__ = ["layer_row", "tensor_row"]

NUMBER_WIDTH = 7
"""Columns of the parameter count or small histogram at the end of a row."""

MIDDLE_WIDTH = 13
"""Columns in which classes and shapes begin below each other."""

MIDDLE_MIN = 5
"""A class or shape that would be cut to fewer columns is left out."""

SIZES_FROM = 50
"""Columns of a row from which on there is room for what it weighs."""

SIZES_WIDTH = 14
"""Columns of that: `320 · 102.8 MB`."""

OPEN, CLOSED, LEAF = "▾ ", "▸ ", "  "


def layer_row(
    node: LayerNode,
    catalogue: Catalogue,
    width: int,
    *,
    depth: int = 0,
    state: str = LEAF,
    fold: int = 0,
    mark: tuple[str, StyleName] | None = None,
    right: tuple[str, StyleName] | None = None,
) -> Line:
    """`▸ block1_conv1  Conv2D  2 · 7.2 kB   1.8 K`: name, class, tensors and bytes, parameters of what is below (or
    what `right` says instead)."""
    totals = catalogue.totals(node)
    name = escape(node.name)
    if fold:
        name = f"{fold}× {name}"
    shown_class = escape(node.class_name)
    sizes = f"{totals.tensors:,} · {numbers.size(totals.bytes)}" if totals.tensors else ""
    style: StyleName = "bold" if state != LEAF else "name"
    parameters = numbers.short_count(totals.parameters) if totals.tensors else "–"
    shown = _with_sizes(sizes, right or (f"{fold}× {parameters}" if fold else parameters, "number"), width)
    return _row("  " * depth + state, name, shown_class, shown, width, style, mark)


def tensor_row(
    tensor: TensorEntry,
    width: int,
    *,
    depth: int = 0,
    sparkline: str = "",
    mark: tuple[str, StyleName] | None = None,
    right: tuple[str, StyleName] | None = None,
) -> Line:
    """`kernel      3×3×512×512     ▁█▁`: name below its layer, shape, a small histogram, or what `right` says."""
    middle = numbers.shape(tensor.shape)
    small = "" if tensor.problem else sparkline
    shown = _with_sizes(numbers.size(tensor.nbytes), right or (small, "number"), width)
    style: StyleName = "dim" if tensor.alias_of or not tensor.counted else "name"
    return _row("  " * depth + LEAF, escape(tensor.label), middle, shown, width, style, mark)


def _with_sizes(sizes: str, right: tuple[str, StyleName], width: int) -> tuple[str, StyleName]:
    """The number at the end of a row, behind what it weighs where there is room for that."""
    text, style = right
    return (f"{sizes:>{SIZES_WIDTH}} {text:>{NUMBER_WIDTH}}" if width >= SIZES_FROM else text), style


def _row(
    indent: str,
    name: str,
    middle: str,
    right: tuple[str, StyleName],
    width: int,
    style: StyleName,
    mark: tuple[str, StyleName] | None,
) -> Line:
    """Indent, name and mark; class or shape in a column of their own where the name leaves room; the number last."""
    tail = " " * max(0, NUMBER_WIDTH - text_width(right[0])) + right[0] + " "
    room = width - text_width(indent) - text_width(tail)
    name = clip_inside(name, max(room - (2 if mark else 0), 4))
    line: Line = [(indent, "dim"), (name, style)]
    used = text_width(name)
    if mark:
        line.append((" " + mark[0], mark[1]))
        used += 1 + text_width(mark[0])
    left = room - used - 1
    if middle and left >= min(text_width(middle), MIDDLE_MIN):
        middle = clip(middle, left)
        start = max(used + 1, room - max(MIDDLE_WIDTH, text_width(middle)))
        line.append((" " * (start - used) + middle, "class"))
        used = start + text_width(middle)
    line.append((" " * (room - used) + tail, right[1]))
    return line
