"""Cells of a heat map equal means and maxima of the same parts of the whole array, for every layout."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.builders import write_safetensors
from tests.engine.test_region import stored
from wtui.engine.matrix import reduce_matrix
from wtui.errors import UsageError
from wtui.formats import open_catalogue
from wtui.storage import Files

if TYPE_CHECKING:
    from pathlib import Path

RNG = np.random.default_rng(5)


def expected(matrix: np.ndarray, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Means and maxima of |x| by cell, from the definition."""
    r = [i * matrix.shape[0] // rows for i in range(rows + 1)]
    c = [i * matrix.shape[1] // columns for i in range(columns + 1)]
    cells = [[matrix[r[i] : r[i + 1], c[j] : c[j + 1]] for j in range(columns)] for i in range(rows)]
    return np.array([[x.mean(dtype=np.float64) for x in row] for row in cells]), np.array(
        [[np.abs(x).max() for x in row] for row in cells]
    )


@pytest.mark.parametrize(("shape", "split"), [((700, 900), 1), ((3, 3, 64, 70), 3), ((3, 3, 64, 70), 1), ((5,), 0)])
def test_cells_are_means_and_maxima(shape: tuple[int, ...], split: int) -> None:
    whole = RNG.standard_normal(shape).astype(np.float32)
    entry, catalogue, files = stored(whole)
    found = reduce_matrix(entry, catalogue, files, split, 13, 29)
    assert found is not None
    matrix = whole.reshape(found.rows, found.columns)
    mean, largest = expected(matrix, *found.mean.shape)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-9, atol=1e-12)
    assert np.array_equal(found.abs_max, largest)


def test_other_orders_of_axes_give_the_same_picture() -> None:
    whole = RNG.standard_normal((40, 50)).astype(np.float32)
    entry, catalogue, files = stored(np.ascontiguousarray(whole.T), shape=(40, 50), strides=(1, 40))
    found = reduce_matrix(entry, catalogue, files, 1, 8, 8)
    assert found is not None
    np.testing.assert_allclose(found.mean, expected(whole, 8, 8)[0], rtol=1e-9, atol=1e-12)


def test_chunks_give_the_same_picture(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    whole = RNG.standard_normal((100, 90)).astype(np.float32)
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file.create_dataset("d", data=whole, chunks=(32, 32), compression="gzip")
    catalogue = open_catalogue(str(tmp_path / "c.h5"))
    found = reduce_matrix(catalogue["d"], catalogue, Files(catalogue.files), 1, 10, 10)
    assert found is not None
    np.testing.assert_allclose(found.mean, expected(whole, 10, 10)[0], rtol=1e-9, atol=1e-12)


def test_nan_stays_in_its_cell() -> None:
    whole = np.ones((16, 16), np.float32)
    whole[3, 12] = np.nan
    entry, catalogue, files = stored(whole)
    found = reduce_matrix(entry, catalogue, files, 1, 4, 4)
    assert found is not None
    assert np.isnan(found.mean[0, 3])
    assert np.isnan(found.mean).sum() == 1


def test_small_empty_and_stopped(tmp_path: Path) -> None:
    tensors = {"s": np.array(2.0, np.float32), "e": np.empty((0, 4), np.float32), "i": np.arange(6, dtype=np.int8)}
    catalogue = open_catalogue(str(write_safetensors(tmp_path / "a.safetensors", tensors)))
    files = Files(catalogue.files)
    scalar = reduce_matrix(catalogue["s"], catalogue, files, 0, 9, 9)
    assert scalar is not None
    assert scalar.mean.tolist() == [[2.0]]
    integers = reduce_matrix(catalogue["i"], catalogue, files, 0, 1, 3)
    assert integers is not None
    assert integers.mean.tolist() == [[0.5, 2.5, 4.5]]
    with pytest.raises(UsageError):
        reduce_matrix(catalogue["e"], catalogue, files, 1, 9, 9)
    assert reduce_matrix(catalogue["i"], catalogue, files, 0, 1, 3, stopped=lambda: True) is None
