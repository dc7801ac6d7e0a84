"""One layer's output, or all of them, as lines for a pane: the views that the screen of layer outputs goes through.

Runs in a thread: reads feature maps back from a file and draws plots. Pure otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wtui.live.remarks import FOR_THIS_INPUT
from wtui.render import numbers
from wtui.render.findings import finding_lines
from wtui.render.heat import Matrix, filter_lines
from wtui.render.outputs import channel_values, depth_of, map_images, output_panel
from wtui.render.spans import Line, wrap

if TYPE_CHECKING:
    from wtui.live.protocol import Maps, OutputRow
    from wtui.live.seen import Seen

__all__ = ["VIEWS", "Wanted", "view_lines"]

VIEWS = ("distribution", "feature maps", "channels", "numbers", "by depth", "findings")
"""What a key goes through; the last two are about all layers."""

TALL = 26
"""Rows of a pane from which on feature maps stand below the distribution."""

ACROSS, SMALLEST = 3, 8
"""Feature maps side by side, and cells a side below which they are not made smaller for that."""

SPIKE = 0.2
"""Share of zeros from which on counts are drawn on a logarithmic scale."""

FOOT = 2
"""Rows below a plot that say what it shows."""


class Wanted(NamedTuple):
    """What is to be drawn."""

    view: str
    number: int
    """Of the output, in the order in which layers ran."""
    metric: str
    """For the view by depth."""
    width: int
    height: int
    colour: bool
    log: bool | None = None
    """Whether counts are on a logarithmic scale; None: where a spike at zero would hide all the others."""


def view_lines(seen: Seen, wanted: Wanted) -> list[Line]:
    """The lines of a view; a sentence where there is nothing to draw."""
    if not seen.outputs:
        return [[("no output yet", "dim")]]
    row = seen.outputs[min(wanted.number, len(seen.outputs) - 1)]
    if wanted.view == "distribution":
        return _distribution(seen, row, wanted)
    if wanted.view == "feature maps":
        return _maps(seen.maps(wanted.number), wanted.width, wanted.colour)
    if wanted.view == "channels":
        return _channels(row, wanted)
    if wanted.view == "numbers":
        return output_panel(row, wanted.width)
    return _by_depth(seen, wanted) if wanted.view == "by depth" else _findings(seen, wanted.width)


def _distribution(seen: Seen, row: OutputRow, wanted: Wanted) -> list[Line]:
    from wtui.render.plots import canvas_columns, histogram_plot

    bins, total = row.bins, row.row.seen
    if not bins.counts:
        if not row.row.finite:
            return [[("no value is finite", "error")]]
        return [[("every value is ", "dim"), (numbers.value(bins.low), "number")]]
    maps = seen.maps(wanted.number) if wanted.height >= TALL else None
    height = (wanted.height - 1) // 2 - FOOT if maps is not None else wanted.height - FOOT
    log = wanted.log if wanted.log is not None else row.row.zeros > SPIKE * total
    counts = bins.counts
    while (
        len(counts) > 2 * canvas_columns(wanted.width) and len(counts) % 2 == 0
    ):  # whole bins joined: parts of bins would look like a comb
        counts = tuple(a + b for a, b in zip(counts[::2], counts[1::2], strict=True))
    lines = list(histogram_plot(counts, bins.low, bins.high, wanted.width, height, log))
    outside = f"{bins.below + bins.above:,.0f} of {total:,} outside, counts {'log' if log else 'linear'} (L)"
    lines += [[(f"0.1 to 99.9 %, {outside}", "dim")], _share_line(row)]
    return lines if maps is None else [*lines, [], *_maps(maps, wanted.width, wanted.colour)]


def _share_line(row: OutputRow) -> Line:
    """What stands out in numbers: zeros, dead units, saturated values."""
    line: Line = [("zeros ", "dim"), (numbers.percent(row.row.zeros, row.row.seen), "number")]
    if row.dead is not None:
        line += [("  dead units ", "dim"), (f"{row.dead:,} of {row.channels:,}", "number")]
    if row.saturated is not None:
        line += [("  saturated ", "dim"), (numbers.percent(row.saturated, 1), "number")]
    return line


def _maps(maps: Maps | None, width: int, colour: bool) -> list[Line]:
    if maps is None:
        return [[("no feature maps: the output is no image and no sequence", "dim")]]
    channels, rows, columns = maps.of
    what = f"first sample, {min(maps.channels, channels)} of {channels:,} maps of {rows}×{columns}"
    if channels == 1 and maps.channels == 1:
        what = f"first sample, {rows}×{columns}"
    side = max(SMALLEST, width // ACROSS - 2)
    images = [_smaller(image, side) for image in map_images(maps)]
    drawn = filter_lines(images, range(len(images)), maps.scale, width, colour=colour)
    most = "full colour" if colour else "darkest"
    return [[(f"{what}, {most} at ±{numbers.value(maps.scale, 3)}", "dim")], *drawn]


def _smaller(image: Matrix, side: int) -> Matrix:
    """The image with at most `side` rows and columns, each cell the mean of those it stands for."""
    rows, columns = min(image.rows, side), min(image.columns, side)
    if (rows, columns) == (image.rows, image.columns):
        return image
    tall = [range(r * image.rows // rows, (r + 1) * image.rows // rows) for r in range(rows)]
    wide = [range(c * image.columns // columns, (c + 1) * image.columns // columns) for c in range(columns)]
    means = [
        sum(image.values[r * image.columns + c] for r in rs for c in cs) / (len(rs) * len(cs))
        for rs in tall
        for cs in wide
    ]
    return Matrix(rows, columns, means)


def _channels(row: OutputRow, wanted: Wanted) -> list[Line]:
    from wtui.render.plots import channel_plot

    active = channel_values(row.active)
    if not active:
        return [[("no channels, or too many to be told one by one", "dim")]]
    lines = list(channel_plot(active, wanted.width, wanted.height - FOOT))
    quiet = sum(1 for share in active if share == 0)
    about = f"share of values above 0 in each of {len(active):,} channels; {quiet:,} never are"
    return [*lines, *wrap([(about, "dim")], wanted.width)]


def _by_depth(seen: Seen, wanted: Wanted) -> list[Line]:
    from wtui.render.plots import depth_plot

    points = depth_of(wanted.metric, seen.outputs)
    last: Line = [("metric (m)", "dim")]
    if not points:
        return [[(f"no layer has {wanted.metric}", "dim")], last]
    place = min(wanted.number, len(seen.outputs) - 1) + 1
    zero = wanted.metric != "mean"
    lines = depth_plot(points, len(seen.outputs), place, wanted.width, wanted.height - FOOT, zero)
    return [*lines, [(f"{wanted.metric} ", "title"), ("of outputs in the order of layers", "dim")], last]


def _findings(seen: Seen, width: int) -> list[Line]:
    found = seen.remarks()
    unseen: list[Line] = [[(f"{one.layer}: {one.why}", "warning")] for one in seen.unseen]
    if not found:
        return [*unseen, *wrap([("✓ ", "good"), (f"nothing stands out {FOR_THIS_INPUT}", "")], width, 2)]
    return [*unseen, *finding_lines(found, width)]
