"""The text of `wtui diff` for more than two models: one table, depth plots side by side. Pure."""

from __future__ import annotations

from itertools import zip_longest
from math import isfinite
from os.path import abspath, basename, commonpath
from typing import TYPE_CHECKING

from wtui.insight.changes import sorted_changes
from wtui.render import numbers
from wtui.render.change_table import DIGITS, change_cell, cosine_cell
from wtui.render.columns import Column, Row, aligned
from wtui.render.differences import LETTERS, depth_lines, verdict_line
from wtui.render.spans import Line, StyleName, clip, escape, line_width

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wtui.insight.changes import LayerChange, TensorChange
    from wtui.insight.compared import Compared
    from wtui.stats.difference_row import DifferenceRow

__all__ = ["matrix_lines", "plot_lines", "verdict_lines"]

PLOT_MIN = 36
"""Columns of the narrowest plot that stands beside another."""

GAP = 2
"""Columns of blanks between plots."""

TITLE_MAX = 18
"""Columns of a model's name over its column."""


def matrix_lines(
    found: Sequence[Compared], order: str | None, width: int | None = None, *, changed_only: bool = False
) -> list[Line]:
    """How far each model is from A (relative L2 change), a row for each tensor of A and for each layer."""
    titles = _titles([c.b.path for c in found])
    by_name = [{(c.a or c.entry).name: c for c in one.results} for one in found]
    names = [n for n in _sorted_names(found, by_name, order) if not (changed_only and _all_equal(n, by_name))]
    columns = [Column("tensor", right=False), Column("shape", right=False), *(Column(t, keep=2) for t in titles)]
    rows = []
    for name in names:
        changes = [named.get(name) for named in by_name]
        shape = next(numbers.shape((c.a or c.entry).shape) for c in changes if c is not None)
        rows.append(Row([escape(name), shape, *map(_cell, changes)], _style(changes)))
    legend: Line = [("change against A: L2 norm of the difference over that of A", "dim")]
    return [*aligned(columns, rows, width), [], legend, [], *_layers(found, titles, width)]


