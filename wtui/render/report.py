"""Texts for the command line and for logs: the listing of a model, its statistics, its totals and notices. Pure.

Every text is a list of styled lines for a given width; without a width nothing is left out. Text from the file is
escaped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.model import Totals, nodes_holding
from wtui.render import numbers
from wtui.render.columns import Column, Row, aligned
from wtui.render.spans import Line, escape

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Set

    from wtui.model import Catalogue, LayerNode, TensorEntry
    from wtui.stats.row import SummaryRow

__all__ = ["listing_lines", "notice_lines", "statistics_lines", "totals_lines", "totals_of"]

DIGITS = 5
"""Significant digits of a statistic in a table."""

NUMBERS_WIDTH = 64
"""Columns for the numbers of the whole model, in two columns."""

_LISTING = (
    Column("layer / tensor", right=False),
    Column("class / shape", right=False, keep=3),
    Column("dtype", right=False, keep=2),
    Column("parameters", keep=4),
    Column("bytes", keep=2),
    Column("trainable", right=False, keep=1),
    Column("", right=False, keep=0, prose=True),
)


def _value(read: Callable[[SummaryRow], float | int]) -> Callable[[SummaryRow], str]:
    return lambda row: numbers.value(read(row), DIGITS)


def _quantile(i: int) -> Callable[[SummaryRow], str]:
    return lambda row: numbers.value(row.quantiles[i], DIGITS)


_STATISTICS: tuple[tuple[Column, Callable[[SummaryRow], str]], ...] = (
    (Column("mean", keep=9), _value(lambda r: r.mean)),
    (Column("std", keep=9), _value(lambda r: r.std)),
    (Column("min", keep=8), _value(lambda r: float(r.min))),
    (Column("max", keep=8), _value(lambda r: float(r.max))),
    (Column("mean |w|", keep=7), _value(lambda r: r.abs_mean)),
    (Column("NaN+Inf", keep=9), lambda r: f"{r.nan + r.posinf + r.neginf:,}"),
    (Column("zeros", keep=6), lambda r: numbers.percent(r.zeros, r.seen)),
    (Column("near 0", keep=1), lambda r: numbers.percent(r.near_zeros, r.seen)),
    (Column("skewness", keep=4), lambda r: numbers.value(r.skewness, 4)),
    (Column("kurtosis", keep=4), lambda r: numbers.value(r.kurtosis, 4)),
    (Column("L1", keep=2), _value(lambda r: r.l1)),
    (Column("L2", keep=3), _value(lambda r: r.l2)),
    (Column("rms", keep=2), _value(lambda r: r.rms)),
    (Column("variance", keep=2), _value(lambda r: r.variance)),
    (Column("0.1 %"), _quantile(0)),
    (Column("1 %"), _quantile(1)),
    (Column("5 %"), _quantile(2)),
    (Column("25 %"), _quantile(3)),
    (Column("median"), _quantile(4)),
    (Column("75 %"), _quantile(5)),
    (Column("95 %"), _quantile(6)),
    (Column("99 %"), _quantile(7)),
    (Column("99.9 %"), _quantile(8)),
)
"""What the table of statistics shows of a tensor."""


def totals_of(catalogue: Catalogue, selected: Collection[int] | None = None) -> Totals:
    """Sums over the selected tensors (None: all) that count."""
    if selected is None:
        return catalogue.totals()
    tensors = [t for i in sorted(selected) if (t := catalogue.tensors[i]).counted]
    trainable, frozen = (sum(t.size for t in tensors if t.trainable is said) for said in (True, False))
    return Totals(len(tensors), sum(t.size for t in tensors), trainable, frozen, sum(t.nbytes for t in tensors))


def listing_lines(
    catalogue: Catalogue, width: int | None = None, selected: Collection[int] | None = None
) -> list[Line]:
    """Layers and tensors in depth order, then totals and notices.

    Without a selection the slots of an optimizer are one row, and layers without weights have theirs.
    """
    rows = list(_rows(catalogue, None if selected is None else set(selected)))
    lines = [_head(catalogue), [], *aligned(_LISTING, rows, width), []]
    return lines + totals_lines(catalogue, selected) + notice_lines(catalogue)


def statistics_lines(
    catalogue: Catalogue,
    rows: Mapping[int, SummaryRow],
    problems: Mapping[int, str],
    whole: SummaryRow | None,
    width: int | None = None,
    selected: Collection[int] | None = None,
) -> list[Line]:
    """A row for each tensor that was read or could not be, and everything about all of them together."""
    from wtui.render.panel import number_lines

    columns = (Column("tensor", right=False), Column("shape", right=False, keep=5), *(c for c, _ in _STATISTICS))
    table = []
    for i in sorted({*rows, *problems}):
        tensor, row = catalogue.tensors[i], rows.get(i)
        numbers_of = [shown(row) for _, shown in _STATISTICS] if row else ["–"] * len(_STATISTICS)
        table.append(Row([escape(tensor.name), numbers.shape(tensor.shape), *numbers_of], "" if row else "dim"))
    lines = [_head(catalogue), [], *aligned(columns, table, width), []]
    if whole is not None:
        what = "whole model" if selected is None else "selected tensors together"
        lines += [[(what, "bold")], *number_lines(whole, min(width or NUMBERS_WIDTH, NUMBERS_WIDTH)), []]
    return lines + totals_lines(catalogue, selected) + notice_lines(catalogue, problems)


def totals_lines(catalogue: Catalogue, selected: Collection[int] | None = None) -> list[Line]:
    """Parameters and bytes in the words of Keras's `summary`; what the file does not say is said."""
    chosen = range(len(catalogue.tensors)) if selected is None else sorted(selected)
    tensors = [catalogue.tensors[i] for i in chosen]
    counted = [t for t in tensors if t.counted]
    lines: list[Line] = []
    if selected is not None:
        lines.append([(f"Selected {len(tensors):,} of {len(catalogue.tensors):,} tensors", "")])
    lines.append(_sum_line("Total params", counted))
    unknown = [t for t in counted if t.trainable is None]
    if len(unknown) < len(counted) or not counted:
        lines.append(_sum_line("Trainable params", [t for t in counted if t.trainable]))
        lines.append(_sum_line("Non-trainable params", [t for t in counted if t.trainable is False]))
    if unknown:
        line = _sum_line("Trainable or not", unknown)
        lines.append([*line, (", the file does not say", "dim")])
    slots = [t for t in tensors if t.group == "optimizer"]
    return [*lines, _sum_line("Optimizer params", slots)] if slots else lines


