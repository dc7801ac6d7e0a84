"""Checkpoints that Orbax wrote, and zarr arrays that zarr wrote, read through tensorstore: equal to what was saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import pytest

from tests.formats.fuzzing import check_opens_or_refuses, mutate
from wtui.engine.blocks import plan_blocks
from wtui.errors import StorageError
from wtui.formats import open_catalogue
from wtui.storage import Files

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("tensorstore")


def some(*shape: int, dtype: Any = "f4") -> np.ndarray:
    return (np.random.default_rng(5).normal(size=shape) * 50).astype(dtype)


TREE = {
    "params": {
        "Dense_0": {"kernel": some(30, 40), "bias": some(40, dtype=ml_dtypes.bfloat16)},
        "blocks": [some(3, 4, 5), some(7, dtype="f2")],
        "int": some(6, dtype="i1"),
        "bool": some(6) > 0,
    },
    "opt_state": {"mu": some(30, 40)},
    "step": np.int32(9),
}
ARRAYS = {
    "params/Dense_0/kernel": TREE["params"]["Dense_0"]["kernel"],
    "params/Dense_0/bias": TREE["params"]["Dense_0"]["bias"],
    "params/blocks/0": TREE["params"]["blocks"][0],
    "params/blocks/1": TREE["params"]["blocks"][1],
    "params/int": TREE["params"]["int"],
    "params/bool": TREE["params"]["bool"],
    "opt_state/mu": TREE["opt_state"]["mu"],
    "step": np.asarray(TREE["step"]),
}  # type: ignore[index]


def save(folder: Path, **options: Any) -> None:
    ocp = pytest.importorskip("orbax.checkpoint")
    ocp.Checkpointer(ocp.PyTreeCheckpointHandler(**options)).save(folder, TREE)


@pytest.mark.parametrize("ocdbt", [True, False])
@pytest.mark.parametrize("zarr3", [True, False])
def test_a_checkpoint(tmp_path: Path, ocdbt: bool, zarr3: bool) -> None:
    save(tmp_path / "state", use_ocdbt=ocdbt, use_zarr3=zarr3)
    found = open_catalogue(str(tmp_path / "state"))
    assert found.warnings == ()
    assert {t.name: (t.shape, t.dtype) for t in found.tensors} == {
        n: (a.shape, str(a.dtype)) for n, a in ARRAYS.items()
    }  # fmt: skip
    files = Files(found.files)
    for name, array in ARRAYS.items():
        got = plan_blocks(found[name], found, files).array()
        assert got.tobytes() == array.tobytes(), name


def test_without_the_tree_the_database_is_listed(tmp_path: Path) -> None:
    save(tmp_path / "state", use_ocdbt=True)
    (tmp_path / "state" / "_METADATA").unlink()
    found = open_catalogue(str(tmp_path / "state"), "orbax")
    assert {t.name for t in found.tensors} == set(ARRAYS)


def test_a_database_that_changed_meanwhile_is_noticed(tmp_path: Path) -> None:
    save(tmp_path / "state", use_ocdbt=True)
    found = open_catalogue(str(tmp_path / "state"))
    manifest = tmp_path / "state" / "manifest.ocdbt"
    manifest.write_bytes(manifest.read_bytes() + b" ")
    with pytest.raises(StorageError, match="changed"):
        plan_blocks(found["params/int"], found, Files(found.files)).array()


@pytest.mark.parametrize("version", [2, 3])
def test_chunks_that_stick_out_over_the_edge(tmp_path: Path, version: int) -> None:
    zarr = pytest.importorskip("zarr")
    array = some(25, 17)
    stored = zarr.create_array(
        tmp_path / "a", shape=array.shape, chunks=(10, 6), dtype="f4", zarr_format=version, fill_value=3
    )
    stored[:20] = array[:20]
    expected = array.copy()
    expected[20:] = 3
    found = open_catalogue(str(tmp_path / "a"))
    assert len(found.parts(found["a"])) == 9
    np.testing.assert_array_equal(plan_blocks(found["a"], found, Files(found.files)).array(), expected)


def test_a_damaged_database_ends_in_wtui_errors(tmp_path: Path) -> None:
    save(tmp_path / "state", use_ocdbt=True)
    inner = min((tmp_path / "state" / "d").iterdir())
    for path in (tmp_path / "state" / "manifest.ocdbt", inner):
        whole = path.read_bytes()
        for seed in range(100):
            path.write_bytes(mutate(whole, seed))
            check_opens_or_refuses(tmp_path / "state")
        path.write_bytes(whole)


def test_a_chunk_of_the_wrong_size_is_an_error(tmp_path: Path) -> None:
    save(tmp_path / "state", use_ocdbt=False)
    chunk = tmp_path / "state" / "params.Dense_0.kernel" / "0.0"
    chunk.write_bytes(chunk.read_bytes()[:-20])
    found = open_catalogue(str(tmp_path / "state"))
    with pytest.raises(StorageError, match="tensorstore cannot read it"):
        plan_blocks(found["params/Dense_0/kernel"], found, Files(found.files)).array()
