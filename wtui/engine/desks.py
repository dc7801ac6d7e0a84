"""Who answers which questions about a model: a session asks its desks in turn.

A desk hears of every tensor that is read, takes the questions that are its own, and gives answers when it has them.
Desks that know more than numbers (what the numbers mean, how two models differ) are handed to the session by those who
may know it.
"""

from __future__ import annotations

from math import nan
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol

from wtui.engine.pause import Pause
from wtui.engine.pictures import Painter
from wtui.engine.protocol import (
    AskHistogram,
    AskPicture,
    AskValues,
    Distribution,
    LayerSummary,
    Look,
    Picture,
    Sampled,
    Values,
)
from wtui.engine.region import read_box
from wtui.engine.sample import sample_tensor
from wtui.errors import WtuiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from wtui.engine.known import Known
    from wtui.stats.summary import Summary

__all__ = ["Desk", "HistogramDesk", "InsideDesk", "LookDesk", "distribution"]


class Desk(Protocol):
    """What a session calls, always from the same thread."""

    def keep(self, tensor: int, summary: Summary | None, problem: str) -> None:
        """A tensor was read whole, and its counts are at hand; or it cannot be read, and why."""

    def take(self, question: Any) -> bool:
        """Take a question; whether it was one of this desk's."""

    def answers(self) -> list[Any]:
        """What there is to say since the last call."""

    @property
    def due(self) -> bool:
        """Whether it wants to be asked again soon, though nothing new is read."""

    def close(self) -> None:
        """Stop whatever runs."""


