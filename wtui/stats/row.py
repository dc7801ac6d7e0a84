"""What is shown of a summary, as plain Python numbers that any process can unpickle.

Standard library only, and cheap to import: the browser's drawing process, which never loads numpy, gets these from
its scan process. Knows no tensor and computes nothing.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["QUANTILES", "SKETCH_BINS", "At", "Sketch", "SummaryRow"]

QUANTILES = (0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999)
"""The quantiles that are shown; the outermost two are the window in which a histogram opens."""

SKETCH_BINS = 32
"""Bins of the small histogram in a row."""


class At(NamedTuple):
    """Where a value is: the tensor's name and the index in it."""

    tensor: str
    index: tuple[int, ...]  # type: ignore[assignment]


class Sketch(NamedTuple):
    """A small histogram: counts in equal bins over [lo, hi], and how many values lie outside."""

    lo: float
    hi: float
    counts: tuple[int, ...]
    below: int
    above: int


class SummaryRow(NamedTuple):
    """Every number that is shown of a tensor, a layer or a model. What is undefined is NaN; places may be None."""

    seen: int
    """Values that were read; fewer than `total` in a sample."""
    total: int
    nan: int
    posinf: int
    neginf: int
    zeros: int
    near_zeros: int
    """Values with |x| < near_zero_threshold, zeros included."""
    near_zero_threshold: float
    """About 0.001 x std."""
    mean: float
    """Of the finite values, like every statistic below."""
    std: float
    """Of the population, like `variance`."""
    variance: float
    min: float | int
    min_at: At | None
    max: float | int
    max_at: At | None
    nan_at: At | None
    inf_at: At | None
    abs_mean: float
    l1: float
    l2: float
    rms: float
    skewness: float
    kurtosis: float
    """Excess: 0 for a normal distribution."""
    quantiles: tuple[float, ...]
    """At QUANTILES, by linear interpolation between order statistics."""
    coarse: bool
    """Whether the quantiles are known to less than 0.1 % and 0.01 std until the tensor is read once more."""
    distinct: int | None
    """Number of different finite values, None where it was not counted."""
    sketch: Sketch
    """Over the outermost two quantiles."""

    @property
    def finite(self) -> int:
        """Values that are neither NaN nor infinite."""
        return self.seen - self.nan - self.posinf - self.neginf
