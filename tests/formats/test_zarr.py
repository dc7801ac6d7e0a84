"""zarr folders and Orbax checkpoints without tensorstore: what lies in plain files is read, the rest is listed."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.formats.fuzzing import check_opens_or_refuses, mutate
from wtui.engine.blocks import plan_blocks
from wtui.errors import FormatError
from wtui.formats import open_catalogue, orbax, zarr
from wtui.formats.probe import Probe
from wtui.storage import Files

if TYPE_CHECKING:
    from pathlib import Path

    from wtui.model import Catalogue


@pytest.fixture(autouse=True)
def without_tensorstore(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (zarr, orbax):
        monkeypatch.setattr(module, "is_tensorstore_here", lambda: False)


def values(catalogue: Catalogue, name: str) -> np.ndarray:
    return plan_blocks(catalogue[name], catalogue, Files(catalogue.files)).array()


def write_v2(folder: Path, array: np.ndarray, **changes: Any) -> None:
    """An array of zarr 2 in one chunk that nothing compresses."""
    folder.mkdir(parents=True, exist_ok=True)
    meta = {
        "zarr_format": 2, "shape": list(array.shape), "chunks": list(array.shape), "dtype": array.dtype.str,
        "order": "C", "compressor": None, "filters": None, "fill_value": None,
    } | changes  # fmt: skip
    (folder / ".zarray").write_text(json.dumps(meta))
    (folder / (".".join("0" for _ in array.shape) or "0")).write_bytes(array.tobytes())


def write_v3(folder: Path, array: np.ndarray, codecs: list[dict[str, Any]] | None = None) -> None:
    """The same of zarr 3."""
    endian = "big" if array.dtype.str.startswith(">") else "little"
    meta = {
        "zarr_format": 3, "node_type": "array", "shape": list(array.shape), "fill_value": 0,
        "data_type": array.dtype.name, "chunk_key_encoding": {"name": "default"},
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(array.shape)}},
        "codecs": codecs or [{"name": "bytes", "configuration": {"endian": endian}}],
    }  # fmt: skip
    chunk = folder.joinpath("c", *("0" for _ in array.shape))
    chunk.parent.mkdir(parents=True, exist_ok=True)
    (folder / "zarr.json").write_text(json.dumps(meta))
    chunk.write_bytes(array.tobytes())


def some(*shape: int, dtype: str = "<f4") -> np.ndarray:
    return (np.random.default_rng(4).normal(size=shape) * 50).astype(dtype)


@pytest.mark.parametrize("write", [write_v2, write_v3])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", "<f2", "|i1", ">i4", "<u2", "|b1"])
def test_arrays_of_every_type_in_one_chunk(tmp_path: Path, write: Any, dtype: str) -> None:
    array = some(3, 4, dtype=dtype)
    write(tmp_path / "a", array)
    found = open_catalogue(str(tmp_path / "a"))
    assert (found["a"].shape, found["a"].problem) == ((3, 4), "")
    assert np.dtype(found["a"].dtype) == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(values(found, "a"), array)


def test_groups_are_layers(tmp_path: Path) -> None:
    (tmp_path / ".zgroup").write_text('{"zarr_format": 2}')
    for i in (1, 10, 2):
        write_v2(tmp_path / f"block_{i}" / "kernel", some(2, 3))
    write_v3(tmp_path / "head" / "bias", some(3))
    write_v2(tmp_path / "scalar", np.array(2.5))
    found = open_catalogue(str(tmp_path))
    assert found.format == "zarr 2 and 3"
    assert [node.name for node in found.root.children] == ["block_1", "block_2", "block_10", "head"]
    assert found["block_2/kernel"].role == "kernel"
    assert values(found, "scalar") == 2.5
    np.testing.assert_array_equal(values(found, "head/bias"), some(3))


def test_what_needs_tensorstore_says_so(tmp_path: Path) -> None:
    write_v2(tmp_path / "zstd", some(2, 3), compressor={"id": "zstd", "level": 1})
    write_v2(tmp_path / "chunks", some(4, 3), chunks=[2, 3])
    write_v2(tmp_path / "filters", some(2, 3), filters=[{"id": "delta"}])
    write_v2(tmp_path / "fortran", some(2, 3), order="F")
    write_v2(tmp_path / "short", some(2, 3), shape=[2, 4], chunks=[2, 4])
    write_v2(tmp_path / "texts", np.array(["abc"]))
    write_v3(tmp_path / "gzip", some(2, 3), [{"name": "bytes"}, {"name": "gzip"}])
    write_v2(tmp_path / "good", some(2, 3))
    (tmp_path / ".zgroup").write_text("{}")
    found = open_catalogue(str(tmp_path))
    for name in ("zstd", "chunks", "filters", "fortran", "short", "gzip"):
        assert "pip install 'wtui[orbax]'" in found[name].problem, name
    assert "cannot be decoded" in found["texts"].problem
    np.testing.assert_array_equal(values(found, "good"), some(2, 3))


def test_links_in_a_circle_are_not_followed(tmp_path: Path) -> None:
    write_v2(tmp_path / "a" / "w", some(2))
    (tmp_path / ".zgroup").write_text("{}")
    os.symlink(tmp_path, tmp_path / "a" / "again")
    assert [t.name for t in open_catalogue(str(tmp_path)).tensors] == ["a/w"]


def leaf(*keys: str, kind: str = "jax.Array", shape: tuple[int, ...] = ()) -> dict[str, Any]:
    parts = [{"key": k, "key_type": 2} for k in keys]
    value = {"value_type": kind, "skip_deserialize": False}
    return {"key_metadata": parts, "value_metadata": value | ({"write_shape": list(shape)} if shape else {})}


def write_orbax(folder: Path, arrays: dict[tuple[str, ...], np.ndarray], **more: dict[str, Any]) -> None:
    """A checkpoint whose arrays have folders of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    tree = {str(keys): leaf(*keys, shape=a.shape) for keys, a in arrays.items()} | more
    (folder / "_METADATA").write_text(json.dumps({"tree_metadata": tree, "use_ocdbt": False}))
    for keys, array in arrays.items():
        write_v2(folder / ".".join(keys), array)


