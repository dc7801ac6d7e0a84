"""The tables of `wtui diff`: a row for each pair of tensors, a row for each layer. Pure; text from files is escaped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.render import numbers
from wtui.render.columns import Column, Row, aligned
from wtui.render.spans import Line, StyleName, escape

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wtui.insight.changes import LayerChange, TensorChange
    from wtui.stats.difference_row import DifferenceRow

__all__ = ["DIGITS", "broken_cell", "change_cell", "cosine_cell", "has_numbers", "layer_table", "pair_table"]

DIGITS = 4
"""Significant digits of a number in a table."""


def layer_table(layers: Sequence[LayerChange], width: int | None) -> list[Line]:
    """A row for each layer in depth order."""
    if len(layers) < 2:
        return []
    classes = any(layer.node.class_name for layer in layers)
    columns = [Column("layer", right=False), *([Column("class", right=False, keep=4)] if classes else [])]
    columns += [Column("pairs", keep=3)]
    columns += [Column("change", keep=9), Column("cosine", keep=7), Column("changed", keep=8)]
    columns += [Column("max |d|", keep=6), Column("mean |d|", keep=5), Column("flips", keep=2)]
    table = []
    for layer in layers:
        row = layer.row
        cells = [escape(layer.node.path), *([escape(layer.node.class_name)] if classes else [])]
        cells += [f"{layer.pairs:,}", change_cell(row)]
        told = (row.max_abs, row.mean_abs, row.sign_flips)
        rest = [""] * 3 if row.identical else [numbers.value(x, DIGITS) for x in told]
        cosine = "" if row.identical else cosine_cell(row.cosine)
        changed = "" if row.identical else numbers.percent(row.changed, row.pairs)
        style: StyleName = "error" if row.left_out_differ else "dim" if row.identical else ""
        table.append(Row([*cells, cosine, changed, *rest], style))
    return [*aligned(columns, table, width), []]


def has_numbers(change: TensorChange) -> bool:
    """Whether there is anything to say in numbers."""
    return change.row is not None and not change.row.identical


def pair_table(changes: Sequence[TensorChange], width: int | None) -> list[Line]:
    wanted = [column for column in _COLUMNS if column[2] is None or any(map(column[2], changes))]
    table = [Row([cell(c) for _, cell, _ in wanted], _style(c)) for c in changes]
    return aligned([column for column, _, _ in wanted], table, width)


def change_cell(row: DifferenceRow) -> str:
    """The relative L2 change, or a word where no number says it."""
    if row.identical:
        return "identical"
    if not row.changed:
        return "equal"
    if row.left_out == row.pairs:
        return "NaN/Inf"
    if not row.left_out_differ and row.l2_a == 0:
        return "was all 0"
    return numbers.value(row.relative_l2, DIGITS)


def cosine_cell(cosine: float) -> str:
    """`0.9123`; near 1 what is missing: `1 - 3.2e-09`."""
    return numbers.cosine(cosine, DIGITS)


def _number(read: Callable[[DifferenceRow], float | int]) -> Callable[[TensorChange], str]:
    """The cell of a number; identical pairs show none."""
    return lambda c: "" if c.row is None or c.row.identical else numbers.value(read(c.row), DIGITS)


def _of_row(read: Callable[[DifferenceRow], str]) -> Callable[[TensorChange], str]:
    return lambda c: read(c.row) if c.row is not None else ""


def broken_cell(row: DifferenceRow) -> str:
    parts = [(row.broken, "new"), (row.mended, "gone"), (row.left_out - row.broken - row.mended, "in both")]
    return ", ".join(f"{n:,} {word}" for n, word in parts if n)


def _rounded_cell(row: DifferenceRow) -> str:
    return "" if row.rounded_equal is None else numbers.percent(row.rounded_equal, row.pairs)


_COLUMNS: tuple[tuple[Column, Callable[[TensorChange], str], Callable[[TensorChange], bool] | None], ...] = (
    (Column("tensor", right=False), lambda c: escape(c.name), None),
    (Column("change", keep=10), _of_row(change_cell), None),
    (Column("cosine", keep=8), _of_row(lambda r: "" if r.identical else cosine_cell(r.cosine)), has_numbers),
    (
        Column("changed", keep=9),
        _of_row(lambda r: "" if r.identical else numbers.percent(r.changed, r.pairs)),
        has_numbers,
    ),
    (Column("max |d|", keep=7), _number(lambda r: r.max_abs), has_numbers),
    (Column("mean |d|", keep=5), _number(lambda r: r.mean_abs), has_numbers),
    (Column("flips", keep=4), _number(lambda r: r.sign_flips), has_numbers),
    (Column("KS", keep=3), _number(lambda r: r.ks), has_numbers),
    (
        Column("half in", keep=2),
        _of_row(lambda r: f"{r.half_in:,}/{r.channels:,}" if r.half_in else ""),
        lambda c: bool(c.row and c.row.half_in),
    ),
    (Column("NaN/Inf", keep=9), _of_row(broken_cell), lambda c: bool(c.row and c.row.left_out)),
    (
        Column("equal rounded", keep=5),
        _of_row(_rounded_cell),
        lambda c: bool(c.row and c.row.rounded_equal is not None),
    ),
    (Column("paired by", right=False, keep=6), lambda c: c.paired_by or "", lambda c: c.paired_by != "name"),
    (
        Column("in A", right=False, keep=1),
        lambda c: escape(c.a.name) if c.a else "",
        lambda c: c.a is not None and c.a.name != c.name,
    ),
    (
        Column("layout", right=False, keep=6),
        lambda c: c.layout.text if c.layout and not c.layout.is_plain else "",
        lambda c: c.layout is not None and not c.layout.is_plain,
    ),
)
"""Title, cell, and what makes the column worth showing (None: always)."""


def _style(change: TensorChange) -> StyleName:
    if change.row is None or change.row.identical:
        return "dim"
    return "error" if change.row.left_out_differ else ""
