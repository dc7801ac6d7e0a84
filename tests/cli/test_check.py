"""`wtui check`: exit codes, the document, a limit of time, and the demo's models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import wtui
from tests.builders import write_safetensors
from tests.cli.conftest import DEMO, Run

if TYPE_CHECKING:
    from pathlib import Path

FINDING = {"severity", "rule", "layer", "tensor", "message", "evidence", "advice"}


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Several tensors of 16 MB, the last with a NaN near its end."""
    rng = np.random.default_rng(1)
    tensors = {f"block.{i}.fc.weight": rng.normal(0, 0.1, (2048, 2048)).astype(np.float32) for i in range(4)}
    tensors["block.3.fc.weight"][-1, -1] = np.nan
    tensors["head.bias"] = rng.normal(0, 1, 20).astype(np.float32)
    return write_safetensors(tmp_path_factory.mktemp("check") / "large.safetensors", tensors)


def test_healthy_model(run: Run) -> None:
    result = run("check", DEMO / "healthy.keras")
    assert result.code == 0
    assert result.out == "no findings; everything was read (29.3 kB)\n"
    assert run("check", DEMO / "healthy.keras", "--fail-on", "info").code == 0


def test_the_planted_faults_of_the_demo_and_nothing_else(run: Run) -> None:
    document = run("check", DEMO / "faulty.keras", "--json").document
    found = [(f["severity"], f["rule"], f["tensor"]) for f in document["findings"]]
    assert found == [
        ("error", "negative-variance", "norm/moving_variance"),
        ("warning", "never-trained", "hidden/kernel"),
        ("warning", "dead-channels", "conv2/kernel"),
    ]
    assert document["findings"][2]["evidence"] == {"dead": 3, "channels": 16, "first": 3}


def test_every_epoch_of_the_demos_run(run: Run) -> None:
    for epoch, rules in enumerate([{"untrained-model"}, set(), set(), set(), set(), {"nan"}]):
        document = run("check", DEMO / "digits-run" / f"epoch-{epoch}.keras", "--json").document
        assert {f["rule"] for f in document["findings"]} == rules


def test_exit_codes(run: Run) -> None:
    faulty = DEMO / "faulty.keras"
    assert run("check", faulty).code == 1
    assert run("check", faulty, "--select", "conv2/*").code == 0
    assert run("check", faulty, "--select", "conv2/*", "--fail-on", "warning").code == 1
    assert run("check", DEMO / "digits-run" / "epoch-0.keras", "--fail-on", "warning").code == 0
    assert run("check", DEMO / "digits-run" / "epoch-0.keras", "--fail-on", "info").code == 1


def test_document(run: Run) -> None:
    document = run("check", DEMO / "digits-run" / "epoch-5.keras", "--json").document
    assert (document["schema"], document["read"], document["complete"], document["warnings"]) == (1, 1.0, True, [])
    assert all(set(f) == FINDING for f in document["findings"])
    first = document["findings"][0]
    assert (first["severity"], first["rule"], first["layer"]) == ("error", "nan", "conv1")
    severities = [f["severity"] for f in document["findings"]]
    assert severities == sorted(severities, key=("error", "warning", "info").index)


def test_lines_for_eyes(run: Run, terminal) -> None:
    terminal(80)
    lines = run("check", DEMO / "faulty.keras").out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert lines[0].startswith("✗ error  norm/moving_variance")
    assert lines[-1] == "1 error, 2 warnings; everything was read (39.3 kB)"
    ascii_ = run("check", DEMO / "faulty.keras", "--ascii").out
    assert ascii_.isascii()


def test_an_unreadable_tensor_is_a_finding(run: Run, cut: Path) -> None:
    result = run("check", cut, "--json")
    assert result.code == 1
    assert next((f["severity"], f["rule"]) for f in result.document["findings"]) == ("error", "unreadable")
    assert not result.document["complete"]


def test_a_limit_of_time_reads_what_tells_most(run: Run, large: Path) -> None:
    document = run("check", large, "--within", "1h", "--json").document
    assert (document["read"], document["complete"]) == (1.0, True)
    assert [f["tensor"] for f in document["findings"] if f["rule"] == "nan"] == ["block.3.fc.weight"]
    result = run("check", large, "--within", "1ms", "--json")
    assert result.document["read"] < 1
    assert not result.document["complete"]
    assert result.code == 3
    assert "% of" in run("check", large, "--within", "1ms").out


@pytest.mark.parametrize("text", ["0", "-1s", "soon", "1x", "nan", ""])
def test_a_limit_that_is_no_time(run: Run, text: str) -> None:
    result = run("check", DEMO / "healthy.keras", f"--within={text}")
    assert result.code == 2
    assert "30s" in result.err


def test_findings_of_the_api() -> None:
    with wtui.open(DEMO / "faulty.keras") as model:
        assert [f.rule for f in model.findings()] == ["negative-variance", "never-trained", "dead-channels"]
        report = model.check(["conv2/kernel"])
        assert [f.rule for f in report.findings] == ["dead-channels"]
        assert report.complete
        assert set(report.rows) == {model.tensor("conv2/kernel").index}
