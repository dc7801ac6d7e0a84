"""Plain values against numpy and ml_dtypes, bit by bit, and bytes that cannot be what they should."""

from __future__ import annotations

import numpy as np
import pytest

from wtui.codecs import CODECS, codec
from wtui.codecs.plain import decode_values, numpy_dtype
from wtui.errors import CodecError
from wtui.model import DTYPE_BITS, Extent, Part, TensorEntry

N = 60


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", [d for d, bits in DTYPE_BITS.items() if bits >= 8])
def test_whole_bytes(dtype: str, order: str) -> None:
    """Any pattern at all, also NaN with a payload, comes out as it went in."""
    native = numpy_dtype(dtype)
    raw = np.random.default_rng(1).integers(0, 2 if dtype == "bool" else 256, N * native.itemsize).astype(np.uint8)
    values = raw.view(native)
    part = native.itemsize // 2 if dtype.startswith("complex") else native.itemsize
    stored = raw.view(f"u{part}").astype(f"{order}u{part}").tobytes()
    found = decode_values(stored, dtype, N, order)
    assert found.dtype == native
    assert found.dtype.isnative
    assert found.tobytes() == values.tobytes()


@pytest.mark.parametrize(
    ("dtype", "data", "expected"),
    [
        ("int4", b"\x21\xf8", [1, 2, -8, -1]),
        ("uint4", b"\x21\xf8", [1, 2, 8, 15]),
        ("int2", b"\xe4", [0, 1, -2, -1]),
        ("uint2", b"\xe4", [0, 1, 2, 3]),
        ("float4_e2m1fn", b"\x21\xf7", [0.5, 1.0, 6.0, -6.0]),
        ("float6_e2m3fn", b"\x08\xa0\x7f", [1.0, 0.0, -0.25, 7.5]),
        ("float6_e3m2fn", b"\x0c\x10\xfc", [1.0, 0.0, 0.0625, -28.0]),
    ],
)
def test_less_than_a_byte_starts_at_the_lowest_bit(dtype: str, data: bytes, expected: list[float]) -> None:
    found = decode_values(data, dtype, len(expected))
    assert found.dtype == numpy_dtype(dtype)
    if dtype.startswith("float6"):
        bits = int.from_bytes(data, "little")
        patterns = np.array([bits >> (6 * i) & 63 for i in range(4)], np.uint8)
        assert found.view(np.uint8).tolist() == patterns.tolist()
        assert found[0] == expected[0]
        return
    assert found.astype(np.float64).tolist() == expected


def test_nothing_is_copied_that_need_not_be() -> None:
    data = np.arange(8, dtype="<f4")
    assert np.shares_memory(decode_values(data.view(np.uint8), "float32", 8), data)


@pytest.mark.parametrize("dtype", DTYPE_BITS)
def test_too_few_bytes(dtype: str) -> None:
    with pytest.raises(CodecError):
        decode_values(b"\0" * ((DTYPE_BITS[dtype] * 9 + 7) // 8 - 1), dtype, 9)
    assert decode_values(b"", dtype, 0).shape == (0,)


def test_a_part_of_a_tensor() -> None:
    entry = TensorEntry("a", "", "a", (3, 5), "int16", None, byteorder=">")
    part = Part(Extent(0, 0, 16), (0, 4), (4, 2))
    data = np.arange(8, dtype=">i2").tobytes()
    plain = codec("raw")
    assert plain.dtype(entry) == "int16"
    assert plain.decode(memoryview(data), entry, part).tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]]
    whole = plain.decode(memoryview(data * 2)[:30], entry, Part(Extent(0, 0, 30)))
    assert whole.shape == (3, 5)
    for wrong in (data[:-1], data + b"\0", b""):
        with pytest.raises(CodecError, match="a: int16"):
            plain.decode(memoryview(wrong), entry, part)


def test_scalars_and_empty_tensors() -> None:
    plain = codec("raw")
    scalar = TensorEntry("s", "", "s", (), "float32", None)
    assert plain.decode(memoryview(np.float32(2.5).tobytes()), scalar, Part(Extent(0, 0, 4))) == 2.5
    empty = TensorEntry("e", "", "e", (0, 7), "bfloat16", None)
    assert plain.decode(memoryview(b""), empty, Part(Extent(0, 0, 0))).shape == (0, 7)
    unknown = TensorEntry("u", "", "u", (1,), "float33", None)
    with pytest.raises(CodecError):
        plain.decode(memoryview(b"\0"), unknown, Part(Extent(0, 0, 1)))


def test_codecs_are_found_by_name() -> None:
    for encoding in CODECS:
        assert callable(codec(encoding).decode)
    with pytest.raises(CodecError, match="gguf-q9"):
        codec("gguf-q9")
