"""Which files in a folder are the checkpoints of a run, and in which order."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

import wtui.demo
from tests.series.runs import weights, write_checkpoint, write_run
from wtui.errors import UsageError
from wtui.series.members import Run, run_in, run_of

DEMO = Path(wtui.demo.folder())


def found(folder: Path, *, alone: bool = False) -> Run:
    run = run_in(str(folder), alone=alone)
    assert run is not None
    return run


def names(run: Run) -> list[str]:
    return [m.name for m in run.members]


def test_the_demos_run() -> None:
    run = found(DEMO / "digits-run")
    assert names(run) == [f"epoch-{n}.keras" for n in range(6)]
    assert [m.label for m in run.members] == [f"epoch {n}" for n in range(6)]
    assert run.ordered_by == "the epoch in the names"
    assert run.outsiders == ()


def test_numbers_are_ordered_as_numbers(tmp_path: Path) -> None:
    for epoch in (10, 9, 1, 100):
        write_checkpoint(tmp_path / f"epoch-{epoch}.safetensors", weights(epoch))
    assert [m.place.epoch for m in found(tmp_path).members] == [1, 9, 10, 100]


def test_a_single_checkpoint_is_a_run_only_when_it_may_be(tmp_path: Path) -> None:
    write_run(tmp_path, 1)
    assert run_in(str(tmp_path)) is None
    assert names(found(tmp_path, alone=True)) == ["epoch-0.safetensors"]


def test_an_empty_folder(tmp_path: Path) -> None:
    assert run_in(str(tmp_path)) is None
    assert found(tmp_path, alone=True).members == ()


def test_models_without_numbers_are_no_run(tmp_path: Path) -> None:
    for name in ("vgg", "resnet"):
        write_checkpoint(tmp_path / f"{name}.safetensors", weights(0))
    assert run_in(str(tmp_path)) is None


def test_shards_of_one_model_are_no_run(tmp_path: Path) -> None:
    for i, (name, array) in enumerate(weights(0).items(), 1):
        write_checkpoint(tmp_path / f"model-0000{i}-of-00003.safetensors", {name: array})
    weight_map = {n: f"model-0000{i}-of-00003.safetensors" for i, n in enumerate(weights(0), 1)}
    index = {"metadata": {"total_size": 1}, "weight_map": weight_map}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert run_in(str(tmp_path)) is None


def test_of_a_folder_that_is_one_model_only_the_names_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("config.json", "model.safetensors.index.json", "tokenizer.json", "vocab.txt")
    shards = (f"model-0000{i}-of-00003.safetensors" for i in (1, 2, 3))
    for name in (*names, *shards):
        (tmp_path / name).write_bytes(b"x")
    monkeypatch.setattr("wtui.series.members.find_models", lambda *_, **__: pytest.fail("looked into files"))
    assert run_in(str(tmp_path)) is None


def test_unfinished_files_are_left_out(tmp_path: Path) -> None:
    write_run(tmp_path, 2)
    shutil.copy(tmp_path / "epoch-1.safetensors", tmp_path / "epoch-2.safetensors.tmp")
    shutil.copy(tmp_path / "epoch-1.safetensors", tmp_path / ".epoch-3.safetensors")
    assert names(found(tmp_path)) == ["epoch-0.safetensors", "epoch-1.safetensors"]


def test_damaged_members_stay_members(tmp_path: Path) -> None:
    write_run(tmp_path, 3)
    (tmp_path / "epoch-1.safetensors").write_bytes(b"")
    assert names(found(tmp_path)) == [f"epoch-{n}.safetensors" for n in range(3)]


def test_another_run_in_the_same_folder_is_told_apart(tmp_path: Path) -> None:
    write_run(tmp_path, 4)
    for n in range(2):
        write_checkpoint(tmp_path / f"ema-{n}.safetensors", weights(n))
    run = found(tmp_path)
    assert len(run.members) == 4
    assert [o.name for o in run.outsiders] == ["ema-0.safetensors", "ema-1.safetensors"]
    assert "another run" in run.outsiders[0].reason


def test_a_name_without_a_number_comes_last_by_time(tmp_path: Path) -> None:
    write_run(tmp_path, 2)
    write_checkpoint(tmp_path / "final.safetensors", weights(9))
    run = found(tmp_path)
    assert names(run)[-1] == "final.safetensors"
    assert run.ordered_by == "the epoch in the names, the others by time"


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_second_name_of_a_member_is_no_second_member(tmp_path: Path, link) -> None:
    write_run(tmp_path, 3)
    link(tmp_path / "epoch-1.safetensors", tmp_path / "best.safetensors")
    run = found(tmp_path)
    assert names(run) == [f"epoch-{n}.safetensors" for n in range(3)]
    assert [(o.name, o.reason) for o in run.outsiders] == [("best.safetensors", "another name of epoch-1.safetensors")]


def test_folders_of_a_trainer_are_ordered_by_their_recorded_steps(tmp_path: Path) -> None:
    for step in (1000, 500):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        write_checkpoint(folder / "model.safetensors", weights(step))
        (folder / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    run = found(tmp_path)
    assert [(m.name, m.place.step, m.label) for m in run.members] == [
        ("checkpoint-500", 500, "step 500"),
        ("checkpoint-1000", 1000, "step 1000"),
    ]
    assert run.ordered_by == "the step in trainer_state.json"


@pytest.mark.parametrize("state", ["", "[]", "{", '{"global_step": "x"}', '{"global_step": true}', "[" * 100_000])
def test_a_damaged_trainer_state_says_nothing(tmp_path: Path, state: str) -> None:
    for step in (1000, 500):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        write_checkpoint(folder / "model.safetensors", weights(step))
        (folder / "trainer_state.json").write_text(state)
    assert [m.label for m in found(tmp_path).members] == ["checkpoint 500", "checkpoint 1000"]


def test_paths_given_one_by_one_in_any_order(tmp_path: Path) -> None:
    write_run(tmp_path, 3)
    paths = [str(tmp_path / f"epoch-{n}.safetensors") for n in (2, 0, 1)]
    run = run_of(paths)
    assert [m.place.epoch for m in run.members] == [0, 1, 2]
    assert run.folder == str(tmp_path)


def test_paths_whose_names_say_nothing_stay_in_the_order_given(tmp_path: Path) -> None:
    paths = [str(write_checkpoint(tmp_path / f"{n}.safetensors", weights(0))) for n in ("raw", "tuned", "final")]
    run = run_of(paths)
    assert names(run) == ["raw.safetensors", "tuned.safetensors", "final.safetensors"]
    assert run.ordered_by == "the order in which they were given"


def test_the_same_path_twice(tmp_path: Path) -> None:
    write_run(tmp_path, 1)
    path = str(tmp_path / "epoch-0.safetensors")
    with pytest.raises(UsageError, match="given twice"):
        run_of([path, os.path.join(str(tmp_path), ".", "epoch-0.safetensors")])


def test_tensorflows_checkpoints_and_their_state_file(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    checkpoint = tf.train.Checkpoint(v=tf.Variable([1.0, 2.0]))
    manager = tf.train.CheckpointManager(checkpoint, str(tmp_path), max_to_keep=3)
    for _ in range(5):
        manager.save()
    run = found(tmp_path)
    assert [m.label for m in run.members] == ["ckpt 3", "ckpt 4", "ckpt 5"]
    assert run.outsiders == ()


def test_tensorflows_state_file_orders_what_names_do_not(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    for name in ("warm", "cold", "done"):
        tf.train.Checkpoint(v=tf.Variable([1.0])).write(str(tmp_path / name))
    lines = "".join(f'all_model_checkpoint_paths: "{n}"\n' for n in ("cold", "warm", "done"))
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "done"\n' + lines)
    run = found(tmp_path, alone=True)
    assert names(run) == ["cold.index", "warm.index", "done.index"]
    assert run.ordered_by == "TensorFlow's checkpoint file"
