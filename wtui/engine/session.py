"""One open model being scanned for a screen: takes questions, gives answers, keeps what was found.

The scan process runs one of these; a model that lives in this process's memory runs one in a thread. The questions
and answers are those of `wtui.engine.protocol`.
"""

from __future__ import annotations

import time
from collections import deque
from math import nan
from queue import SimpleQueue
from typing import TYPE_CHECKING

from wtui.engine.fold import LayerFolds
from wtui.engine.pictures import Painter
from wtui.engine.protocol import (
    AskHistogram,
    AskPicture,
    AskValues,
    Distribution,
    Failed,
    Finished,
    LayerSummary,
    Look,
    Picture,
    Progress,
    Sampled,
    Scanned,
    Values,
)
from wtui.engine.region import read_box
from wtui.engine.sample import sample_tensor
from wtui.engine.scan import Outcome, Scanner
from wtui.engine.store import SummaryStore
from wtui.errors import WtuiError
from wtui.storage import Files

if TYPE_CHECKING:
    from wtui.model import Catalogue
    from wtui.stats.row import SummaryRow
    from wtui.stats.summary import Summary

__all__ = ["Answer", "Question", "Session"]

Question = Look | AskHistogram | AskPicture | AskValues
Answer = Scanned | Failed | Sampled | LayerSummary | Distribution | Progress | Finished | Picture | Values

GATHER = 0.05
"""Seconds over which finished tensors are gathered into one answer."""

PROGRESS_EVERY = 0.25
"""Seconds between two words on progress."""

SPEED_OVER = 3.0
"""Seconds over which the speed of the scan is measured."""

LAYER_EVERY = 0.5
"""Seconds between two summaries of a layer that is not scanned whole yet."""


