"""What layers gave in a forward pass, as text: a table in depth order, and one layer alone. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING

from wtui.render import numbers
from wtui.render.columns import Column, Row, aligned
from wtui.render.findings import finding_lines
from wtui.render.heat import Matrix
from wtui.render.panel import number_lines
from wtui.render.plots import DepthPoint
from wtui.render.spans import Line, escape

if TYPE_CHECKING:
    from wtui.insight.types import Finding
    from wtui.live.protocol import InputUsed, Maps, OutputRow

__all__ = [
    "METRICS",
    "channel_values",
    "depth_of",
    "input_lines",
    "map_images",
    "output_lines",
    "output_name",
    "output_panel",
]

METRICS = ("std", "mean", "mean |x|", "dead units", "saturated", "active")
"""What can be drawn against depth."""

_COLUMNS = (
    Column("layer", right=False),
    Column("class", right=False, keep=4),
    Column("output", right=False, keep=6),
    Column("mean", keep=7),
    Column("std", keep=8),
    Column("mean |x|", keep=3),
    Column("min", keep=2),
    Column("max", keep=2),
    Column("zeros", keep=5),
    Column("dead", keep=9),
    Column("saturated", keep=9),
    Column("notes", right=False, keep=1, prose=True),
)


def output_name(row: OutputRow) -> str:
    """The layer's path; with the number of the call and of the output where they are not the first."""
    call = f" call {row.call + 1}" if row.call else ""
    return f"{escape(row.layer)}{call}" + (f" output {row.output + 1}" if row.output else "")


def input_lines(used: Sequence[InputUsed]) -> list[Line]:
    """What the model was given."""
    return [
        [("input ", "dim"), (escape(one.name), "name"), (f"  {numbers.shape(one.shape)} {one.dtype}  ", ""),
         (escape(one.source), "dim")]
        for one in used
    ]  # fmt: skip


def output_lines(rows: Sequence[OutputRow], findings: Sequence[Finding], width: int | None = None) -> list[Line]:
    """The table, then what it says."""
    shown = [i for i in range(len(_COLUMNS)) if i not in (9, 10, 11) or any(_cells(row)[i] for row in rows)]
    table = [Row([_cells(row)[i] for i in shown]) for row in rows]
    lines = aligned([_COLUMNS[i] for i in shown], table, width)
    return [*lines, [], *finding_lines(findings, width)] if findings else lines


def _cells(row: OutputRow) -> Sequence[str]:
    r, v = row.row, numbers.value
    bad = r.seen - r.finite
    return (
        output_name(row),
        escape(row.class_name),
        numbers.shape(row.shape),
        v(r.mean, 4),
        v(r.std, 4),
        v(r.abs_mean, 4),
        v(float(r.min), 4),
        v(float(r.max), 4),
        numbers.percent(r.zeros, r.seen),
        f"{row.dead}/{row.channels}" if row.dead is not None else "",
        f"{row.saturated:.0%}" if row.saturated is not None else "",
        f"{bad:,} not finite" if bad else "",
    )


def output_panel(row: OutputRow, width: int) -> list[Line]:
    """Everything that is known of one output."""
    lines: list[Line] = [
        [(output_name(row), "bold")],
        [(escape(row.class_name), "title"), (f"  {numbers.shape(row.shape)} {row.dtype}", "")],
    ]
    if row.dead is not None:
        which = f": {', '.join(map(str, row.dead_at[:12]))}" if row.dead else ""
        share = numbers.percent(row.dead, row.channels)
        lines.append([("dead units  ", "dim"), (f"{row.dead:,} of {row.channels:,} ({share}){which}", "number")])
    if row.saturated is not None:
        lines.append([("saturated   ", "dim"), (f"{row.saturated:.1%} of the {row.squashing} values", "number")])
    if row.spread is not None:
        lines.append([("spread      ", "dim"), (f"{row.spread:.3g} std across samples", "number")])
    return [*lines, [], *number_lines(row.row, width)]


def depth_of(metric: str, rows: Sequence[OutputRow]) -> tuple[DepthPoint, ...]:
    """A metric of every output that has it, against its number in the order in which layers ran."""
    points = []
    for i, row in enumerate(rows, 1):
        value = _metric(metric, row)
        if value is not None:
            points.append(DepthPoint(i, value))
    return tuple(points)


def _metric(metric: str, row: OutputRow) -> float | None:
    r = row.row
    if metric == "dead units":
        return row.dead / row.channels if row.dead is not None and row.channels else None
    if metric == "saturated":
        return row.saturated
    if metric == "active":
        values = channel_values(row.active)
        return sum(values) / len(values) if values else None
    return {"std": r.std, "mean": r.mean, "mean |x|": r.abs_mean}[metric]


def channel_values(packed: bytes) -> tuple[float, ...]:
    """Numbers by channel, unpacked."""
    found = array("f")
    found.frombytes(packed)
    return tuple(found)


def map_images(maps: Maps) -> list[Matrix]:
    """The pictures of an output, to be drawn on a scale of `maps.scale`."""
    size = maps.rows * maps.columns
    step = maps.scale / 127
    cells = array("b")
    cells.frombytes(maps.cells)
    values = [float("nan") if c == -128 else c * step for c in cells]
    return [Matrix(maps.rows, maps.columns, values[i * size : (i + 1) * size]) for i in range(maps.channels)]
