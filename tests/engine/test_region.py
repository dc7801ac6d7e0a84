"""A box of a tensor equals the same slice of the whole, whatever its layout; and little more than it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wtui.engine.region import read_box
from wtui.errors import UsageError
from wtui.model import Catalogue, Extent, FileRef, LayerNode, Part, TensorEntry
from wtui.storage import BytesSource, Files

if TYPE_CHECKING:
    from pathlib import Path

RNG = np.random.default_rng(3)


def stored(array: np.ndarray, **changes: object) -> tuple[TensorEntry, Catalogue, Files]:
    """The array in a file of its own, behind seven other bytes."""
    data = b"other by"[:7] + array.tobytes()
    entry = TensorEntry("t", "", "t", array.shape, str(array.dtype), (Part(Extent(0, 7, array.nbytes)),))
    entry = entry._replace(**changes)  # type: ignore[arg-type]
    root = LayerNode("m", "")
    root.tensors.append(0)
    files = [FileRef("file", len(data))]
    return entry, Catalogue("m", "test", files, [entry], root), Files(files, lambda ref: BytesSource(data))


@st.composite
def boxes(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """A shape, and the start and stop of a box inside it."""
    shape = tuple(draw(st.lists(st.integers(1, 7), min_size=1, max_size=4)))
    pairs = [sorted((draw(st.integers(0, n)), draw(st.integers(0, n)))) for n in shape]
    return shape, tuple(a for a, _ in pairs), tuple(b for _, b in pairs)


@settings(max_examples=150, deadline=None)
@given(boxes(), st.sampled_from(["float32", "float64", "int16", "uint8"]), st.permutations(range(4)))
def test_any_box_of_any_order_of_axes(
    box: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]], dtype: str, permutation: list[int]
) -> None:
    shape, start, stop = box
    whole = RNG.integers(0, 100, shape).astype(dtype)
    order = [a for a in permutation if a < len(shape)]
    lying = np.ascontiguousarray(whole.transpose(order))
    strides = [0] * len(shape)
    for place, axis in enumerate(order):
        strides[axis] = lying.strides[place] // lying.itemsize
    entry, catalogue, files = stored(lying, shape=shape, strides=tuple(strides))
    found = read_box(entry, catalogue, files, start, stop)
    assert np.array_equal(found, whole[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))])


def test_scalar_and_bits_below_a_byte() -> None:
    scalar = np.array(3.5, np.float32)
    entry, catalogue, files = stored(scalar)
    assert read_box(entry, catalogue, files, (), ()) == 3.5
    packed = np.array([0x21, 0x43, 0x65], np.uint8)
    entry, catalogue, files = stored(packed, shape=(2, 3), dtype="uint4")
    assert read_box(entry, catalogue, files, (0, 1), (2, 3)).astype(int).tolist() == [[2, 3], [5, 6]]


def test_only_the_rows_of_the_box_are_read() -> None:
    whole = RNG.standard_normal((1000, 1000)).astype(np.float32)
    entry, catalogue, files = stored(whole)
    found = read_box(entry, catalogue, files, (500, 10), (520, 30))
    assert np.array_equal(found, whole[500:520, 10:30])
    assert files.bytes_read == 20 * 20 * 4


def test_a_column_is_not_read_with_everything_between() -> None:
    whole = RNG.standard_normal((64, 50_000)).astype(np.float32)
    entry, catalogue, files = stored(np.ascontiguousarray(whole.T), shape=(64, 50_000), strides=(1, 64))
    found = read_box(entry, catalogue, files, (3, 100), (4, 120))
    assert np.array_equal(found, whole[3:4, 100:120])
    assert files.bytes_read <= 20 * 64 * 4


def test_boxes_outside_are_refused() -> None:
    entry, catalogue, files = stored(np.zeros((2, 3), np.float32))
    for start, stop in (((0, 0), (3, 3)), ((1, 2), (0, 3)), ((0,), (1,)), ((-1, 0), (1, 1))):
        with pytest.raises(UsageError):
            read_box(entry, catalogue, files, start, stop)
    entry, catalogue, files = stored(np.zeros((2048, 2048), np.uint8))
    with pytest.raises(UsageError, match="too many"):
        read_box(entry, catalogue, files, (0, 0), (2048, 2048))


def test_hdf5_chunks_are_decoded_where_the_box_touches_them(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    from wtui.formats import open_catalogue

    whole = RNG.standard_normal((37, 53)).astype(np.float32)
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file.create_dataset("d", data=whole, chunks=(10, 10), compression="gzip", shuffle=True)
    catalogue = open_catalogue(str(tmp_path / "c.h5"))
    files = Files(catalogue.files)
    found = read_box(catalogue["d"], catalogue, files, (5, 48), (36, 53))
    assert np.array_equal(found, whole[5:36, 48:53])
    assert files.bytes_read < (tmp_path / "c.h5").stat().st_size / 2
    files.close()
