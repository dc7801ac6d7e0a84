"""The filters of HDF5 chunks: inverse of what h5py applies, honest about damage, never beyond a chunk's size."""

from __future__ import annotations

import bz2
import zlib
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wtui.codecs import hdf5_filters, lzf
from wtui.errors import CodecError
from wtui.model import Extent, Part, TensorEntry

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = (6, 8)
VALUES = np.random.default_rng(1).normal(size=SHAPE).astype("<f4")


def entry(filters: tuple[Any, ...] = (), dtype: str = "float32", order: str = "<", fill: bytes = b"") -> TensorEntry:
    args = (("fill", fill), ("filters", filters), ("itemsize", 4))
    return TensorEntry("t", "", "t", SHAPE, dtype, None, "hdf5-chunks", args, order)


def part(skipped: int = 0, shape: tuple[int, ...] | None = SHAPE) -> Part:
    return Part(Extent(0, 0, 0), (0,) * len(SHAPE), shape, skipped)


def decode(data: bytes, filters: tuple[Any, ...] = (), skipped: int = 0) -> np.ndarray:
    return hdf5_filters.decode(memoryview(data), entry(filters), part(skipped))


def written(tmp_path: Path, values: np.ndarray, **options: Any) -> tuple[bytes, int]:
    """The stored bytes and the filter mask of a chunk that h5py wrote."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("d", data=values, chunks=values.shape, **options)
        mask, data = dataset.id.read_direct_chunk((0,) * values.ndim)
    return data, mask


def test_no_filter() -> None:
    np.testing.assert_array_equal(decode(VALUES.tobytes()), VALUES)


def test_filters_are_undone_in_reverse() -> None:
    shuffled = VALUES.view("u1").reshape(-1, 4).T.tobytes()
    data = zlib.compress(zlib.compress(shuffled))
    np.testing.assert_array_equal(decode(data, ((2, (4,)), (1, (6,)), (1, (6,)))), VALUES)
    np.testing.assert_array_equal(decode(bz2.compress(shuffled), ((2, (4,)), (307, (9,)))), VALUES)


def test_masked_filters_are_skipped() -> None:
    filters = ((2, (4,)), (1, (6,)))
    shuffled = VALUES.view("u1").reshape(-1, 4).T.tobytes()
    np.testing.assert_array_equal(decode(shuffled, filters, skipped=0b10), VALUES)
    np.testing.assert_array_equal(decode(zlib.compress(VALUES.tobytes()), filters, skipped=0b01), VALUES)
    np.testing.assert_array_equal(decode(VALUES.tobytes(), ((99, ()), *filters), skipped=0xFFFFFFFF), VALUES)


def test_big_endian_becomes_native() -> None:
    found = hdf5_filters.decode(memoryview(VALUES.astype(">f4").tobytes()), entry(order=">"), part())
    assert found.dtype == np.dtype("f4")
    np.testing.assert_array_equal(found, VALUES)


def test_bfloat16() -> None:
    import ml_dtypes

    values = VALUES.astype(ml_dtypes.bfloat16)
    found = hdf5_filters.decode(memoryview(values.tobytes()), entry(dtype="bfloat16"), part())
    assert found.dtype == ml_dtypes.bfloat16
    assert found.tobytes() == values.tobytes()


def test_unwritten_chunks_are_the_fill_value_without_memory() -> None:
    huge = part(shape=(1 << 20, 1 << 20))
    found = hdf5_filters.decode(memoryview(b""), entry(fill=np.float32(2.5).tobytes()), huge)
    assert found.shape == (1 << 20, 1 << 20)
    assert found.strides == (0, 0)
    assert found[5, 5] == np.float32(2.5)
    assert hdf5_filters.decode(memoryview(b""), entry(), part())[0, 0] == 0
    big = entry(dtype="int16", order=">", fill=b"\1\2")
    assert hdf5_filters.decode(memoryview(b""), big, part(shape=None))[0, 0] == 0x0102


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 100, 65_535, 65_536, 200_001])
def test_fletcher32_equals_h5py(tmp_path: Path, size: int) -> None:
    values = np.random.default_rng(size).integers(0, 256, size).astype("u1")
    values[: size // 3] = 255
    data, _ = written(tmp_path, values, fletcher32=True)
    tensor = TensorEntry("t", "", "t", (size,), "uint8", None, "hdf5-chunks", (("filters", ((3, ()),)),))
    whole = Part(Extent(0, 0, 0), (0,), (size,))
    np.testing.assert_array_equal(hdf5_filters.decode(memoryview(data), tensor, whole), values)
    swapped = data[:-4] + bytes((data[-3], data[-4], data[-1], data[-2]))
    np.testing.assert_array_equal(hdf5_filters.decode(memoryview(swapped), tensor, whole), values)
    for place in (0, size // 2, len(data) - 1):
        broken = bytearray(data)
        broken[place] ^= 0x10
        with pytest.raises(CodecError, match="checksum"):
            hdf5_filters.decode(memoryview(bytes(broken)), tensor, whole)


@pytest.mark.parametrize("width", [1, 2, 4, 8, 16, 20])
def test_shuffle_equals_h5py(tmp_path: Path, width: int) -> None:
    values = np.random.default_rng(width).integers(0, 256, (13, width)).astype("u1").view(f"V{width}").reshape(13)
    data, _ = written(tmp_path, values, shuffle=True)
    tensor = TensorEntry("t", "", "t", (13 * width,), "uint8", None, "hdf5-chunks", (("filters", ((2, (width,)),)),))
    found = hdf5_filters.decode(memoryview(data), tensor, Part(Extent(0, 0, 0), (0,), (13 * width,)))
    assert found.tobytes() == values.tobytes()
    if width > 1:
        assert data != values.tobytes()


@pytest.mark.parametrize("width", [3, 8, 100])
def test_what_is_left_over_stays_at_the_end(width: int) -> None:
    """A shuffled run of bytes that is no multiple of the width, as the library's H5Z_filter_shuffle leaves it."""
    plain = bytes(range(250))
    whole = len(plain) // width * width
    shuffled = np.frombuffer(plain, "u1", whole).reshape(-1, width).T.tobytes() + plain[whole:]
    tensor = TensorEntry("t", "", "t", (250,), "uint8", None, "hdf5-chunks", (("filters", ((2, (width,)),)),))
    found = hdf5_filters.decode(memoryview(shuffled), tensor, Part(Extent(0, 0, 0), (0,), (250,)))
    assert found.tobytes() == plain


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 255), st.integers(1, 400)), min_size=1, max_size=40), st.integers(0, 2**32 - 1)
)
def test_lzf_equals_h5py(tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[int, int]], seed: int) -> None:
    """Runs, repeats and noise, so that literals, short and long references and overlapping ones all occur."""
    rng = np.random.default_rng(seed)
    pieces = [bytes([value]) * count if count % 3 else rng.bytes(count) for value, count in runs]
    plain = b"".join([*pieces, *pieces])
    data, mask = written(tmp_path_factory.mktemp("lzf"), np.frombuffer(plain, "u1"), compression="lzf")
    if not mask:
        assert lzf.decompress(memoryview(data), len(plain)).tobytes() == plain


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 300))
def test_damaged_lzf_stays_inside_its_buffers(data: bytes, size: int) -> None:
    try:
        assert len(lzf.decompress(memoryview(data), size)) == size
    except CodecError:
        pass


