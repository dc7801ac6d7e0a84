"""The block grid: the same tensor across all blocks of a model, a row for each, so that an odd one stands out. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from wtui.insight.anatomy import kind_of
from wtui.insight.roles import FAMILIES, family
from wtui.render.spans import Line, StyleName, clip, escape, pad

if TYPE_CHECKING:
    from wtui.model import Catalogue, LayerNode
    from wtui.render.depth import Metric
    from wtui.stats.row import SummaryRow

__all__ = ["BlockGrid", "block_grid", "cell_width", "grid_lines", "label_width", "oddness"]

MIN_BLOCKS = 3
"""Numbered brothers from which on a model counts as made of blocks."""

LABEL_WIDTH = 26

OTHER = "other"

SHADES = "·░▒▓█"
ODD = 6.0
"""Robust standard deviations from the median of its row beyond which a cell is odd. Of a thousand normal values one in
a thousand million lies there; real rows have heavier tails, and drift with depth."""

MAD_TO_STD = 1.4826
"""Median absolute deviation to standard deviation, for a normal distribution."""


class BlockGrid(NamedTuple):
    """Tensors by place in the block (row) and block (column); None where a block has no such tensor."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[int | None, ...], ...]
    what: str
    """What a column is: `blocks of model.layers`, or `layers in order`."""


def block_grid(catalogue: Catalogue) -> BlockGrid:
    """The grid of the largest group of numbered brothers; without one, of layers in order, a row for each kind."""
    best: tuple[int, str, list[LayerNode]] = (0, "", [])
    for node in catalogue.root.walk():
        for group in _numbered(node.children).values():
            inner = len(group) >= MIN_BLOCKS and any(n.children for n in group)
            held = sum(1 for n in group for _ in n.all_tensors()) if inner else 0
            if held > best[0]:
                best = (held, node.path, group)
    return _of_blocks(catalogue, best[1], best[2]) if best[0] else _of_layers(catalogue)


def _numbered(nodes: Sequence[LayerNode]) -> dict[str, list[LayerNode]]:
    """Brothers whose names differ by numbers only."""
    groups: dict[str, list[LayerNode]] = {}
    for node in nodes:
        if re.search(r"\d", node.name):
            groups.setdefault(re.sub(r"\d+", "#", node.name), []).append(node)
    return groups


def _of_blocks(catalogue: Catalogue, path: str, blocks: Sequence[LayerNode]) -> BlockGrid:
    rows: dict[str, list[int | None]] = {}
    for column, block in enumerate(blocks):
        for index in block.all_tensors():
            tensor = catalogue.tensors[index]
            if tensor.counted:
                place = tensor.name[len(block.path) :].lstrip("./")
                rows.setdefault(place, [None] * len(blocks))[column] = index
    columns = tuple(re.findall(r"\d+", block.name)[-1] for block in blocks)
    what = f"{len(blocks)} blocks" + (f" of {escape(path)}" if path else "")
    return BlockGrid(tuple(rows), columns, tuple(tuple(r) for r in rows.values()), what)


def _of_layers(catalogue: Catalogue) -> BlockGrid:
    rows: dict[str, list[int]] = {}
    families: dict[str, int] = {}
    for node in catalogue.root.walk():
        for index in node.tensors:
            tensor = catalogue.tensors[index]
            if tensor.counted and tensor.size:
                name = kind_of(tensor, node) or OTHER
                rows.setdefault(name, []).append(index)
                families.setdefault(name, FAMILIES.index(family(tensor, node) or OTHER))
    order = sorted(rows, key=families.__getitem__)
    longest = max(map(len, rows.values()), default=0)
    cells = tuple((*rows[name], *[None] * (longest - len(rows[name]))) for name in order)
    return BlockGrid(tuple(order), tuple(map(str, range(1, longest + 1))), cells, "layers in order, by what they are")


