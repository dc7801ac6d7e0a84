"""Threads that read two models together, pair by pair, and say how far each pair is apart: one pass, bounded memory.

Every pass gives the difference, the change by channel, and both tensors' summaries, whose counts give the distance of
their distributions. Which tensors are pairs, and in which layout, is for the caller to say. Knows no screen.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from wtui.engine.compare_plan import plan_pair
from wtui.engine.compare_probe import likeliest_layout
from wtui.engine.pool import Pool, Task, Worker
from wtui.errors import CodecError
from wtui.stats.accumulate import Accumulator
from wtui.stats.difference import ks_distance
from wtui.stats.difference_parts import DifferenceAccumulator
from wtui.stats.places import WHATS, locate
from wtui.stats.row import At

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from wtui.engine.compare_plan import PairPlan
    from wtui.engine.compare_read import Stored
    from wtui.stats.difference import Difference
    from wtui.stats.difference_row import DifferenceRow
    from wtui.stats.layout import Layout
    from wtui.stats.summary import Summary

__all__ = ["ComparedPair", "PairOutcome", "PairScanner", "WantedPair"]


class WantedPair(NamedTuple):
    """Two tensors to be compared."""

    a: Stored
    b: Stored
    layouts: tuple[Layout, ...]
    """How B's values may lie among A's, the likeliest first; where there are several, a sample decides."""
    channel_axes: tuple[int, int] | None = None
    """B's axes `start : stop` along which its output channels lie."""


class ComparedPair(NamedTuple):
    """What one pass over a pair brought."""

    layout: Layout
    difference: Difference
    ks: float
    channels: NDArray[np.float64]
    """(2, channels): sums of squared differences, and of A's squares, of each output channel of B."""
    summary_a: Summary
    """Without the places of its extremes, like `summary_b`; see `PairJob.located`."""
    summary_b: Summary

    def row(self) -> DifferenceRow:
        """Everything that is shown of it."""
        return self.difference.row(self.ks, self.channels)


class PairOutcome(NamedTuple):
    """A pair that was read whole, or could not be."""

    pair: int
    compared: ComparedPair | None
    problem: str = ""


class PairScanner(Pool[PairOutcome]):
    """Compares pairs by their number in a list; outcomes come in the order in which they are done."""

    def __init__(
        self, pairs: Sequence[WantedPair], numbers: Sequence[int] | None = None, threads: int | None = None
    ) -> None:
        """Those with these `numbers`, by default all, in this order."""
        super().__init__(range(len(pairs)) if numbers is None else numbers, threads)
        self._pairs = pairs

    def begin(self, number: int) -> Task:
        """The job of reading a pair."""
        return PairJob(number, self._pairs[number])

    def finish(self, task: Task, workers: list[Worker]) -> PairOutcome:
        """What a pair's pass brought."""
        assert isinstance(task, PairJob)
        return PairOutcome(task.number, task.compared(workers))

    def failed(self, number: int, problem: str) -> PairOutcome:
        """A pair of which one cannot be read."""
        return PairOutcome(number, None, problem)


class PairJob(Task):
    """One pass over one pair."""

    def __init__(self, number: int, pair: WantedPair) -> None:
        """WtuiError for a pair that cannot be compared."""
        self.layout = likeliest_layout(pair.a, pair.b, pair.layouts)
        self.plan: PairPlan = plan_pair(pair.a, pair.b, self.layout, pair.channel_axes)
        super().__init__(number, self.plan.units)
        self._names = pair.a.entry.name, pair.b.entry.name
        self._share = pair.a.entry.nbytes + pair.b.entry.nbytes, max(pair.b.entry.size, 1)
        """Bytes of the pair in the tensors' own dtypes, for so many values."""
        size, dtypes = pair.b.entry.size, (self.plan.dtype_a, self.plan.dtype_b)
        if any(d.startswith("complex") for d in dtypes):
            raise CodecError("complex values are not compared", pair.b.entry.name)
        self._summaries = tuple(Accumulator(dtype, size, "=") for dtype in dtypes)
        self._difference = DifferenceAccumulator(size, *dtypes, self.plan.channels)

    def read(self, unit: int, worker: Worker) -> int:
        """Take in the pairs of one unit; the bytes of both in the tensors' own dtypes."""
        part = self._difference.part()
        values = 0
        for piece in self.plan.pieces(unit, worker):
            for summary, data, scratch in zip(self._summaries, (piece.a, piece.b), worker.scratches, strict=True):
                summary.add(piece.block, data, scratch)
            part.add(piece.a, piece.b, piece.place)
            if piece.channels is not None and self._difference.channels:
                part.add_channels(piece.a, piece.b, *piece.channels)
            values += len(piece.a)
        self._difference.take(unit, part)
        return self._share[0] * values // self._share[1]

    def compared(self, workers: Sequence[Worker]) -> ComparedPair:
        """Everything that the pass brought."""
        a, b = (s.finish([w.scratches[side] for w in workers]) for side, s in enumerate(self._summaries))
        difference, channels = self._difference.finish()
        if difference.max_abs > 0:
            at_a, at_b = (self._at(difference.max_place, side) for side in (0, 1))
            difference = replace(difference, max_at_a=at_a, max_at=at_b)
        return ComparedPair(self.layout, difference, ks_distance(a, b), channels, a, b)

    def located(self, found: ComparedPair) -> ComparedPair:
        """With the places of both tensors' extremes, NaN and infinities; reads the blocks that hold them once more.

        Of equal values it is the first in the order in which pairs are read, which is that of B.
        """
        open_places = [s.places for s in self._summaries]
        places: tuple[dict[str, At], dict[str, At]] = ({}, {})
        worker = Worker()
        for block in sorted({place.block for side in open_places for place in side if place is not None}):
            piece = self.plan.piece_of(block, worker)
            for side, (data, dtype) in enumerate(((piece.a, self.plan.dtype_a), (piece.b, self.plan.dtype_b))):
                for what, place in zip(WHATS, open_places[side], strict=True):
                    if place is None or place.block != block:
                        continue
                    position = place.position if place.position is not None else locate(data, dtype, what, "=")
                    if position is not None:
                        places[side][f"{what}_at"] = self._at(piece.place + position, side)
        a, b = (s.with_places(**p) for s, p in zip((found.summary_a, found.summary_b), places, strict=True))
        return found._replace(summary_a=a, summary_b=b)

    def _at(self, number: int, side: int) -> At:
        """Where the pair with this number is in A or in B."""
        return At(self._names[side], self.plan.common.index(self.plan.place(number), side))
