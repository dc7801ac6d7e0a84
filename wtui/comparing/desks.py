"""Who answers which questions about two models: as `wtui.engine.desks`, for numbers of the joined tree."""

from __future__ import annotations

import time
from math import nan, sqrt
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np

from wtui.comparing.protocol import AskSide, BothCounted, Compared, PairRow, SideSeen
from wtui.engine.compare_view import box_of_a, box_of_difference, reduce_difference
from wtui.engine.desks import LAYER_EVERY, distribution
from wtui.engine.matrix import reduce_matrix
from wtui.engine.pictures import Painter, channel_picture, picture_of
from wtui.engine.protocol import AskHistogram, AskPicture, AskValues, Look, Picture, Values
from wtui.engine.region import read_box
from wtui.engine.sample import sample_tensor
from wtui.errors import CodecError, WtuiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from wtui.comparing.known import KnownPairs
    from wtui.comparing.protocol import Side
    from wtui.engine.compare_read import Stored
    from wtui.engine.protocol import Distribution
    from wtui.model import TensorEntry
    from wtui.stats.summary import Summary

__all__ = ["CountDesk", "InsideBothDesk", "LookAtBothDesk"]

SHARE = 0.1
"""Share of the time that may go into numbers of a layer that is not read whole: with 20,000 tensors they take long."""

MIN_BINS = 8
"""Bins that a histogram keeps, however wide the buckets are that its values were counted in."""


class _Pause:
    """Between two answers about the same layer: LAYER_EVERY, or longer where an answer takes long."""

    def __init__(self) -> None:
        self._until = 0.0
        self._began = 0.0

    @property
    def over(self) -> bool:
        """Whether it is time."""
        return time.perf_counter() >= self._until

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        now = time.perf_counter()
        self._until = now + max(LAYER_EVERY, (now - self._began) / SHARE)


class LookAtBothDesk:
    """Puts what the user looks at first, says at once what a sample tells of it, and keeps layers fresh."""

    def __init__(self, known: KnownPairs) -> None:
        self._known = known
        self._layer: int | None = None
        self._stale = False
        self._pause = _Pause()
        self._answers: list[Any] = []

    def news(self) -> None:
        """Something was read."""
        self._stale = self._layer is not None

    def take(self, question: Any) -> bool:
        if not isinstance(question, Look):
            return False
        known, subject = self._known, question.subject
        self._layer = -1 - subject if subject < 0 else None
        if self._layer is not None:
            first = known.members(self._layer) if self._layer else []
            self._stale, self._pause = True, _Pause()
        else:
            first = [subject]
            self._sample(subject)
        known.scanner.urge([*first, *question.visible])
        return True

    def answers(self) -> list[Any]:
        if self._layer is not None and self._stale and (not self._known.waiting or self._pause.over):
            with self._pause:
                found = self._known.layer(self._layer)
            self._stale = found is None
            self._answers += [found] if found is not None else []
        answers, self._answers = self._answers, []
        return answers

    @property
    def due(self) -> bool:
        return self._stale

    def close(self) -> None:
        """Nothing runs."""

    def _sample(self, number: int) -> None:
        """A few blocks of both tensors, once."""
        known = self._known
        if number not in known.waiting or number in known.samples:
            return
        try:
            a, b = (None if s is None else sample_tensor(*s) for s in known.sides(number))
        except WtuiError:
            return  # the full pass will tell
        known.samples[number] = a, b
        row_a, row_b = (None if s is None else s.row() for s in (a, b))
        self._answers.append(Compared((PairRow(number, row_a, row_b, None),)))


class CountDesk:
    """Counts both models' values in the same bins: at once from what is known, again when more is."""

    def __init__(self, known: KnownPairs) -> None:
        self._known = known
        self._asked: AskHistogram | None = None
        self._stale = False
        self._pause = _Pause()
        self._answers: list[BothCounted] = []

    def news(self) -> None:
        """Something was read."""
        self._stale = self._asked is not None

    def take(self, question: Any) -> bool:
        if not isinstance(question, AskHistogram):
            return False
        self._asked = question
        self._stale, self._pause = True, _Pause()
        return True

    def answers(self) -> list[Any]:
        asked = self._asked
        known = self._known
        if asked and self._stale and (asked.subject >= 0 or not known.waiting or self._pause.over):
            self._stale = False
            with self._pause:
                self._answer(asked)
        answers, self._answers = self._answers[-1:], []
        return answers

    @property
    def due(self) -> bool:
        return self._stale

    def close(self) -> None:
        """Nothing runs."""

    def _answer(self, asked: AskHistogram) -> None:
        """Answer from what is known; the question stays open until that is everything."""
        known = self._known
        both, missing = known.summaries(asked.subject)
        if missing:
            known.scanner.again(missing)
        if not any(s is not None and s.seen for s in both):
            return
        a, b = self._counted(asked, both)
        self._answers.append(BothCounted(asked.subject, a, b))
        if not missing and all(d is None or d.seen == d.total for d in (a, b)):
            self._asked = None

    def _counted(
        self, asked: AskHistogram, both: tuple[Summary | None, Summary | None]
    ) -> tuple[Distribution | None, Distribution | None]:
        low, high = asked.low, asked.high
        present = [s for s in both if s is not None and s.finite]
        if (low is None or high is None) and present:
            low, high = _window(present)
        bins = asked.bins
        if low is not None and high is not None and low < high:
            while bins > MIN_BINS and any(s.needs_refinement(bins, low, high) for s in present):
                bins //= 2
        question = AskHistogram(asked.subject, bins, low, high)
        sizes = self._known.size(asked.subject, "A"), self._known.size(asked.subject, "B")
        a, b = (
            distribution(question, s, n)._replace(asked=asked[1:]) if s is not None and s.seen else None
            for s, n in zip(both, sizes, strict=True)
        )
        return a, b


