"""Any HDF5 file as a catalogue: tree, order, aliases, what is refused, and values against h5py."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest

from tests.formats import hdf5_zoo as zoo
from wtui.codecs import hdf5_filters
from wtui.dtypes import numpy_dtype
from wtui.errors import StorageError
from wtui.formats import hdf5_any, open_catalogue
from wtui.formats.probe import Probe
from wtui.storage import Files

if TYPE_CHECKING:
    from pathlib import Path

    from wtui.model import Catalogue, LayerNode


def listed(path: Path) -> Catalogue:
    return open_catalogue(str(path), "hdf5")


def test_sniffs_by_content(tmp_path: Path) -> None:
    for name, options, expected in (("a.bin", {}, True), ("b.h5", {"userblock_size": 4096}, True)):
        with h5py.File(tmp_path / name, "w", **options) as file:
            file["x"] = 1
        assert hdf5_any.sniff(Probe(str(tmp_path / name))) is expected
    (tmp_path / "c.h5").write_bytes(b"no HDF5" * 1000)
    assert not hdf5_any.sniff(Probe(str(tmp_path / "c.h5")))
    assert not hdf5_any.sniff(Probe(str(tmp_path)))


def test_groups_are_layers_and_datasets_tensors(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["made by"] = "nobody"
        file["step"] = np.int64(3)
        for i in (0, 1, 2, 10):
            file[f"block/{i}/weight"] = np.full((2, 3), i, "f4")
            file[f"block/{i}/bias"] = np.full(3, i, "f2")
        file["block/0/weight"].attrs["unit"] = "none"
        file["block/1"].attrs["kind"] = "dense"
    found = listed(tmp_path / "a.h5")
    assert found.format == "HDF5"
    assert [t.name for t in found.tensors][:3] == ["step", "block/0/weight", "block/0/bias"]
    tensor = found["block/10/bias"]
    assert (tensor.layer, tensor.role, tensor.label, tensor.shape) == ("block/10", "bias", "bias", (3,))
    assert (tensor.dtype, tensor.trainable, tensor.problem) == ("float16", None, "")
    assert found.totals().parameters == 1 + 4 * 9
    assert [child.name for child in _node(found, "block").children] == ["0", "1", "2", "10"]
    assert _node(found, "block/1").config == {"kind": "dense"}
    assert found.metadata["attributes"] == {"made by": "nobody"}
    assert found.metadata["dataset attributes"] == {"block/0/weight": {"unit": "none"}}
    assert found.warnings == ()


@pytest.mark.parametrize("options", [{}, {"libver": "latest"}])
def test_order_is_the_writers_unless_that_is_the_alphabet(tmp_path: Path, options: dict[str, str]) -> None:
    order = ["stem", "layer_2", "layer_10", "layer_1", "head"]
    for name, names in (("made.h5", order), ("sorted.h5", sorted(order))):
        with h5py.File(tmp_path / name, "w", **options) as file:
            for layer in names:
                file[f"{layer}/w"] = 1.0
    assert [c.name for c in listed(tmp_path / "made.h5").root.children] == order
    natural = ["head", "layer_1", "layer_2", "layer_10", "stem"]
    assert [c.name for c in listed(tmp_path / "sorted.h5").root.children] == natural


def test_second_names_are_aliases_and_links_are_told(tmp_path: Path) -> None:
    found = listed(zoo.write(tmp_path / "a.h5", "links latest"))
    assert {t.name: t.alias_of for t in found.tensors} == {"hard": None, "überall": None, "a/b/c": "hard"}
    assert found.totals().parameters == 5
    told = " ".join(notice.message for notice in found.warnings)
    assert "twice is the same group as a/b" in told
    assert "3 links to other places not followed" in told
    assert all(name in told for name in ("soft", "dangling", "outside"))


def test_cycles_end(tmp_path: Path) -> None:
    found = listed(zoo.write(tmp_path / "a.h5", "cycles latest"))
    assert sorted(t.name for t in found.tensors) == ["a/b/c/x", "y"]
    assert "3 links" in found.warnings[-1].message


def test_what_cannot_be_decoded_is_listed_with_its_reason(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        zoo.other_types(file)
        file.create_dataset("chunked text", data=["a"] * 9, chunks=(2,), dtype=h5py.string_dtype())
    found = listed(tmp_path / "a.h5")
    for name, dtype in {"text": "string", "chunked text": "string", "record": "compound", "ragged": "vlen"}.items():
        assert found[name].dtype == dtype
        assert dtype in found[name].problem
        assert name in {notice.tensor for notice in found.warnings}
    assert found["of_named"].problem == ""
    assert "named" not in {t.name for t in found.tensors}


def test_long_attributes_are_cut(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        file.attrs["text"] = "x" * 1_000_000
        file.attrs["numbers"] = np.arange(50_000)
    kept = listed(tmp_path / "a.h5").metadata["attributes"]
    assert len(kept["text"]) < 70_000
    assert len(kept["numbers"]) == 1001


@pytest.mark.parametrize("name", ["numbers earliest", "chunks latest", "filters earliest", "chunks user block"])
def test_values_equal_h5py(tmp_path: Path, name: str) -> None:
    path = zoo.write(tmp_path / "a.h5", name)
    found = listed(path)
    files = Files(found.files)
    with h5py.File(path) as file:
        compared = 0
        for entry in found.tensors:
            if entry.size and not entry.problem:
                np.testing.assert_array_equal(_values(found, files, entry.name), file[entry.name][()], entry.name)
                compared += 1
    assert compared > 10


def test_chunks_are_located_later_from_any_thread(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for i in range(20):
            file.create_dataset(f"d{i}", data=np.full((30, 30), i, "f4"), chunks=(7, 7), compression="gzip")
    found = listed(tmp_path / "a.h5")
    assert all(t.parts is None for t in found.tensors)
    files, results = Files(found.files), dict[str, bool]()

    def work(names: list[str]) -> None:
        for name in names:
            results[name] = bool((_values(found, files, name) == int(name[1:])).all())

    names = [t.name for t in found.tensors]
    threads = [threading.Thread(target=work, args=(names[k::4],)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == dict.fromkeys(names, True)


def test_a_file_replaced_meanwhile_is_noticed(tmp_path: Path) -> None:
    path = zoo.write(tmp_path / "a.h5", "filters earliest")
    found = listed(path)
    zoo.write(tmp_path / "b.h5", "filters latest").replace(path)
    with pytest.raises(StorageError, match="changed"):
        found.parts(found["gzip"])


def _node(catalogue: Catalogue, path: str) -> LayerNode:
    return next(node for node in catalogue.root.walk() if node.path == path)


def _values(catalogue: Catalogue, files: Files, name: str) -> np.ndarray:
    entry = catalogue[name]
    out = np.empty(entry.shape, numpy_dtype(entry.dtype))
    for part in catalogue.parts(entry):
        file, offset, length = part.extent
        values = hdf5_filters.decode(memoryview(files[file].read(offset, length)), entry, part)
        where = tuple(slice(o, o + n) for o, n in zip(part.origin or (0,) * out.ndim, values.shape, strict=True))
        out[where] = values[tuple(slice(n) for n in out[where].shape)]
    return out
