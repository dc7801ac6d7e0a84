"""Keras models against the same weights in PyTorch, each saved by its framework: names, layouts, gates."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import wtui
from tests.comparing.oracle import check

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run

torch = pytest.importorskip("torch")

SAVE = """
import sys, keras
keras.utils.set_random_seed(3)
L = keras.layers
model = keras.Sequential([
    keras.Input((12, 12, 3)), L.Conv2D(8, (3, 5), name="conv1"), L.BatchNormalization(name="bn1"),
    L.DepthwiseConv2D(3, name="depth"), L.Conv2D(8, 1, use_bias=False, name="square"), L.Flatten(name="flat"),
    L.Dense(24, name="fc1"), L.Dense(24, name="fc2"), L.Dense(5, name="out")], name="net")
model.save(sys.argv[1] + "/net.keras")
cell = keras.Sequential([keras.Input((7, 6)), L.GRU(10, name="gru"), L.Dense(3, name="head")], name="cell")
cell.save(sys.argv[1] + "/cell.keras")
"""

WORDS = {"kernel": "weight", "gamma": "weight", "beta": "bias", "bias": "bias", "moving_mean": "running_mean",
         "moving_variance": "running_var"}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keras")
    subprocess.run([sys.executable, "-c", SAVE, str(path)], check=True, capture_output=True)
    return path


def turned(name: str, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A variable of Keras as torch stores it."""
    if not name.endswith("kernel"):
        return values
    if name.startswith("depth"):
        return values.transpose(2, 3, 0, 1).reshape(-1, 1, *values.shape[:2])
    return values.T if values.ndim == 2 else values.transpose(3, 2, 0, 1)


def state_dict(path: Path, prefix: str = "") -> dict[str, Any]:
    with wtui.open(path) as model:
        arrays = {t.name: t.array() for t in model.tensors}
    found = {}
    for name, values in arrays.items():
        layer, _, role = name.rpartition("/")
        found[f"{prefix}{layer}.{WORDS[role]}"] = torch.tensor(np.ascontiguousarray(turned(name, values)))
    return found


@pytest.mark.parametrize("prefix", ["", "model.", "module."])
def test_a_state_dict_of_the_same_weights_is_identical(prefix: str, folder: Path, tmp_path: Path) -> None:
    torch.save(state_dict(folder / "net.keras", prefix), tmp_path / "net.pt")
    for one, other in ((folder / "net.keras", tmp_path / "net.pt"), (tmp_path / "net.pt", folder / "net.keras")):
        found = wtui.compare(one, other)
        assert found.is_same
        assert len(found.results) == 15
        layouts = {c.name: c.layout.text for c in found.results if c.layout and not c.layout.is_plain}
        layers = {name.removeprefix(prefix).replace("/", ".").split(".")[0] for name in layouts}
        assert layers == {"conv1", "depth", "square", "fc1", "fc2", "out"}


def test_a_state_dict_of_tuned_weights_against_numpy(folder: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    state = state_dict(folder / "net.keras")
    tuned = {n: v + torch.tensor(0.01 * rng.normal(size=tuple(v.shape)), dtype=v.dtype) for n, v in state.items()}
    torch.save(tuned, tmp_path / "net.pt")
    found = wtui.compare(folder / "net.keras", tmp_path / "net.pt")
    assert len(found.results) == len(state)
    for change in found.results:
        check(change.row, state[change.name].numpy(), tuned[change.name].numpy())


def test_gates_of_a_recurrent_layer_stand_in_another_order(folder: Path, tmp_path: Path) -> None:
    with wtui.open(folder / "cell.keras") as model:
        keras = {t.name: t.array() for t in model.tensors}

    def gates(values: np.ndarray[Any, Any]) -> Any:
        z, r, h = np.split(values, 3, axis=-1)
        return torch.tensor(np.concatenate([r, z, h], axis=-1).T.copy())

    kernels = {name.rpartition("/")[2]: v for name, v in keras.items() if name.startswith("gru")}
    state = {
        "gru.weight_ih_l0": gates(kernels["kernel"]), "gru.weight_hh_l0": gates(kernels["recurrent_kernel"]),
        "head.weight": torch.tensor(keras["head/kernel"].T.copy()), "head.bias": torch.tensor(keras["head/bias"]),
    }  # fmt: skip
    torch.save(state, tmp_path / "cell.pt")
    found = wtui.compare(folder / "cell.keras", tmp_path / "cell.pt")
    pairs = {c.name: c for c in found.pairs}
    assert set(pairs) == set(state)
    assert all(c.is_equal() for c in pairs.values())
    assert pairs["gru.weight_hh_l0"].layout is not None
    assert "blocks 1 0 2" in pairs["gru.weight_hh_l0"].layout.text


def test_a_live_module_against_its_file(folder: Path, tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(9, 7), torch.nn.ReLU(), torch.nn.Linear(7, 2))
    torch.save(module.state_dict(), tmp_path / "m.pt")
    assert wtui.compare(tmp_path / "m.pt", module).is_same
    with torch.no_grad():
        module[2].bias += 1
    found = wtui.compare(tmp_path / "m.pt", module)
    assert [c.name for c in found.results if not c.is_equal()] == ["2.bias"]


def test_structure_names_the_transposes(folder: Path, tmp_path: Path, run: Run) -> None:
    torch.save(state_dict(folder / "net.keras", "model."), tmp_path / "net.pt")
    document = run("diff", "--structure", tmp_path / "net.pt", folder / "net.keras", "--json").document
    assert (document["loads"], document["would_load"], document["take_off"]) == (False, True, "model.")
    transposes = {t["layout"]: t["tensors"] for t in document["transposes"]}
    assert transposes["transposed 1 0"] == 3
    assert sum(transposes.values()) == 6
    assert (document["missing"], document["unexpected"], document["mismatched"]) == ([], [], [])
