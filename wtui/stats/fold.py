"""Summaries put together: tensors to layers, layers to models. The one fold that every front end uses.

Exact but for the rounding of moments; associative up to that. Knows no tree: the caller says in which order.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from wtui.stats.counts import CountsAdder
from wtui.stats.linear import LinearCounts, merge_linear
from wtui.stats.moments import merge_moments
from wtui.stats.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Fold", "merge", "merge_all"]


class Fold:
    """Summaries put together one after the other, in the model's order; adding many is cheap."""

    def __init__(self, summaries: Iterable[Summary] = ()) -> None:
        self._head = Summary()
        self._counts = CountsAdder()
        self._linear: list[LinearCounts | None] = []
        for summary in summaries:
            self.add(summary)

    def add(self, summary: Summary) -> None:
        """Take in the values of one more summary. Of equal extremes the one that came first keeps its place."""
        self._counts.add(summary.counts)
        if summary.finite:
            self._linear.append(summary.linear)
        a, b = self._head, summary
        lower = bool(b.finite) and not a.min <= b.min
        higher = bool(b.finite) and not a.max >= b.max
        self._head = Summary(
            seen=a.seen + b.seen,
            total=a.total + b.total,
            nan=a.nan + b.nan,
            posinf=a.posinf + b.posinf,
            neginf=a.neginf + b.neginf,
            zeros=a.zeros + b.zeros,
            min=b.min if lower else a.min,
            max=b.max if higher else a.max,
            min_at=b.min_at if lower else a.min_at,
            max_at=b.max_at if higher else a.max_at,
            nan_at=a.nan_at or b.nan_at,
            inf_at=a.inf_at or b.inf_at,
            moments=merge_moments(a.moments, b.moments),
        )

    def summary(self) -> Summary:
        """The summary of all values so far; more may be added afterwards."""
        return replace(self._head, counts=self._counts.counts(), linear=merge_linear(self._linear))


def merge(a: Summary, b: Summary) -> Summary:
    """The summary of the values of both."""
    return merge_all((a, b))


def merge_all(summaries: Iterable[Summary]) -> Summary:
    """The summary of the values of all, in this order."""
    return Fold(summaries).summary()