STATE = {
    ("params", "Dense_0", "kernel"): some(3, 4),
    ("params", "Dense_0", "bias"): some(4),
    ("opt_state", "0", "mu", "Dense_0", "kernel"): some(3, 4),
    ("step",): np.array(7, "<i4"),
}


def test_a_checkpoint_of_folders(tmp_path: Path) -> None:
    write_orbax(tmp_path, STATE, note=leaf("note", kind="string"), gone=leaf("params", "gone", shape=(5,)))
    (tmp_path / "_strings.json").write_text('{"note": "hello"}')
    found = open_catalogue(str(tmp_path))
    assert found.format == "Orbax (zarr 2)"
    assert [node.name for node in found.root.children] == ["params", "optimizer"]
    assert found.root.children[0].children[0].class_name == "Dense"
    for keys, array in STATE.items():
        np.testing.assert_array_equal(values(found, "/".join(keys)), array)
    assert found["step"].group == "state"
    assert found["opt_state/0/mu/Dense_0/kernel"].group == "optimizer"
    assert (found["params/gone"].shape, found["params/gone"].problem) == ((5,), "the checkpoint does not hold it")
    assert found.metadata["texts"] == {"note": "hello"}
    assert found.totals().parameters == 16 + 5


def test_steps_and_items(tmp_path: Path) -> None:
    for step in ("5", "40"):
        (tmp_path / step).mkdir()
        (tmp_path / step / "_CHECKPOINT_METADATA").write_text("{}")
        write_orbax(tmp_path / step / "params", {("w",): some(int(step))})
        write_orbax(tmp_path / step / "extra", {("x",): some(2)})
    (tmp_path / "notes").mkdir()
    found = open_catalogue(str(tmp_path))
    assert [t.shape for t in found.tensors] == [(40,)]
    told = [n.message for n in found.warnings]
    assert told == ["step 40 is shown, the last of 2", "the item params is shown; there are also extra"]
    assert [t.shape for t in open_catalogue(str(tmp_path / "5")).tensors] == [(5,)]
    assert [t.name for t in open_catalogue(str(tmp_path / "5" / "extra")).tensors] == ["x"]


