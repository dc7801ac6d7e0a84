"""Rules on the channels of a tensor and on runs of equal values: what merged counts cannot show."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import TYPE_CHECKING

from wtui.insight.case import Case, Rule, finding, is_constant

if TYPE_CHECKING:
    from wtui.insight.types import Finding, Severity
    from wtui.stats.channel_row import ChannelRow
    from wtui.stats.row import SummaryRow

__all__ = ["RULES"]

MANY_DEAD = 0.5
"""Share of channels without any weight from which they were cut out on purpose: structured pruning."""

MIN_RUN = 1024
"""Equal values in a row that make a block: 4 KiB of float32, the size of a page and of a sector."""

MIN_TAIL = 64
"""Equal values at a tensor's end that make a tail which was never written."""

LAST_ZEROS = 0.25
"""Zeros elsewhere, as a share of a last run of zeros, up to which that is no pruning of whole inputs."""

OUTLIER = 20.0
"""How many times the median norm a channel's may be; channels of language models are known to be beyond, so that it is
worth knowing and no warning."""

LISTED = 4


def dead(case: Case) -> Iterator[Finding]:
    """Output channels without any weight."""
    for index, channels in case.extra.channels.items():
        subject, row = case.chart.subjects.get(index), case.rows.get(index)
        if subject is None or subject.part != "kernel" or not 0 < channels.dead < channels.channels:
            continue
        pruned = channels.dead > MANY_DEAD * channels.channels or (row is not None and _mostly_zero(row, channels))
        severity: Severity = "info" if pruned or subject.frozen else "warning"
        text = f"{channels.dead:,} of {channels.channels:,} output channels have no weight at all: "
        text += _listed(channels.dead_at)
        numbers = {"dead": channels.dead, "channels": channels.channels, "first": channels.dead_at[0]}
        advice = "they compute nothing but their bias: pruned, dead, or lost?"
        yield finding(severity, "dead-channels", subject, text, numbers, advice)


def weak(case: Case) -> Iterator[Finding]:
    """Output channels with next to no weight."""
    for index, channels in case.extra.channels.items():
        subject = case.chart.subjects.get(index)
        if subject is None or subject.part != "kernel" or not channels.weak:
            continue
        text = f"{channels.weak:,} of {channels.channels:,} output channels have next to no weight: "
        text += _listed(channels.weak_at)
        yield finding("info", "weak-channels", subject, text, {"weak": channels.weak, "channels": channels.channels})


def outlier(case: Case) -> Iterator[Finding]:
    """Channels with many times the norm of the others."""
    for index, channels in case.extra.channels.items():
        subject = case.chart.subjects.get(index)
        if subject is None or not channels.median_l2 > 0 or channels.largest_l2 <= OUTLIER * channels.median_l2:
            continue
        times = channels.largest_l2 / channels.median_l2
        text = f"channel {channels.largest_at:,} has {times:.3g} times the median norm"
        numbers = {"largest": channels.largest_l2, "median": channels.median_l2, "channel": channels.largest_at}
        yield finding("info", "outlier-channel", subject, text, numbers)


def constant_block(case: Case) -> Iterator[Finding]:
    """A long run of equal values inside a tensor whose other values differ."""
    for index, channels in case.extra.channels.items():
        subject, row = case.chart.subjects.get(index), case.rows.get(index)
        if subject is None or row is None or subject.part not in ("kernel", "embedding") or is_constant(row):
            continue
        if not _is_block(row, channels):
            continue
        severity: Severity = "info" if subject.part == "embedding" else "warning"
        where = "at its end" if channels.run_is_last else f"from value {channels.run_at:,} on"
        text = f"{channels.longest_run:,} equal values ({channels.run_value:.4g}) in a row {where}"
        numbers = {"run": channels.longest_run, "value": channels.run_value, "at": channels.run_at}
        advice = "was the file written or copied to its end?" if channels.run_is_last else "was this part ever written?"
        yield finding(severity, "constant-block", subject, text, numbers, advice)


def _is_block(row: SummaryRow, channels: ChannelRow) -> bool:
    """Whether the longest run is more than pruning, few different values or dead channels would leave."""
    run = channels.longest_run
    if not isfinite(channels.run_value):
        return False  # another rule tells of NaN and infinities
    if run < (MIN_TAIL if channels.run_is_last else MIN_RUN) or (row.distinct or MIN_RUN) < MIN_TAIL:
        return False
    if channels.run_value == 0 and channels.dead and run <= (channels.dead + 1) * channels.per_channel:
        return False  # whole channels, which another rule tells of
    return row.zeros <= (1 + (LAST_ZEROS if channels.run_is_last else 1)) * run or channels.run_value != 0


def _mostly_zero(row: SummaryRow, channels: ChannelRow) -> bool:
    """Whether there are many zeros outside of the dead channels, too."""
    return row.zeros > 2 * channels.dead * channels.per_channel


def _listed(numbers: tuple[int, ...]) -> str:
    shown = ", ".join(map(str, numbers[:LISTED]))
    return shown + (", ..." if len(numbers) > LISTED else "")


RULES = (
    Rule(
        "dead-channels", "warning", "output channels without any weight",
        f"all weights exactly 0; info where they are more than {MANY_DEAD:.0%}, or zeros are spread over all channels: "
        "pruned", dead,
        "structured pruning",
    ),
    Rule(
        "constant-block", "warning", "blocks inside a tensor that were never written",
        f"{MIN_RUN:,} equal values in a row, {MIN_TAIL} at the end, in storage order; info in embeddings, which are "
        "padded", constant_block,
    ),
    Rule(
        "weak-channels", "info", "output channels with next to no weight",
        "norm below a thousandth of the median channel's; weight decay leaves some", weak,
    ),
    Rule(
        "outlier-channel", "info", "channels with many times the norm of the others",
        f"above {OUTLIER:g} times the median; normal in language models", outlier,
        "language models have a few such channels in most layers",
    ),
)  # fmt: skip
