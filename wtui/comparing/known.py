"""What the scan process of two models knows so far, shared by its desks. Not locked: one thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.comparing.comparison import stored
from wtui.comparing.protocol import LayerCompared, PairRow
from wtui.engine.compare_all import AnyScanner, Wanted
from wtui.engine.compare_probe import likeliest_layout
from wtui.engine.fold import LayerFolds
from wtui.engine.store import MAX_COUNTS, SummaryStore
from wtui.stats.difference import ks_distance

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from wtui.comparing.comparison import Comparison
    from wtui.comparing.joined import Joined
    from wtui.comparing.protocol import Side
    from wtui.engine.compare_all import ReadOutcome
    from wtui.engine.compare_read import Stored
    from wtui.stats.layout import Layout
    from wtui.stats.row import SummaryRow
    from wtui.stats.summary import Summary

__all__ = ["KnownPairs"]


class KnownPairs:
    """Numbers by tensor of the joined tree, both sides' summaries, and the scanner that brings more."""

    def __init__(self, comparison: Comparison, joined: Joined, threads: int | None = None) -> None:
        self.comparison = comparison
        self.joined = joined
        there = (n for n in joined.numbers if n in joined.pairs or n in joined.only_a or n in joined.only_b)
        self.numbers = [n for n in there if not joined.has_no_numbers(n)]
        self.waiting = set(self.numbers)
        """What is not read whole yet."""
        self.scanner = AnyScanner(self.numbers, self.wanted, threads)
        self.stores = SummaryStore(MAX_COUNTS // 2), SummaryStore(MAX_COUNTS // 2)
        self.folds = tuple(LayerFolds(joined.catalogue, store) for store in self.stores)
        self.samples: dict[int, tuple[Summary | None, Summary | None]] = {}
        self.channels: dict[int, NDArray[np.float64]] = {}
        """(2, channels) by pair: sums of squared differences, and of A's squares."""
        self._members: tuple[int, list[int]] = (-1, [])
        self._layers = list(joined.catalogue.root.walk())
        self._sizes = [c.tensors for c in (joined.a, joined.b)]

    def sides(self, number: int) -> tuple[Stored | None, Stored | None]:
        """What there is of it in A and in B."""
        a, b = self.joined.a_of(number), self.joined.b_of(number)
        return (
            None if a is None else stored(self.comparison.a, a),
            None if b is None else stored(self.comparison.b, b),
        )

    def wanted(self, number: int) -> Wanted:
        """What has to be read for a number; may be called from any thread."""
        pair = self.joined.pairs.get(number)
        if pair is not None and pair.layouts:
            return Wanted(pair=self.comparison.wanted(pair))
        a, b = self.sides(number)
        return Wanted(None, a, b)

    def layout(self, number: int) -> Layout | None:
        """How a pair's values lie, from its pass or from a sample; None for what is no pair."""
        pair = self.joined.pairs.get(number)
        if pair is None or not pair.layouts:
            return None
        result = self.comparison.results.get(number)
        if result is not None and result.layout is not None:
            return result.layout
        wanted = self.comparison.wanted(pair)
        return likeliest_layout(wanted.a, wanted.b, wanted.layouts)

    def members(self, position: int) -> list[int]:
        """The tensors that are taken together for the layer at a position; asked again and again for the same one."""
        if self._members[0] != position:
            self._members = position, self.folds[0].tensors(position)
        return self._members[1]

    def nbytes(self, number: int) -> int:
        """Bytes of its values in both models, in their own dtypes."""
        return sum(s.entry.nbytes for s in self.sides(number) if s is not None)

    def size(self, subject: int, side: Side) -> int:
        """Values that A or B has in a tensor or layer."""
        of, tensors = (self.joined.a_of, self._sizes[0]) if side == "A" else (self.joined.b_of, self._sizes[1])
        numbers = [subject] if subject >= 0 else self.members(-1 - subject)
        return sum(tensors[i].size for n in numbers if (i := of(n)) is not None)

    def keep(self, outcome: ReadOutcome) -> PairRow:
        """Take in what was read; what is shown of it."""
        number = outcome.number
        self.waiting.discard(number)
        self.samples.pop(number, None)
        rows: list[SummaryRow | None] = []
        for summary, store, folds in zip((outcome.a, outcome.b), self.stores, self.folds, strict=True):
            rows.append(None if summary is None else summary.row())
            if summary is not None:
                folds.add(number, summary)
                store.put(number, summary)
        pair = self.joined.pairs.get(number)
        if pair is None or not pair.layouts:
            return PairRow(number, rows[0], rows[1], None, problem=outcome.problem)
        result = self.comparison.keep(pair, outcome.pair, outcome.problem)
        if outcome.pair is None:
            return PairRow(number, None, None, None, problem=outcome.problem)
        self.channels[number] = outcome.pair.channels
        layout = "" if result.layout is None or result.layout.is_plain else result.layout.text
        sums = outcome.pair.difference.sums
        return PairRow(number, rows[0], rows[1], result.row, layout, (sums[2], sums[3]))

    def layer(self, position: int) -> LayerCompared | None:
        """A layer as far as it is read; None while counts have to be read again, which is asked for."""
        together = [folds.together(position) for folds in self.folds]
        lacking = {n for t in together for n in t.lacking}
        if lacking:
            self.scanner.again(lacking)
            return None
        numbers = self.members(position)
        done = sum(n not in self.waiting for n in numbers)
        rows = [t.summary.row() if t.done else None for t in together]
        change = self.comparison.layer(self._layers[position])
        row, pairs = (change.row, change.pairs) if change is not None else (None, 0)
        if row is not None and position and done == len(numbers) and all(n in self.joined.pairs for n in numbers):
            row = row._replace(ks=ks_distance(together[0].summary, together[1].summary))
        return LayerCompared(-1 - position, rows[0], rows[1], row, pairs, done, len(numbers))

    def summaries(self, subject: int) -> tuple[tuple[Summary | None, Summary | None], list[int]]:
        """Both sides' summaries with their counts, as far as there are any, and what has to be read again for them."""
        if subject < 0:
            together = [folds.together(-1 - subject) for folds in self.folds]
            lacking = sorted({n for t in together for n in t.lacking})
            a, b = (t.summary if t.done else None for t in together)
            return ((None, None) if lacking else (a, b)), lacking
        if subject in self.waiting:
            return self.samples.get(subject, (None, None)), []
        a, b = (store.get(subject) for store in self.stores)
        gone = any(s is not None and s.counts is None for s in (a, b))
        return ((None, None), [subject]) if gone else ((a, b), [])
