"""Channels read from files: every kind of plan gives what numpy gives, and reading can be stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.builders import write_safetensors
from wtui.engine.blocks import BLOCK
from wtui.engine.measure import measure_channels
from wtui.formats import open_catalogue
from wtui.storage import Files

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64", "bfloat16", "int8", "uint8", "int64"])
def test_a_stored_tensor_of_several_blocks(tmp_path: Path, dtype: str) -> None:
    import ml_dtypes

    rng = np.random.default_rng(1)
    kind = np.dtype(getattr(ml_dtypes, dtype)) if dtype == "bfloat16" else np.dtype(dtype)
    values = (rng.normal(size=(300, 1000)) * 40).astype(kind)
    values[:, 17] = 0
    assert values.size > 2 * BLOCK
    catalogue = open_catalogue(str(write_safetensors(tmp_path / "a.safetensors", {"fc.weight": values})))
    files = Files(catalogue.files)
    for axes, others in (((1, 2), 0), ((0, 1), 1)):
        found = measure_channels(catalogue.tensors[0], catalogue, files, axes)
        assert found is not None
        plain = values.astype(np.float64)
        np.testing.assert_allclose(found.l1, np.abs(plain).sum(others), rtol=1e-6)
        np.testing.assert_allclose(found.largest, np.abs(plain).max(others))
        assert found.row().dead == (1 if axes == (1, 2) else 0)


def test_chunks_of_hdf5_are_boxes(tmp_path: Path) -> None:
    import h5py

    values = np.random.default_rng(2).normal(size=(70, 90)).astype(np.float32)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("w", data=values, chunks=(32, 40), compression="gzip")
    catalogue = open_catalogue(str(tmp_path / "a.h5"))
    found = measure_channels(catalogue["w"], catalogue, Files(catalogue.files), (1, 2))
    assert found is not None
    np.testing.assert_allclose(found.l2, np.sqrt((values.astype(np.float64) ** 2).sum(0)), rtol=1e-12)


def test_it_stops_when_told_to(tmp_path: Path) -> None:
    values = np.ones((16, BLOCK), np.float32)
    catalogue = open_catalogue(str(write_safetensors(tmp_path / "a.safetensors", {"w": values})))
    asked = iter([False, False, True])
    files = Files(catalogue.files)
    assert measure_channels(catalogue.tensors[0], catalogue, files, (0, 1), stopped=lambda: next(asked)) is None
    assert files.bytes_read < values.nbytes
