"""Two models compared: their pairing, then one pass over every pair, then layers and the whole.

The numbers of layers and of the whole are merged from those of their pairs in B's order, so that every front end prints
the same digits.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from wtui.insight.anatomy import output_axes
from wtui.insight.changes import LayerChange
from wtui.insight.pairing import pair_models
from wtui.model import NO_NUMBERS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from wtui.engine.compare import ComparedPair, WantedPair
    from wtui.engine.compare_read import Stored
    from wtui.insight.pairing import Pair, Pairing
    from wtui.model import Catalogue, LayerNode
    from wtui.stats.difference import Difference
    from wtui.stats.difference_row import DifferenceRow
    from wtui.stats.layout import Layout
    from wtui.storage import Files

    OnProgress = Callable[[int, int], None]

__all__ = ["Comparison", "LayerChange", "Opened", "PairResult", "stored"]


class Opened(NamedTuple):
    """A model to be compared."""

    catalogue: Catalogue
    files: Files


class PairResult(NamedTuple):
    """What came of one pair."""

    pair: Pair
    row: DifferenceRow | None
    """None where `problem` says why."""
    layout: Layout | None
    problem: str = ""


class Comparison:
    """A against B: B - A throughout, in B's order. One thread uses it; `scan` reads, everything else does not."""

    def __init__(
        self,
        a: Opened,
        b: Opened,
        *,
        chosen: tuple[Collection[int], Collection[int]] | None = None,
        everything: bool = False,
        threads: int | None = None,
    ) -> None:
        """Of the models' own tensors; with `everything` also of what is stored beside them (optimizer slots).

        `chosen` are tensors of A and of B; a pair is compared if either of its tensors is among them.
        """
        self.a, self.b = a, b
        self._chosen = chosen
        self._everything = everything
        self._threads = threads
        self.results: dict[int, PairResult] = {}
        """By B's tensor; filled by `scan`."""
        self._differences: dict[int, Difference] = {}
        self._counts = _Totals()

    @cached_property
    def pairing(self) -> Pairing:
        """Which tensors belong together; may read a few small tensors to find out."""
        from wtui.engine.compare_probe import Fingerprints

        with without_collector():
            return pair_models(self.a.catalogue, self.b.catalogue, Fingerprints(*self.a), Fingerprints(*self.b))

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """The pairs that are compared, in B's order; not those of texts and the like, which have no numbers."""
        tensors_a, tensors_b = self.a.catalogue.tensors, self.b.catalogue.tensors
        found = (p for p in self.pairing.pairs if self._is_wanted(p.a, p.b))
        return tuple(p for p in found if not {tensors_a[p.a].dtype, tensors_b[p.b].dtype} & NO_NUMBERS)

    @cached_property
    def only_a(self) -> tuple[int, ...]:
        """A's tensors that stand alone, of those that are compared."""
        return tuple(i for i in self.pairing.only_a if self._is_wanted(i, None))

    @cached_property
    def only_b(self) -> tuple[int, ...]:
        """B's tensors that stand alone, of those that are compared."""
        return tuple(i for i in self.pairing.only_b if self._is_wanted(None, i))

    @property
    def beside(self) -> int:
        """Tensors stored beside either model that are left out."""
        if self._everything or self._chosen is not None:
            return 0
        return sum(t.group != "model" for c in (self.a.catalogue, self.b.catalogue) for t in c.tensors)

    @property
    def nbytes(self) -> int:
        """Bytes of the values of all pairs that are compared."""
        tensors_a, tensors_b = self.a.catalogue.tensors, self.b.catalogue.tensors
        return sum(tensors_a[p.a].nbytes + tensors_b[p.b].nbytes for p in self.pairs if p.layouts)

    def scan(self, on_progress: OnProgress | None = None) -> Iterator[PairResult]:
        """Read every pair once; results as they are done. Closing the generator stops the work."""
        from wtui.engine.compare import PairScanner

        total = self.nbytes
        for pair in self.pairs:
            if not pair.layouts:
                yield self.keep(pair, None, _mismatch(pair, self))
        wanted = [p for p in self.pairs if p.layouts]
        scanner = PairScanner([self.wanted(p) for p in wanted], threads=self._threads)
        tick = (lambda: on_progress(min(scanner.bytes_done, total), total)) if on_progress else None
        for outcome in scanner.outcomes(tick):
            yield self.keep(wanted[outcome.pair], outcome.compared, outcome.problem)

    def run(self, on_progress: OnProgress | None = None) -> Comparison:
        """Scan everything; itself."""
        for _ in self.scan(on_progress):
            pass
        return self

    def wanted(self, pair: Pair) -> WantedPair:
        """The pair as the engine reads it."""
        from wtui.engine.compare import WantedPair

        tensor = self.b.catalogue.tensors[pair.b]
        along = output_axes(tensor, self._nodes[pair.b], self.b.catalogue.format)
        return WantedPair(stored(self.a, pair.a), stored(self.b, pair.b), pair.layouts, along)

    @property
    def ordered(self) -> list[PairResult]:
        """What was found so far, in B's order."""
        return [self.results[j] for j in sorted(self.results)]

    @property
    def problems(self) -> list[PairResult]:
        """Pairs with fitting shapes that could not be read."""
        return [r for r in self.ordered if r.row is None and r.pair.layouts]

    @property
    def mismatched(self) -> list[PairResult]:
        """Pairs whose shapes do not fit."""
        return [r for r in self.ordered if not r.pair.layouts]

    def is_same(self, tolerance: float | None = None) -> bool:
        """Whether every tensor has its partner, every pair was read, and each is identical (or within a tolerance)."""
        alone = self.only_a or self.only_b
        return not alone and bool(self.pairs) and all(is_equal(r, tolerance) for r in map(self._result, self.pairs))

    def layer(self, node: LayerNode) -> LayerChange | None:
        """The pairs below a layer of B, or of both joined, as far as they are read; None if none is."""
        from wtui.stats.difference import merge_differences

        numbers = [j for j in sorted(node.all_tensors()) if j in self._counted and j in self._differences]
        if not numbers:
            return None
        ks = self._counts.ks(len(numbers)) if not node.path else float("nan")
        return LayerChange(node, merge_differences(self._differences[j] for j in numbers).row(ks), len(numbers))

    @property
    def whole(self) -> LayerChange | None:
        """All pairs taken together; None if none could be read."""
        return self.layer(self.b.catalogue.root)

    def layers(self) -> list[LayerChange]:
        """The layers of B that own tensors, in depth order."""
        owning = (n for n in self.b.catalogue.root.walk() if n.tensors and n is not self.b.catalogue.root)
        return [change for n in owning if (change := self.layer(n)) is not None]

    @cached_property
    def _nodes(self) -> dict[int, LayerNode]:
        return {i: node for node in self.b.catalogue.root.walk() for i in node.tensors}

    @cached_property
    def _counted(self) -> frozenset[int]:
        """Pairs, by B's tensor, that count in layers: no second names of tensors that count already."""
        paired = {p.b for p in self.pairs}
        owners = {j: _owner(self.b.catalogue, j) for j in paired}
        return frozenset(j for j in paired if owners[j] == j or owners[j] not in paired)

    def keep(self, pair: Pair, compared: ComparedPair | None, problem: str) -> PairResult:
        """Take in what a pass over a pair brought, or why there was none; what came of it."""
        if compared is None:
            result = PairResult(pair, None, None, problem)
        else:
            again = pair.b in self._differences
            self._differences[pair.b] = compared.difference
            if pair.b in self._counted and not again:
                self._counts.add(compared)
            result = PairResult(pair, compared.row(), compared.layout)
        self.results[pair.b] = result
        return result

    def _result(self, pair: Pair) -> PairResult:
        return self.results.get(pair.b) or PairResult(pair, None, None, "not read")

    def _is_wanted(self, a: int | None, b: int | None) -> bool:
        if self._chosen is not None:
            return (a is not None and a in self._chosen[0]) or (b is not None and b in self._chosen[1])
        groups = [c.tensors[i].group for c, i in ((self.a.catalogue, a), (self.b.catalogue, b)) if i is not None]
        return self._everything or all(g == "model" for g in groups)


