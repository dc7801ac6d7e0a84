"""Tensors in files as matrices: layouts, pieces, and every kind of input that has no spectrum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import wtui
from tests.builders import write_safetensors
from wtui.engine import spectrum
from wtui.errors import WtuiError

if TYPE_CHECKING:
    from pathlib import Path

    from wtui.stats.spectrum_row import SpectrumRow

RNG = np.random.default_rng(11)


def measured(folder: Path, name: str, array: np.ndarray) -> SpectrumRow:
    path = folder / ("model.safetensors" if array.dtype.kind != "c" else "model.npz")
    if array.dtype.kind == "c":
        np.savez(path, **{name: array})
    else:
        write_safetensors(path, {name: array})
    with wtui.open(path) as model:
        row = model.tensor(name).spectrum()
    assert row is not None
    return row


def singular(matrix: np.ndarray) -> np.ndarray:
    return np.linalg.svd(matrix.astype(np.float64), compute_uv=False)


def test_a_convolution_of_torch_is_a_matrix_for_each_place(tmp_path: Path) -> None:
    kernel = RNG.standard_normal((24, 16, 3, 2)).astype(np.float32)
    row = measured(tmp_path, "conv.weight", kernel)
    wanted = np.sort(np.concatenate([singular(kernel[:, :, i, j]) for i in range(3) for j in range(2)]))[::-1]
    assert np.allclose(row.values, wanted)
    assert (row.matrices, row.rows, row.columns) == (6, 24, 16)


def test_a_depthwise_convolution_is_one_matrix(tmp_path: Path) -> None:
    kernel = RNG.standard_normal((24, 1, 3, 3)).astype(np.float32)
    row = measured(tmp_path, "depthwise.weight", kernel)
    assert np.allclose(row.values, singular(kernel.reshape(24, 9)))
    assert row.matrices == 1


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int8])
def test_other_dtypes(tmp_path: Path, dtype: type) -> None:
    matrix = (20 * RNG.standard_normal((40, 30))).astype(dtype)
    assert np.allclose(measured(tmp_path, "fc.weight", matrix).values, singular(matrix))


def test_huge_and_tiny_values_neither_overflow_nor_vanish(tmp_path: Path) -> None:
    matrix = RNG.standard_normal((40, 30))
    for scale in (1e300, 1e-300):
        row = measured(tmp_path, "fc.weight", matrix * scale)
        assert row.spectral_norm == pytest.approx(singular(matrix)[0] * scale)


@pytest.mark.parametrize("shape", [(700, 520), (520, 700)])
def test_a_large_tensor_comes_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int]
) -> None:
    matrix = RNG.standard_normal(shape).astype(np.float32)
    monkeypatch.setattr(spectrum, "PIECE", 50_000)
    held = measured(tmp_path, "fc.weight", matrix)
    monkeypatch.setattr(spectrum, "HELD", 1000)
    streamed = measured(tmp_path, "fc.weight", matrix)
    assert np.allclose(held.values, singular(matrix))
    assert np.allclose(streamed.values[:500], singular(matrix)[:500])
    assert held.method == streamed.method == "gram"


def test_beyond_the_largest_side_it_is_randomised_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = RNG.standard_normal((300, 260)).astype(np.float32)
    matrix += 5 * np.outer(RNG.standard_normal(300), RNG.standard_normal(260)).astype(np.float32)
    monkeypatch.setattr(spectrum, "MAX_SIDE", 200)
    held = measured(tmp_path, "fc.weight", matrix)
    monkeypatch.setattr(spectrum, "HELD", 1000)
    streamed = measured(tmp_path, "fc.weight", matrix)
    for row in (held, streamed):
        assert row.method == "randomised"
        assert row.spectral_norm == pytest.approx(singular(matrix)[0], rel=1e-6)
        assert row.error < 1e-6
        assert row.condition is None
        assert row.beyond == 1


def test_it_can_be_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.safetensors"
    write_safetensors(path, {"fc.weight": RNG.standard_normal((600, 600)).astype(np.float32)})
    with wtui.open(path) as model:
        tensor = model.tensor("fc.weight")
        assert tensor.spectrum(lambda share: True) is None
        assert tensor.spectrum(lambda share: share > 0.5) is None
        monkeypatch.setattr(spectrum, "HELD", 1000)
        assert tensor.spectrum(lambda share: True) is None
        monkeypatch.setattr(spectrum, "MAX_SIDE", 200)
        assert tensor.spectrum(lambda share: share > 0.5) is None


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (np.array(3.0, np.float32), "a single value, not a matrix"),
        (np.ones(7, np.float32), "a vector, not a matrix"),
        (np.zeros((0, 4), np.float32), "no values"),
        (np.full((4, 4), np.nan, np.float32), "16 of its values are NaN or infinite"),
        (np.array([[1, np.inf], [0, 1]], np.float32), "1 of its values is NaN or infinite"),
        (np.ones((3, 3), np.complex64), "complex64"),
    ],
)
@pytest.mark.parametrize("held", [1 << 26, 1])
def test_what_has_no_spectrum_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, array: np.ndarray, why: str, held: int
) -> None:
    monkeypatch.setattr(spectrum, "HELD", held)
    with pytest.raises(WtuiError, match=why):
        measured(tmp_path, "fc.weight", array)


def test_one_weight_and_a_constant(tmp_path: Path) -> None:
    assert measured(tmp_path, "fc.weight", np.array([[2.0]], np.float32)).spectral_norm == 2
    row = measured(tmp_path, "fc.weight", np.full((60, 50), 0.5, np.float32))
    assert row.rank == 1
    assert row.stable_rank == pytest.approx(1)
    assert row.skipped["alpha"].startswith("1 singular value is too few")
