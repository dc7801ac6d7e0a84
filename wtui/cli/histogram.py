"""`wtui plot --kind hist`: counts of the values of a tensor, a layer, certain tensors, or the whole model."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.cli import output
from wtui.cli.documents import finite, head
from wtui.cli.options import selected_tensors
from wtui.cli.status import Progress
from wtui.errors import UsageError
from wtui.render.bins import bins_for

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Sequence

    from wtui.api import Model
    from wtui.handles import Tensor
    from wtui.render.spans import Line
    from wtui.stats.summary import Histogram, Summary

__all__ = ["plot_histogram"]

BINS = 60
"""The most bins, unasked, where no plot says how many it can draw."""

WINDOW = (0.001, 0.999)
"""Quantiles between which a histogram opens: on the whole range a few outliers squeeze everything into a spike."""

CAPTION_ROWS = 2
"""Rows below the plot that say what it shows."""


class Subject(NamedTuple):
    """What is plotted."""

    name: str
    tensors: Sequence[Tensor]
    summary: Callable[[], Summary]
    histogram: Callable[[int, float, float], Histogram]


def plot_histogram(model: Model, options: Namespace) -> bool:
    """Read the subject and write its histogram; whether all of it could be read."""
    subject = _subject(model, options)
    with Progress() as progress:
        for _ in model.scan(subject.tensors, progress):
            pass
        summary = subject.summary()
        low, high = _window(summary, options.range)
        columns = output.plot_size(options)[0]
        most = BINS if options.json else _most_bins(columns)
        bins = options.bins or bins_for(summary.finite, most)
        drawn = subject.histogram(bins, low, high) if summary.finite else None
    if options.json:
        output.write_json({**head(model), **_document(subject, summary, drawn)})
    else:
        output.write_plot(_lines(subject, summary, drawn, options), options.ascii)
    return summary.seen == summary.total


def _subject(model: Model, options: Namespace) -> Subject:
    chosen = selected_tensors(model, options.select)
    if chosen is not None:
        several = f"{len(chosen)} selected tensors" if len(chosen) != 1 else chosen[0].name

        def histogram(bins: int, lo: float, hi: float) -> Histogram:
            return model.histogram(bins, lo, hi, tensors=chosen)

        return Subject(several, chosen, lambda: model.summary(chosen), histogram)
    found = model[options.name] if options.name is not None else model.root
    return Subject(options.name or "whole model", model.tensors_of(found), found.summary, found.histogram)


def _window(summary: Summary, wanted: Sequence[float] | None) -> tuple[float, float]:
    """The range to count over; the opening one as the browser has it."""
    if not summary.finite:
        return 0.0, 0.0
    extremes = float(summary.min), float(summary.max)
    if wanted is None:
        low, high = summary.quantiles(WINDOW)
        return (low, high) if low < high else extremes
    low, high = (extremes[0] if x == -inf else extremes[1] if x == inf else x for x in wanted)
    if not (low < high or (low == high == extremes[0])):
        raise UsageError(f"no values between {low:g} and {high:g}", hint="--range LO HI: LO is the lower one")
    return low, high


def _most_bins(columns: int) -> int:
    """Two a column of the canvas."""
    from wtui.render.plots import canvas_columns

    return 2 * canvas_columns(columns)


def _document(subject: Subject, summary: Summary, drawn: Histogram | None) -> dict[str, Any]:
    return {
        "kind": "hist",
        "name": subject.name,
        "count": summary.total,
        "seen": summary.seen,
        "nan": summary.nan,
        "posinf": summary.posinf,
        "neginf": summary.neginf,
        "min": finite(summary.min),
        "max": finite(summary.max),
        "below": drawn.below if drawn else 0,
        "above": drawn.above if drawn else 0,
        "edges": drawn.edges.tolist() if drawn else [],
        "counts": drawn.counts.tolist() if drawn else [],
    }


def _lines(subject: Subject, summary: Summary, drawn: Histogram | None, options: Namespace) -> list[Line]:
    """The plot and what it shows."""
    from wtui.render import numbers
    from wtui.render.plots import histogram_plot
    from wtui.render.spans import escape

    title: Line = [(escape(subject.name), "bold"), (f"  {summary.total:,} values", "dim")]
    if summary.finite < summary.seen:
        title.append((f"  NaN {summary.nan:,}  Inf {summary.posinf + summary.neginf:,}", "error"))
    if drawn is None:
        return [title, [("no finite values", "dim")]]
    low, high = float(drawn.edges[0]), float(drawn.edges[-1])
    columns, rows = output.plot_size(options)
    counts = tuple(map(float, drawn.counts.tolist()))
    plot = histogram_plot(counts, low, high, columns, max(rows - CAPTION_ROWS, 5), options.log)
    window = "" if options.range else " (0.1 to 99.9 %)"
    caption = (
        f"{len(counts):,} bins from {numbers.value(low)} to {numbers.value(high)}{window}, "
        f"{'log' if options.log else 'linear'} counts, {drawn.below + drawn.above:,} values outside"
    )
    return [title, *plot, [(caption, "dim")]]
