"""`wtui check` of a run: the last good checkpoint on the first line, the first fault, exit codes, the document."""

from __future__ import annotations

import csv
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.cli.conftest import DEMO, Run
from tests.series.runs import settled, weights, write_checkpoint, write_run

if TYPE_CHECKING:
    from pathlib import Path

DIGITS = DEMO / "digits-run"


@pytest.fixture(autouse=True)
def _keep_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests after these ones must not run at low priority."""
    monkeypatch.setattr("os.nice", lambda step: 0)


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache that is switched on."""
    place = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("WTUI_CACHE", "1")
    monkeypatch.setenv("WTUI_CACHE_DIR", str(place))
    return place


def test_the_demos_run(run: Run) -> None:
    result = run("check", DIGITS)
    lines = result.out.splitlines()
    path = DIGITS / "epoch-4.keras"
    assert result.code == 1
    assert lines[0] == f"last good: {path}  (epoch 4, complete, finite, optimizer included)"
    assert lines[1].startswith("✗ NaN in epoch 5, first at conv1/kernel [")
    assert lines[2].startswith("best val_loss: 0.1349, epoch 4  (history.csv; validation figures say which model is")
    assert "epoch 4 (last good): no findings" in lines
    assert "and 7 more like it" in result.out
    assert run("check", DIGITS, "--ascii").out.isascii()


def test_a_run_without_faults(run: Run) -> None:
    result = run("check", *(DIGITS / f"epoch-{n}.keras" for n in (2, 1, 3)))
    assert result.code == 0
    assert result.out.splitlines()[0].startswith(f"last good: {DIGITS / 'epoch-3.keras'}  (epoch 3, complete")


def test_a_fault_that_was_outlived_is_a_warning(run: Run, tmp_path: Path) -> None:
    write_run(tmp_path, 4)
    write_checkpoint(tmp_path / "epoch-1.safetensors", weights(1, (0, 0)))
    assert run("check", tmp_path).code == 0
    assert run("check", tmp_path, "--fail-on", "warning").code == 1


