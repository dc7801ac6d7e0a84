"""`wtui plot --kind depth`: a statistic of alike tensors along the depth of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wtui.cli import output
from wtui.cli.documents import finite, head
from wtui.cli.options import selected_tensors
from wtui.cli.status import Progress
from wtui.errors import CodecError, UsageError
from wtui.insight.anatomy import kind_of
from wtui.insight.roles import FAMILIES, family
from wtui.render.depth import METRICS, depth_points

if TYPE_CHECKING:
    from argparse import Namespace

    from wtui.api import Model, Statistics
    from wtui.handles import Tensor
    from wtui.render.depth import Metric
    from wtui.render.plots import DepthPoint
    from wtui.render.spans import Line

__all__ = ["FAMILY_WORDS", "METRIC_WORDS", "alike", "plot_depth"]

_METRICS = {
    "abs_mean": "mean |w|", "std": "std", "variance": "variance", "mean": "mean, min to max", "zeros": "zeros %",
    "l2": "L2", "kurtosis": "excess kurtosis", "parameters": "parameters",
}  # fmt: skip
METRIC_WORDS = tuple(_METRICS)
"""What --metric takes; the words are those of `wtui stats --json`."""

ALL = "all"
FAMILY_WORDS = (*(f.split()[0] for f in FAMILIES), ALL)
"""What --family takes: the first words of families."""


def plot_depth(model: Model, options: Namespace) -> bool:
    """Read the tensors of one family and write their statistic by depth; whether all of them could be read."""
    metric = next(m for m in METRICS if m.name == _METRICS[options.metric])
    marked = model.tensors_of(model[options.name]) if options.name is not None else ()
    chosen = selected_tensors(model, options.select)
    pool = [t for t in (model.tensors if chosen is None else chosen) if t.entry.counted]
    kind, members = alike(model, pool, options.family, marked)
    with Progress() as progress:
        found = model.statistics(members, progress, together=False)
    if not found.rows and members:
        raise CodecError(f"none of these tensors can be read: {next(iter(found.problems.values()))}", model.path)
    points = depth_points(metric, [(t.index, t.entry) for t in members], found.rows)
    names = {t.name for t in marked}
    current = next((n for n, t in enumerate(members, 1) if t.name in names), None)
    if options.json:
        output.write_json({**head(model, found.problems), **_document(options.metric, kind, members, points)})
    else:
        output.write_plot(_lines(metric, kind, members, points, current, found, options), options.ascii)
    return not found.problems


def alike(model: Model, pool: list[Tensor], word: str | None, marked: tuple[Tensor, ...]) -> tuple[str, list[Tensor]]:
    """The family or, where none is asked for, the kind of tensors that is plotted, and these in depth order."""
    families = {t.index: family(t.entry, model.layer(t.layer).node) for t in pool}
    if word is None:
        kinds = {t.index: kind_of(t.entry, model.layer(t.layer).node) for t in pool}
        largest = sorted(marked, key=lambda t: -t.size)
        wanted = [kinds[t.index] for t in largest if kinds.get(t.index)]
        main = next((f for f in FAMILIES if f in families.values()), ALL)
        kind = next(iter(wanted), next((k for i, k in kinds.items() if families[i] == main), ALL))
        members = [t for t in pool if kind in (ALL, kinds[t.index])]
    else:
        kind = next((f for f in FAMILIES if f.split()[0] == word), ALL)
        members = [t for t in pool if kind in (ALL, families[t.index])]
    if not members:
        there = sorted({f.split()[0] for f in families.values() if f})
        raise UsageError(f"there are no {kind} in it", model.path, f"there are: {', '.join(there) or 'no weights'}")
    return kind, members


def _document(metric: str, kind: str, members: list[Tensor], points: tuple[DepthPoint, ...]) -> dict[str, Any]:
    by_position = {p.position: p for p in points}
    rows = []
    for position, tensor in enumerate(members, 1):
        p = by_position.get(position)
        ends = {"low": finite(p.low), "high": finite(p.high)} if p and p.low is not None else {}
        value = finite(p.value) if p else None
        rows.append({"depth": position, "name": tensor.name, "layer": tensor.layer, "value": value, **ends})
    return {"kind": "depth", "metric": metric, "family": kind, "points": rows}


def _lines(
    metric: Metric,
    kind: str,
    members: list[Tensor],
    points: tuple[DepthPoint, ...],
    current: int | None,
    found: Statistics,
    options: Namespace,
) -> list[Line]:
    """The plot and what it shows."""
    from wtui.render.plots import depth_plot

    columns, rows = output.plot_size(options)
    title: Line = [(metric.name, "bold"), (f" by depth  {kind}, {len(members):,} tensors", "dim")]
    if found.problems:
        title.append((f"  {len(found.problems):,} not readable", "warning"))
    plot = depth_plot(points, len(members), current, columns, max(rows - 1, 5), metric.from_zero)
    return [title, *(plot or [[("no finite values", "dim")]])]