def test_inside_ocdbt_the_tree_is_listed(tmp_path: Path) -> None:
    write_orbax(tmp_path, {k: a for k, a in STATE.items() if k != ("step",)})
    (tmp_path / "manifest.ocdbt").write_bytes(b"")
    found = open_catalogue(str(tmp_path))
    assert found.format == "Orbax (OCDBT, zarr)"
    assert {t.name: t.shape for t in found.tensors} == {
        "/".join(k): a.shape for k, a in STATE.items() if k != ("step",)
    }  # fmt: skip
    assert all("pip install" in t.problem for t in found.tensors)


@pytest.mark.parametrize("key", ["..", ".", "../secret", "a/b", "x\0y", "", "a" * 5000])
def test_keys_do_not_lead_out_of_the_folder(tmp_path: Path, key: str) -> None:
    write_v2(tmp_path / "secret", some(3))
    write_v2(tmp_path, some(3))
    write_orbax(tmp_path / "model", {("w",): some(2)}, evil=leaf(key, shape=(3,)))
    found = open_catalogue(str(tmp_path / "model"))
    evil = next(t for t in found.tensors if t.name != "w")
    assert evil.problem == "the checkpoint does not hold it"


def test_folders_of_other_things_are_not_taken(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "readme.txt").write_text("hello")
    assert not orbax.sniff(Probe(str(tmp_path)))
    assert not zarr.sniff(Probe(str(tmp_path)))
    (tmp_path / ".zgroup").write_text("{}")
    with pytest.raises(FormatError, match="no zarr arrays"):
        open_catalogue(str(tmp_path))


HOSTILE = {
    "shape": {"shape": [1 << 60, 1 << 60], "chunks": [1 << 60, 1 << 60]},
    "negative": {"shape": [-2], "chunks": [2]},
    "no chunks": {"chunks": []},
    "empty chunks": {"chunks": [0, 0]},
    "many chunks": {"shape": [1 << 40, 3], "chunks": [1, 1]},
    "axes": {"shape": [1] * 1000, "chunks": [1] * 1000},
    "types": {"shape": "2", "dtype": 7},
    "dtype": {"dtype": [["a", "<f4"]]},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_metadata(tmp_path: Path, name: str) -> None:
    (tmp_path / ".zgroup").write_text("{}")
    write_v2(tmp_path / "bad", some(2, 3), **HOSTILE[name])
    write_v2(tmp_path / "good", some(2, 3))
    found = check_opens_or_refuses(tmp_path)
    assert found is not None
    assert not found["good"].problem
    assert all(t.problem for t in found.tensors if t.name == "bad")


@pytest.mark.parametrize("file", ["_METADATA", "params.Dense_0.kernel/.zarray", "params.v3/zarr.json"])
def test_damage_ends_in_wtui_errors(tmp_path: Path, file: str) -> None:
    write_orbax(tmp_path, {**STATE, ("params", "v3"): some(2)})
    (tmp_path / "params.v3" / ".zarray").unlink()
    write_v3(tmp_path / "params.v3", some(2))
    path = tmp_path / file
    whole = path.read_bytes()
    opened = 0
    for seed in range(500):
        path.write_bytes(mutate(whole, seed))
        opened += check_opens_or_refuses(tmp_path, "orbax") is not None
    assert opened > 5
