"""`wtui watch` without a terminal: a line or a document for each checkpoint, exit codes, options."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import DEMO, Run
from tests.series.runs import weights, write_checkpoint, write_run
from wtui.cli.watch import rate

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _keep_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests after these ones must not run at low priority."""
    monkeypatch.setattr("os.nice", lambda step: 0)


def test_what_is_there_once(run: Run) -> None:
    result = run("watch", DEMO / "digits-run", "--once", "--every", "60ms")
    lines = result.out.splitlines()
    assert result.code == 1
    assert [line.split("  ")[0] for line in lines] == [*(f"✓ epoch {n}" for n in range(5)), "✗ epoch 5"]
    assert lines[4] == (
        "✓ epoch 4  complete, finite, optimizer included  val_loss 0.1349  val_accuracy 0.9622  learning_rate 0.05"
    )
    assert "NaN, first at conv1/kernel [" in lines[5]
    assert run("watch", DEMO / "digits-run", "--once", "--every", "60ms", "--ascii").out.isascii()


def test_documents(run: Run, tmp_path: Path) -> None:
    write_run(tmp_path, 2)
    (tmp_path / "epoch-2.safetensors.tmp").write_bytes(b"half")
    result = run("watch", tmp_path, "--once", "--every", "60ms", "--json", "--max-rate", "1GB")
    found = [json.loads(line) for line in result.out.splitlines()]
    assert result.code == 0
    assert [(d["schema"], d["epoch"], d["good"], d["state"]) for d in found] == [
        (1, 0, True, "good"),
        (1, 1, True, "good"),
    ]
    assert found[0]["tensors"] == 3


def test_nothing_there(run: Run, tmp_path: Path) -> None:
    result = run("watch", tmp_path, "--once", "--every", "60ms")
    assert (result.code, result.out) == (2, "")
    assert "no checkpoint in it" in result.err
    assert run("watch", tmp_path / "nothing", "--once").code == 2
    assert run("watch", DEMO / "healthy.keras", "--once").code == 2


@pytest.mark.parametrize(("text", "expected"), [("50MB", 5e7), ("512k", 512_000), ("1.5GiB/s", 1.5 * 2**30), ("9", 9)])
def test_rates(text: str, expected: float) -> None:
    assert rate(text) == expected


@pytest.mark.parametrize("text", ["0", "-1", "fast", "", "1XB"])
def test_what_is_no_rate(run: Run, text: str) -> None:
    result = run("watch", DEMO, f"--max-rate={text}")
    assert result.code == 2
    assert "50MB" in result.err


def test_a_fault_of_the_programs_own_ends_it_with_a_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wtui.series.session.Follower.look", lambda follower: 1 / 0)
    result = run("watch", DEMO / "digits-run", "--once")
    assert result.code == 2
    assert "the reading cannot go on: ZeroDivisionError" in result.err


def test_lines_come_as_checkpoints_do(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "wtui", "watch", str(tmp_path), "--every", "60ms"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for epoch in range(2):
            hidden = write_checkpoint(tmp_path / ".hidden", weights(epoch))
            hidden.rename(tmp_path / f"epoch-{epoch}.safetensors")
            assert process.stdout.readline() == f"✓ epoch {epoch}  complete, finite, no optimizer state\n"
        (tmp_path / "epoch-0.safetensors").unlink()
        assert process.stdout.readline() == "- epoch 0  deleted; its numbers stay\n"
        shutil.copy(write_checkpoint(tmp_path / ".bad", weights(3, (1, 1))), tmp_path / "epoch-2.safetensors")
        assert process.stdout.readline().startswith("✗ epoch 2  NaN, first at fc.weight [1,1]")
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == ""
        assert process.wait() == 130
