"""`wtui spectrum`: its numbers against numpy, what it says of what has none, and its plots."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.builders import write_safetensors
from tests.cli.conftest import DEMO

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run

RNG = np.random.default_rng(3)


@pytest.fixture
def model(tmp_path: Path) -> tuple[Path, dict[str, np.ndarray]]:
    arrays = {
        "conv.weight": RNG.standard_normal((16, 8, 3, 3)).astype(np.float32),
        "fc1.weight": RNG.standard_normal((80, 60)).astype(np.float32),
        "fc1.bias": np.zeros(80, np.float32),
        "fc2.weight": RNG.standard_normal((10, 80)).astype(np.float32),
    }
    path = tmp_path / "model.safetensors"
    write_safetensors(path, arrays)
    return path, arrays


def test_document_of_all_kernels(run: Run, model: tuple[Path, dict[str, np.ndarray]]) -> None:
    path, arrays = model
    done = run("spectrum", path, "--json")
    assert done.code == 0
    found = {t["name"]: t for t in done.document["tensors"]}
    assert set(found) == {"conv.weight", "fc1.weight", "fc2.weight"}
    s = np.linalg.svd(arrays["fc1.weight"].astype(np.float64), compute_uv=False)
    one = found["fc1.weight"]
    assert one["spectral_norm"] == pytest.approx(s[0])
    assert one["stable_rank"] == pytest.approx((s**2).sum() / s[0] ** 2)
    assert one["condition"] == pytest.approx(s[0] / s[-1])
    assert one["alpha"] == pytest.approx(
        1 + 1 / np.log(np.sort(s**2)[-one["alpha_tail"] :] / one["alpha_start"]).mean()
    )
    assert one["exact"] is True
    assert found["conv.weight"]["seen_as"] == "9 matrices of 16 × 8, one for each place of the window"
    assert found["fc2.weight"]["alpha"] is None
    assert "50 are needed" in found["fc2.weight"]["skipped"]["alpha"]


def test_one_tensor_with_its_singular_values(run: Run, model: tuple[Path, dict[str, np.ndarray]]) -> None:
    path, arrays = model
    document = run("spectrum", path, "fc2.weight", "--json").document
    wanted = np.linalg.svd(arrays["fc2.weight"].astype(np.float64), compute_uv=False)
    assert np.allclose(document["tensors"][0]["singular_values"], wanted)
    text = run("spectrum", path, "fc2.weight", "--log").out
    assert "seen as a matrix of 10 × 80" in text
    assert "singular values of fc2.weight by rank, logarithmic" in text
    assert run("spectrum", path, "fc2.weight", "--ascii").out.isascii()


def test_table_csv_and_depth(run: Run, model: tuple[Path, dict[str, np.ndarray]]) -> None:
    path, _ = model
    lines = run("spectrum", path).out.splitlines()
    assert [line.split()[0] for line in lines] == ["tensor", "conv.weight", "fc1.weight", "fc2.weight"]
    rows = list(csv.DictReader(io.StringIO(run("spectrum", path, "--csv").out)))
    assert [r["name"] for r in rows] == ["conv.weight", "fc1.weight", "fc2.weight"]
    assert float(rows[1]["stable_rank"]) > 1
    assert "stable rank by depth  3 kernels" in run("spectrum", path, "--depth", "stable_rank").out
    assert "3 kernels, 1 without" in run("spectrum", path, "--depth", "alpha").out


def test_what_has_no_spectrum_says_why(run: Run, model: tuple[Path, dict[str, np.ndarray]], tmp_path: Path) -> None:
    path, arrays = model
    assert "a vector, not a matrix" in run("spectrum", path, "fc1.bias").err
    assert run("spectrum", path, "fc1.bias").code == 2
    assert run("spectrum", path, "fc1.weight", "--depth", "alpha").code == 2
    broken = dict(arrays)
    broken["fc1.weight"] = broken["fc1.weight"].copy()
    broken["fc1.weight"][3, 4] = np.nan
    other = tmp_path / "broken.safetensors"
    write_safetensors(other, broken)
    done = run("spectrum", other)
    assert done.code == 3
    assert "fc1.weight" in done.out
    assert "not measured: 1 of its values is NaN or infinite" in done.out
    assert run("spectrum", other, "--json").document["warnings"][-1]["tensor"] == "fc1.weight"
    assert run("spectrum", other, "fc1.weight").code == 2


@pytest.mark.parametrize("name", ["colleague.h5", "healthy.keras", "faulty.keras"])
def test_the_demo_has_spectra(run: Run, name: str) -> None:
    done = run("spectrum", DEMO / name, "--json")
    assert done.code == 0
    assert all(t["spectral_norm"] > 0 for t in done.document["tensors"])
