"""Metrics along the depth of a model: which there are, and their values for the tensors of one family. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.render.plots import DepthPoint

if TYPE_CHECKING:
    from wtui.model import TensorEntry
    from wtui.stats.difference_row import DifferenceRow
    from wtui.stats.row import SummaryRow

__all__ = ["CHANGE_METRICS", "METRICS", "Metric", "change_points", "depth_points"]


class Metric(NamedTuple):
    """A number that is plotted against depth."""

    name: str
    value: Callable[[TensorEntry, Any], float]
    """Of a tensor and its numbers: a `SummaryRow`, or of CHANGE_METRICS a `DifferenceRow`."""
    band: Callable[[SummaryRow], tuple[float, float]] | None = None
    """The range drawn behind each point."""
    from_zero: bool = True
    """Whether the y axis always shows 0."""


def _span(row: SummaryRow) -> tuple[float, float]:
    return float(row.min), float(row.max)


METRICS: tuple[Metric, ...] = (
    Metric("mean |w|", lambda t, r: r.abs_mean),
    Metric("std", lambda t, r: r.std),
    Metric("variance", lambda t, r: r.variance),
    Metric("mean, min to max", lambda t, r: r.mean, _span, from_zero=False),
    Metric("zeros %", lambda t, r: 100 * r.zeros / r.seen if r.seen else 0.0),
    Metric("L2", lambda t, r: r.l2),
    Metric("excess kurtosis", lambda t, r: r.kurtosis, from_zero=False),
    Metric("parameters", lambda t, r: float(t.size)),
)
"""All metrics, in the order in which a key walks through them."""


CHANGE_METRICS: tuple[Metric, ...] = (
    Metric("relative L2 change", lambda t, r: r.relative_l2),
    Metric("mean |d|", lambda t, r: r.mean_abs),
    Metric("cosine of A and B", lambda t, r: r.cosine, from_zero=False),
    Metric("KS distance", lambda t, r: r.ks),
    Metric("changed %", lambda t, r: 100 * r.changed / r.pairs if r.pairs else 0.0),
)
"""Of pairs of tensors: how far two models are apart."""


def depth_points(
    metric: Metric, tensors: Iterable[tuple[int, TensorEntry]], rows: Mapping[int, SummaryRow]
) -> tuple[DepthPoint, ...]:
    """One point for each tensor that is scanned, numbered from 1 in the given order, gaps for those that are not."""
    points = []
    for position, (index, tensor) in enumerate(tensors, 1):
        row = rows.get(index)
        if row is not None and row.seen:
            low, high = metric.band(row) if metric.band else (None, None)
            points.append(DepthPoint(position, metric.value(tensor, row), low, high))
    return tuple(points)


def change_points(
    metric: Metric, tensors: Iterable[tuple[int, TensorEntry]], rows: Mapping[int, DifferenceRow]
) -> tuple[DepthPoint, ...]:
    """As `depth_points`, for pairs that are read."""
    placed = enumerate(tensors, 1)
    return tuple(DepthPoint(n, metric.value(t, rows[i])) for n, (i, t) in placed if i in rows and rows[i].pairs)
