"""Texts for the command line and for logs: a model's statistics, its totals and notices. Pure.

Every text is a list of styled lines for a given width; without a width nothing is left out. Text from the file is
escaped.
"""

from __future__ import annotations

from collections import Counter
from math import prod
from typing import TYPE_CHECKING

from wtui.model import Totals, stored_bytes
from wtui.render import numbers
from wtui.render.columns import Column, Row, aligned
from wtui.render.missing import alike
from wtui.render.spans import Line, escape

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from wtui.model import Catalogue, TensorEntry
    from wtui.stats.row import SummaryRow

__all__ = ["head_line", "notice_lines", "statistics_lines", "totals_lines", "totals_of"]

DIGITS = 5
"""Significant digits of a statistic in a table."""

NUMBERS_WIDTH = 64
"""Columns for the numbers of the whole model, in two columns."""

_BESIDE = (
    ("optimizer", "Optimizer params"),
    ("quantisation", "Quantisation values"),
    ("derived", "Derived values"),
    ("state", "State (counters and the like)"),
)
"""Groups of tensors that do not count, and what their sums are called."""

NO_SUM = 0, 0
"""Parameters and bytes of no tensors."""


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
    lines = [head_line(catalogue), [], *aligned(columns, table, width), []]
    if whole is not None:
        what = "whole model" if selected is None else "selected tensors together"
        lines += [[(what, "bold")], *number_lines(whole, min(width or NUMBERS_WIDTH, NUMBERS_WIDTH)), []]
    return lines + totals_lines(catalogue, selected) + notice_lines(catalogue, problems)


def totals_lines(catalogue: Catalogue, selected: Collection[int] | None = None) -> list[Line]:
    """Parameters and bytes in the words of Keras's `summary`; what the file does not say is said."""
    chosen = catalogue.tensors if selected is None else [catalogue.tensors[i] for i in sorted(selected)]
    sums = _sums(chosen)
    counted = [sums[key] for key in (True, False, None) if key in sums]
    lines: list[Line] = []
    if selected is not None:
        lines.append([(f"Selected {len(chosen):,} of {len(catalogue.tensors):,} tensors", "")])
    lines.append(_sum_line("Total params", *counted))
    if None not in sums or len(counted) > 1:
        lines.append(_sum_line("Trainable params", sums.get(True, NO_SUM)))
        lines.append(_sum_line("Non-trainable params", sums.get(False, NO_SUM)))
    if None in sums:
        line = _sum_line("Trainable or not", sums[None])
        lines.append([*line, (", the file does not say", "dim")])
    lines += [_sum_line(title, sums[group]) for group, title in _BESIDE if group in sums]
    return lines


def _sums(tensors: Iterable[TensorEntry]) -> dict[bool | str | None, tuple[int, int]]:
    """Parameters and bytes of the tensors that count, by whether they are trainable, and of others by their group."""
    sums: dict[bool | str | None, tuple[int, int]] = {}
    for (shape, dtype, key), count in Counter((t.shape, t.dtype, _kind(t)) for t in tensors).items():
        parameters, size = sums.get(key, NO_SUM)
        sums[key] = parameters + count * prod(shape), size + count * (stored_bytes(dtype, shape) or 0)
    return sums


def _kind(tensor: TensorEntry) -> bool | str | None:
    """Whether it is trainable for a tensor that counts; else its group, or `alias`."""
    if tensor.group != "model" or tensor.is_counter:
        return "state" if tensor.is_counter else tensor.group
    return tensor.trainable if tensor.alias_of is None else "alias"


def notice_lines(catalogue: Catalogue, problems: Mapping[int, str] | None = None, *, lost: bool = True) -> list[Line]:
    """What could not be read (unless `lost` is told elsewhere) and what else a user should know, in the reader's and
    the scan's words."""
    told = [(n.tensor, n.message) for n in catalogue.warnings if lost or not (n.lost or n.explains)]
    known = set(told)
    for i, message in sorted((problems or {}).items()):
        if (catalogue.tensors[i].name, message) not in known:
            told.append((catalogue.tensors[i].name, message))
    if not told:
        return []
    lines: list[Line] = [[], [("Notices:", "warning")]]
    lines += [[("  " + escape(text), "")] for text in alike(told)]
    return lines


def head_line(catalogue: Catalogue) -> Line:
    """`vgg16.keras  Keras 3.15.1  Functional`."""
    facts = [escape(catalogue.format), escape(catalogue.root.class_name)]
    return [(escape(catalogue.path), "bold"), ("  " + "  ".join(f for f in facts if f), "dim")]


def _sum_line(title: str, *sums: tuple[int, int]) -> Line:
    """`Total params: 138,357,544 (553.4 MB)`."""
    text = f"{sum(n for n, _ in sums):,} ({numbers.size(sum(size for _, size in sums))})"
    return [(f"{title}: ", ""), (text, "bold")]
