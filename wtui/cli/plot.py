"""`wtui plot`: a histogram or a heat map of values, or a statistic along the depth, as text or as numbers."""

from __future__ import annotations

from argparse import ArgumentTypeError
from math import inf, isfinite
from typing import TYPE_CHECKING

from wtui.cli.depth import FAMILY_WORDS, METRIC_WORDS, plot_depth
from wtui.cli.heatmap import CELL_WORDS, plot_heatmap
from wtui.cli.histogram import plot_histogram
from wtui.cli.layers import plot_layers
from wtui.cli.options import data_parser, open_model
from wtui.cli.status import Exit
from wtui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wtui.cli.options import Parser

__all__ = ["run"]

KINDS = {"hist": plot_histogram, "depth": plot_depth, "heatmap": plot_heatmap, "layers": plot_layers}

DESCRIPTION = """Plot the values of a tensor, a layer or the whole model, one tensor as a heat map,
the distributions of alike tensors side by side, or a statistic along the depth of the
model. With --json: the numbers drawn.

A histogram opens on the 0.1 to 99.9 % window and says how many values lie outside."""

EXAMPLES = """  wtui plot vgg16.keras fc1/kernel
  wtui plot vgg16.keras fc1/kernel --range min max --log --bins 200
  wtui plot vgg16.keras block5_conv3
  wtui plot vgg16.keras --kind depth --metric std --family convolution
  wtui plot vgg16.keras fc1/kernel --kind heatmap
  wtui plot vgg16.keras --kind layers --family dense
  wtui plot vgg16.keras --select '*/bias' --json | jq .counts"""


def run(arguments: Sequence[str]) -> int:
    """Read what is plotted, and plot it; the exit code."""
    options = _parser().parse_intermixed_args(arguments)
    if options.name is not None and options.select and options.kind == "hist":
        raise UsageError("NAME and --select exclude each other in a histogram", hint="give one of them")
    with open_model(options) as model:
        whole = KINDS[options.kind](model, options)
    return Exit.DONE if whole else Exit.PARTIAL


def _parser() -> Parser:
    parser = data_parser("wtui plot", DESCRIPTION, EXAMPLES)
    parser.add_argument("name", metavar="NAME", nargs="?", help="a tensor or a layer (default: the whole model)")
    parser.add_argument("--kind", choices=tuple(KINDS), default="hist", help="what to plot (default: hist)")
    parser.add_argument("--width", metavar="N", type=_columns, help="columns (default: those of the terminal, or 80)")
    parser.add_argument("--height", metavar="N", type=_columns, default=20, help="rows (default: 20)")
    histogram = parser.add_argument_group("histogram")
    histogram.add_argument("--bins", metavar="N", type=_bins, help="equal bins (default: as many as values can fill)")
    histogram.add_argument("--log", action="store_true", help="draw counts on a logarithmic scale")
    histogram.add_argument(
        "--range", nargs=2, metavar=("LO", "HI"), type=_limit, help="values to count; min and max are the extremes"
    )
    heatmap = parser.add_argument_group("heatmap")
    heatmap.add_argument("--cell", choices=CELL_WORDS, default="mean", help="what a cell shows (default: mean)")
    depth = parser.add_argument_group("depth and layers")
    depth.add_argument("--metric", choices=METRIC_WORDS, default="abs_mean", help="statistic (default: abs_mean)")
    depth.add_argument(
        "--family", choices=FAMILY_WORDS, help="which tensors (default: those like NAME, or the main ones)"
    )
    return parser


def _columns(text: str) -> int:
    """Columns or rows of a plot."""
    return _between(text, 5, 1000)


def _bins(text: str) -> int:
    """Bins of a histogram; more than a million are finer than what is counted."""
    return _between(text, 1, 1 << 20)


def _between(text: str, low: int, high: int) -> int:
    if not text.isdecimal() or not low <= int(text) <= high:
        raise ArgumentTypeError(f"{text!r} is not a number from {low:,} to {high:,}")
    return int(text)


def _limit(text: str) -> float:
    """A finite value; the words min and max are infinite, and are replaced by the extremes once they are known."""
    if text in ("min", "max"):
        return -inf if text == "min" else inf
    try:
        value = float(text)
    except ValueError:
        value = inf
    if not isfinite(value):
        raise ArgumentTypeError(f"{text!r} is not a finite number, min or max")
    return value
