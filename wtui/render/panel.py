"""The middle pane: what is selected, in words and numbers, as lines for a given width. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wtui.render import numbers
from wtui.render.spans import Line, clip, escape, text_width, wrap

if TYPE_CHECKING:
    from wtui.model import Catalogue, LayerNode, TensorEntry
    from wtui.stats.row import At, SummaryRow

__all__ = ["layer_panel", "model_panel", "number_lines", "tensor_panel"]

NAME_WIDTH = 8
"""Columns of a number's name."""

VALUE_WIDTH = 11
"""Columns of a number: `-0.00108189`, `-1.234e-308`."""

WIDE = 44
"""Columns of a pane from which on numbers stand further apart."""


FEW_PARTS = 6
"""Lines of parts that do not push the numbers out of sight."""


def tensor_panel(
    tensor: TensorEntry,
    layer: LayerNode,
    row: SummaryRow | None,
    width: int,
    *,
    axes: Sequence[str] = (),
    failure: str = "",
    reading: Sequence[Line] = (),
    known: Sequence[Line] = (),
    parts: Sequence[Line] = (),
) -> list[Line]:
    """What the values mean, identity, numbers, those of its parts; what is missing says so.

    `known` says what the tensor is and how that is known; a few `parts` stand before the numbers, many behind them.
    """
    lines = wrap([("path: ", "dim"), (escape(tensor.name), "bold")], width, 2)
    lines += _wrapped(reading, width)
    owner = escape(layer.class_name) or "layer"
    role = escape(tensor.role) + (f" ({tensor.inferred})" if tensor.inferred else "")
    lines.append([(role, "title"), (" of ", "dim"), (f"{owner} ", ""), (escape(layer.name), "name")])
    lines += known
    lines += _shape_lines(tensor, axes, width)
    lines += wrap(_facts(tensor), width, 2)
    about = dict(tensor.encoding_args).get("about")
    if about:
        lines += wrap(
            [("made of " if tensor.group == "derived" else "stored as ", "dim"), (escape(str(about)), "")], width, 2
        )
    if tensor.alias_of:
        lines.append([("same bytes as ", "dim"), (escape(tensor.alias_of), "name")])
    problem = failure or tensor.problem
    if problem:
        return [*lines, [], *wrap([("not readable: ", "error"), (escape(problem), "")], width)]
    if parts and len(parts) <= FEW_PARTS:
        lines += [[], *parts]
    behind = [[], *parts] if len(parts) > FEW_PARTS else []
    return [*lines, [], *number_lines(row, width), *behind]


def layer_panel(
    node: LayerNode,
    catalogue: Catalogue,
    row: SummaryRow | None,
    width: int,
    *,
    done: tuple[int, int] = (0, 0),
    finished: bool = False,
    reading: Sequence[Line] = (),
    facts: Sequence[Line] = (),
) -> list[Line]:
    """A layer: its class, its place in the model, parameters, tensors, then the numbers of all of them together."""
    totals = catalogue.totals(node)
    lines = wrap([("path: ", "dim"), (escape(node.path) or "/", "bold")], width, 2)
    lines += _wrapped(reading, width)
    lines.append([(escape(node.class_name) or "group of layers", "title")])
    lines += facts
    lines += _totals_lines(totals.parameters, totals.trainable, totals.non_trainable, totals.bytes)
    lines += _parts_lines(node, catalogue, width)
    if not totals.tensors:
        return [*lines, [], [("no weights in this layer", "dim")]]
    return [*lines, [], *_together(row, width, done, finished)]


def model_panel(
    catalogue: Catalogue,
    reading: Sequence[Line],
    row: SummaryRow | None,
    width: int,
    *,
    done: tuple[int, int] = (0, 0),
    finished: bool = False,
    facts: Sequence[Line] = (),
    waits: bool = False,
) -> list[Line]:
    """The whole model: what is remarkable, what it gives, totals, and (unless it `waits` to be read) its numbers."""
    totals = catalogue.totals()
    root = catalogue.root
    lines = _wrapped(reading, width)
    lines.append([(escape(root.class_name) or "model", "title"), (f"  {escape(catalogue.format)}", "dim")])
    lines += facts
    lines += _totals_lines(totals.parameters, totals.trainable, totals.non_trainable, totals.bytes)
    for group in ("optimizer", "quantisation", "derived", "state"):
        values = sum(t.size for t in catalogue.tensors if t.group == group or (group == "state" and t.is_counter))
        if values:
            lines.append(
                [
                    (group.ljust(14), "dim"),
                    (f"{values:,}", "number"),
                    (" values made of them" if group == "derived" else " values beside", "dim"),
                ]
            )
    return lines if waits else [*lines, [], *_together(row, width, done, finished)]


def _wrapped(reading: Sequence[Line], width: int) -> list[Line]:
    """Sentences, and a blank line behind them."""
    lines = [piece for line in reading for piece in wrap(line, width, 2)]
    return [*lines, []] if lines else []


