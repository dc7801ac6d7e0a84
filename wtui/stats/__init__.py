"""Statistics of tensors by exact, mergeable summaries: one fused pass over the values, then everything from its counts.

Names are imported when they are first asked for: `row` alone costs no numpy, and numba comes with the first kernel.
Knows neither files nor formats.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wtui.stats.accumulate import Accumulator, LinearAccumulator, Scratch, warm_up
    from wtui.stats.fold import Fold, merge, merge_all
    from wtui.stats.linear import LinearCounts, Window
    from wtui.stats.places import Places, locate
    from wtui.stats.row import QUANTILES, At, SummaryRow
    from wtui.stats.summary import Histogram, Summary

__all__ = [
    "QUANTILES",
    "Accumulator",
    "At",
    "Fold",
    "Histogram",
    "LinearAccumulator",
    "LinearCounts",
    "Places",
    "Scratch",
    "Summary",
    "SummaryRow",
    "Window",
    "locate",
    "merge",
    "merge_all",
    "warm_up",
]

_HOMES = {
    "accumulate": ("Accumulator", "LinearAccumulator", "Scratch", "warm_up"),
    "fold": ("Fold", "merge", "merge_all"),
    "linear": ("LinearCounts", "Window"),
    "places": ("Places", "locate"),
    "row": ("QUANTILES", "At", "SummaryRow"),
    "summary": ("Histogram", "Summary"),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"wtui.stats.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
