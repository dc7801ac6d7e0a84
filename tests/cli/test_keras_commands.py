"""`wtui summary` and `wtui activations`: tables, documents, exit codes, and one line for what cannot be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.builders import write_safetensors
from tests.cli.conftest import DEMO, Run

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("keras")

LAYER = {
    "path", "name", "class", "output_shapes", "from", "connected_to", "activation", "initialisers", "regularisers",
    "trainable", "refused", "params",
}  # fmt: skip


def test_summary_with_the_shapes_of_keras(run: Run) -> None:
    result = run("summary", DEMO / "healthy.keras", "--json")
    assert (result.code, result.err) == (0, "")
    layers = result.document["layers"]
    assert all(set(layer) == LAYER for layer in layers)
    assert [layer["name"] for layer in layers] == ["conv1", "conv2", "pool", "flatten", "hidden", "digits"]
    assert layers[0]["output_shapes"] == [[None, 6, 6, 8]]
    assert layers[-1]["output_shapes"] == [[None, 10]]
    assert {layer["from"] for layer in layers} == {"keras"}
    assert layers[0]["initialisers"]["kernel"] == "GlorotUniform"
    assert sum(layer["params"] for layer in layers) == 3658
    assert result.document["problem"] is None


def test_summary_without_starting_anything(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subprocess.Popen", lambda *a, **k: pytest.fail("a process was started"))
    result = run("summary", DEMO / "healthy.keras", "--no-shapes")
    assert result.code == 0
    assert "[(None, 6, 6, 8)]" in result.out
    assert "leaky_relu" in result.out
    selected = run("summary", DEMO / "healthy.keras", "--no-shapes", "--select", "conv*")
    assert "hidden" not in selected.out


def test_summary_refuses_code_and_shows_the_rest(run: Run) -> None:
    result = run("summary", DEMO / "colleague.h5")
    assert result.code == 3
    assert "centre is a Lambda layer, which is Python code in the file" in result.out
    assert "Bidirectional" in result.out
    assert "tanh, sigmoid" in result.out


def test_summary_of_what_is_no_keras_model(run: Run, tmp_path: Path) -> None:
    path = write_safetensors(tmp_path / "a.safetensors", {"layer.weight": np.ones((2, 3), np.float32)})
    result = run("summary", path)
    assert result.code == 0
    assert "records no Keras configuration" in result.out


def test_activations_of_a_file_of_inputs(run: Run, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((5, 8, 8, 1)).astype(np.float32))
    result = run("activations", DEMO / "faulty.keras", "--input", tmp_path / "x.npy", "--batch", 4, "--json")
    assert (result.code, result.err) == (0, "")
    document = result.document
    assert [i["shape"] for i in document["inputs"]] == [[4, 8, 8, 1]]
    assert document["inputs"][0]["source"] == "x.npy"
    assert [layer["layer"] for layer in document["layers"]] == ["conv1", "norm", "conv2", "flatten", "hidden", "digits"]
    assert {f["rule"] for f in document["findings"]} == {"output-not-finite"}
    assert all("on this input" in f["message"] for f in document["findings"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((DEMO / "colleague.h5",), "cannot be run: row_scale its class RowScale is not one of Keras's"),
        ((DEMO / "healthy.keras", "--batch", "0"), "a batch of 0"),
        ((DEMO / "healthy.keras", "--weights", "imagenet"), "--weights is for architectures by name"),
        ((DEMO / "healthy.keras", "--input", "/no/such.npy", "--random"), "not allowed with"),
        ((DEMO / "healthy.keras", "--time-limit", "0.01s"), "took longer than 0.01 s and was stopped"),
    ],
)
def test_what_cannot_be_done_is_one_line(run: Run, arguments: tuple[object, ...], said: str) -> None:
    result = run("activations", *arguments)
    assert result.code == 2
    assert said in result.err
    assert result.err.count("\n") == 1
    assert result.out == ""
