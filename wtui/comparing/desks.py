"""Who answers which questions about two models: as `wtui.engine.desks`, for numbers of the joined tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wtui.comparing.protocol import BothCounted, Compared, PairRow
from wtui.engine.desks import distribution
from wtui.engine.pause import Pause
from wtui.engine.protocol import AskHistogram, Look
from wtui.engine.sample import sample_tensor
from wtui.errors import WtuiError

if TYPE_CHECKING:
    from wtui.comparing.known import KnownPairs
    from wtui.engine.protocol import Distribution
    from wtui.stats.summary import Summary

__all__ = ["CountDesk", "LookAtBothDesk"]

MIN_BINS = 8
"""Bins that a histogram keeps, however wide the buckets are that its values were counted in."""


class LookAtBothDesk:
    """Puts what the user looks at first, says at once what a sample tells of it, and keeps layers fresh."""

    def __init__(self, known: KnownPairs) -> None:
        self._known = known
        self._layer: int | None = None
        self._stale = False
        self._pause = Pause()
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
            self._stale, self._pause = True, Pause()
        else:
            first = [subject]
            self._sample(subject)
        known.scanner.urge([*first, *question.visible])
        return True

    def answers(self) -> list[Any]:
        if self._layer is not None and self._stale and self._pause.over(not self._known.waiting):
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
        self._pause = Pause()
        self._answers: list[BothCounted] = []

    def news(self) -> None:
        """Something was read."""
        self._stale = self._asked is not None

    def take(self, question: Any) -> bool:
        if not isinstance(question, AskHistogram):
            return False
        self._asked = question
        self._stale, self._pause = True, Pause()
        return True

    def answers(self) -> list[Any]:
        asked = self._asked
        known = self._known
        if asked and self._stale and self._pause.over(asked.subject >= 0 or not known.waiting):
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
