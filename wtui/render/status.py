"""The line at the top: what is open, how large it is, and how far the scan has come. Pure."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wtui.render import numbers
from wtui.render.spans import Line, clip, escape, text_width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wtui.engine.protocol import Finished, Progress
    from wtui.model import Catalogue

__all__ = ["model_line", "pair_line", "scan_line"]


SLOW = 5_000_000
"""Bytes a second below which the scan is only starting (kernels are being compiled): no time left is guessed."""


def model_line(catalogue: Catalogue, layers: int, width: int) -> Line:
    """` vgg16.keras   Keras 3 · 23 layers · 32 tensors · 138,357,544 parameters · 553.4 MB`, as much as fits."""
    totals = catalogue.totals()
    name = escape(os.path.basename(os.path.abspath(catalogue.path)))
    parameters = f"{totals.parameters:,} parameters"
    facts = [escape(catalogue.format), f"{layers:,} layers", f"{totals.tensors:,} tensors", parameters]
    facts.append(numbers.size(totals.bytes))
    for less in (facts, facts[2:], facts[3:], [numbers.short_count(totals.parameters)], []):
        text = " · ".join(less)
        if text_width(name) + text_width(text) + 4 <= width:
            break
    return [(f" {clip(name, width - 3)}  ", "bold"), (text, "dim")]


def pair_line(names: tuple[str, str], facts: Sequence[str], width: int) -> Line:
    """` A base.keras  B tuned.keras   32 pairs · 2 only in A`, as much as fits."""
    a, b = (escape(name) for name in names)
    for less in range(len(facts), -1, -1):
        text = " · ".join(facts[:less])
        if text_width(a) + text_width(b) + text_width(text) + 11 <= width:
            break
    room = max(8, (width - 8) // 2)
    line: Line = [(" A ", "title"), (clip(a, room), "bold"), ("  B ", "title"), (clip(b, room), "bold")]
    return [*line, (f"   {text}", "dim")]


def scan_line(progress: Progress | None, finished: Finished | None, failures: int) -> Line:
    """`scan 74 %  3.1 GB/s  1 s left`, and at the end that everything was read, or how much was not."""
    if finished is not None:
        if failures:
            return [(f"{failures:,} tensor{'s' if failures > 1 else ''} not readable ", "warning")]
        return [("known from an earlier run " if finished.recalled else "all read ", "good")]
    if progress is None or not progress.total:
        return [("", "")]
    share = f"scan {int(100 * progress.done / progress.total)} %"
    if progress.on_demand:
        return [(f"{int(100 * progress.done / progress.total)} % read, the rest when looked at ", "info")]
    speed = progress.bytes_per_second
    if speed < SLOW:
        return [(share + " ", "info")]
    left = numbers.duration((progress.total - progress.done) / speed)
    return [(f"{share}  {numbers.size(int(speed))}/s  {left} left ", "info")]
