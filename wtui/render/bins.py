"""How many bins a histogram has before anybody asks for another number of them. Draws nothing."""

from __future__ import annotations

from math import cbrt, ceil

__all__ = ["bins_for"]

MIN_BINS = 10
"""What even a few values are worth: fewer bins show no shape."""


def bins_for(values: int, most: int) -> int:
    """Bins for so many values, at most `most`: 2 n^(1/3), the Rice rule (D. M. Lane, Online Statistics Education).

    With as many bins as a screen can draw, 72 values are a comb and no distribution.
    """
    return min(most, max(MIN_BINS, ceil(2 * cbrt(values))))
