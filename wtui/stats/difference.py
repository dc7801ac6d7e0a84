"""`Difference`: how far two tensors of as many values are apart, pair by pair; mergeable to layers and models.

Counts of changed, flipped and non-finite pairs; sums of d, |d|, d^2, a^2, b^2 and a b in float64, with d = b - a; the
largest |d| and its place. From these: relative L2 change, cosine similarity, mean |difference|. The distance of the two
distributions comes from summaries (`ks_distance`). Knows no file and no layout: pairs come in matching order.

A pair in which a value is NaN or infinite is counted and otherwise left out. It has changed unless both are NaN or the
same infinity. Sums of squares that leave float64's range make the numbers that need them NaN or infinite.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from wtui.model import DTYPE_BITS
from wtui.stats import difference_reference as reference
from wtui.stats.counts import BucketCounts, ExactCounts
from wtui.stats.difference_row import LISTED_CHANNELS, ChannelShare, DifferenceRow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from wtui.stats.counts import Counts
    from wtui.stats.row import At
    from wtui.stats.summary import Summary

__all__ = ["Difference", "ks_distance", "ks_of_counts", "merge_differences", "narrower"]

Sums = tuple[float, float, float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """Of `pairs` pairs out of `total`; see `DifferenceRow` for what the numbers mean. Undefined ones are NaN."""

    pairs: int = 0
    total: int = 0
    different_bits: int = 0
    """Pairs whose bits differ; for tensors of different dtypes those whose values differ."""
    changed: int = 0
    left_out: int = 0
    left_out_differ: int = 0
    broken: int = 0
    mended: int = 0
    sign_flips: int = 0
    rounded_equal: int | None = None
    max_abs: float = nan
    max_place: int = -1
    """Where it is first, by the numbers that whoever added the pairs gave them."""
    max_at: At | None = None
    max_at_a: At | None = None
    sums: Sums = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    """Of d, |d|, d^2, a^2, b^2, a b over the pairs that are finite."""

    @property
    def identical(self) -> bool:
        """Whether everything was read and every bit is equal."""
        return self.different_bits == 0 and self.pairs == self.total

    @property
    def finite(self) -> int:
        """Pairs that are finite in both."""
        return self.pairs - self.left_out

    @property
    def mean(self) -> float:
        """Mean of d."""
        return self.sums[reference.SUM] / self.finite if self.finite else nan

    @property
    def mean_abs(self) -> float:
        """Mean of |d|."""
        return self.sums[reference.ABS_SUM] / self.finite if self.finite else nan

    @property
    def l2_a(self) -> float:
        """Root of the sum of a^2."""
        return sqrt(self.sums[reference.SQUARE_A]) if self.finite else nan

    @property
    def l2_b(self) -> float:
        """Root of the sum of b^2."""
        return sqrt(self.sums[reference.SQUARE_B]) if self.finite else nan

    @property
    def relative_l2(self) -> float:
        """||b - a|| / ||a||: 0 where nothing changed, infinite where only b has values but 0."""
        return _ratio(self.sums[reference.SQUARE], self.sums[reference.SQUARE_A]) if self.finite else nan

    @property
    def cosine(self) -> float:
        """a b / (||a|| ||b||), NaN where one of them is all 0.

        Where d is short, as 1 - (||d||^2 - (||b|| - ||a||)^2) / (2 ||a|| ||b||), which does not lose the digits of
        1 - cosine.
        """
        length_a, length_b = self.l2_a, self.l2_b
        product = length_a * length_b
        if not 0 < product < inf:
            return nan
        square = self.sums[reference.SQUARE]
        if square < product:
            found = 1 - (square - (length_b - length_a) ** 2) / (2 * product)
        else:
            found = self.sums[reference.PRODUCT] / product
        return max(-1.0, min(1.0, found))

    def row(self, ks: float = nan, channels: NDArray[np.float64] | None = None) -> DifferenceRow:
        """Everything that is shown of it, as plain Python numbers. channels: (2, n), sums of d^2 and a^2 of each."""
        found = _channels(channels) if channels is not None and channels.shape[1] else {}
        return DifferenceRow(
            pairs=self.pairs,
            total=self.total,
            identical=self.identical,
            changed=self.changed,
            left_out=self.left_out,
            left_out_differ=self.left_out_differ,
            broken=self.broken,
            mended=self.mended,
            sign_flips=self.sign_flips,
            rounded_equal=self.rounded_equal,
            max_abs=self.max_abs,
            max_at=self.max_at,
            max_at_a=self.max_at_a,
            mean_abs=self.mean_abs,
            mean=self.mean,
            relative_l2=self.relative_l2,
            cosine=self.cosine,
            ks=ks,
            l2_a=self.l2_a,
            l2_b=self.l2_b,
            **found,
        )


def merge_differences(parts: Iterable[Difference]) -> Difference:
    """The difference of all pairs together, in this order. Of equal extremes the first keeps its place."""
    found = Difference()
    for part in parts:
        larger = part if not part.max_abs <= found.max_abs and part.finite else found
        both = (found.rounded_equal, part.rounded_equal)
        found = Difference(
            pairs=found.pairs + part.pairs,
            total=found.total + part.total,
            different_bits=found.different_bits + part.different_bits,
            changed=found.changed + part.changed,
            left_out=found.left_out + part.left_out,
            left_out_differ=found.left_out_differ + part.left_out_differ,
            broken=found.broken + part.broken,
            mended=found.mended + part.mended,
            sign_flips=found.sign_flips + part.sign_flips,
            rounded_equal=None if both == (None, None) else (both[0] or 0) + (both[1] or 0),
            max_abs=larger.max_abs,
            max_place=larger.max_place,
            max_at=larger.max_at,
            max_at_a=larger.max_at_a,
            sums=_added(found.sums, part.sums),
        )
    return found


def narrower(dtype_a: str, dtype_b: str) -> str | None:
    """The floating-point dtype with fewer bits; None where it makes no sense to round one to the other."""
    if not ("float" in dtype_a and "float" in dtype_b) or DTYPE_BITS[dtype_a] == DTYPE_BITS[dtype_b]:
        return None
    return min(dtype_a, dtype_b, key=DTYPE_BITS.__getitem__)


def ks_distance(a: Summary, b: Summary) -> float:
    """The distance of the distributions of the finite values of both, see `ks_of_counts`."""
    return ks_of_counts(a.counts, b.counts)


def ks_of_counts(counts_a: Counts | None, counts_b: Counts | None) -> float:
    """The largest distance between two distribution functions (Kolmogorov-Smirnov); NaN without values or counts.

    Exact where both hold at most 65,536 different values; else taken at the ends of buckets (0.05 % wide): then too
    small by at most the share of the fullest bucket.
    """
    if not isinstance(counts_a, ExactCounts | BucketCounts) or not isinstance(counts_b, ExactCounts | BucketCounts):
        return nan
    if not counts_a.total or not counts_b.total:
        return nan
    if isinstance(counts_a, ExactCounts) and isinstance(counts_b, ExactCounts):
        keys = counts_a.values.astype(np.float64), counts_b.values.astype(np.float64)
    else:
        counts_a, counts_b = counts_a.coarsened(), counts_b.coarsened()
        keys = counts_a.slots.astype(np.float64), counts_b.slots.astype(np.float64)
    places = np.union1d(*keys)
    shares = [
        np.append(0, np.cumsum(c.counts, dtype=np.int64))[np.searchsorted(k, places, "right")] / c.total
        for k, c in zip(keys, (counts_a, counts_b), strict=True)
    ]
    return float(np.abs(shares[0] - shares[1]).max())


def _ratio(square: float, square_a: float) -> float:
    """Root of a ratio of sums of squares: of nothing to nothing 0, of something to nothing infinite."""
    if square_a > 0:
        return sqrt(square) / sqrt(square_a)
    return 0.0 if square == 0 else inf if square > 0 else nan


def _added(a: Sums, b: Sums) -> Sums:
    s = [x + y for x, y in zip(a, b, strict=True)]
    return s[0], s[1], s[2], s[3], s[4], s[5]


def _channels(sums: NDArray[np.float64]) -> dict[str, Any]:
    """Where the change is: how many channels changed, in how many half of it is, and the foremost ones."""
    square, square_a = sums
    total = float(square.sum())
    n = len(square)
    order = np.argsort(-square, kind="stable")
    share = np.cumsum(square[order]) / total if 0 < total < inf else np.zeros(n)
    top = [int(c) for c in order[:LISTED_CHANNELS] if square[c] > 0] if 0 < total < inf else []
    return {
        "channels": n,
        "channels_changed": int(np.count_nonzero(square)),
        "half_in": int(np.searchsorted(share, 0.5)) + 1 if 0 < total < inf else 0,
        "top": tuple(
            ChannelShare(c, float(square[c]) / total, _ratio(float(square[c]), float(square_a[c]))) for c in top
        ),
    }