class _Totals:
    """The counts of all pairs, for the distance of the distributions of both models."""

    def __init__(self) -> None:
        from wtui.stats.counts import CountsAdder

        self._adders = CountsAdder(), CountsAdder()
        self._added = 0

    def add(self, compared: ComparedPair) -> None:
        """Add those of one pair."""
        self._added += 1
        for adder, summary in zip(self._adders, (compared.summary_a, compared.summary_b), strict=True):
            adder.add(summary.counts)

    def ks(self, pairs: int) -> float:
        """The distance, once all pairs are added; NaN before."""
        from wtui.stats.difference import ks_of_counts

        return ks_of_counts(*(a.counts() for a in self._adders)) if pairs == self._added else float("nan")


def is_equal(result: PairResult, tolerance: float | None) -> bool:
    """Whether a pair was read and is identical, or within a tolerance."""
    row = result.row
    if row is None:
        return False
    return row.identical if tolerance is None else row.within(tolerance)


@contextmanager
def without_collector() -> Iterator[None]:
    """Making 100,000 pairs makes as many objects, of which none is garbage: looking for some takes most of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def stored(opened: Opened, tensor: int) -> Stored:
    """A tensor with its bytes, or those of the tensor that it is another name of."""
    from wtui.engine.compare_read import Stored

    catalogue, files = opened
    return Stored(catalogue.tensors[_owner(catalogue, tensor)], catalogue, files)


def _owner(catalogue: Catalogue, tensor: int) -> int:
    """The tensor whose bytes these are."""
    alias = catalogue.tensors[tensor].alias_of
    return tensor if alias is None else catalogue.index(alias)


def _mismatch(pair: Pair, comparison: Comparison) -> str:
    a, b = comparison.a.catalogue.tensors[pair.a], comparison.b.catalogue.tensors[pair.b]
    return f"shapes {list(a.shape)} and {list(b.shape)} do not fit"
