"""Summaries of one model's tensors for programs: computed when they are asked for, in this process, and kept.

The Python API and the command line stand on it; the browser's scan process has `wtui.engine.session` instead. Both
read by the same scanner and fold by the same folds. Rows may be known from an earlier run; summaries, which have their
distribution, are always of values read now. Knows indices and summaries, no names and no screen.
"""

from __future__ import annotations

from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from wtui.cache import NO_SHELF, group_key
from wtui.engine.fold import TensorFold, folded_tensors
from wtui.engine.scan import Scanner
from wtui.engine.store import SummaryStore
from wtui.errors import CodecError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from wtui.cache import Remembered, Shelf
    from wtui.engine.scan import Outcome
    from wtui.model import Catalogue
    from wtui.stats.linear import Window
    from wtui.stats.row import SummaryRow
    from wtui.stats.summary import Summary
    from wtui.storage import Files

    OnProgress = Callable[[int, int], None]

__all__ = ["RowStep", "Step", "Summaries"]

MAX_COUNTS = 256 << 20
"""Bytes of pattern counts that are kept; a tensor whose counts were let go is read again when they are asked for."""


WHOLE = -1
"""Key of the whole model among groups of tensors."""


class Step(NamedTuple):
    """A tensor that is summarised, or could not be, and how far the scan is with it."""

    tensor: int
    summary: Summary | None
    problem: str
    bytes_done: int
    bytes_total: int


class RowStep(NamedTuple):
    """The numbers of a tensor, or why there are none, and how far the scan is with it."""

    tensor: int
    row: SummaryRow | None
    problem: str
    bytes_done: int
    bytes_total: int