def _window(summaries: list[Summary]) -> tuple[float, float]:
    """From the lower 0.1 % to the upper 99.9 % quantile of all; everything where that is one value."""
    ends = [s.quantiles((0.001, 0.999)) for s in summaries]
    low, high = min(e[0] for e in ends), max(e[1] for e in ends)
    if low < high:
        return low, high
    return min(float(s.min) for s in summaries), max(float(s.max) for s in summaries)


class InsideBothDesk:
    """The values of A, of B and of their difference, and pictures of them."""

    def __init__(self, known: KnownPairs, wake: Callable[[], None]) -> None:
        self._known = known
        self._wake = wake
        self._done: SimpleQueue[SideSeen] = SimpleQueue()
        self._painter = _DifferencePainter(known, self._painted)

    def news(self) -> None:
        """Nothing changes."""

    def take(self, question: Any) -> bool:
        if not isinstance(question, AskSide):
            return False
        if isinstance(question.question, AskPicture):
            self._painter.side = question.side
            self._painter.ask(question.question)
        else:
            self._done.put(SideSeen(question.side, self._values(question.side, question.question)))
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
        self._done.put(SideSeen(self._painter.side, picture))
        self._wake()

    def _values(self, side: Side, question: AskValues) -> Values:
        """The values of a box, read now."""
        try:
            box = self._box(side, question)
            values = box.astype(float) if box.dtype.kind not in "iub" else box
            return Values(*question, tuple(values.reshape(-1).tolist()))
        except WtuiError as error:
            return Values(*question, (), error.what)

    def _box(self, side: Side, question: AskValues) -> NDArray[np.generic]:
        number, start, stop = question
        layout = self._known.layout(number)
        if layout is not None:
            pair = self._known.wanted(number).pair
            assert pair is not None
            if side == "B":
                return read_box(*pair.b, start, stop)
            return (box_of_a if side == "A" else box_of_difference)(pair, layout, start, stop)
        a, b = self._known.sides(number)
        there = a if side == "A" else b
        if there is None:
            raise CodecError(f"{side} has no such tensor")
        return read_box(*there, start, stop)


class _DifferencePainter(Painter):
    """Pictures of the difference of pairs, and of what stands alone as it is."""

    side: Side = "B - A"

    def __init__(self, known: KnownPairs, done: Callable[[Picture], None]) -> None:
        super().__init__(known.joined.catalogue, known.comparison.b.files, done)
        self._known = known

    def _matrix(self, question: AskPicture, entry: TensorEntry) -> Picture | None:
        layout = self._known.layout(question.tensor)
        size = question.axis, question.rows, question.columns
        stopped = lambda: self._latest is not question  # noqa: E731
        if layout is None:
            return picture_of(question, reduce_matrix(*self._there(question.tensor), *size, stopped=stopped))
        pair = self._known.wanted(question.tensor).pair
        assert pair is not None
        return picture_of(question, reduce_difference(pair, layout, *size, stopped=stopped))

    def _there(self, number: int) -> Stored:
        """What is looked at where nothing can be subtracted."""
        a, b = self._known.sides(number)
        there = a if self.side == "A" or b is None else b
        assert there is not None
        return there

    def _channels(self, question: AskPicture, entry: TensorEntry) -> Picture | None:
        sums = self._known.channels.get(question.tensor)
        if sums is None:
            if self._known.layout(question.tensor) is not None:
                raise CodecError("channels are known once the pair is compared: come back in a moment")
            return channel_picture(question, *self._there(question.tensor), lambda: self._latest is not question)
        n = sums.shape[1]
        if not n:
            raise CodecError("it has no output channels")
        norms = tuple(np.sqrt(sums[0]).tolist())
        relative = tuple(sqrt(d / a) if a > 0 else nan for d, a in sums.T.tolist())
        return Picture(question, (1, n), (n, entry.size // n), norms, relative, norms)
