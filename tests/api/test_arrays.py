"""`Tensor.array` gives every tensor's own values, however they lie in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wtui
from wtui.api import Model
from wtui.errors import CodecError, StorageError
from wtui.model import Catalogue, Extent, LayerNode, Part, TensorEntry
from wtui.storage import FileSource, file_ref

if TYPE_CHECKING:
    from pathlib import Path

    from tests.api.conftest import Arrays


def model_of(path: Path, data: np.ndarray, *tensors: TensorEntry) -> Model:
    """A model of tensors over the bytes of `data`, written to `path`."""
    path.write_bytes(data.tobytes())
    root = LayerNode("model", "")
    root.tensors.extend(range(len(tensors)))
    return Model(Catalogue(str(path), "test", [file_ref(FileSource(str(path)))], tensors, root))


def entry(name: str, shape: tuple[int, ...], dtype: str, *parts: Part, **more: object) -> TensorEntry:
    return TensorEntry(name, "", name, shape, dtype, parts, **more)  # type: ignore[arg-type]


def test_arrays_of_every_dtype(model: Model, arrays: Arrays) -> None:
    for tensor in model.tensors:
        values = tensor.array()
        assert values.dtype == arrays[tensor.name].dtype
        np.testing.assert_array_equal(values, arrays[tensor.name])


@given(
    shape=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    data=st.data(),
)
@settings(max_examples=40, deadline=None)
def test_strided_views_are_what_numpy_says(
    shape: list[int], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Axes in any order, with gaps: a slice of a permuted array."""
    stored = np.arange(np.prod(shape), dtype="<i4").reshape(shape)
    axes = data.draw(st.permutations(range(len(shape))))
    steps = [slice(None, None, data.draw(st.integers(1, 2))) for _ in axes]
    view = stored.transpose(axes)[tuple(steps)]
    part = Part(Extent(0, 0, stored.nbytes))
    strides = tuple(s // stored.itemsize for s in view.strides)
    path = tmp_path_factory.mktemp("views") / "raw"
    with model_of(path, stored, entry("t", view.shape, "int32", part, strides=strides)) as model:
        np.testing.assert_array_equal(model["t"].array(), view)
        assert model["t"].summary().mean == pytest.approx(view.mean(), rel=1e-12)


def test_big_endian_values_come_in_native_order(tmp_path: Path) -> None:
    values = np.linspace(-1, 1, 6, dtype=">f8").reshape(2, 3)
    tensor = entry("t", (2, 3), "float64", Part(Extent(0, 0, 48)), byteorder=">")
    with model_of(tmp_path / "raw", values, tensor) as model:
        array = model["t"].array()
        assert array.dtype == np.float64
        assert array.dtype.isnative
        np.testing.assert_array_equal(array, values)


def test_values_of_less_than_a_byte_are_unpacked(tmp_path: Path) -> None:
    with model_of(
        tmp_path / "raw", np.array([0x21, 0x83], np.uint8), entry("t", (3,), "uint4", Part(Extent(0, 0, 2)))
    ) as model:
        assert model["t"].array().tolist() == [1, 2, 3]


@pytest.mark.parametrize("compression", [None, "gzip", "lzf"])
def test_chunks_that_stick_out_are_cut(tmp_path: Path, compression: str | None) -> None:
    values = np.random.default_rng(3).normal(size=(10, 7)).astype(np.float32)
    with h5py.File(tmp_path / "chunks.h5", "w") as file:
        file.create_dataset("inside/t", data=values, chunks=(4, 3), compression=compression)
        file.create_dataset("never_written", (5, 4), np.float32, fillvalue=2.5)
    with wtui.open(tmp_path / "chunks.h5") as model:
        np.testing.assert_array_equal(model["inside/t"].array(), values)
        np.testing.assert_array_equal(model["never_written"].array(), np.full((5, 4), 2.5))


def test_an_alias_has_its_owners_values(tmp_path: Path) -> None:
    values = np.arange(4, dtype=np.float32)
    part = Part(Extent(0, 0, 16))
    tensors = entry("own", (4,), "float32", part), entry("tied", (4,), "float32", part, alias_of="own")
    with model_of(tmp_path / "raw", values, *tensors) as model:
        np.testing.assert_array_equal(model["tied"].array(), values)
        assert model["tied"].summary() is model["own"].summary()
        assert model.summary().seen == 4
        assert [r.tensor.name for r in model.scan()] == ["own", "tied"]


def test_boxes_that_leave_gaps_are_refused(tmp_path: Path) -> None:
    half = Part(Extent(0, 0, 8), (0,), (2,))
    tensor = entry("t", (4,), "float32", half, encoding="hdf5-chunks")
    values = np.arange(2, dtype=np.float32)
    with model_of(tmp_path / "raw", values, tensor) as model, pytest.raises(CodecError, match="holds 2 of its 4"):
        model["t"].array()


def test_a_file_that_changed_is_refused(tmp_path: Path) -> None:
    values = np.arange(4, dtype=np.float32)
    with model_of(tmp_path / "raw", values, entry("t", (4,), "float32", Part(Extent(0, 0, 16)))) as model:
        (tmp_path / "raw").write_bytes(values.tobytes() * 2)
        with pytest.raises(StorageError, match="has changed since it was opened"):
            model["t"].array()


def test_what_does_not_fit_into_memory_is_one_error(tmp_path: Path) -> None:
    shape = (1 << 28, 1 << 28)
    tensor = entry("t", shape, "float64", Part(Extent(0, 0, 0)), encoding="fill")
    with model_of(tmp_path / "raw", np.empty(0), tensor) as model, pytest.raises(CodecError, match="fit into memory"):
        model["t"].array()
