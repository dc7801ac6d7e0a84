"""The middle pane: what is selected, in words and numbers, as lines for a given width. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wtui.render import numbers
from wtui.render.spans import Line, StyleName, clip, escape, text_width

if TYPE_CHECKING:
    from wtui.model import Catalogue, LayerNode, TensorEntry
    from wtui.stats.row import SummaryRow

__all__ = ["layer_panel", "model_panel", "number_lines", "tensor_panel"]

NAME_WIDTH = 8
"""Columns of a number's name."""

VALUE_WIDTH = 11
"""Columns of a number: `-0.00108189`, `-1.234e-308`."""

WIDE = 44
"""Columns of a pane from which on numbers stand further apart."""


def tensor_panel(
    tensor: TensorEntry,
    layer: LayerNode,
    row: SummaryRow | None,
    width: int,
    *,
    axes: Sequence[str] = (),
    failure: str = "",
) -> list[Line]:
    """Identity, then numbers; what is missing says so."""
    lines: list[Line] = [[("path: ", "dim"), (escape(tensor.name), "bold")]]
    owner = escape(layer.class_name) or "layer"
    role = escape(tensor.role) + (f" ({tensor.inferred})" if tensor.inferred else "")
    lines.append([(role, "title"), (" of ", "dim"), (f"{owner} ", ""), (escape(layer.name), "name")])
    lines += _shape_lines(tensor, axes, width)
    lines.append(_facts(tensor))
    if tensor.alias_of:
        lines.append([("same bytes as ", "dim"), (escape(tensor.alias_of), "name")])
    problem = failure or tensor.problem
    if problem:
        return [*lines, [], [("not readable: ", "error"), (escape(problem), "")]]
    return [*lines, [], *number_lines(row, width)]


def layer_panel(
    node: LayerNode, catalogue: Catalogue, row: SummaryRow | None, width: int, *, done: tuple[int, int] = (0, 0)
) -> list[Line]:
    """A layer: its class and parameters, its tensors, then the numbers of all of them together."""
    totals = catalogue.totals(node)
    lines: list[Line] = [[("path: ", "dim"), (escape(node.path) or "/", "bold")]]
    lines.append([(escape(node.class_name) or "group of layers", "title")])
    lines += _totals_lines(totals.parameters, totals.trainable, totals.non_trainable, totals.bytes)
    lines += _parts_lines(node, catalogue, width)
    if not totals.tensors:
        return [*lines, [], [("no weights in this layer", "dim")]]
    return [*lines, [], *_together(row, width, done)]


def model_panel(
    catalogue: Catalogue,
    reading: Sequence[Line],
    row: SummaryRow | None,
    width: int,
    *,
    done: tuple[int, int] = (0, 0),
) -> list[Line]:
    """The whole model: what is remarkable, totals, and the numbers of all its weights together."""
    totals = catalogue.totals()
    root = catalogue.root
    lines: list[Line] = list(reading)
    if lines:
        lines.append([])
    lines.append([(escape(root.class_name) or "model", "title"), (f"  {escape(catalogue.format)}", "dim")])
    lines += _totals_lines(totals.parameters, totals.trainable, totals.non_trainable, totals.bytes)
    slots = sum(t.size for t in catalogue.tensors if t.group != "model")
    if slots:
        lines.append([("optimizer ", "dim"), (f"{slots:,}", "number"), (" values, not counted above", "dim")])
    return [*lines, [], *_together(row, width, done)]


def number_lines(row: SummaryRow | None, width: int) -> list[Line]:
    """Every statistic, in the order in which people ask for them."""
    if row is None:
        return [[("reading …", "dim")]]
    lines = [_seen_line(row)]
    if row.total == 0:
        return [[("no values: one of its axes is 0", "dim")]]
    v = numbers.value
    lines += [
        _pair("mean", v(row.mean), "|w|", v(row.abs_mean), width),
        _pair("std", v(row.std), "var", v(row.variance), width),
        _extreme("min", row.min, row.min_at, width),
        _extreme("max", row.max, row.max_at, width),
        _pair("L1", v(row.l1), "L2", v(row.l2), width),
        _pair("rms", v(row.rms), "", "", width),
        _pair("skewness", v(row.skewness, 4), "kurt.", v(row.kurtosis, 4), width),
        [],
    ]
    lines += _quantile_lines(row.quantiles, width)
    lines.append([])
    lines += _special_lines(row, width)
    return lines


def _shape_lines(tensor: TensorEntry, axes: Sequence[str], width: int) -> list[Line]:
    shape = numbers.shape(tensor.shape)
    line: Line = [(shape, "bold")]
    meaning = f"({', '.join(axes)})" if axes else ""
    if meaning and text_width(shape) + 2 + text_width(meaning) <= width:
        return [[*line, (f"  {meaning}", "dim")]]
    return [line, [(meaning, "dim")]] if meaning else [line]


def _facts(tensor: TensorEntry) -> Line:
    """`float32 · trainable · 9.4 MB`."""
    trainable = {True: "trainable", False: "not trainable", None: "trainable ?"}[tensor.trainable]
    encoding = "" if tensor.encoding == "raw" else f" as {escape(tensor.encoding)}"
    group = "" if tensor.group == "model" else f" · {tensor.group}"
    facts = f"{escape(tensor.dtype)}{encoding} · {trainable} · {numbers.size(tensor.nbytes)}{group}"
    return [(facts, "")]