def plot_lines(found: Sequence[Compared], width: int, height: int) -> list[Line]:
    """Depth plots of the change, as many beside each other as there is room for, all on one scale."""
    changes = [layer.row.relative_l2 for one in found for layer in one.layers]
    top = max((x for x in changes if isfinite(x)), default=0.0)
    beside = max(1, min(len(found), (width + GAP) // (PLOT_MIN + GAP)))
    room = (width + GAP) // beside - GAP
    plots: list[list[Line]] = []
    for title, one in zip(_titles([c.b.path for c in found]), found, strict=True):
        plot = depth_lines(one.layers, room, height, top)
        head: Line = [(clip(title, room), "title")]
        moved = any(layer.row.changed for layer in one.layers)
        empty: Line = [("no finite change to draw" if moved else "nothing moved", "dim")]
        plots.append([head, *plot[1:]] if plot else [head, empty])
    lines: list[Line] = [[("change by depth", "bold"), ("  layers in order, the one that moved most marked", "dim")]]
    for start in range(0, len(plots), beside):
        lines += [*_side_by_side(plots[start : start + beside], room), []]
    return lines[:-1]


def verdict_lines(found: Sequence[Compared], width: int | None = None) -> list[Line]:
    """Of each model: all its pairs together, and whether it is the same as A."""
    titles = [Column("model", right=False), *(Column(t) for t in ("change", "cosine", "changed", "max |d|", "KS"))]
    rows = []
    for title, one in zip(_titles([c.b.path for c in found]), found, strict=True):
        row = one.whole
        if row is None or row.identical:
            rows.append(Row([title, "–" if row is None else "identical", *[""] * 4], "dim"))
            continue
        told = [cosine_cell(row.cosine), *(numbers.value(x, DIGITS) for x in (row.max_abs, row.ks))]
        changed = numbers.percent(row.changed, row.pairs)
        rows.append(Row([title, _told(row), told[0], changed, *told[1:]], "error" if row.left_out_differ else ""))
    lines = [*aligned(titles, rows, width), []]
    for title, one in zip(_titles([c.b.path for c in found]), found, strict=True):
        lines.append([(title, "name"), ("  ", ""), *verdict_line(one)])
    return lines


def _layers(found: Sequence[Compared], titles: Sequence[str], width: int | None) -> list[Line]:
    """The same of layers, by their paths in A."""
    by_path = [_by_layer_of_a(one) for one in found]
    paths = list(dict.fromkeys(path for layers in by_path for path in layers))
    if len(paths) < 2:
        return []
    classes = any(layer.node.class_name for layers in by_path for layer in layers.values())
    columns = [Column("layer", right=False), *([Column("class", right=False)] if classes else [])]
    columns += [Column(t, keep=2) for t in titles]
    rows = []
    for path in paths:
        known = [layers.get(path) for layers in by_path]
        class_name = next(escape(layer.node.class_name) for layer in known if layer)
        cells = [_told(layer.row) if layer else "–" for layer in known]
        broken = any(layer is not None and layer.row.left_out_differ for layer in known)
        rows.append(Row([escape(path), *([class_name] if classes else []), *cells], "error" if broken else ""))
    return [*aligned(columns, rows, width), []]


def _by_layer_of_a(found: Compared) -> dict[str, LayerChange]:
    """Layers of B by the layer of A that their tensors are paired with; by their own path where there is no such."""
    of_a = {c.b.layer: c.a.layer for c in found.results if c.a is not None and c.b is not None}
    by_path: dict[str, LayerChange] = {}
    for layer in found.layers:
        path = of_a.get(layer.node.path, layer.node.path)
        by_path[layer.node.path if path in by_path else path] = layer
    return by_path


def _titles(paths: Sequence[str]) -> list[str]:
    """A short name for each model, behind its letter: the file's, without what all of them begin with."""
    names = [basename(p.rstrip("/")) or p for p in paths]
    if len(set(names)) < len(names):
        whole = [abspath(p) for p in paths]
        shared = commonpath(whole)
        names = [p if p == shared else p[len(shared) :].lstrip("/") for p in whole]
    return [clip(f"{letter} {escape(n)}", TITLE_MAX) for letter, n in zip(LETTERS[1:], names, strict=False)]


def _sorted_names(
    found: Sequence[Compared], by_name: Sequence[Mapping[str, TensorChange]], order: str | None
) -> list[str]:
    """Names of A's tensors (B's where A has none), the worst of all models first; without an order as in A."""
    if order is None:
        places = {t.name: i for i, t in enumerate(found[0].a.tensors)}
        names = dict.fromkeys(n for named in by_name for n in named)
        return sorted(names, key=lambda n: places.get(n, len(places)))
    worst = sorted_changes((c for one in found for c in one.results), order)
    return list(dict.fromkeys((c.a or c.entry).name for c in worst))


def _all_equal(name: str, by_name: Sequence[Mapping[str, TensorChange]]) -> bool:
    return all(name in named and named[name].is_equal() for named in by_name)


def _cell(change: TensorChange | None) -> str:
    if change is None:
        return "–"
    if not change.is_pair:
        return "only in A" if change.b is None else "not in A"
    if change.row is None:
        return "not read" if change.fits else numbers.shape(change.entry.shape)
    return _told(change.row)


def _told(row: DifferenceRow) -> str:
    """The change, and a word if there are new NaN or infinities beside it."""
    cell = change_cell(row)
    return f"{cell} +NaN/Inf" if row.broken and row.left_out != row.pairs else cell


def _style(changes: Iterable[TensorChange | None]) -> StyleName:
    rows = [c.row for c in changes if c is not None]
    if any(r is not None and r.left_out_differ for r in rows):
        return "error"
    return "dim" if all(r is not None and r.identical for r in rows) else ""


def _side_by_side(plots: Sequence[Sequence[Line]], room: int) -> list[Line]:
    """Blocks of lines next to each other, each `room` columns wide."""
    lines: list[Line] = []
    empty: Line = []
    for parts in zip_longest(*plots, fillvalue=empty):
        line: Line = []
        for part in parts:
            blanks = room - line_width(part) + GAP
            line += [*part, (" " * max(blanks, 0), "")]
        lines.append(line)
    return lines