class LookDesk:
    """Puts what the user looks at first; says at once what is known or can be guessed of it, and keeps layers fresh."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._layer: int | None = None
        self._stale = False
        self._pause = Pause()
        self._answers: list[Any] = []

    def keep(self, tensor: int, summary: Summary | None, problem: str) -> None:
        self._stale = self._layer is not None

    def take(self, question: Any) -> bool:
        if not isinstance(question, Look):
            return False
        known, subject = self._known, question.subject
        self._layer = -1 - subject if subject < 0 else None
        if self._layer is not None:
            first = known.folds.tensors(self._layer) if self._layer else []
            self._stale, self._pause = True, Pause()
        else:
            first = [known.owner(subject)]
            self._sample(first[0])
        known.scanner.urge([*first, *map(known.owner, question.visible)])
        return True

    def answers(self) -> list[Any]:
        if self._stale and self._pause.over(not self._known.waiting):
            with self._pause:
                self._together()
        answers, self._answers = self._answers, []
        return answers

    @property
    def due(self) -> bool:
        return self._stale

    def close(self) -> None:
        """Nothing runs."""

    def _sample(self, tensor: int) -> None:
        """A few blocks of a tensor that is not read yet, once."""
        known = self._known
        if tensor not in known.waiting or tensor in known.samples:
            return
        try:
            sample = sample_tensor(known.catalogue.tensors[tensor], known.catalogue, known.files)
        except WtuiError:
            return  # the full pass will tell
        known.samples[tensor] = sample
        row = sample.row()
        self._answers += [Sampled(i, row) for i in known.with_aliases([tensor])]

    def _together(self) -> None:
        """The layer looked at, as far as it is scanned; its tensors are read again if their counts were let go."""
        self._stale = False
        if self._layer is None:
            return
        remembered = self._known.memory.layers.get(-1 - self._layer)
        if remembered is not None:
            self._answers.append(remembered)
            return
        tensors = self._known.folds.tensors(self._layer)
        if len(tensors) == 1 and tensors[0] in self._known.rows:
            self._answers.append(LayerSummary(-1 - self._layer, self._known.rows[tensors[0]], 1, 1))
            return
        together = self._known.folds.together(self._layer)
        if together.lacking:
            self._known.scanner.again(together.lacking)
            self._stale = True
        elif together.done:
            row = together.summary.row()
            self._answers.append(LayerSummary(-1 - self._layer, row, together.done, together.tensors))


class HistogramDesk:
    """Counts values in bins: at once from what is known, again when more is, once more where buckets are too wide."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._asked: AskHistogram | None = None
        self._refined: AskHistogram | None = None
        self._stale = False
        self._pause = Pause()
        self._answers: list[Distribution] = []

    def keep(self, tensor: int, summary: Summary | None, problem: str) -> None:
        asked = self._asked
        if asked is not None and (asked.subject < 0 or tensor == self._known.owner(asked.subject)):
            self._stale = True

    def take(self, question: Any) -> bool:
        if not isinstance(question, AskHistogram):
            return False
        self._asked = question
        self._stale, self._pause = True, Pause()
        return True

    def answers(self) -> list[Any]:
        if self._stale and self._pause.over(not self._known.waiting or self._is_tensor):
            self._stale = False
            with self._pause:
                self._answer()
        answers, self._answers = self._answers[-1:], []
        return answers

    @property
    def due(self) -> bool:
        return self._stale

    @property
    def _is_tensor(self) -> bool:
        """Whether the question is about a single tensor, of which there is news once or twice."""
        return self._asked is not None and self._asked.subject >= 0

    def close(self) -> None:
        """Nothing runs."""

    def _answer(self) -> None:
        """Answer from what is known; the question stays open until that is everything."""
        asked, known = self._asked, self._known
        if asked is None:
            return
        remembered = known.memory.histogram(asked)
        if remembered is not None:
            self._asked = None
            self._tell(remembered)
            return
        summary, missing = known.summary(asked.subject)
        if missing:
            known.scanner.again(missing)
        if summary is None or not summary.seen or (summary.finite and not summary.nbytes):
            return
        total = known.size(asked.subject)
        answer = distribution(asked, summary, total)
        self._tell(answer)
        if not missing and summary.seen == summary.total == total:
            self._asked = None
            if not self._refine(asked, summary, answer):
                known.memory.keep_histogram(asked, answer)

    def _tell(self, answer: Distribution) -> None:
        """Answer, with what is expected of the subject where somebody knows that."""
        expected = self._known.expected
        self._answers.append(expected(answer.subject, answer) if expected else answer)

    def _refine(self, asked: AskHistogram, summary: Summary, answer: Distribution) -> bool:
        """Where bins are narrower than the buckets: read the tensor once more, and answer once more."""
        if asked.subject < 0 or not answer.counts or asked == self._refined:
            return False
        if not summary.needs_refinement(asked.bins, answer.low, answer.high):
            return False
        window = summary.histogram_window(asked.bins, answer.low, answer.high)
        self._known.scanner.refine(self._known.owner(asked.subject), summary, window)
        self._asked = self._refined = asked
        return True


class InsideDesk:
    """The values themselves, and pictures of them."""

    def __init__(self, known: Known, wake: Callable[[], None]) -> None:
        self._known = known
        self._wake = wake
        self._done: SimpleQueue[Picture | Values] = SimpleQueue()
        self._painter = Painter(known.catalogue, known.files, self._painted)

    def keep(self, tensor: int, summary: Summary | None, problem: str) -> None:
        """Nothing changes."""

    def take(self, question: Any) -> bool:
        if isinstance(question, AskPicture):
            self._painter.ask(question)
        elif isinstance(question, AskValues):
            self._done.put(self._values(question))
        else:
            return False
        return True

    def answers(self) -> list[Any]:
        answers = []
        while not self._done.empty():
            answers.append(self._done.get())
        return answers

    @property
    def due(self) -> bool:
        return not self._done.empty()

    def close(self) -> None:
        self._painter.stop()

    def _painted(self, picture: Picture) -> None:
        """Take a picture from the painter's thread."""
        self._done.put(picture)
        self._wake()

    def _values(self, question: AskValues) -> Values:
        """The values of a box, read now."""
        known = self._known
        try:
            entry = known.catalogue.tensors[question.tensor]
            box = read_box(entry, known.catalogue, known.files, question.start, question.stop)
            values = box.astype(float) if box.dtype.kind not in "iub" else box
            return Values(*question, tuple(values.reshape(-1).tolist()))
        except WtuiError as error:
            return Values(*question, (), error.what)


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
