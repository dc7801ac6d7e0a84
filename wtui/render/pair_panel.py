"""The middle pane of a comparison: what differs, in words and numbers, and the statistics of both. Pure."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, NamedTuple

from wtui.render import numbers
from wtui.render.spans import Line, StyleName, clip, escape, wrap

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wtui.model import TensorEntry, Totals
    from wtui.stats.difference_row import DifferenceRow
    from wtui.stats.row import At, SummaryRow

__all__ = ["Sides", "both_lines", "difference_lines", "pair_head", "totals_lines"]

NAME = 12
"""Columns of a number's name."""

VALUE = 12
"""Columns of a number."""

TOP_CHANNELS = 4
"""Channels that are listed, of those that moved most."""


class Sides(NamedTuple):
    """A tensor in A and in B, as far as it is there."""

    a: TensorEntry | None
    b: TensorEntry | None


def pair_head(sides: Sides, paired: str, reading: Sequence[Line], width: int) -> list[Line]:
    """What it is called and is in both, what is to be said of it, and how the pair was made."""
    a, b = sides
    there = b or a
    assert there is not None
    lines = wrap([("path: ", "dim"), (escape(there.name), "bold")], width, 2)
    if a is not None and b is not None and a.name != b.name:
        lines += wrap([("in A: ", "dim"), (escape(a.name), "bold")], width, 2)
    lines += [piece for line in reading for piece in wrap(line, width, 2)]
    if paired:
        lines += wrap([(paired, "dim")], width, 2)
    lines.append([])
    facts = [(side, _facts(t)) for side, t in (("A", a), ("B", b)) if t is not None]
    if len(facts) == 2 and facts[0][1] == facts[1][1]:
        facts = [("A, B", facts[0][1])]
    for side, fact in facts:
        lines += wrap([(f"{side}  ", "title"), (fact, "")], width, 3)
    return lines


def _facts(tensor: TensorEntry) -> str:
    """`3×3×8×16 · float32 · 4.6 kB · kernel`."""
    encoding = "" if tensor.encoding == "raw" else f" as {escape(tensor.encoding)}"
    role = escape(tensor.role)
    return f"{numbers.shape(tensor.shape)} · {escape(tensor.dtype)}{encoding} · {numbers.size(tensor.nbytes)} · {role}"


def difference_lines(row: DifferenceRow | None, width: int, *, merged: bool = False, waiting: str = "") -> list[Line]:
    """Every number of B - A; `merged` names the tensor of the largest difference."""
    if row is None:
        return [[(waiting, "dim")]] if waiting else []
    lines: list[Line] = [[("B - A", "title")]]
    if row.pairs < row.total:
        share = numbers.percent(row.pairs, row.total)
        lines.append([(f"{row.pairs:,} of {row.total:,} values ({share})", "warning")])
    v = numbers.value
    same = "yes" if row.identical else "no"
    lines += [
        _line("identical", same),
        _line("changed", f"{row.changed:,}", f" ({numbers.percent(row.changed, row.pairs)})"),
        _line("relative L2", "∞" if row.relative_l2 == inf else v(row.relative_l2)),
        _line("cosine", numbers.cosine(row.cosine, 6)),
        _line("max |d|", v(row.max_abs)),
        *_places(row, merged, width),
        _line("mean |d|", v(row.mean_abs)),
        _line("mean d", v(row.mean)),
        _line("sign flips", f"{row.sign_flips:,}", f" ({numbers.percent(row.sign_flips, row.pairs)})"),
        _line("KS", v(row.ks, 4)),
    ]
    if row.rounded_equal is not None:
        lines.append(
            _line("same rounded", f"{row.rounded_equal:,}", f" ({numbers.percent(row.rounded_equal, row.pairs)})")
        )
    if row.left_out:
        lines += [
            _line("left out", f"{row.left_out:,}", " not finite"),
            _line("  broken", f"{row.broken:,}", " finite in A"),
            _line("  mended", f"{row.mended:,}", " finite in B"),
        ]
    return [*lines, *_channel_lines(row)]


def _places(row: DifferenceRow, merged: bool, width: int) -> list[Line]:
    """Where the largest difference is, in B, and in A where that is another place."""
    if row.max_at is None:
        return []
    lines = [_at("at", row.max_at, merged, width)]
    if row.max_at_a is not None and row.max_at_a.index != row.max_at.index:
        lines.append(_at("in A at", row.max_at_a, merged, width))
    return lines


def _at(word: str, at: At, merged: bool, width: int) -> Line:
    place = _index(at)
    name = clip(escape(at.tensor), max(8, width - len(word) - len(place) - 4)) + " " if merged else ""
    return [(f"  {word} ", "dim"), (name, "name"), (place, "number")]


def _index(at: At) -> str:
    return f"[{', '.join(map(str, at.index))}]"


def _channel_lines(row: DifferenceRow) -> list[Line]:
    """Which output channels moved most."""
    if row.channels < 2 or not row.top:
        return []
    lines: list[Line] = [
        [],
        [("output channels that moved most", "title")],
        [(f"{row.channels_changed:,} of {row.channels:,} moved, half of it in {row.half_in:,}", "dim")],
        [("channel".rjust(8) + "of all change".rjust(15) + "moved by".rjust(11), "dim")],
    ]
    for top in row.top[:TOP_CHANNELS]:
        by = "from 0" if top.relative == inf else f"{100 * top.relative:.3g} %"
        share = numbers.percent(top.share, 1)
        lines.append([(f"{top.channel:>8,}{share:>15}{by:>11}", "number")])
    return lines


