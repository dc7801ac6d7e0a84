"""A folder that `wtui.keras.WeightLog` writes, opened as a run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.builders import write_safetensors
from tests.series.runs import weights, write_run
from wtui.formats import open_catalogue
from wtui.series.follow import Follower
from wtui.series.members import run_in
from wtui.series.protocol import Listed, Taken
from wtui.series.reading import Reader
from wtui.series.record import LOG, Fault
from wtui.series.state import RunState
from wtui.series.weightlog import write_record

if TYPE_CHECKING:
    from pathlib import Path

RUN = "20260101T120000000"


def log(folder: Path, epoch: int, nan_at: tuple[int, int] | None = None) -> str:
    """A record with the numbers of a checkpoint, made as the callback makes it."""
    import wtui

    path = write_safetensors(folder.parent / "model.safetensors", weights(epoch, nan_at))
    tensors = open_catalogue(str(path)).tensors
    with wtui.open(path, cache=False) as model:
        rows = model.statistics().rows
    facts = {"step": 10 * epoch, "time": 1e9 + epoch, "model": "m", "format": "Keras 3",
             "figures": {"loss": 1 / (epoch + 1), "val_loss": 2 / (epoch + 1)} if epoch else {}}  # fmt: skip
    return write_record(str(folder), RUN, epoch, facts, ((t, rows[i], "") for i, t in enumerate(tensors)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "log"
    place.mkdir()
    return place


def test_it_is_a_run_with_the_numbers_of_checkpoints(folder: Path) -> None:
    for epoch in range(3):
        log(folder, epoch)
    run = run_in(str(folder))
    assert run is not None
    assert [m.label for m in run.members] == ["epoch 0", "epoch 1", "epoch 2"]
    assert run.ordered_by == "the epochs of a weight log"
    record = Reader(cache=False).read(run.members[2].path)
    checkpoint = Reader(cache=False).read(str(folder.parent / "model.safetensors"))
    assert record.format == LOG
    assert repr(record.packed) == repr(checkpoint.packed)
    assert [(t.name, t.shape, t.dtype) for t in record.tensors] == [
        (t.name, t.shape, t.dtype) for t in checkpoint.tensors
    ]
    assert record.nbytes == checkpoint.nbytes


def test_it_grows_and_brings_its_figures(folder: Path) -> None:
    follower = Follower(Reader(cache=False), folder=str(folder))
    state = RunState(run_in(str(folder), alone=True), follower._listed.figures)
    for epoch in range(3):
        log(folder, epoch, (1, 2) if epoch == 2 else None)
        events = [*follower.look(), *follower.look()]
        for member in list(follower.ready):
            events += follower.read(member)
        assert [type(e) for e in events] == [Listed, Taken]
        for event in events:
            state.take(event)
    assert state.verdict.fault_words == "NaN in epoch 2, first at fc.weight [1,2]"
    assert state.verdict.good_words == "last good: epoch 1, finite; a log of numbers, without weights to go on from"
    assert [row.get("val_loss") for row in state.figures.rows] == [None, 1.0, pytest.approx(2 / 3)]
    assert (state.best.name, state.best.member) == ("val_loss", 2)
    assert state.figures.names == ("val_loss", "loss")
    assert state.rows.records[state.members[2].path].fault == Fault("NaN", "fc.weight", (1, 2))
    subject = state.rows.tensors()[1]
    values = weights(1)["fc.weight"].astype(float)
    assert state.numbers(subject, 1).abs_mean == pytest.approx(np.abs(values).mean())
    assert not math.isnan(state.numbers(subject, 2).abs_mean)


def test_checkpoints_come_before_a_log(folder: Path) -> None:
    log(folder, 0)
    write_run(folder, 2)
    assert [m.name for m in run_in(str(folder)).members] == ["epoch-0.safetensors", "epoch-1.safetensors"]


def test_a_damaged_record_is_told(folder: Path) -> None:
    log(folder, 0)
    path = log(folder, 1)
    with open(path, "r+b") as file:
        file.truncate(50)
    follower = Follower(Reader(cache=False), run=run_in(str(folder)))
    events = follower.look()
    for member in list(follower.ready):
        events += follower.read(member)
    assert any("no record of a weight log" in getattr(e, "message", "") for e in events)
    assert sum(isinstance(e, Taken) for e in events) == 1