def notice_lines(catalogue: Catalogue, problems: Mapping[int, str] | None = None) -> list[Line]:
    """What could not be read and what else a user should know, in the reader's and the scan's words."""
    told = [(n.tensor, n.message) for n in catalogue.warnings]
    known = set(told)
    for i, message in sorted((problems or {}).items()):
        if (catalogue.tensors[i].name, message) not in known:
            told.append((catalogue.tensors[i].name, message))
    if not told:
        return []
    lines: list[Line] = [[], [("Notices:", "warning")]]
    for tensor, message in told:
        lines.append([("  " + (f"{escape(tensor)}: " if tensor else "") + escape(message), "")])
    return lines


def _head(catalogue: Catalogue) -> Line:
    """`vgg16.keras  Keras 3.15.1  Functional`."""
    facts = [escape(catalogue.format), escape(catalogue.root.class_name)]
    return [(escape(catalogue.path), "bold"), ("  " + "  ".join(f for f in facts if f), "dim")]


def _sum_line(title: str, tensors: Collection[TensorEntry]) -> Line:
    """`Total params: 138,357,544 (553.4 MB)`."""
    text = f"{sum(t.size for t in tensors):,} ({numbers.size(sum(t.nbytes for t in tensors))})"
    return [(f"{title}: ", ""), (text, "bold")]


def _rows(catalogue: Catalogue, selected: Set[int] | None) -> Iterator[Row]:
    """A row for every layer that is shown, each followed by those of its tensors."""
    root, tensors = catalogue.root, catalogue.tensors
    shown = nodes_holding(root, selected.__contains__) if selected is not None else None
    beside = nodes_holding(root, lambda i: tensors[i].group != "model") if selected is None else set()
    beside -= nodes_holding(root, lambda i: tensors[i].group == "model")
    stack = [root]
    while stack:
        node = stack.pop()
        if shown is not None and id(node) not in shown:
            continue
        if id(node) in beside and node is not root:
            yield _folded_row(node, [tensors[i] for i in node.all_tensors()])
            continue
        if node is not root:
            yield _layer_row(node, catalogue)
        for i in node.tensors:
            if selected is None or i in selected:
                yield _tensor_row(catalogue.tensors[i])
        stack.extend(reversed(node.children))


def _layer_row(node: LayerNode, catalogue: Catalogue) -> Row:
    totals = catalogue.totals(node)
    sums = (f"{totals.parameters:,}", numbers.size(totals.bytes))
    return Row((escape(node.path), escape(node.class_name), "", *sums, "", ""), "bold")


def _folded_row(node: LayerNode, tensors: Collection[TensorEntry]) -> Row:
    """All that is below a node that is not part of the model, in one row."""
    sums = (f"{sum(t.size for t in tensors):,}", numbers.size(sum(t.nbytes for t in tensors)))
    note = f"{len(tensors):,} tensors, not counted below"
    return Row((escape(node.path), escape(node.class_name), "", *sums, "", note), "dim")


def _tensor_row(tensor: TensorEntry) -> Row:
    trainable = {True: "yes", False: "no", None: "?"}[tensor.trainable]
    note = f"same bytes as {escape(tensor.alias_of)}" if tensor.alias_of else "not readable" if tensor.problem else ""
    about = (numbers.shape(tensor.shape), escape(tensor.dtype), f"{tensor.size:,}", numbers.size(tensor.nbytes))
    return Row((f"  {escape(tensor.name)}", *about, trainable, note), "dim" if tensor.problem else "")
