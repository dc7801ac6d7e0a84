"""Summaries that are done, with a bound on the memory that their counts take.

A summary's numbers are small and all kept; its pattern counts, from which histograms are made, are kept for what was
used last, up to a bound. A tensor whose counts were let go is simply read again when somebody asks for its histogram.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wtui.stats.summary import Summary

__all__ = ["SummaryStore"]

MAX_COUNTS = 8 << 20
"""Bytes of pattern counts that are kept: some twenty large tensors, and a few per cent of what a scan takes."""


class SummaryStore:
    """Finished summaries by tensor. Not locked: one thread owns it."""

    def __init__(self, max_counts: int = MAX_COUNTS) -> None:
        self._max = max_counts
        self._held = 0
        self._summaries: dict[int, Summary] = {}
        self._with_counts: OrderedDict[int, int] = OrderedDict()

    def __contains__(self, tensor: int) -> bool:
        return tensor in self._summaries

    def __len__(self) -> int:
        return len(self._summaries)

    def get(self, tensor: int) -> Summary | None:
        """The summary, perhaps without counts; using it keeps its counts for longer."""
        if tensor in self._with_counts:
            self._with_counts.move_to_end(tensor)
        return self._summaries.get(tensor)

    def put(self, tensor: int, summary: Summary) -> None:
        """Keep a summary; counts of those that were not used for longest are let go where there are too many."""
        self._held -= self._with_counts.pop(tensor, 0)
        self._summaries[tensor] = summary
        size = summary.counts.nbytes if summary.counts is not None else 0
        if size:
            self._with_counts[tensor] = size
            self._held += size
        while self._held > self._max and len(self._with_counts) > 1:
            oldest, freed = self._with_counts.popitem(last=False)
            self._held -= freed
            self._summaries[oldest] = self._summaries[oldest].without_counts()

    def lacking_counts(self, tensors: Iterable[int]) -> list[int]:
        """Those that are done but whose counts were let go."""
        return [t for t in tensors if t in self._summaries and self._summaries[t].counts is None]
