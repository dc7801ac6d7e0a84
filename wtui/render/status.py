"""The line at the top: what is open, how large it is, and how far the scan has come. Pure."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wtui.render import numbers
from wtui.render.spans import Line, escape

if TYPE_CHECKING:
    from wtui.engine.protocol import Finished, Progress
    from wtui.model import Catalogue

__all__ = ["model_line", "scan_line"]


def model_line(catalogue: Catalogue, layers: int) -> Line:
    """` vgg16.keras   Keras 3 · 23 layers · 32 tensors · 138,357,544 parameters · 553.4 MB`."""
    totals = catalogue.totals()
    name = escape(os.path.basename(os.path.abspath(catalogue.path)))
    facts = [
        escape(catalogue.format),
        f"{layers:,} layers",
        f"{totals.tensors:,} tensors",
        f"{totals.parameters:,} parameters",
        numbers.size(totals.bytes),
    ]
    return [(f" {name}  ", "bold"), (" · ".join(facts), "dim")]


def scan_line(progress: Progress | None, finished: Finished | None, failures: int) -> Line:
    """`scan 74 %  3.1 GB/s  1 s left`, and at the end that everything was read, or how much was not."""
    if finished is not None:
        if failures:
            return [(f"{failures:,} tensors not readable ", "warning")]
        return [("all read ", "good")]
    if progress is None or not progress.total:
        return [("", "")]
    speed = progress.bytes_per_second
    left = (progress.total - progress.done) / speed if speed else 0.0
    share = f"scan {int(100 * progress.done / progress.total)} %"
    return [(f"{share}  {numbers.size(int(speed))}/s  {numbers.duration(left)} left ", "info")]