def number_lines(row: SummaryRow | None, width: int, *, merged: bool = False) -> list[Line]:
    """Every statistic, in the order in which people ask for them; `merged` also names the tensors of extremes."""
    if row is None:
        return [[("reading …", "dim")]]
    if row.total == 0:
        return [[("no values: one of its axes is 0", "dim")]]
    finite = row.seen - row.nan - row.posinf - row.neginf
    lines = [_seen_line(row)]
    if finite < row.seen:
        lines += [*_broken_lines(row, merged, width), []]
    if finite == 0:
        return [*lines, *wrap([("no value is finite: there are no numbers to show", "dim")], width)]
    v = numbers.value
    lines += [
        _pair("mean", v(row.mean), "|w|", v(row.abs_mean), width),
        _pair("std", v(row.std), "var", v(row.variance), width),
        *_extreme("min", row.min, row.min_at, merged, width),
        *_extreme("max", row.max, row.max_at, merged, width),
        _pair("L1", v(row.l1), "L2", v(row.l2), width),
        _pair("skewness", v(row.skewness, 4), "kurt.", v(row.kurtosis, 4), width),
        _pair("rms", v(row.rms), "", "", width),
        [],
        *_quantile_lines(row.quantiles, width),
        [],
        *_zero_lines(row),
    ]
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
    told = tensor.encoding == "raw" or "about" in dict(tensor.encoding_args)
    encoding = "" if told else f" as {escape(tensor.encoding)}"
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
        lines.append([("trainable ?   ", "dim"), (f"{unknown:,}", "number"), (" not recorded", "dim")])
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


def _together(row: SummaryRow | None, width: int, done: tuple[int, int], finished: bool = False) -> list[Line]:
    """Numbers of several tensors merged, and how many of them are in."""
    have, there = done
    if row is None or have == 0:
        return [[("reading …", "dim")]]
    head: Line = [("all weights together", "title")]
    if have < there:
        told = f"{have} of {there} read" if finished else f"so far {have} of {there}"
        head.append((f"  {told}", "warning"))
    return [head, *number_lines(row, width, merged=True)]


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


def _extreme(name: str, value: float | int, at: At | None, merged: bool, width: int) -> list[Line]:
    """`min  -0.0928848 at [1, 2, 310, 44]`; in merged summaries the tensor on a line of its own."""
    line: Line = [(name.ljust(NAME_WIDTH), "dim"), (numbers.value(value, 6).rjust(VALUE_WIDTH), "number")]
    if at is None:
        return [line]
    if merged:
        where = clip(escape(at.tensor), max(8, width - 6 - len(_place(at))))
        return [line, [("  at ", "dim"), (where, "name"), (f" {_place(at)}", "number")]]
    if NAME_WIDTH + VALUE_WIDTH + 5 + len(_place(at)) > width:
        return [line, [("  at ", "dim"), (_place(at), "number")]]
    return [[*line, ("  at ", "dim"), (_place(at), "number")]]


def _place(at: At | None) -> str:
    """`[1, 2, 310, 44]`; empty where it is not known."""
    return f"[{', '.join(map(str, at.index))}]" if at is not None else ""


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


def _broken_lines(row: SummaryRow, merged: bool, width: int) -> list[Line]:
    """How many values are NaN or infinite, and where the first ones are."""
    lines: list[Line] = []
    if row.nan:
        lines.append([("NaN ".ljust(NAME_WIDTH), "error"), (f"{row.nan:,}", "error"), (_share(row.nan, row), "dim")])
        lines += _first_line(row.nan_at, merged, width)
    infinite = row.posinf + row.neginf
    if infinite:
        signs = f"  +∞ {row.posinf:,}, -∞ {row.neginf:,}"
        lines.append([("Inf ".ljust(NAME_WIDTH), "error"), (f"{infinite:,}", "error"), (signs, "dim")])
        lines += _first_line(row.inf_at, merged, width)
    return lines


def _first_line(at: At | None, merged: bool, width: int) -> list[Line]:
    """Where the first one is."""
    if at is None:
        return []
    tensor = f"{escape(at.tensor)} " if merged else ""
    return wrap([("  first at ", "dim"), (tensor, "name"), (_place(at), "number")], width, 4)


def _zero_lines(row: SummaryRow) -> list[Line]:
    """Zeros and near zeros, with the threshold; that nothing is NaN or infinite."""
    lines: list[Line] = [
        [("zeros ".ljust(NAME_WIDTH), "dim"), (f"{row.zeros:,}", "number"), (_share(row.zeros, row), "dim")],
        [("near 0 ".ljust(NAME_WIDTH), "dim"), (f"{row.near_zeros:,}", "number"), (_share(row.near_zeros, row), "dim")],
        [(f"  |w| < {numbers.value(row.near_zero_threshold, 3)} (0.001 std)", "dim")],
    ]
    if not (row.nan or row.posinf or row.neginf):
        lines.append([("NaN ".ljust(NAME_WIDTH), "dim"), ("0", "number"), ("   Inf ", "dim"), ("0", "number")])
    return lines


def _share(n: int, row: SummaryRow) -> str:
    return f" ({numbers.percent(n, row.seen)})" if n else ""
