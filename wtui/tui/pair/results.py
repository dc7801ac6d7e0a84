"""What is known so far of two models: numbers of tensors and layers, progress. Data only, no widgets."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from wtui.comparing.protocol import BothCounted, Compared, LayerCompared
from wtui.comparing.states import by_change, relative, state_of
from wtui.engine.protocol import Finished, Progress

if TYPE_CHECKING:
    from wtui.comparing.joined import Joined
    from wtui.comparing.protocol import PairRow
    from wtui.comparing.states import State
    from wtui.stats.difference_row import DifferenceRow
    from wtui.stats.row import SummaryRow
    from wtui.tui.outline import Outline, Subject

__all__ = ["PairResults"]


class PairResults:
    """Filled from the scan process's answers; every entry is kept under the subject it is about."""

    def __init__(self, joined: Joined) -> None:
        self.joined = joined
        self.rows: dict[int, PairRow] = {}
        """Of what is read whole, by number in the joined tree."""
        self.samples: dict[int, PairRow] = {}
        self.layers: dict[Subject, LayerCompared] = {}
        self.progress: Progress | None = None
        self.finished: Finished | None = None
        self.version = 0
        """Goes up with every tensor that is done: what was drawn from an older one is out of date."""
        self._differences: dict[int, DifferenceRow] = {}
        self._below: dict[Subject, Counter[State]] = {}
        self._marked: dict[int, State] = {}
        self._squares: dict[Subject, tuple[float, float]] = {}
        self._ranked: tuple[int, list[int]] = (-1, [])

    def take(self, answer: object, outline: Outline) -> set[Subject]:
        """Keep an answer; the subjects of which something new is known."""
        match answer:
            case Compared(rows):
                self.version += 1
                for row in rows:
                    self._keep(row, outline)
                return {r.number for r in rows}
            case LayerCompared(subject):
                self.layers[subject] = answer
                return {subject}
            case BothCounted(subject):
                return {subject}
            case Progress():
                self.progress = answer
            case Finished():
                self.finished = self.finished or answer
        return set()

    def row(self, number: int) -> PairRow | None:
        """The numbers of a tensor, or a sample's."""
        return self.rows.get(number) or self.samples.get(number)

    def state(self, number: int) -> State:
        """What became of a tensor."""
        return state_of(self.joined, number, self.rows.get(number))

    def change(self, subject: Subject) -> float | None:
        """Relative L2 change of a tensor or of all pairs in a layer that are read; None where none is."""
        squares = self._squares.get(subject)
        return None if squares is None else relative(*squares)

    @property
    def states(self) -> dict[int, State]:
        """Of all tensors in the tree."""
        return self._marked

    @property
    def failed(self) -> int:
        """Tensors that could not be read."""
        return sum(bool(row.problem) for row in self.rows.values()) if self.finished is not None else 0

    @property
    def differences(self) -> dict[int, DifferenceRow]:
        """Of the pairs that are read, by number."""
        return self._differences

    def row_of(self, subject: Subject) -> SummaryRow | None:
        """Which range a histogram of both may show: the numbers of one, its range widened to that of the other."""
        found = self.row(subject) if subject >= 0 else self.layers.get(subject)
        if found is None or found.a is None or found.b is None or not found.a.finite or not found.b.finite:
            return None if found is None else found.b if found.b is not None and found.b.finite else found.a
        a, b = found.a, found.b
        ends = zip(a.quantiles, b.quantiles, strict=True)
        middle = len(a.quantiles) // 2
        widened = tuple(min(pair) if i <= middle else max(pair) for i, pair in enumerate(ends))
        return b._replace(min=min(a.min, b.min), max=max(a.max, b.max), quantiles=widened)

    def state_below(self, subject: Subject) -> State:
        """The state of a layer: the worst of what is in it, or that of all of it, or `changed`."""
        below = self._below.get(subject, Counter())
        found = [state for state, n in below.items() if n]
        for state in _WORST:
            if state in found:
                return state
        if len(found) == 1:
            return found[0]
        nothing_yet = not found or ("waiting" in found and self.change(subject) is None)
        return "waiting" if nothing_yet else "changed"

    @property
    def ranked(self) -> list[int]:
        """Tensors that differ, the most changed first."""
        if self._ranked[0] != self.version:
            self._ranked = self.version, by_change(self.rows.values())
        return self._ranked[1]

    def _keep(self, row: PairRow, outline: Outline) -> None:
        if self._is_sample(row):
            self.samples[row.number] = row
            return
        first = row.number not in self.rows
        self.rows[row.number] = row
        self.samples.pop(row.number, None)
        self._mark(row.number, outline)
        if row.row is not None and not row.row.total:
            return
        if row.row is not None:
            self._differences[row.number] = row.row
        if row.row is not None and first:
            counts = outline.catalogue.tensors[row.number].counted
            at: Subject | None = row.number
            while at is not None and (counts or at >= 0):
                d, a = self._squares.get(at, (0.0, 0.0))
                self._squares[at] = d + row.squares[0], a + row.squares[1]
                at = outline.parent(at)

    def mark_all(self, outline: Outline) -> None:
        """Count what is known before anything is read: what only one has, shapes that do not fit."""
        for number in self.joined.numbers:
            self._mark(number, outline)

    def _mark(self, number: int, outline: Outline) -> None:
        """Count a tensor's state in the layers around it."""
        state, before = self.state(number), self._marked.get(number)
        if state == before:
            return
        self._marked[number] = state
        at = outline.parent(number)
        while at is not None:
            below = self._below.setdefault(at, Counter())
            below[state] += 1
            if before is not None:
                below[before] -= 1
            at = outline.parent(at)

    def _is_sample(self, row: PairRow) -> bool:
        """Whether not everything was read and compared."""
        pair = self.joined.pairs.get(row.number)
        if pair is not None and pair.layouts:
            return row.row is None and not row.problem
        return any(side is not None and side.seen < side.total for side in (row.a, row.b))


_WORST: tuple[State, ...] = ("broken", "failed", "shape")
"""States that a layer takes over from any tensor in it, the worst first."""
