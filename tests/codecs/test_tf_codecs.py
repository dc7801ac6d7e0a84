"""Encodings of TensorFlow: scales of integers, repeated values, small values in a byte each; and what does not fit."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wtui.codecs import LOSSLESS, codec
from wtui.errors import CodecError
from wtui.model import Extent, Part, TensorEntry


def entry(dtype: str, shape: tuple[int, ...], encoding: str, **arguments: Any) -> TensorEntry:
    return TensorEntry("w", "", "w", shape, dtype, (), encoding, tuple(arguments.items()))


def decode(tensor: TensorEntry, data: bytes, part: Part | None = None) -> Any:
    whole = Part(Extent(0, 0, len(data)))
    return codec(tensor.encoding).decode(memoryview(data), tensor, part or whole)


@given(
    st.integers(0, 2),
    st.lists(st.integers(1, 4), min_size=3, max_size=3),
    st.sampled_from(["int8", "uint8", "int16", "int32"]),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_any_box_is_scaled_as_the_whole(axis: int, shape: list[int], dtype: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    stored = rng.integers(0, 100, shape).astype(dtype)
    scales = rng.random(shape[axis]).astype("float32")
    points = rng.integers(-5, 5, shape[axis])
    along = [-1 if i == axis else 1 for i in range(3)]
    expected = (stored.astype("int64") - points.reshape(along)).astype("float32") * scales.reshape(along)
    tensor = entry(
        dtype, tuple(shape), "affine", scales=tuple(scales.tolist()), zero_points=tuple(points.tolist()), axis=axis
    )
    assert decode(tensor, stored.tobytes()).tobytes() == expected.tobytes()
    start = tuple(int(rng.integers(0, n)) for n in shape)
    box = tuple(slice(s, n) for s, n in zip(start, shape, strict=True))
    piece = np.ascontiguousarray(stored[box])
    part = Part(Extent(0, 0, piece.nbytes), start, piece.shape)
    assert decode(tensor, piece.tobytes(), part).tobytes() == np.ascontiguousarray(expected[box]).tobytes()


def test_dequantised_values_are_said_to_be() -> None:
    tensor = entry("int8", (2,), "affine", scales=(0.5,), zero_points=(1,), axis=None)
    assert codec("affine").dtype(tensor) == "float32"
    assert "affine" not in LOSSLESS
    assert {"padded", "repeated"} <= LOSSLESS
    assert decode(tensor, b"\3\1").tolist() == [1.0, 0.0]


def test_the_last_value_stands_for_the_rest() -> None:
    tensor = entry("float32", (2, 3), "repeated")
    assert codec("repeated").dtype(tensor) == "float32"
    stored = np.array([1, 2, 7], "float32")
    assert decode(tensor, stored.tobytes()).tolist() == [[1, 2, 7], [7, 7, 7]]


@pytest.mark.parametrize(
    ("name", "dtype"), [("int4", ml_dtypes.int4), ("uint4", ml_dtypes.uint4), ("int2", ml_dtypes.int2)]
)
def test_small_values_take_a_byte_each(name: str, dtype: Any) -> None:
    values = np.array([1, 0, 1], dtype)
    tensor = entry(name, (3,), "padded")
    assert codec("padded").dtype(tensor) == name
    assert decode(tensor, values.tobytes()).tolist() == values.tolist()
    assert decode(entry("int4", (2,), "padded"), b"\xff\x0f").tolist() == [-1, -1], "only the low bits count"


@pytest.mark.parametrize(
    ("tensor", "data"),
    [
        (entry("int8", (3,), "affine", scales=(1.0,), zero_points=(0,), axis=None), b"\0\0"),
        (entry("float32", (1,), "affine", scales=(1.0,), zero_points=(0,), axis=None), b"\0" * 4),
        (entry("int8", (3,), "affine", scales=(1.0, 2.0), zero_points=(0, 0), axis=0), b"\0\0\0"),
        (entry("float32", (2,), "repeated"), b""),
        (entry("float32", (2,), "repeated"), b"\0" * 6),
        (entry("float32", (2,), "repeated"), b"\0" * 12),
        (entry("float32", (1 << 30,), "repeated"), b"\0" * 8),
        (entry("int4", (2,), "repeated"), b"\0"),
        (entry("int4", (2,), "padded"), b"\0"),
        (entry("int8", (2,), "padded"), b"\0\0"),
    ],
)
def test_what_does_not_fit_is_refused(tensor: TensorEntry, data: bytes) -> None:
    with pytest.raises(CodecError):
        decode(tensor, data)
