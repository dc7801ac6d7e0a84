"""The scan of two models for a screen: what is looked at goes first, and its digits are those of every front end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.builders import write_safetensors
from wtui.comparing.child import begin
from wtui.comparing.comparison import Comparison, Opened
from wtui.comparing.joined import Joined
from wtui.comparing.protocol import (
    AskSide,
    BothCounted,
    Compared,
    LayerCompared,
    OpenBoth,
    OpenedBoth,
    Paired,
    SideSeen,
)
from wtui.comparing.session import CompareSession
from wtui.engine.protocol import AskHistogram, AskPicture, AskValues, Finished, Look
from wtui.formats import open_catalogue
from wtui.storage import Files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BLOCKS = 12


@pytest.fixture
def paths(tmp_path: Path) -> tuple[str, str]:
    """Twelve layers, the last one larger; all but the first moved; one tensor in A alone."""
    rng = np.random.default_rng(2)
    a = {f"layer.{i:02}.weight": rng.normal(0, 1, (30, 40 + 400 * (i == 11))).astype(np.float32) for i in range(BLOCKS)}
    b = {name: w + np.float32(0.01 * i) for i, (name, w) in enumerate(a.items())}
    a["old.weight"] = np.arange(6, dtype=np.float32)
    return str(write_safetensors(tmp_path / "a", a)), str(write_safetensors(tmp_path / "b", b))


@pytest.fixture
def session(paths: tuple[str, str]) -> Iterator[CompareSession]:
    said: list[Any] = []
    found = begin(OpenBoth(*paths, None), said.append)
    assert [type(m) for m in said] == [OpenedBoth, Paired]
    yield found  # type: ignore[misc]
    found.close()


def until(session: CompareSession, wanted: Callable[[Any], bool]) -> list[Any]:
    """All answers up to one that is wanted."""
    answers: list[Any] = []
    end = time.monotonic() + 60
    while not any(map(wanted, answers)):
        assert time.monotonic() < end, answers
        answers += session.answers()
    return answers


def test_what_is_looked_at_goes_first(paths: tuple[str, str]) -> None:
    a, b = (open_catalogue(path) for path in paths)
    comparison = Comparison(Opened(a, Files(a.files)), Opened(b, Files(b.files)))
    session = CompareSession(comparison, Joined(a, b, comparison.pairing), threads=1)
    last, visible = b.index("layer.11.weight"), b.index("layer.09.weight")
    session.ask(Look(last, (visible,)))
    [sample] = [a for a in session.answers(wait=False) if isinstance(a, Compared)]
    assert [(r.number, r.row) for r in sample.rows] == [(last, None)]
    session.start()
    answers = until(session, lambda a: isinstance(a, Finished))
    session.close()
    read = [r.number for a in answers if isinstance(a, Compared) for r in a.rows]
    assert read[:3] == [last, visible, 0]
    assert sorted(read) == sorted(session.known.numbers)


def test_digits_are_those_of_the_comparison(session: CompareSession, paths: tuple[str, str]) -> None:
    session.start()
    session.ask(Look(-1))
    answers = until(session, lambda a: isinstance(a, LayerCompared) and a.done == a.tensors)
    rows = {r.number: r for a in answers if isinstance(a, Compared) for r in a.rows}
    catalogues = [open_catalogue(path) for path in paths]
    whole = Comparison(*(Opened(c, Files(c.files)) for c in catalogues)).run()
    for number, result in whole.results.items():
        assert rows[number].row == result.row
    [layer] = [a for a in answers if isinstance(a, LayerCompared) and a.done == a.tensors][-1:]
    assert whole.whole is not None
    assert layer.row == whole.whole.row
    assert layer.pairs == BLOCKS
    assert layer.tensors == BLOCKS + 1
    assert layer.a is not None
    assert layer.a.total == 11 * 30 * 40 + 30 * 440 + 6


def test_counts_that_were_let_go_are_read_again(session: CompareSession) -> None:
    for store in session.known.stores:
        store._max = 1
    session.start()
    until(session, lambda a: isinstance(a, Finished))
    number = session.known.joined.catalogue.index("layer.02.weight")
    assert session.known.stores[0].get(number).counts is None  # type: ignore[union-attr]
    session.ask(AskHistogram(number, 20, -1.0, 1.0))
    [both] = [a for a in until(session, lambda a: isinstance(a, BothCounted)) if isinstance(a, BothCounted)]
    assert both.a is not None
    assert both.b is not None
    assert both.a.seen == both.b.seen == 1200
    assert sum(both.a.counts) + both.a.below + both.a.above == 1200
    assert both.a.counts != both.b.counts


def test_looking_inside(session: CompareSession) -> None:
    session.start()
    until(session, lambda a: isinstance(a, Finished))
    joined = session.known.joined.catalogue
    pair, alone = joined.index("layer.03.weight"), joined.index("old.weight")

    def ask(side: str, question: AskValues | AskPicture) -> Any:
        session.ask(AskSide(side, question))  # type: ignore[arg-type]
        answers = until(session, lambda a: isinstance(a, SideSeen))
        return next(a.answer for a in answers if isinstance(a, SideSeen))

    box = (pair, (4, 5), (6, 8))
    a, b, d = (np.array(ask(side, AskValues(*box)).values) for side in ("A", "B", "B - A"))
    assert d.tolist() == (b - a).tolist()
    assert np.allclose(d, 0.03, atol=1e-6)
    assert ask("A", AskValues(alone, (1,), (3,))).values == (1.0, 2.0)
    assert ask("B", AskValues(alone, (1,), (3,))).problem == "B has no such tensor"
    picture = ask("B - A", AskPicture(pair, "matrix", 1, 3, 4))
    assert picture.shape == (3, 4)
    assert np.allclose(picture.mean, 0.03, atol=1e-6)
    channels = ask("B - A", AskPicture(pair, "channels", 0, 0, 0))
    assert np.allclose(channels.mean, 0.03 * np.sqrt(40), atol=1e-5)
    assert ask("A", AskPicture(alone, "matrix", 0, 3, 4)).mean
