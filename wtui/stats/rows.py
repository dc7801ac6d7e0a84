"""What one block of a tensor adds to its statistics: a row of numbers, and the keys of its extremes.

A row holds moments about the block's own mean, so that rows can be put together in the order of blocks whoever made
them. This module only names the columns and the size of a block.
"""

from __future__ import annotations

__all__ = ["BLOCK", "CHUNK", "COUNT", "KEYS", "MOMENTS", "NAN", "NEGATIVE_ZEROS", "NEGINF", "POSINF", "WIDTH", "ZEROS"]

BLOCK = 131_072
"""Values in a block: 512 KiB of float32, which stays in the L2 cache between the two looks at it."""

CHUNK = 64
"""Counters of a table that are looked at together when it is emptied; every table has whole chunks."""

COUNT = 0
"""Finite values; mean, m2, m3, m4, sum of |x| and the exponent of their unit follow, as in `Moments`."""

MOMENTS = slice(0, 7)

ZEROS, NEGATIVE_ZEROS, NAN, POSINF, NEGINF = range(7, 12)
"""Numbers of values; ZEROS counts those of either sign."""

WIDTH = 12
"""Columns of a row, float64."""

KEYS = 2
"""Columns of the keys, int64: of the lowest and the highest finite value."""
