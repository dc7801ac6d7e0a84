"""Answers about what is being read: rare enough that the reading goes on, prompt once all is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.builders import write_safetensors
from wtui.engine import desks, pause
from wtui.engine.pause import Pause
from wtui.engine.protocol import AskHistogram, Distribution, Finished, Look
from wtui.engine.session import Session
from wtui.formats import open_catalogue

if TYPE_CHECKING:
    from pathlib import Path


class Clock:
    """Time that only passes when it is told to."""

    now = 100.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(pause, "time", found)
    return found


def test_the_first_answer_comes_at_once_and_the_next_after_a_while(clock: Clock) -> None:
    p = Pause()
    assert p.over(settled=False)
    with p:
        clock.now += 0.001
    assert not p.over(settled=False)
    clock.now += 0.02
    assert p.over(settled=True)
    assert not p.over(settled=False)
    clock.now += pause.EVERY
    assert p.over(settled=False)


def test_an_answer_that_takes_long_has_a_share_of_the_time_only(clock: Clock) -> None:
    p = Pause()
    with p:
        clock.now += 3
    clock.now += 3 / pause.SHARE - 0.1
    assert not p.over(settled=False)
    assert not p.over(settled=True)
    clock.now += 0.2
    assert p.over(settled=True)


def test_histograms_of_very_many_tensors_are_not_counted_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 3_000
    arrays = {f"layers.{i}.weight": np.full((2, 2), float(i), np.float32) for i in range(count)}
    path = write_safetensors(tmp_path / "many.safetensors", arrays)
    counted = []
    summary = desks.HistogramDesk._answer

    def watched(self: Any) -> None:
        counted.append(1)
        summary(self)

    monkeypatch.setattr(desks.HistogramDesk, "_answer", watched)
    session = Session(open_catalogue(str(path)), threads=1)
    session.start()
    session.ask(Look(-1))
    session.ask(AskHistogram(-1, 10))
    answers: list[Any] = []
    while not any(isinstance(a, Finished) for a in answers):
        answers += session.answers()
    while session.known.waiting or any(desk.due for desk in session.desks):
        answers += session.answers()
    session.close()
    last = [a for a in answers if isinstance(a, Distribution)][-1]
    assert last.seen == last.total == 4 * count
    assert sum(last.counts) + last.below + last.above == 4 * count
    assert len(counted) < 100
