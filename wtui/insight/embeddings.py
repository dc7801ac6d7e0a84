"""Rows of an embedding, or experts, that training never touched: those whose values are still the initialiser's.

Only where the other rows have clearly moved, so that the two kinds lie apart. Knows no tokenizer.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from wtui.insight.case import Untouched
from wtui.insight.distributions import distribution
from wtui.stats.channel_row import LISTED

if TYPE_CHECKING:
    from wtui.insight.types import Initial
    from wtui.stats.channels import Channels

__all__ = ["EXPERTS_APART", "untouched_rows"]

SIGMAS = 4.5
"""Standard errors of a row's sum of squares within which it is still the initialiser's: 1 row in 150,000 is outside."""

APART = 8.0
"""Standard errors from which a row has clearly moved."""

MIN_FEATURES = 16
"""Values of a row from which its sum of squares says something."""

MIN_ROWS = 4
"""Rows, or experts, among which some can stand out."""

MOST = 0.5
"""Share of the rows that must have moved, since otherwise nothing tells which did."""


EXPERTS_APART = 0.1
"""Relative difference of mean squares that every other expert must have: experts spread about the initial value by
training would otherwise include one that happens to have it."""


def untouched_rows(channels: Channels, initial: Initial, apart: float = 0.0) -> Untouched | None:
    """The rows (channels) that fit the initialiser; None where that cannot be told.

    The mean squares of all others must differ from the initial one by the share `apart`.
    """
    wanted, features = distribution(initial.kind, initial.scale, initial.centre), channels.per_channel
    rows = len(channels.square_sum)
    if wanted is None or wanted.centre or features < MIN_FEATURES or rows < MIN_ROWS:
        return None
    error = wanted.std**2 * sqrt((wanted.kurtosis + 2) * features)
    z = np.abs(channels.square_sum - features * wanted.std**2) / error
    beyond = channels.largest > wanted.limit * (1 + 1e-6)
    fits = (z < SIGMAS) & ~beyond
    moved = (z > APART) | beyond
    if moved.mean() < MOST or (fits | moved).mean() < 1 - MOST * fits.mean():
        return None
    if np.any(np.abs(channels.square_sum[~fits] / (features * wanted.std**2) - 1) < apart):
        return None
    found = np.flatnonzero(fits)
    return Untouched(len(found), rows, tuple(found[:LISTED].tolist()))