def _totals_lines(parameters: int, trainable: int, non_trainable: int, size: int) -> list[Line]:
    lines: list[Line] = [
        [("parameters    ", "dim"), (f"{parameters:,}", "bold"), (f"  {numbers.size(size)}", "dim")],
    ]
    if trainable or non_trainable:
        lines.append([("trainable     ", "dim"), (f"{trainable:,}", "number")])
        lines.append([("non-trainable ", "dim"), (f"{non_trainable:,}", "number")])
    unknown = parameters - trainable - non_trainable
    if unknown:
        lines.append([("trainable ?   ", "dim"), (f"{unknown:,}", "number"), (" the file does not say", "dim")])
    return lines


def _parts_lines(node: LayerNode, catalogue: Catalogue, width: int) -> list[Line]:
    """The layer's own tensors, a line each."""
    lines: list[Line] = []
    for i in node.tensors[:12]:
        t = catalogue.tensors[i]
        label = clip(escape(t.label), max(8, width - 24))
        lines.append([("  " + label, "name"), (f"  {numbers.shape(t.shape)}  {t.dtype}", "dim")])
    if len(node.tensors) > 12:
        lines.append([(f"  and {len(node.tensors) - 12} more tensors", "dim")])
    return lines


def _together(row: SummaryRow | None, width: int, done: tuple[int, int]) -> list[Line]:
    """Numbers of several tensors merged, and how many of them are in."""
    have, there = done
    if row is None or have == 0:
        return [[("reading …", "dim")]]
    head: Line = [("all weights together", "title")]
    if have < there:
        head.append((f"  so far {have} of {there} tensors", "warning"))
    return [head, *number_lines(row, width)]


def _seen_line(row: SummaryRow) -> Line:
    if row.seen < row.total:
        share = numbers.percent(row.seen, row.total)
        return [(f"sample: {row.seen:,} of {row.total:,} values ({share})", "warning")]
    return [(f"{row.total:,} values, all read", "dim")]


def _pair(left: str, left_value: str, right: str, right_value: str, width: int) -> Line:
    """Two named numbers side by side, each in a column of its own."""
    line: Line = [(left.ljust(NAME_WIDTH), "dim"), (left_value.rjust(VALUE_WIDTH), "number")]
    if right:
        gap = "   " if width >= WIDE else "  "
        line += [
            (gap + right.ljust(6 if width < WIDE else NAME_WIDTH), "dim"),
            (right_value.rjust(VALUE_WIDTH), "number"),
        ]
    return line


def _extreme(name: str, value: float | int | None, at: object, width: int) -> Line:
    """`min  -0.0928848 at [1, 2, 310, 44]`, in merged summaries with the tensor's name."""
    line: Line = [(name.ljust(NAME_WIDTH), "dim"), (numbers.value(value, 6).rjust(VALUE_WIDTH), "number")]
    where = _place(at)
    return [*line, ("  at ", "dim"), (where, "number")] if where else line


def _place(at: object) -> str:
    index = getattr(at, "index", None)
    if index is None:
        return ""
    return f"[{', '.join(map(str, index))}]"


def _quantile_lines(quantiles: Sequence[float], width: int) -> list[Line]:
    """The quantiles in pairs that belong together, the lower one at the left, the median alone."""
    names = ("0.1 %", "1 %", "5 %", "25 %", "median", "75 %", "95 %", "99 %", "99.9 %")
    lines: list[Line] = []
    for low in range(4):
        high = 8 - low
        lines.append(
            _pair(names[low], numbers.value(quantiles[low], 5), names[high], numbers.value(quantiles[high], 5), width)
        )
    lines.append(_pair(names[4], numbers.value(quantiles[4], 5), "", "", width))
    return lines


def _special_lines(row: SummaryRow, width: int) -> list[Line]:
    """Zeros, near zeros, NaN and infinities; what is broken stands out and says where it is."""
    threshold = numbers.value(row.near_zero_threshold, 3)
    lines: list[Line] = [
        [("zeros ".ljust(NAME_WIDTH), "dim"), (f"{row.zeros:,}", "number"), (_share(row.zeros, row), "dim")],
        [
            ("near 0 ".ljust(NAME_WIDTH), "dim"),
            (f"{row.near_zeros:,}", "number"),
            (f"{_share(row.near_zeros, row)}  |w| < {threshold} (std/1000)", "dim"),
        ],
    ]
    bad: StyleName = "error" if row.nan else "number"
    line: Line = [("NaN ".ljust(NAME_WIDTH), "dim"), (f"{row.nan:,}", bad)]
    if row.nan:
        line += [(_share(row.nan, row), "dim"), ("  first at ", "dim"), (_place(row.nan_at), "number")]
    infinite = row.posinf + row.neginf
    line += [("   Inf ", "dim"), (f"{infinite:,}", "error" if infinite else "number")]
    if infinite:
        line.append((f"  (+{row.posinf:,}, -{row.neginf:,})", "dim"))
    return [*lines, line]


def _share(n: int, row: SummaryRow) -> str:
    return f" ({numbers.percent(n, row.seen)})" if n else ""
