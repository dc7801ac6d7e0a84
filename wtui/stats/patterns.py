"""The summary of values of which every bit pattern was counted: all of it follows from the counts."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING

import numpy as np

from wtui.stats.counts import ExactCounts, add_up
from wtui.stats.moments import moments_of
from wtui.stats.summary import Summary

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wtui.stats.kinds import Kind

__all__ = ["pattern_summary"]


def pattern_summary(kind: Kind, patterns: NDArray[np.integer], counts: NDArray[np.integer], total: int) -> Summary:
    """Of a narrow dtype. patterns: (n,) different ones, counts: (n,) how often each occurs"""
    values = kind.table[patterns]
    counts = counts.astype(np.int64)
    finite = np.isfinite(values)
    different, weights = add_up(values[finite], counts[finite])
    lowest, highest = (different[0], different[-1]) if len(different) else (nan, nan)
    as_number = int if kind.whole and len(different) else float
    return Summary(
        seen=int(counts.sum()),
        total=total,
        nan=int(counts[np.isnan(values)].sum()),
        posinf=int(counts[values == np.inf].sum()),
        neginf=int(counts[values == -np.inf].sum()),
        zeros=int(counts[values == 0].sum()),
        min=as_number(lowest),
        max=as_number(highest),
        moments=moments_of(different, weights.astype(np.float64)),
        counts=ExactCounts(different.astype(np.float32), weights, kind.whole),
    )
