"""Spectra as lines: the numbers of one, a table of many, a metric along the depth. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from math import pi, sqrt
from typing import TYPE_CHECKING, NamedTuple

from wtui.render.numbers import value
from wtui.render.plots import DepthPoint
from wtui.render.spans import Line, clip, escape, pad, text_width, wrap
from wtui.stats.spectrum_row import METHODS

if TYPE_CHECKING:
    from wtui.stats.spectrum_row import SpectrumRow

__all__ = ["SPECTRUM_METRICS", "SpectrumMetric", "by_chance", "number_lines", "spectrum_points", "table_lines"]

NAME_WIDTH = 16
"""Columns of a number's name."""


class SpectrumMetric(NamedTuple):
    """A number of a spectrum that is shown in a column and plotted against depth."""

    name: str
    key: str
    """What the command line calls it."""
    value: Callable[[SpectrumRow], float | None]
    width: int = 10


SPECTRUM_METRICS: tuple[SpectrumMetric, ...] = (
    SpectrumMetric("spectral norm", "spectral_norm", lambda r: r.spectral_norm, 13),
    SpectrumMetric("stable rank", "stable_rank", lambda r: r.stable_rank, 11),
    SpectrumMetric("effective rank", "effective_rank", lambda r: r.effective_rank, 14),
    SpectrumMetric("norm / edge", "over_edge", lambda r: r.spectral_norm / r.edge if r.edge else None, 11),
    SpectrumMetric("condition", "condition", lambda r: r.condition),
    SpectrumMetric("alpha", "alpha", lambda r: r.power_law and r.power_law.alpha, 7),
)
"""All of them, in the order in which a key walks through them."""


_FIT = (
    SpectrumMetric("±", "", lambda r: r.power_law and r.power_law.error, 6),
    SpectrumMetric("KS", "", lambda r: r.power_law and r.power_law.distance, 6),
)
"""How sure alpha is, and how far the tail is from its law."""


def number_lines(row: SpectrumRow, said: str, width: int) -> list[Line]:
    """Every number of one spectrum with what it means, `said` being how the tensor is seen as a matrix."""
    sure = "" if row.method != "randomised" else f", the largest within {100 * row.error:.2g} %"
    lines = wrap([("seen as ", "dim"), (said, "")], width, 2)
    lines += [*wrap([(METHODS[row.method] + sure, "warning" if sure else "dim")], width, 2), []]
    for name, text, why in _numbers(row):
        line: Line = [(name.ljust(NAME_WIDTH), "dim"), (text, "number"), (f"  {why}", "dim")]
        lines += wrap(line, width, NAME_WIDTH)
    return lines


def _numbers(row: SpectrumRow) -> list[tuple[str, str, str]]:
    """(name, value, what it means or why it is missing)."""
    missing = {key: f"not told: {why}" for key, why in row.skipped.items()}
    law = row.power_law
    fit = f"± {value(law.error, 2)}" if law else ""
    quality = ""
    if law:
        verdict = "a power law is rejected" if law.rejected else "a power law is not rejected"
        quality = f"{law.tail} of the {row.possible:,} eigenvalues; KS distance {law.distance:.3f}: {verdict}; "
        quality += "WeightWatcher finds 2 to 6 in well-trained layers"
    beyond = f"{row.beyond:,}" if row.beyond else "none"
    beyond += " beyond what independent values of this size give"
    return [
        ("spectral norm", value(row.spectral_norm), "the largest singular value"),
        ("by chance up to", value(row.edge), missing.get("beyond", beyond)),
        ("Frobenius norm", value(row.frobenius), ""),
        ("stable rank", value(row.stable_rank, 4), "(Frobenius / spectral norm)², of " + f"{row.possible:,} at most"),
        ("effective rank", value(row.effective_rank, 4), missing.get("effective_rank", "exp of the entropy")),
        ("rank", value(row.rank), missing.get("rank", f"of {row.possible:,}, above {value(row.floor, 2)} by rounding")),
        ("condition", value(row.condition, 4), missing.get("condition", "largest by smallest singular value")),
        ("alpha", f"{value(law.alpha, 3)} {fit}" if law else "–", missing.get("alpha", quality)),
    ]


def table_lines(
    rows: Mapping[str, SpectrumRow], problems: Mapping[str, str], width: int | None, header: bool = True
) -> list[Line]:
    """A line for each tensor by name, as wide as it must be without `width`."""
    names = {name: escape(name) for name in [*rows, *problems]}
    columns = [*SPECTRUM_METRICS, *_FIT]
    taken = sum(c.width + 2 for c in columns) + 20
    longest = max([text_width(n) for n in names.values()] + [6])
    room = longest if width is None else max(12, min(longest, width - taken))
    lines: list[Line] = []
    if header:
        titles = "".join("  " + c.name.rjust(c.width) for c in columns)
        lines.append([(pad("tensor", room), "title"), (titles, "title"), ("  matrices", "title")])
    for name, row in rows.items():
        cells = "".join("  " + value(c.value(row), 3 if c in _FIT else 4).rjust(c.width) for c in columns)
        size = f"{row.rows:,} × {row.columns:,}" + (f" × {row.matrices}" if row.matrices > 1 else "")
        mark = "  randomised" if row.method == "randomised" else ""
        lines.append([(pad(clip(names[name], room), room), "name"), (cells, "number"), (f"  {size}{mark}", "dim")])
    for name, why in problems.items():
        lines.append([(pad(clip(names[name], room), room), "name"), (f"  not measured: {escape(why)}", "warning")])
    return lines


def spectrum_points(
    metric: SpectrumMetric, tensors: Sequence[int], rows: Mapping[int, SpectrumRow]
) -> tuple[DepthPoint, ...]:
    """One point for each tensor that is measured, numbered from 1 in the given order."""
    points = []
    for position, index in enumerate(tensors, 1):
        row = rows.get(index)
        number = metric.value(row) if row is not None else None
        if number is not None:
            points.append(DepthPoint(position, number))
    return tuple(points)


def by_chance(row: SpectrumRow, edges: Sequence[float]) -> tuple[float, ...]:
    """How many singular values would lie between neighbouring edges if all values were independent, with the same rms.

    The density of Marchenko and Pastur 1967 in terms of singular values, at the middle of each interval.
    """
    n, m = max(row.rows, row.columns), min(row.rows, row.columns)
    rms = row.frobenius / sqrt(row.matrices * n * m) if n * m else 0.0
    low, high = rms * (sqrt(n) - sqrt(m)), rms * (sqrt(n) + sqrt(m))
    counts = []
    for a, b in pairwise(edges):
        s = (a + b) / 2
        inside = low < s < high and s > 0
        density = sqrt((high**2 - s**2) * (s**2 - low**2)) / (pi * s * m * rms**2) if inside else 0.0
        counts.append(row.possible * density * (b - a))
    return tuple(counts)