def test_bombs_are_not_inflated() -> None:
    bomb = bytes(50_000_000)
    for filters, data in (
        (((1, (9,)),), zlib.compress(bomb, 9)),
        (((307, (9,)),), bz2.compress(bomb)),
    ):
        with pytest.raises(CodecError, match="more than its 192 bytes"):
            decode(data, filters)
    with pytest.raises(CodecError, match="claims"):
        decode(b"\x00a", ((32000, (4, 261, 1 << 31)),))


def test_damage_is_told() -> None:
    whole = zlib.compress(VALUES.tobytes())
    with pytest.raises(CodecError, match="middle"):
        decode(whole[:-8], ((1, (6,)),))
    with pytest.raises(CodecError, match="damaged"):
        decode(b"\0" + whole, ((1, (6,)),))
    with pytest.raises(CodecError, match="instead of 192"):
        decode(zlib.compress(VALUES.tobytes()[:-4]), ((1, (6,)),))
    with pytest.raises(CodecError, match="192"):
        decode(b"\x1f" + bytes(32), ((32000, (4, 261, 192)),))


@pytest.mark.parametrize(("number", "name"), [(4, "szip"), (6, "scale-offset"), (32015, "Zstandard"), (60000, "60000")])
def test_unknown_filters_are_named(number: int, name: str) -> None:
    with pytest.raises(CodecError, match=name) as caught:
        decode(b"x", ((number, ()),))
    assert caught.value.path == "t"
    assert "h5repack" in caught.value.hint


def test_undecodable_dtypes_are_refused() -> None:
    with pytest.raises(CodecError, match="string"):
        hdf5_filters.decode(memoryview(b"x"), entry(dtype="string"), part())
