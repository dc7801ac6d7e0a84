"""What is told of a tensor's channels, as plain Python numbers that any process can unpickle.

Standard library only, as `wtui.stats.row`. Knows no tensor and computes nothing.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["LISTED", "ChannelRow"]

LISTED = 16
"""Channels of a kind that are listed by their number; all are counted."""


class ChannelRow(NamedTuple):
    """Channels of one tensor: output units, filters, or rows of an embedding."""

    channels: int
    """0 where the tensor has none, and the numbers up to `weak_at` say nothing."""
    per_channel: int
    """Values in each."""
    dead: int
    """Channels in which every value is 0."""
    dead_at: tuple[int, ...]
    """The first LISTED of them."""
    weak: int
    """Other channels whose L2 norm is below a thousandth of the median channel's."""
    weak_at: tuple[int, ...]
    low: int
    """Channels, those included, whose L2 norm is below half of the median channel's."""
    low_at: tuple[int, ...]
    median_l2: float
    largest_l2: float
    largest_at: int
    """The channel with the largest L2 norm."""
    longest_run: int
    """The most equal values in a row, in the order in which they are stored."""
    run_value: float
    run_at: int
    """Position of its first value in that order."""
    run_is_last: bool
    """Whether it goes on to the tensor's end."""
    kept: int
    """At most so many of every `of` neighbouring inputs are not 0 (N:M sparsity); both are 0 without such a pattern."""
    of: int
    groups: int
    """Groups of inputs in which that was seen."""
    fingerprint: int
    """64 bits of all values and their places: equal for equal tensors, and, in all likelihood, for no others."""
    at_limits: int = 0
    """Integers with scales: stored values at the ends of their range."""
