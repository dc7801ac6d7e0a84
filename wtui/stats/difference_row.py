"""What is shown of a comparison of two tensors, as plain Python numbers that any process can unpickle.

Standard library only, and cheap to import, as `wtui.stats.row`. Knows no tensor and computes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from wtui.stats.row import At

__all__ = ["LISTED_CHANNELS", "ChannelShare", "DifferenceRow"]

LISTED_CHANNELS = 8
"""Channels that are listed: those that changed most."""


class ChannelShare(NamedTuple):
    """One output channel that changed."""

    channel: int
    share: float
    """Its part of the tensor's sum of squared differences."""
    relative: float
    """L2 norm of its difference over that of its values in A; infinite where those are all 0."""


class DifferenceRow(NamedTuple):
    """Every number that is shown of a pair, a layer or a model; B - A throughout. What is undefined is NaN.

    Pairs of values in which one is NaN or infinite are counted, and left out of every other number.
    """

    pairs: int
    """Pairs of values that were read; fewer than `total` where something could not be."""
    total: int
    identical: bool
    """Every bit is equal; for tensors of different dtypes: every value is."""
    changed: int
    """Pairs of different values; NaN is equal to NaN here, and 0 to -0."""
    left_out: int
    """Pairs in which a value is NaN or infinite."""
    left_out_differ: int
    """Those of them that are not the same: a number against NaN, NaN against infinity, infinities of two signs."""
    broken: int
    """Pairs that are finite in A and not in B."""
    mended: int
    """Pairs that are finite in B and not in A."""
    sign_flips: int
    rounded_equal: int | None
    """Pairs that are equal once the wider dtype is rounded to the narrower; None for equal dtypes."""
    max_abs: float
    """The largest |difference|."""
    max_at: At | None
    """Where it is, in B."""
    max_at_a: At | None
    mean_abs: float
    mean: float
    """Of the differences with their signs: a shift."""
    relative_l2: float
    """L2 norm of the difference over that of A; infinite where A is all 0."""
    cosine: float
    """Cosine of the angle between both as vectors."""
    ks: float
    """Largest distance between both distribution functions (Kolmogorov-Smirnov); NaN where it was not computed."""
    l2_a: float
    l2_b: float
    channels: int = 0
    """Output channels; 0 where there are none, or of layers and models."""
    channels_changed: int = 0
    half_in: int = 0
    """The fewest channels that hold half of the sum of squared differences."""
    top: tuple[ChannelShare, ...] = ()
    """The LISTED_CHANNELS channels that changed most, by their share."""

    @property
    def unchanged(self) -> bool:
        """Whether all was read and no value differs."""
        return self.changed == 0 and self.pairs == self.total

    def within(self, tolerance: float) -> bool:
        """Whether all was read, no |difference| is larger than this, and what is not finite is the same in both."""
        if self.unchanged:
            return True
        return self.pairs == self.total and not self.left_out_differ and self.max_abs <= tolerance