class Summaries:
    """What is known of a model's tensors; any thread may ask."""

    def __init__(self, catalogue: Catalogue, files: Files, threads: int | None = None, shelf: Shelf = NO_SHELF) -> None:
        self._catalogue = catalogue
        self._files = files
        self._threads = threads
        self._store = SummaryStore(MAX_COUNTS)
        self._whole = TensorFold(folded_tensors(catalogue, catalogue.root), self._store)
        self._lock = Lock()
        self._shelf = shelf
        self._remembered: dict[int, Remembered] = shelf.tensors()
        self._groups: dict[int, SummaryRow] = shelf.groups()
        layers = shelf.layers()
        if 0 in layers:
            self._groups[WHOLE] = layers[0][0]

    def owner(self, tensor: int) -> int:
        """The tensor whose bytes these are: itself, unless it is an alias."""
        alias = self._catalogue.tensors[tensor].alias_of
        return tensor if alias is None else self._catalogue.index(alias)

    def scan(self, tensors: Iterable[int], on_progress: OnProgress | None = None) -> Iterator[Step]:
        """Each of these tensors, in the order in which they are done; closing the generator stops the work.

        `on_progress` is called with (bytes done, bytes in all) several times a second.
        """
        asked: dict[int, list[int]] = {}
        for tensor in tensors:
            asked.setdefault(self.owner(tensor), []).append(tensor)
        total, before = sum(map(self._size, asked)), 0
        missing = []
        for owner, names in asked.items():
            known = self._known(owner)
            if known is None:
                missing.append(owner)
                continue
            before += self._size(owner)
            for tensor in names:
                yield Step(tensor, known, "", before, total)
        for outcome, read in self._read(missing, lambda done: on_progress and on_progress(before + done, total)):
            for tensor in asked[outcome.tensor]:
                yield Step(tensor, outcome.summary, outcome.problem, min(before + read, total), total)

    def rows(self, tensors: Iterable[int], on_progress: OnProgress | None = None) -> Iterator[RowStep]:
        """The numbers of each of these tensors; as `scan`, but what an earlier run has read is not read again."""
        asked = list(tensors)
        known = {t: found.row for t in asked if (found := self._remembered.get(self.owner(t))) is not None}
        before = sum(self._size(owner) for owner in {self.owner(t) for t in known})
        total = before + sum(self._size(owner) for owner in {self.owner(t) for t in asked if t not in known})
        for tensor, row in known.items():
            yield RowStep(tensor, row, "", before, total)
        tell = on_progress and (lambda done, _: on_progress(before + done, total))
        for step in self.scan((t for t in asked if t not in known), tell):
            row_or_none = None if step.summary is None else self.row(step.tensor, step.summary)
            yield RowStep(step.tensor, row_or_none, step.problem, before + step.bytes_done, total)
        self._shelf.flush()

    def row(self, tensor: int, summary: Summary) -> SummaryRow:
        """The numbers of a tensor, given its summary; kept for later runs."""
        row = summary.row()
        self._shelf.put_tensor(self.owner(tensor), summary, row)
        return row

    def whole_row(self) -> SummaryRow:
        """The numbers of `whole`; nothing is read where they are known from an earlier run."""
        row = self._groups.get(WHOLE)
        if row is None:
            row = self._groups[WHOLE] = self.whole().row()
            self._shelf.put_layer(0, row, len(folded_tensors(self._catalogue, self._catalogue.root)))
            self._shelf.flush()
        return row

    def row_together(self, tensors: Sequence[int]) -> SummaryRow:
        """The numbers of `together`; nothing is read where they are known from an earlier run."""
        key = group_key(tensors)
        row = self._groups.get(key)
        if row is None:
            row = self._groups[key] = self.together(tensors).row()
            self._shelf.put_group(key, row)
            self._shelf.flush()
        return row

    def close(self) -> None:
        """Write what is kept for later runs."""
        self._shelf.close()

    def _size(self, tensor: int) -> int:
        """Bytes that are read for it."""
        entry = self._catalogue.tensors[tensor]
        return 0 if entry.problem else entry.nbytes

    def summary(self, tensor: int) -> Summary:
        """The summary of one tensor, with its counts; CodecError if it cannot be read."""
        step = next(iter(self.scan([tensor])))
        if step.summary is None:
            raise CodecError(step.problem, self._catalogue.tensors[tensor].name)
        return step.summary

    def whole(self) -> Summary:
        """All that counts in the model, taken together; see `together`."""
        return self._finished(self._whole, folded_tensors(self._catalogue, self._catalogue.root))

    def together(self, tensors: Sequence[int]) -> Summary:
        """These tensors (no aliases) taken together, in this order; what cannot be read is left out.

        Then `seen` is smaller than `total`. CodecError if nothing of it can be read.
        """
        with self._lock:
            fold = TensorFold(tensors, self._store)
        return self._finished(fold, tensors)

    def refined(self, tensors: Sequence[int], summary: Summary, window: Window) -> Summary:
        """`summary` of these tensors together, with a distribution that is exact for a histogram over `window`."""
        from wtui.stats.linear import merge_linear

        known = [(t, s) for t in tensors if (s := self._store.get(t)) is not None]
        scanner = Scanner(self._catalogue, self._files, (), self._threads)
        for tensor, its in known:
            if its.finite:
                scanner.refine(tensor, its, window)
        finer = [outcome.summary for outcome in scanner.outcomes()]
        linear = merge_linear([s.linear for s in finer if s is not None])
        return summary if linear is None or linear.total != summary.finite else summary.with_linear(linear)

    def _known(self, tensor: int) -> Summary | None:
        """What is kept of a tensor, if its counts are too."""
        with self._lock:
            summary = self._store.get(tensor)
        return None if summary is None or summary.counts is None else summary

    def _read(self, tensors: list[int], on_progress: Callable[[int], object]) -> Iterator[tuple[Outcome, int]]:
        """Read these tensors and keep what comes of it; with every outcome, the bytes read so far."""
        if not tensors:
            return
        scanner = Scanner(self._catalogue, self._files, tensors, self._threads)
        for outcome in scanner.outcomes(lambda: on_progress(scanner.bytes_done)):
            self._keep(outcome)
            yield outcome, scanner.bytes_done

    def _keep(self, outcome: Outcome) -> None:
        if outcome.summary is not None:
            with self._lock:
                self._whole.add(outcome.tensor, outcome.summary)
                self._store.put(outcome.tensor, outcome.summary)

    def _finished(self, fold: TensorFold, tensors: Sequence[int]) -> Summary:
        """A fold once all its tensors were read that can be."""
        with self._lock:
            lacking = set(fold.lacking)
            missing = [t for t in tensors if t in lacking or t not in self._store]
        problem = ""
        for outcome, _ in self._read(missing, lambda done: None):
            problem = problem or outcome.problem
            if outcome.summary is not None:
                with self._lock:
                    fold.add(outcome.tensor, outcome.summary)
        with self._lock:
            together = fold.together()
        if tensors and not together.done:
            raise CodecError(problem or "none of its tensors can be read")
        size = sum(self._catalogue.tensors[t].size for t in tensors)
        return replace(together.summary, total=size)
