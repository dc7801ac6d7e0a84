"""Kernels that have lost their rank, by a piece of them; what only looks like it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import wtui
from tests.builders import write_safetensors
from wtui.engine.corner import corner_rank
from wtui.insight.matrices import matrix_axes

if TYPE_CHECKING:
    from pathlib import Path

RNG = np.random.default_rng(4)


def of_rank(rank: int, *shape: int) -> np.ndarray:
    columns = int(np.prod(shape[1:]))
    left, right = RNG.standard_normal((shape[0], rank)), RNG.standard_normal((rank, columns))
    return (left @ right / rank).astype(np.float32).reshape(shape)


def rules(path: Path, name: str, array: np.ndarray) -> list[str]:
    write_safetensors(path, {name: array, "other.weight": RNG.standard_normal((70, 60)).astype(np.float32)})
    with wtui.open(path, cache=False) as model:
        return [f.rule for f in model.findings() if f.tensor == name]


@pytest.mark.parametrize("shape", [(300, 200), (128, 64, 3, 3), (100, 60)])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_a_low_rank_is_found_in_any_shape(tmp_path: Path, shape: tuple[int, ...], dtype: type) -> None:
    name = "conv.weight" if len(shape) == 4 else "fc.weight"
    assert "collapsed-rank" in rules(tmp_path / "low.safetensors", name, of_rank(10, *shape).astype(dtype))
    full = RNG.standard_normal(shape).astype(dtype)
    assert "collapsed-rank" not in rules(tmp_path / "full.safetensors", name, full)


@pytest.mark.parametrize(
    "array",
    [
        of_rank(5, 40, 300),
        np.full((100, 100), 0.5, np.float32),
        np.zeros((100, 100), np.float32),
        np.diag(np.ones(100, np.float32)),
        np.where(np.arange(100)[:, None] < 70, 0, RNG.standard_normal((100, 90))).astype(np.float32),
        of_rank(60, 200, 200),
    ],
    ids=["narrow", "constant", "zero", "identity", "dead rows", "rank 60"],
)
def test_what_is_no_collapse(tmp_path: Path, array: np.ndarray) -> None:
    assert "collapsed-rank" not in rules(tmp_path / "model.safetensors", "fc.weight", array)


def test_the_piece_is_a_piece_and_no_more_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    write_safetensors(path, {"fc.weight": of_rank(7, 1000, 300)})
    with wtui.open(path, cache=False) as model:
        tensor = model.tensor("fc.weight")
        files = model._opened.files
        axes = matrix_axes(tensor.entry, model.layer("fc").node, model.format)
        found = corner_rank(tensor.entry, model.catalogue, files, axes, 48)
        assert found == (7, 96, 1000)
        assert files[0].bytes_read < 200 * 300 * 4
