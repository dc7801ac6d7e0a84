"""A tensor of at most 65,536 values: they are kept, sorted, and summarised exactly. No kernel is worth compiling."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from wtui.stats.counts import exact_counts
from wtui.stats.moments import moments_of
from wtui.stats.patterns import pattern_summary
from wtui.stats.places import Place, Places
from wtui.stats.rows import BLOCK
from wtui.stats.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from wtui.stats.kinds import Kind
    from wtui.stats.scratch import Scratch

__all__ = ["GatheredBlocks"]


class GatheredBlocks:
    """Copies of blocks, by number."""

    def __init__(self, kind: Kind, total: int) -> None:
        self._kind = kind
        self._total = total
        self._blocks: dict[int, NDArray[np.unsignedinteger]] = {}
        self._lock = Lock()

    def add(self, block: int, patterns: NDArray[np.unsignedinteger], scratch: Scratch) -> None:
        """Keep the values of one block, or of several that follow each other."""
        with self._lock:
            self._blocks[block] = patterns.copy()

    def finish(self, scratches: Iterable[Scratch]) -> tuple[Summary, Places]:
        """The summary, and where its extremes are."""
        kind = self._kind
        ordered = sorted(self._blocks.items())
        patterns = [p for _, p in ordered]
        joined = (
            patterns[0] if len(patterns) == 1 else np.concatenate([np.empty(0, f"u{kind.native.itemsize}"), *patterns])
        )
        if kind.narrow:
            summary = pattern_summary(kind, *np.unique(joined, return_counts=True), self._total)
            pieces = [(block, kind.table[p]) for block, p in ordered]
        else:
            summary = _sorted_summary(kind, np.sort(joined.view(kind.native)), self._total)
            pieces = [(block, p.view(kind.native)) for block, p in ordered]
        return summary, _places(summary, pieces)


def _sorted_summary(kind: Kind, values: NDArray[Any], total: int) -> Summary:
    """Of ascending values of a wide dtype, -inf first and NaN last."""
    start, stop, numbers = _finite_range(kind, values)
    finite = values[start:stop]
    first, last = np.searchsorted(finite, 0, "left"), np.searchsorted(finite, 0, "right")
    if last > first and not kind.whole:
        finite = finite + finite.dtype.type(0)
    if not len(finite):
        return Summary(len(values), total, *numbers)
    floats = finite.astype(np.float64)
    kept = finite if kind.native == np.float32 else floats
    return Summary(
        len(values),
        total,
        *numbers,
        zeros=int(last - first),
        min=finite[0].item(),
        max=finite[-1].item(),
        moments=moments_of(floats),
        counts=exact_counts(kept, kind.whole),
    )


def _finite_range(kind: Kind, values: NDArray[np.generic]) -> tuple[int, int, tuple[int, int, int]]:
    """Start and stop of the finite ones among ascending values, and how many are NaN, +Inf and -Inf."""
    n = len(values)
    if kind.whole or not n or (np.isfinite(values[0]) and np.isfinite(values[-1])):
        return 0, n, (0, 0, 0)
    start = int(np.searchsorted(values, -np.inf, "right"))
    stop = int(np.searchsorted(values, np.inf, "left"))
    nans = int(np.searchsorted(values, np.inf, "right"))
    return start, stop, (n - nans, nans - stop, start)


def _places(summary: Summary, pieces: list[tuple[int, NDArray[np.generic]]]) -> Places:
    """The first of each extreme, NaN and infinity."""
    found: list[Place | None] = [None] * 4
    for block, values in pieces:
        wanted = (
            summary.finite and found[0] is None and values == summary.min,
            summary.finite and found[1] is None and values == summary.max,
            summary.nan and found[2] is None and np.isnan(values),
            summary.posinf + summary.neginf and found[3] is None and np.isinf(values),
        )
        for i, mask in enumerate(wanted):
            if isinstance(mask, np.ndarray) and mask.any():
                more, position = divmod(int(mask.argmax()), BLOCK)
                found[i] = Place(block + more, position)
    return Places(*found)