def oddness(values: Sequence[float | None]) -> list[float | None]:
    """How many robust standard deviations each value lies from the median of all; None for what is not known."""
    known = sorted(v for v in values if v is not None and math.isfinite(v))
    if not known:
        return [None] * len(values)
    middle = known[len(known) // 2]
    deviations = sorted(abs(v - middle) for v in known)
    spread = MAD_TO_STD * deviations[len(deviations) // 2] or max(abs(middle), 1e-30) * 1e-6
    return [None if v is None else math.inf if not math.isfinite(v) else (v - middle) / spread for v in values]


def grid_lines(
    grid: BlockGrid,
    rows: Mapping[int, SummaryRow],
    catalogue: Catalogue,
    metric: Metric,
    marks: Mapping[int, tuple[str, StyleName]],
    width: int,
    cursor: tuple[int, int],
    first_column: int = 0,
) -> list[Line]:
    """A heading with block numbers, then a line for each row; the cell under the cursor in brackets."""
    cell, label = cell_width(grid, width), label_width(grid, width)
    shown = range(first_column, min(len(grid.columns), first_column + (width - label - 1) // cell))
    lines: list[Line] = [[(" " * (label + 1), ""), (_numbers(grid.columns, shown, cell), "dim")]]
    for r, name in enumerate(grid.rows):
        values = [_value(index, rows, catalogue, metric) for index in grid.cells[r]]
        odd = oddness(values)
        line: Line = [(pad(_tail(escape(name), label), label) + " ", "name" if r == cursor[0] else "dim")]
        known = [v for v in values if v is not None and math.isfinite(v)]
        low, high = (min(known), max(known)) if known else (0.0, 1.0)
        for c in shown:
            glyph, style = _glyph(grid.cells[r][c], values[c], odd[c], low, high, marks)
            here = (r, c) == cursor
            line.append(((glyph * max(1, cell - 1)).ljust(cell), "mark" if here else style))
            if here:
                line[-1] = (("◉" if glyph in SHADES else glyph).ljust(cell), "mark")
        lines.append(line)
    return lines


def cell_width(grid: BlockGrid, width: int) -> int:
    """Columns of a cell: as wide as all fit, 1 to 4."""
    return max(1, min(4, (width - LABEL_WIDTH - 1) // max(1, len(grid.columns))))


def label_width(grid: BlockGrid, width: int) -> int:
    """Columns of the rows' names: all of the longest one, where the cells leave room for it."""
    longest = max((len(escape(name)) for name in grid.rows), default=0)
    return max(min(longest, LABEL_WIDTH), min(longest, width - 1 - 4 * len(grid.columns)))


def _value(index: int | None, rows: Mapping[int, SummaryRow], catalogue: Catalogue, metric: Metric) -> float | None:
    row = rows.get(index) if index is not None else None
    if index is None or row is None or not row.seen:
        return None
    if row.finite == 0:
        return math.nan
    return float(metric.value(catalogue.tensors[index], row))


def _glyph(
    index: int | None,
    value: float | None,
    odd: float | None,
    low: float,
    high: float,
    marks: Mapping[int, tuple[str, StyleName]],
) -> tuple[str, StyleName]:
    """A finding's own sign first; then what is odd in its row; then a shade from the row's least to its most."""
    if index is None:
        return " ", ""
    if index in marks:
        return marks[index]
    if value is None:
        return "?", "dim"
    if not math.isfinite(value):
        return "✗", "error"
    if odd is not None and abs(odd) > ODD:
        return ("▲" if odd > 0 else "▼"), "warning"
    share = (value - low) / (high - low) if high > low else 0.5
    return SHADES[min(len(SHADES) - 1, int(share * len(SHADES)))], "info"


def _numbers(columns: Sequence[str], shown: range, cell: int) -> str:
    """Block numbers over their columns, as many as there is room for."""
    out = ""
    for c in shown:
        at = (c - shown.start) * cell
        if len(out) <= at and (c == shown.start or c % max(1, -(-4 // cell)) == 0):
            out = out.ljust(at) + columns[c]
    return clip(out, len(shown) * cell)


def _tail(name: str, width: int) -> str:
    """The end of a long name, which tells tensors of a block apart."""
    return name if len(name) <= width else "…" + name[-width + 1 :]
