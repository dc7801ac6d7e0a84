"""N:M sparsity from counts of zeros by group: at most N of every M neighbouring inputs are kept.

A pattern counts only where zeros at random places would have broken it often. Knows no tensor.
"""

from __future__ import annotations

from math import comb
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SIZES", "Pattern", "pattern_of"]

SIZES = (2, 4, 8, 16)
"""Groups of inputs that are looked at: 1:2, 2:4, 1:4, 4:8, 8:16 and others of these lengths are in use."""

SURE = 20.0
"""Groups that would break a pattern by chance, if zeros lay at random: none does so with a probability of e^-20."""

WHOLE_INPUTS = 0.5
"""Share of the zeros in inputs that no output uses, above which whole inputs were cut out: then all outputs repeat one
pattern, and what looks like many groups is few."""


class Pattern(NamedTuple):
    """At most `kept` of every `of` neighbouring inputs are not 0."""

    kept: int = 0
    """0: there is no pattern, like `of`."""
    of: int = 0
    groups: int = 0
    """Groups that say so: those in which any value is kept."""


def pattern_of(counts: NDArray[np.int64], used: NDArray[np.int64]) -> Pattern:
    """The pattern that keeps the smallest share, of several with one share the one of the shortest groups.

    counts: (SIZES, longest + 1) number of groups of each size by zeros in them. used: (inputs,) values but 0 of each
    input.
    """
    zeros = int(counts[0] @ np.arange(counts.shape[1]))
    if not zeros or not used.any():
        return Pattern()
    outputs = 2 * int(counts[0].sum()) / len(used)
    if int(np.count_nonzero(used == 0)) * outputs > WHOLE_INPUTS * zeros:
        return Pattern()
    found = [one for size, row in zip(SIZES, counts, strict=True) if (one := _of_size(size, row)) is not None]
    return min(found, key=lambda p: (p.kept / p.of, p.of), default=Pattern())


def _of_size(size: int, counts: NDArray[np.int64]) -> Pattern | None:
    """The pattern that all groups of one size keep; None if that may be chance."""
    alive = counts[:size]
    groups = int(alive.sum())
    if not groups:
        return None
    kept = size - int(np.flatnonzero(alive)[0])
    share = float(alive @ (size - np.arange(size))) / (size * groups)
    breaking = sum(comb(size, k) * share**k * (1 - share) ** (size - k) for k in range(kept + 1, size + 1))
    return Pattern(kept, size, groups) if groups * breaking >= SURE else None