def test_document(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(DIGITS, folder)
    (folder / "epoch-6.keras").write_bytes(b"")
    (folder / "readme.txt").write_text("no checkpoint")
    result = run("check", folder, "--json")
    d = result.document
    assert result.code == 1
    assert (d["schema"], d["complete"], d["read"], d["ordered_by"]) == (1, True, 1.0, "the epoch in the names")
    assert d["last_good"] == str(folder / "epoch-4.keras")
    fault = d["first_fault"]
    assert (fault["checkpoint"], fault["kind"]) == (str(folder / "epoch-5.keras"), "NaN")
    assert (fault["tensor"], len(fault["index"])) == ("conv1/kernel", 4)
    assert [c["state"] for c in d["checkpoints"]] == [*["good"] * 5, "fault", "unreadable"]
    assert [c["epoch"] for c in d["checkpoints"]] == list(range(7))
    with open(DIGITS / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [c["figures"].get("val_accuracy") for c in d["checkpoints"][:6]] == [float(r["val_accuracy"]) for r in rows]
    assert d["best"] == {
        "figure": "val_loss",
        "value": pytest.approx(float(rows[4]["val_loss"])),
        "checkpoint": str(folder / "epoch-4.keras"),
        "sources": ["history.csv"],
    }
    rules = {f["rule"] for f in d["findings"]}
    assert {"fault-in-run", "unreadable-checkpoint", "nan"} <= rules
    assert all(f["checkpoint"] for f in d["findings"])


def test_a_member_of_another_model_is_told_and_left_out(run: Run, tmp_path: Path) -> None:
    write_run(tmp_path, 3)
    write_checkpoint(tmp_path / "epoch-3.safetensors", {"other": np.zeros(4, np.float32)})
    result = run("check", tmp_path)
    assert result.code == 0
    assert "epoch 3: does not belong" in result.out
    assert result.out.startswith(f"last good: {tmp_path / 'epoch-2.safetensors'}")


def test_a_limit_of_time(run: Run, tmp_path: Path) -> None:
    write_run(tmp_path, 3)
    assert run("check", tmp_path, "--within", "1h").code == 0
    short = run("check", tmp_path, "--within", "0.001ms", "--json")
    assert short.code == 3
    assert (short.document["complete"], short.document["read"]) == (False, 0.0)


def test_names_cannot_mislead_a_terminal(run: Run, tmp_path: Path) -> None:
    write_run(tmp_path, 3)
    for n in range(2):
        write_checkpoint(tmp_path / f"ema\x1b[31m-{n}.safetensors", weights(n))
    (tmp_path / "log.csv").write_text("epoch,val\x1b[31m_loss\n0,1\n1,2\n2,3\n")
    for arguments in (["check", tmp_path], ["watch", tmp_path, "--once", "--plain", "--every", "60ms"]):
        result = run(*arguments)
        assert result.out
        assert "\x1b" not in result.out + result.err
        assert "\\x1b[31m" in result.out


def test_nothing_can_be_read(run: Run, tmp_path: Path) -> None:
    write_run(tmp_path, 2)
    for path in tmp_path.iterdir():
        path.write_bytes(b"")
    result = run("check", tmp_path / "epoch-0.safetensors", tmp_path / "epoch-1.safetensors")
    assert result.code == 2
    assert "none of its 2 checkpoints can be read" in result.err


@pytest.mark.parametrize("option", [["--select", "*"], ["--format", "keras"]])
def test_options_for_one_model(run: Run, option: list[str]) -> None:
    result = run("check", DIGITS / "epoch-1.keras", DIGITS / "epoch-2.keras", *option)
    assert result.code == 2
    assert "one model" in result.err


@pytest.mark.parametrize("command", ["ls", "stats"])
def test_commands_for_one_model_name_the_checkpoints(run: Run, command: str) -> None:
    result = run(command, DIGITS)
    assert result.code == 2
    assert "a run of 6 checkpoints (name one of epoch-0.keras to epoch-5.keras" in result.err


def test_tensorflows_checkpoints_are_named_by_their_prefix(run: Run, tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    manager = tf.train.CheckpointManager(tf.train.Checkpoint(v=tf.Variable([[1.0, 2.0]])), str(tmp_path), max_to_keep=3)
    for _ in range(4):
        last = manager.save()
    result = run("check", tmp_path)
    assert result.code == 0
    assert result.out.startswith(f"last good: {last}  (ckpt 4, complete, finite, ")
    assert run("check", tmp_path, "--json").document["last_good"] == last


def test_a_training_of_keras_that_fails(run: Run, tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(16, name="a"), keras.layers.Dense(1, name="b")])
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "mse", metrics=["mae"])
    x = np.random.default_rng(0).normal(size=(64, 6)).astype("float32")
    saved = keras.callbacks.ModelCheckpoint(str(tmp_path / "m-{epoch:02d}-{val_loss:.4f}.keras"))
    broken = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: setattr(model.optimizer, "learning_rate", 1e30 if epoch == 3 else 0.01)
    )
    log = keras.callbacks.CSVLogger(str(tmp_path / "log.csv"))
    y = x.sum(1, keepdims=True)
    model.fit(x, y, epochs=4, verbose=0, validation_data=(x, y), callbacks=[saved, broken, log])
    d = run("check", tmp_path, "--json").document
    assert [c["state"] for c in d["checkpoints"]] == ["good", "good", "good", "fault"]
    assert d["last_good"].startswith(str(tmp_path / "m-03-"))
    assert d["checkpoints"][0]["optimizer"] is True
    assert d["first_fault"]["kind"] == "NaN"
    losses = [c["figures"]["val_loss"] for c in d["checkpoints"]]
    best = min(range(3), key=lambda i: losses[i])
    assert d["best"]["checkpoint"] == d["checkpoints"][best]["path"]


def test_a_run_that_was_examined_is_not_read_again(
    run: Run, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = settled(write_run(tmp_path / "run", 3, nan_from=2))
    first = run("check", place, "--json")
    monkeypatch.setattr("wtui.engine.scan.Scanner.outcomes", lambda *_: pytest.fail("read again"))
    monkeypatch.setattr("wtui.judging.Judge.measure", lambda *_: pytest.fail("measured again"))
    again = run("check", place, "--json")
    assert again.code == first.code == 1
    assert again.document == first.document
    monkeypatch.undo()
    assert run("check", place, "--json", "--no-cache").document == first.document


def test_a_checkpoint_that_changed_is_examined_anew(run: Run, tmp_path: Path, cache: Path) -> None:
    place = settled(write_run(tmp_path / "run", 3))
    assert run("check", place).code == 0
    write_checkpoint(place / "epoch-2.safetensors", weights(2, (2, 3)))
    assert run("check", settled(place)).code == 1
