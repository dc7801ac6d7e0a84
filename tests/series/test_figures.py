"""Validation figures found beside checkpoints: CSV logs, trainers' states, names."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

import wtui.demo
from tests.series.runs import weights, write_checkpoint, write_run
from wtui.series.figures import Best, best_of, figures_of, ordered_names
from wtui.series.members import run_in, run_of

DEMO = Path(wtui.demo.folder()) / "digits-run"


def figures(folder: Path):
    run = run_in(str(folder))
    assert run is not None
    return figures_of(run)


def test_the_demos_log() -> None:
    found = figures(DEMO)
    assert found.names[:2] == ("val_loss", "val_accuracy")
    assert found.sources == ("history.csv",)
    assert found.rows[4]["val_accuracy"] == pytest.approx(0.9622, abs=1e-4)
    assert "val_loss" not in found.rows[5]
    assert best_of(found) == Best("val_loss", 4, pytest.approx(0.13488, abs=1e-5))


def test_a_log_of_keras_counts_from_zero(tmp_path: Path) -> None:
    for epoch in (1, 2, 3):
        write_checkpoint(tmp_path / f"epoch-{epoch}.safetensors", weights(epoch))
    (tmp_path / "log.csv").write_text("epoch,accuracy,loss,val_loss\n0,0.1,3,3.5\n1,0.2,2,2.5\n2,0.3,1,2.75\n")
    found = figures(tmp_path)
    assert [row["val_loss"] for row in found.rows] == [3.5, 2.5, 2.75]
    assert found.sources == ("log.csv (its epoch 0 is epoch 1 here)",)
    assert best_of(found) == Best("val_loss", 1, 2.5)


def test_a_log_that_counts_as_the_names_do_is_not_shifted(tmp_path: Path) -> None:
    write_run(tmp_path, 3)
    (tmp_path / "log.csv").write_text("epoch,accuracy,loss\n0,0.1,3\n1,0.2,2\n2,0.3,1\n")
    assert [row["loss"] for row in figures(tmp_path).rows] == [3, 2, 1]


def test_the_last_row_of_an_epoch_counts_and_nan_is_told(tmp_path: Path) -> None:
    write_run(tmp_path, 2)
    (tmp_path / "metrics.csv").write_text("step;epoch;val_acc\n1;0;0.25\n2;0;0.5\n3;1;nan\n")
    rows = figures(tmp_path).rows
    assert rows[0] == {"val_acc": 0.5}
    assert math.isnan(rows[1]["val_acc"])
    assert best_of(figures(tmp_path)) == Best("val_acc", 0, 0.5)


@pytest.mark.parametrize(
    "text", ["", "\n", "epoch", "epoch\n0\n", "a,b\n1,2\n", "epoch,loss\nx,1\n-1,2\ninf,3\n", '"\n', "\0\0,1\n"]
)
def test_a_table_that_is_no_log(tmp_path: Path, text: str) -> None:
    write_run(tmp_path, 2)
    (tmp_path / "log.csv").write_text(text)
    assert best_of(figures(tmp_path)) is None


def test_a_trainers_state(tmp_path: Path) -> None:
    history = [
        {"epoch": 1.0, "loss": 2.0, "step": 500},
        {"epoch": 1.0, "eval_loss": 1.5, "eval_accuracy": 0.5, "step": 500},
        {"epoch": 2.0, "eval_loss": 1.75, "step": 1000},
    ]
    for step in (500, 1000):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        write_checkpoint(folder / "model.safetensors", weights(step))
        state = {"global_step": step, "log_history": [h for h in history if h["step"] <= step]}
        (folder / "trainer_state.json").write_text(json.dumps(state))
    found = figures(tmp_path)
    assert [row["eval_loss"] for row in found.rows] == [1.5, 1.75]
    assert found.rows[0]["loss"] == 2.0
    assert found.names[0].startswith("eval_")
    assert found.sources == ("trainer_state.json",)
    best = best_of(found)
    assert best is not None
    assert (best.name, best.member) in (("eval_loss", 0), ("eval_accuracy", 0))


def test_figures_in_names_come_before_those_in_logs(tmp_path: Path) -> None:
    for epoch, loss in ((1, "0.50"), (2, "0.25")):
        write_checkpoint(tmp_path / f"m-epoch={epoch}-val_loss={loss}.safetensors", weights(epoch))
    (tmp_path / "log.csv").write_text("epoch,val_loss\n1,9\n2,9\n")
    found = figures(tmp_path)
    assert [row["val_loss"] for row in found.rows] == [0.5, 0.25]
    assert found.sources[0] == "the names"


def test_paths_in_several_folders_have_no_log_of_one(tmp_path: Path) -> None:
    paths = []
    for n in range(3):
        (tmp_path / f"run{n}").mkdir()
        paths.append(str(write_checkpoint(tmp_path / f"run{n}" / "model.safetensors", weights(n))))
    assert best_of(figures_of(run_of(paths))) is None


def test_how_long_it_took_comes_last() -> None:
    rows = [{"eval_runtime": 1.0, "loss": 0.5, "eval_samples_per_second": 9.0, "eval_loss": 0.4, "step_time": 2.0}]
    assert ordered_names(rows)[:2] == ("eval_loss", "loss")