class Session:
    """Scans every tensor of a catalogue, what is looked at first. One thread calls `ask` and `answers`."""

    def __init__(self, catalogue: Catalogue, files: Files | None = None, threads: int | None = None) -> None:
        self._catalogue = catalogue
        self._files = files or Files(catalogue.files)
        self._store = SummaryStore()
        self._folds = LayerFolds(catalogue, self._store)
        self._rows: dict[int, SummaryRow] = {}
        self._pictures: SimpleQueue[Picture] = SimpleQueue()
        self._painter = Painter(catalogue, self._files, self._painted)
        self._samples: dict[int, Summary] = {}
        readable = [i for i, t in enumerate(catalogue.tensors) if not t.problem and t.alias_of is None]
        readable.sort(key=lambda i: catalogue.tensors[i].group != "model")
        self._scanner = Scanner(catalogue, self._files, readable, threads)
        self._total = sum(catalogue.tensors[i].nbytes for i in readable)
        self._open = set(readable)
        self._aliases: dict[int, list[int]] = {}
        for i, tensor in enumerate(catalogue.tensors):
            if tensor.alias_of is not None:
                self._aliases.setdefault(self._owner(i), []).append(i)
        self._looking: Look | None = None
        self._asked: AskHistogram | None = None
        self._refined: AskHistogram | None = None
        self._pending: list[Answer] = []
        self._started = time.perf_counter()
        self._steps: deque[tuple[float, int]] = deque([(self._started, 0)])
        self._last_progress = self._last_layer = 0.0
        self._layer_stale = False
        self._finished = False

    def start(self) -> None:
        """Start to scan."""
        self._started = time.perf_counter()
        self._scanner.start()

    def close(self) -> None:
        """Stop scanning and close the files."""
        self._painter.stop()
        self._scanner.stop()
        self._files.close()

    def ask(self, question: Question) -> None:
        """Take a question; a newer one of a kind replaces an older one that is not answered yet."""
        if isinstance(question, Look):
            self._looking = question
            self._look(question)
        elif isinstance(question, AskHistogram):
            self._asked = question
            self._answer_histogram()
        elif isinstance(question, AskPicture):
            self._painter.ask(question)
        else:
            self._pending.append(self._values(question))

    def _painted(self, picture: Picture) -> None:
        """Take a picture from the painter's thread."""
        self._pictures.put(picture)
        self.wake()

    def _values(self, question: AskValues) -> Values:
        """The values of a box, read now."""
        try:
            entry = self._catalogue.tensors[question.tensor]
            box = read_box(entry, self._catalogue, self._files, question.start, question.stop)
            values = box.astype(float) if box.dtype.kind not in "iub" else box
            return Values(*question, tuple(values.reshape(-1).tolist()))
        except WtuiError as error:
            return Values(*question, (), error.what)

    def wake(self) -> None:
        """Let `answers` return soon, since there is a question; may be called from any thread."""
        self._scanner.wake()

    def answers(self, wait: bool = True) -> list[Answer]:
        """What is new since the last call; with `wait`, waits for it, for `wake`, or until progress is due."""
        done: list[int] = []
        idle = self._finished and not self._layer_stale
        outcome = self._scanner.take(0 if not wait or self._pending else None if idle else PROGRESS_EVERY)
        until = time.perf_counter() + GATHER
        while outcome is not None:
            self._keep(outcome)
            done.append(outcome.tensor)
            outcome = self._scanner.take(0) if time.perf_counter() < until else None
        rows = [(i, self._rows[i]) for i in self._with_aliases(done) if i in self._rows]
        if rows:
            self._pending.append(Scanned(tuple(rows)))
        self._follow_up(set(done))
        while not self._pictures.empty():
            self._pending.append(self._pictures.get())
        answers, self._pending = self._pending, []
        return answers

    def _keep(self, outcome: Outcome) -> None:
        """Take in what a scan of one tensor brought."""
        tensor, summary = outcome.tensor, outcome.summary
        self._open.discard(tensor)
        self._samples.pop(tensor, None)
        if summary is None:
            self._pending.append(Failed(tensor, outcome.problem))
            return
        self._folds.add(tensor, summary)
        if tensor not in self._rows:  # a second pass over a window would only make other quantiles coarser
            self._rows[tensor] = summary.row()
        self._store.put(tensor, summary)

    def _with_aliases(self, tensors: list[int]) -> list[int]:
        """The tensors and those that share their bytes."""
        return [j for i in tensors for j in (i, *self._aliases.get(i, ()))]

    def _follow_up(self, done: set[int]) -> None:
        """What the tensors that are done now change: the layer looked at, the histogram asked for, progress."""
        now = time.perf_counter()
        if self._asked is not None and done:
            self._answer_histogram()
        looking = self._looking
        if looking is not None and looking.subject < 0 and done:
            self._layer_stale = True
        if self._layer_stale and (not self._open or now - self._last_layer >= LAYER_EVERY):
            self._answer_layer()
        if not self._finished and (not self._open or now - self._last_progress >= PROGRESS_EVERY):
            self._last_progress = now
            self._pending.append(self._progress(now))
            if not self._open:
                self._finished = True
                self._pending.append(Finished(now - self._started))

    def _progress(self, now: float) -> Progress:
        """How far the scan is, and how fast it was over the last seconds."""
        done = min(self._scanner.bytes_done, self._total)
        self._steps.append((now, done))
        while now - self._steps[0][0] > SPEED_OVER:
            self._steps.popleft()
        since, before = self._steps[0]
        return Progress(done, self._total, (done - before) / (now - since) if now > since else 0.0)

    def _look(self, question: Look) -> None:
        """Put what is looked at first, and say at once what is known or can be guessed of it."""
        subject = question.subject
        if subject < 0:
            wanted = self._folds.tensors(-1 - subject) if subject < -1 else []
            self._scanner.urge([*wanted, *map(self._owner, question.visible)])
            self._answer_layer()
            return
        tensor = self._owner(subject)
        self._scanner.urge([tensor, *map(self._owner, question.visible)])
        if tensor in self._open and tensor not in self._samples:
            self._sample(tensor)

    def _owner(self, tensor: int) -> int:
        """The tensor whose bytes these are."""
        alias = self._catalogue.tensors[tensor].alias_of
        return tensor if alias is None else self._catalogue.index(alias)

    def _sample(self, tensor: int) -> None:
        try:
            sample = sample_tensor(self._catalogue.tensors[tensor], self._catalogue, self._files)
        except WtuiError:
            return
        self._samples[tensor] = sample
        row = sample.row()
        self._pending += [Sampled(i, row) for i in self._with_aliases([tensor])]

    def _answer_layer(self) -> None:
        """The layer looked at, as far as it is scanned; its tensors are read again if their counts were let go."""
        looking = self._looking
        if looking is None or looking.subject >= 0:
            return
        self._last_layer, self._layer_stale = time.perf_counter(), False
        together = self._folds.together(-1 - looking.subject)
        if together.lacking:
            self._scanner.again(together.lacking)
            self._layer_stale = True
        elif together.done:
            row = together.summary.row()
            self._pending.append(LayerSummary(looking.subject, row, together.done, together.tensors))

    def _answer_histogram(self) -> None:
        """The distribution asked for, from what is known; the question stays open until that is everything."""
        asked = self._asked
        if asked is None:
            return
        summary, missing = self._known(asked.subject)
        if missing:
            self._scanner.again(missing)
        if summary is not None and summary.seen and (summary.nbytes or not summary.finite):
            answer = distribution(asked, summary, self._size(asked.subject))
            self._pending.append(answer)
            if not missing and summary.seen == summary.total == self._size(asked.subject):
                self._asked = None
                self._refine(asked, summary, answer)

    def _refine(self, asked: AskHistogram, summary: Summary, answer: Distribution) -> None:
        """Where bins are narrower than the buckets: read the tensor once more, and answer once more."""
        if asked.subject < 0 or not answer.counts or asked == self._refined:
            return
        if summary.needs_refinement(asked.bins, answer.low, answer.high):
            window = summary.histogram_window(asked.bins, answer.low, answer.high)
            self._scanner.refine(self._owner(asked.subject), summary, window)
            self._asked = self._refined = asked

    def _known(self, subject: int) -> tuple[Summary | None, list[int]]:
        """The summary of a subject with its counts, if they are there, and what has to be read again for them."""
        if subject < 0:
            together = self._folds.together(-1 - subject)
            return (None if together.lacking else together.summary), list(together.lacking)
        tensor = self._owner(subject)
        summary = self._store.get(tensor)
        if summary is None:
            return self._samples.get(tensor), []
        return (None, [tensor]) if summary.counts is None else (summary, [])

    def _size(self, subject: int) -> int:
        """Values there are."""
        tensors = self._catalogue.tensors
        if subject >= 0:
            return tensors[subject].size
        return sum(tensors[i].size for i in self._folds.tensors(-1 - subject))


def distribution(asked: AskHistogram, summary: Summary, total: int) -> Distribution:
    """Count a summary's values in the bins asked for."""
    low, high = asked.low, asked.high
    if not summary.finite:
        return Distribution(asked.subject, asked[1:], nan, nan, (), 0, 0, summary.seen, total)
    if low is None or high is None:
        low, high = summary.quantiles((0.001, 0.999))
        if not low < high:
            low, high = float(summary.min), float(summary.max)
    question = asked[1:]
    if not low < high:
        return Distribution(asked.subject, question, low, high, (), 0, 0, summary.seen, total)
    drawn = summary.histogram(asked.bins, low, high)
    counts = tuple(drawn.counts.tolist())
    return Distribution(asked.subject, question, low, high, counts, drawn.below, drawn.above, summary.seen, total)
