"""Would weights load? From headers alone: missing, unexpected, mismatched, the one prefix, the transposes."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import wtui
from tests.builders import write_safetensors
from tests.cli.conftest import DEMO
from wtui.comparing.structure import would_load
from wtui.storage import source

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run
    from wtui.insight.loading import Structure

    Arrays = dict[str, np.ndarray]

LAYERS: Arrays = {
    "conv.weight": np.ones((8, 3, 3, 3), np.float32), "conv.bias": np.ones(8, np.float32),
    "fc.weight": np.ones((5, 32), np.float32), "fc.bias": np.ones(5, np.float32),
}  # fmt: skip


def saved(path: Path, arrays: Arrays) -> Path:
    return write_safetensors(path, arrays)


def structure(tmp_path: Path, a: Arrays, b: Arrays) -> Structure:
    with wtui.open(saved(tmp_path / "a.safetensors", a)) as one, wtui.open(saved(tmp_path / "b.safetensors", b)) as two:
        return would_load(one.catalogue, two.catalogue)


def test_equal_names_and_shapes_load(tmp_path: Path) -> None:
    found = structure(tmp_path, LAYERS, {name: v * 2 for name, v in reversed(LAYERS.items())})
    assert (found.loads, found.would_load, len(found.fitting)) == (True, True, 4)
    assert (found.taken_off, found.put_before, found.renamed, found.transposes) == ("", "", (), ())


@pytest.mark.parametrize("prefix", ["model.", "module.", "a.b.c."])
def test_the_one_prefix_that_would_fix_it(prefix: str, tmp_path: Path) -> None:
    longer = {prefix + name: v for name, v in LAYERS.items()}
    found = structure(tmp_path, longer, LAYERS)
    assert (found.loads, found.would_load, found.taken_off, found.put_before) == (False, True, prefix, "")
    assert found.renamed == ()
    back = structure(tmp_path, LAYERS, longer)
    assert (back.loads, back.would_load, back.taken_off, back.put_before) == (False, True, "", prefix)


def test_the_transposes_that_would_fix_it(tmp_path: Path) -> None:
    turned = {**LAYERS, "fc.weight": np.ones((32, 5), np.float32)}
    found = structure(tmp_path, turned, LAYERS)
    assert (found.loads, found.would_load, found.transposes) == (False, True, (("transposed 1 0", 1),))
    assert not found.renamed


def test_missing_unexpected_and_mismatched(tmp_path: Path) -> None:
    a = {**LAYERS, "fc.weight": np.ones((7, 32), np.float32), "fc.bias": np.ones(7, np.float32)}
    a["extra.weight"] = np.ones((2, 71), np.float32)
    del a["conv.bias"]
    found = structure(tmp_path, a, LAYERS)
    assert [t.name for t in found.missing] == ["conv.bias"]
    assert [t.name for t in found.unexpected] == ["extra.weight"]
    assert [f.b.name for f in found.mismatched] == ["fc.weight", "fc.bias"]
    assert [f.b.name for f in found.fitting] == ["conv.weight"]
    assert (found.loads, found.would_load) == (False, False)


def test_two_models_with_nothing_in_common(tmp_path: Path, run: Run) -> None:
    found = structure(tmp_path, {"x": np.ones((3, 7), np.float32)}, {"y": np.ones((2, 2), np.float32)})
    assert (found.loads, found.would_load, found.fitting) == (False, False, ())
    said = run("diff", "--structure", tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    assert said.code == 1
    assert said.out.endswith("A does not load into B: no tensor of A fits one of B\n")


def test_only_headers_are_read(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    count = source._Counted._count
    monkeypatch.setattr(source._Counted, "_count", lambda self, n: (read.append(n), count(self, n))[1])
    large = {f"model.layers.{i}.weight": np.full((256, 256), i, np.float32) for i in range(40)}
    one = saved(tmp_path / "a.safetensors", large)
    two = saved(tmp_path / "b.safetensors", {name.removeprefix("model."): v for name, v in large.items()})
    assert run("diff", "--structure", one, two).code == 1
    assert 0 < sum(read) < 300_000 < one.stat().st_size // 30
    read.clear()
    assert run("diff", one, two).code == 0
    assert sum(read) > one.stat().st_size + two.stat().st_size - 100_000  # the count sees values, where they are read


def test_answers_and_exit_codes(tmp_path: Path, run: Run) -> None:
    one = saved(tmp_path / "a.safetensors", {f"model.{n}": v for n, v in LAYERS.items()})
    two = saved(tmp_path / "b.safetensors", LAYERS)
    assert run("diff", "--structure", two, two).out.endswith(
        "A loads into B as it is: 4 tensors, same names and shapes\n"
    )
    fixed = run("diff", "--structure", one, two)
    assert fixed.code == 1
    assert (
        "A does not load into B as it is; all 4 tensors would fit with:\n  `model.` taken off A's names\n" in fixed.out
    )
    document = run("diff", "--structure", one, two, "--json").document
    assert (document["loads"], document["would_load"], document["take_off"]) == (False, True, "model.")
    assert [t["state"] for t in document["tensors"]] == ["changed"] * 4
    smaller = saved(tmp_path / "c.safetensors", {n: v for n, v in LAYERS.items() if n != "fc.bias"})
    missing = run("diff", "--structure", smaller, two)
    assert missing.code == 1
    assert "missing: B has them, A does not: 1\n  fc.bias  5\n" in missing.out
    assert missing.out.endswith("A does not load into B: 1 missing; 3 fit\n")
    assert run("diff", "--structure", smaller, two, "--select", "conv*").code == 0
    rows = run("diff", "--structure", smaller, two, "--csv").out.split("\n")
    assert rows[0].startswith("state,a,b,paired_by,layout")
    assert rows[4] == "missing,,fc.bias,,,,5,,float32"


def test_keras_files_of_one_architecture(run: Run) -> None:
    found = run("diff", "--structure", DEMO / "digits-run" / "epoch-1.keras", DEMO / "healthy.keras")
    assert (found.code, found.err) == (0, "")
    assert "8 tensors, same names and shapes" in found.out
    other = run("diff", "--structure", DEMO / "healthy.keras", DEMO / "colleague.h5")
    assert other.code == 1
    assert "mismatched: other shapes: 1" in other.out


def config_of(model: Path) -> dict[str, Any]:
    with zipfile.ZipFile(model) as file:
        return dict(json.loads(file.read("config.json")))


def test_a_keras_configuration_without_weights(tmp_path: Path, run: Run) -> None:
    config = config_of(DEMO / "healthy.keras")
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    assert run("diff", "--structure", DEMO / "healthy.keras", path).code == 0
    config["config"]["layers"][-1]["config"]["units"] = 11
    path.write_text(json.dumps(config))
    document = run("diff", "--structure", DEMO / "healthy.keras", path, "--json").document
    assert (document["b"], document["loads"]) == (str(path), False)
    assert document["mismatched"] == ["digits/kernel", "digits/bias"]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"class_name": "Sequential", "config": {"layers": [{"class_name": "Lambda", "config": {"name": "run"}}]}},
         "run is a Lambda layer, which is Python code in the file, and is not built"),
        ({"model_type": "bert"}, "looks like a model's configuration"),
    ],
)  # fmt: skip
def test_configurations_that_cannot_be_built(config: dict[str, Any], said: str, tmp_path: Path, run: Run) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    found = run("diff", "--structure", DEMO / "healthy.keras", path)
    assert (found.code, found.out) == (2, "")
    assert said in found.err
    assert str(path) in found.err
