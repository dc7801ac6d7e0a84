"""The text of `wtui diff` for two models: pairs, channels, layers, what only one has, the verdict. Pure.

Every text is a list of styled lines for a given width; without a width nothing is left out. Text from files is escaped.
"""

from __future__ import annotations

from collections import Counter
from math import inf
from typing import TYPE_CHECKING

from wtui.insight.changes import change_rank, sorted_changes
from wtui.insight.pairing.types import HOWS
from wtui.render import numbers
from wtui.render.change_table import (
    DIGITS,
    broken_cell,
    change_cell,
    cosine_cell,
    has_numbers,
    layer_table,
    pair_table,
)
from wtui.render.plots import DepthPoint, depth_plot
from wtui.render.spans import Line, escape, line_width, wrap

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wtui.insight.changes import LayerChange, TensorChange
    from wtui.insight.compared import Compared
    from wtui.model import Catalogue
    from wtui.stats.difference_row import DifferenceRow

__all__ = [
    "LETTERS",
    "depth_lines",
    "head_lines",
    "notices_of",
    "pairing_lines",
    "table_lines",
    "verdict_line",
    "whole_lines",
]

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""What models are called."""

CONCENTRATED = 4
"""Channels are told where half of the squared change is in one of so many, or fewer."""

CHANNELS_OF = 5
"""Pairs of which is said which channels moved most: those that changed most."""

LISTED_CHANNELS = 3
"""Channels that are named of each."""

LISTED = 20
"""Tensors that are listed of those that only one model has, in a terminal."""

LEGEND_WIDTH = 100
"""Columns of the legend in a pipe."""

LEGEND = (
    "change: L2 norm of d = B - A over that of A. changed: share of values. flips: values whose sign changed. "
    "KS: largest distance of the two distribution functions. half in: the fewest output channels that hold half "
    "of the squared change, of how many."
)


def head_lines(catalogues: Sequence[Catalogue]) -> list[Line]:
    """Which models are compared, a letter for each."""
    lines: list[Line] = []
    for letter, catalogue in zip(LETTERS, catalogues, strict=False):
        facts = [escape(f) for f in (catalogue.format, catalogue.root.class_name) if f]
        lines.append([(f"{letter}  ", "title"), (escape(catalogue.path), "bold"), ("  " + "  ".join(facts), "dim")])
    return lines


def notices_of(catalogues: Sequence[Catalogue], width: int | None = None) -> list[Line]:
    """What readers say of whole files: that one was cut off, what is left out."""
    lines: list[Line] = []
    for letter, catalogue in zip(LETTERS, catalogues, strict=False):
        for notice in catalogue.warnings:
            if not notice.tensor:
                lines += _wrapped([(f"{letter}: ", "warning"), (escape(notice.message), "")], width)
    return lines


def pairing_lines(found: Compared, width: int | None = None) -> list[Line]:
    """How many tensors were paired, by what, and what was seen through."""
    pairs = found.pairs
    if not pairs:
        return []
    hows = Counter(c.paired_by for c in pairs)
    said = ", ".join(f"{hows[how]:,} by {how} ({words})" for how, words in HOWS.items() if hows[how])
    texts = [f"{_many(len(pairs), 'pair')}: {'all by name' if hows['name'] == len(pairs) else said}"]
    for prefix in found.prefixes:
        sides = [f"`{p}.` of {side}'s" for p, side in ((prefix.a, "A"), (prefix.b, "B")) if p]
        texts.append(f"prefix {' and '.join(sides)} names is seen through")
    layouts = Counter(c.layout.text for c in pairs if c.layout and not c.layout.is_plain)
    if layouts:
        words = ", ".join(f"{n:,} {text}" for text, n in layouts.most_common())
        texts.append(f"other layouts, A's axes in B's order: {words}")
    texts += found.notes
    if found.beside:
        texts.append(f"{_many(found.beside, 'tensor')} stored beside the models not compared (--all does)")
    return [line for text in texts for line in _wrapped([(escape(text), "dim")], width)]


def table_lines(
    found: Compared, order: str | None, width: int | None = None, *, changed_only: bool = False
) -> list[Line]:
    """A row for each pair that was read, then where the change is, then the layers."""
    rows = [c for c in sorted_changes(found.pairs, order) if c.row is not None]
    shown = [c for c in rows if not (changed_only and c.is_equal())]
    lines: list[Line] = []
    if shown:
        lines += [*pair_table(shown, width), []]
    if any(map(has_numbers, shown)):
        lines += [*wrap([(LEGEND, "dim")], width or LEGEND_WIDTH, 2), []]
    lines += _channel_lines(rows, width)
    return lines + (layer_table(found.layers, width) if any(map(has_numbers, rows)) else [])


def _channel_lines(changes: Iterable[TensorChange], width: int | None) -> list[Line]:
    """Of the pairs that changed most, in few of their output channels: in which."""
    told = [
        c for c in sorted_changes(changes, "change") if c.row and 0 < c.row.half_in * CONCENTRATED <= c.row.channels
    ]
    if not told:
        return []
    lines: list[Line] = [
        [("where few output channels hold half of the squared change", "bold"), ("  channel (share)", "dim")]
    ]
    for change in told[:CHANNELS_OF]:
        assert change.row is not None
        top = ", ".join(f"{t.channel} ({numbers.percent(t.share, 1)})" for t in change.row.top[:LISTED_CHANNELS])
        text = f"of {change.row.channels:,}: {top}; half of it in {change.row.half_in:,}"
        lines += _wrapped([("  ", ""), (escape(change.name), "name"), ("  ", ""), (text, "")], width, 4)
    return [*lines, []]


def depth_lines(layers: Sequence[LayerChange], width: int, height: int, top: float = -inf) -> list[Line]:
    """The relative change of layers against depth, the one that moved most marked; none where nothing is to be drawn.

    `top`: what the y axis reaches at least.
    """
    points = tuple(DepthPoint(i, layer.row.relative_l2) for i, layer in enumerate(layers, 1))
    if len(layers) < 2 or not any(layer.row.changed for layer in layers):
        return []
    worst = max(range(len(layers)), key=lambda i: change_rank(layers[i].row))
    plot = depth_plot(points, len(layers), worst + 1, width, max(height - 1, 5), top=top)
    if not plot:
        return []
    moved = sum(layer.row.changed > 0 for layer in layers)
    title: Line = [("change by depth", "bold"), (f"  {moved:,} of {len(layers):,} layers moved, most ", "dim")]
    return [[*title, (escape(layers[worst].node.path), "name")], *plot]


def whole_lines(found: Compared, width: int | None = None) -> list[Line]:
    """What stands alone, does not fit or could not be read; then all pairs together."""
    lines: list[Line] = []
    for side, other in (("A", "B"), ("B", "A")):
        alone = [c for c in found.alone if (c.b is None) == (side == "A")]
        lines += _listed(f"only in {side}", [_described(c) for c in alone], width, f"`wtui ls` lists {other}'s")
    lines += _listed("shapes do not fit", [_mismatch(c) for c in found.pairs if not c.fits], None)
    lines += _listed("could not be read", [f"{c.name}: {c.problem}" for c in found.pairs if c.is_unread], None)
    if found.whole is not None:
        lines += _together(found.whole, sum(c.row is not None for c in found.pairs), width)
    return lines


def _together(row: DifferenceRow, pairs: int, width: int | None) -> list[Line]:
    """Every number of all pairs together, in a few lines."""
    title: Line = [("all pairs together", "bold"), (f"  {_many(pairs, 'pair')}, {_many(row.pairs, 'value')}", "dim")]
    if row.identical:
        return [title, [("  identical", "")], []]
    facts = [
        ("change", change_cell(row)),
        ("cosine", cosine_cell(row.cosine)),
        ("changed", f"{row.changed:,} ({numbers.percent(row.changed, row.pairs)})"),
        ("sign flips", f"{row.sign_flips:,}"),
        ("max |d|", numbers.value(row.max_abs, DIGITS)),
        ("mean |d|", numbers.value(row.mean_abs, DIGITS)),
        ("KS", numbers.value(row.ks, DIGITS)),
    ]
    if row.max_at is not None:
        place = ",".join(map(str, row.max_at.index))
        facts[4] = ("max |d|", f"{facts[4][1]} at {escape(row.max_at.tensor)}" + (f" [{place}]" if place else ""))
    if row.left_out:
        facts.append(("NaN/Inf", broken_cell(row)))
    return [title, *_packed(facts, width), []]


def _packed(facts: Sequence[tuple[str, str]], width: int | None) -> list[Line]:
    """Names and texts one after the other, none of them broken, as many a line as fit."""
    lines: list[Line] = []
    for name, text in facts:
        fact: Line = [(name, "dim"), (f" {text}", "")]
        if lines and (width is None or line_width(lines[-1]) + 3 + line_width(fact) <= width):
            lines[-1] += [("   ", ""), *fact]
        else:
            lines.append([("  ", ""), *fact])
    return lines


def verdict_line(found: Compared) -> Line:
    """Same or different, in one sentence."""
    pairs, unread = found.pairs, sum(c.is_unread for c in found.pairs)
    left: Line = [(f"; {unread:,} could not be read", "warning")] if unread else []
    left += [("; not everything in the files could be read", "warning")] if found.lost and not unread else []
    if not pairs:
        counts = [sum(c.b is None for c in found.alone), sum(c.a is None for c in found.alone)]
        text = f"A has {_many(counts[0], 'tensor')}, B {counts[1]:,}, and none of them stand for each other"
        return [("nothing in common", "warning"), (f": {text}", "")]
    within = f"within {found.tolerance:g}" if found.tolerance is not None else ""
    if not found.differs:
        head = f"the same {within}" if within else "identical"
        return [(head, "good"), (f": {_many(len(pairs) - unread, 'pair')}", ""), *left]
    rows = [c for c in pairs if c.row is not None]
    parts = [
        (
            sum(not c.is_equal(found.tolerance) for c in rows),
            f"of {_many(len(rows), 'pair')} {'differs' if len(rows) == 1 else 'differ'} {within}",
        )
    ]
    parts += [(sum(not c.fits for c in pairs), "with other shapes")]
    parts += [
        (sum(c.b is None for c in found.alone), "only in A"),
        (sum(c.a is None for c in found.alone), "only in B"),
    ]
    said = ", ".join(f"{n:,} {text.rstrip()}" for i, (n, text) in enumerate(parts) if n or (i == 0 and rows))
    return [("different", "warning"), (f": {said}", ""), *left]


def _described(change: TensorChange) -> str:
    return f"{change.name}  {numbers.shape(change.entry.shape)}"


def _mismatch(change: TensorChange) -> str:
    assert change.a is not None
    own = "" if change.a.name == change.name else f" ({change.a.name} in A)"
    return f"{change.name}{own}: {numbers.shape(change.a.shape)} in A, {numbers.shape(change.entry.shape)} in B"


def _listed(title: str, texts: Sequence[str], width: int | None, rest: str = "") -> list[Line]:
    """A title and a line for each; in a terminal not more than LISTED of them, if `rest` says where the rest is."""
    if not texts:
        return []
    shown = texts if width is None or not rest else texts[:LISTED]
    lines: list[Line] = [[(f"{title}: ", "bold"), (_many(len(texts), "tensor"), "")]]
    lines += [[(f"  {escape(text)}", "")] for text in shown]
    if len(shown) < len(texts):
        lines.append([(f"  … and {len(texts) - len(shown):,} more", "dim")])
    return [*lines, []]


def _many(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _wrapped(line: Line, width: int | None, indent: int = 2) -> list[Line]:
    return wrap(line, width, indent) if width else [line]