def _line(name: str, value: str, rest: str = "") -> Line:
    return [(name.ljust(NAME), "dim"), (value.rjust(VALUE), "number"), (rest, "dim")]


_STATISTICS: tuple[tuple[str, Callable[[SummaryRow], float], int], ...] = (
    ("values", lambda r: r.total, 6), ("mean", lambda r: r.mean, 6), ("std", lambda r: r.std, 6),
    ("variance", lambda r: r.variance, 6), ("min", lambda r: float(r.min), 6), ("max", lambda r: float(r.max), 6),
    ("mean |w|", lambda r: r.abs_mean, 6), ("L1", lambda r: r.l1, 6), ("L2", lambda r: r.l2, 6),
    ("rms", lambda r: r.rms, 6), ("skewness", lambda r: r.skewness, 4), ("kurtosis", lambda r: r.kurtosis, 4),
)  # fmt: skip

_QUANTILE_NAMES = ("0.1 %", "1 %", "5 %", "25 %", "median", "75 %", "95 %", "99 %", "99.9 %")

_COUNTED: tuple[tuple[str, Callable[[SummaryRow], int]], ...] = (
    ("zeros", lambda r: r.zeros), ("near 0", lambda r: r.near_zeros), ("NaN", lambda r: r.nan),
    ("+Inf", lambda r: r.posinf), ("-Inf", lambda r: r.neginf),
)  # fmt: skip


_TOTALS: tuple[tuple[str, Callable[[Totals], str]], ...] = (
    ("tensors", lambda t: f"{t.tensors:,}"), ("parameters", lambda t: f"{t.parameters:,}"),
    ("trainable", lambda t: f"{t.trainable:,}" if not t.unknown else "not said"),
    ("bytes", lambda t: numbers.size(t.bytes)),
)  # fmt: skip


def both_lines(
    a: SummaryRow | None, b: SummaryRow | None, width: int, title: str = "", *, merged: bool = False
) -> list[Line]:
    """Every statistic of A and of B in two columns, `–` where one has none; `merged` names the tensors of extremes."""
    if a is None and b is None:
        return []
    lines: list[Line] = [[(title.ljust(NAME), "title"), ("A".rjust(VALUE), "title"), ("B".rjust(VALUE), "title")]]
    lines += [_seen(row, side) for side, row in (("A", a), ("B", b)) if row is not None and row.seen < row.total]
    for name, read, digits in _STATISTICS:
        lines.append(_both(name, _shown(a, read, digits), _shown(b, read, digits)))
        if name == "min":
            lines += _extreme_places(a and a.min_at, b and b.min_at, merged, width)
        if name == "max":
            lines += _extreme_places(a and a.max_at, b and b.max_at, merged, width)
    lines.append([])
    for i, name in enumerate(_QUANTILE_NAMES):
        lines.append(_both(name, *(numbers.value(r.quantiles[i], 5) if r is not None else "–" for r in (a, b))))
    lines.append([])
    for name, count in _COUNTED:
        bad = name in ("NaN", "+Inf", "-Inf")
        lines.append(_both(name, *("–" if r is None else f"{count(r):,}" for r in (a, b)), bad=bad))
    if any(r is not None and r.coarse for r in (a, b)):
        lines.append([("quantiles are rough: values lie far from 0", "dim")])
    return lines


def _extreme_places(a: At | None, b: At | None, merged: bool, width: int) -> list[Line]:
    """Where an extreme is in A and in B: below the values if that is short enough, else a line for each."""
    places = ["" if at is None else _index(at) for at in (a, b)]
    if not any(at is not None and (merged or at.index) for at in (a, b)):
        return []
    if not merged and max(map(len, places)) < VALUE:
        return [[("  at".ljust(NAME), "dim"), *((text.rjust(VALUE), "number") for text in places)]]
    return [_at(f"in {side} at", at, merged, width) for side, at in (("A", a), ("B", b)) if at is not None]


def _shown(row: SummaryRow | None, read: Callable[[SummaryRow], float], digits: int) -> str:
    return "–" if row is None else numbers.value(read(row), digits)


def _both(name: str, a: str, b: str, *, bad: bool = False) -> Line:
    """A name and two values; one that is no good is red."""
    line: Line = [(name.ljust(NAME), "dim")]
    for text in (a, b):
        style: StyleName = "error" if bad and text not in ("0", "–") else "number"
        line.append((" " + clip(text, VALUE - 1).rjust(VALUE - 1), style))
    return line


def _seen(row: SummaryRow, side: str) -> Line:
    return [(f"{side}: sample of {numbers.percent(row.seen, row.total)}", "warning")]


def totals_lines(a: Totals | None, b: Totals | None, formats: tuple[str, str] = ("", "")) -> list[Line]:
    """Parameters and bytes of both; formats where they are given."""
    same = formats[0] == formats[1]
    named = [("A, B", formats[0])] if same else list(zip("AB", formats, strict=True))
    lines: list[Line] = [[(f"{side}  ", "title"), (escape(format), "")] for side, format in named if format]
    lines.append([("".ljust(NAME), ""), ("A".rjust(VALUE), "title"), ("B".rjust(VALUE), "title")])
    for name, read in _TOTALS:
        if name == "trainable" and not any(t is not None and t.trainable for t in (a, b)):
            continue
        shown = ["–" if t is None else read(t) for t in (a, b)]
        lines.append([(name.ljust(NAME), "dim"), *((text.rjust(VALUE), "number") for text in shown)])
    return lines
