"""GGML's blocks: every type against the gguf package, or what it gave once; rare ones against their definition."""

from __future__ import annotations

import random
import struct
import sys
import zlib
from math import ldexp

import numpy as np
import pytest

from wtui.codecs import codec, gguf_codebooks
from wtui.errors import CodecError
from wtui.model import BLOCK_DTYPES, Extent, Part, TensorEntry

BLOCKS = 64

CODE_BOOKS = ("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S")
"""Types whose code books the gguf package brings."""

OWN = [name for name in BLOCK_DTYPES if name not in CODE_BOOKS]

WITHOUT_ORACLE = ("Q1_0", "Q8_1", "Q8_K")
"""Types that gguf 0.19 does not decode."""

CHECKSUMS = {
    "Q4_0": 0xb157dcb6, "Q4_1": 0xebcf7705, "Q5_0": 0x81b5c483, "Q5_1": 0x21ad64ca, "Q8_0": 0x5d9ea8b5, "Q2_K":
    0x24ebb0ea, "Q3_K": 0xd7b62b54, "Q4_K": 0xaf2152aa, "Q5_K": 0xab1ff5fb, "Q6_K": 0x2499dace, "IQ1_S": 0xef9d36a4,
    "IQ1_M": 0x5dc7533a, "IQ2_XXS": 0xd069c585, "IQ2_XS": 0x5033760b, "IQ2_S": 0xb2abc09b, "IQ3_XXS": 0x7d91b358,
    "IQ3_S": 0x71dc943d, "IQ4_NL": 0x285a5cce, "IQ4_XS": 0xebb84c72, "TQ1_0": 0xe7999925, "TQ2_0": 0xdc8b7789,
    "MXFP4": 0x6c21fc98, "NVFP4": 0x7dbe6d94,
}  # fmt: skip
"""CRC-32 of what gguf 0.19.0 decodes `random_blocks` to, as float32 with one kind of NaN and no negative zeros."""

FIELDS = {
    "Q1_0": "e16s", "Q4_0": "e16s", "Q4_1": "ee16s", "Q5_0": "eI16s", "Q5_1": "eeI16s", "Q8_0": "e32s", "Q8_1": "ee32s",
    "Q2_K": "16s64see", "Q3_K": "32s64s12se", "Q4_K": "ee12s128s", "Q5_K": "ee12s32s128s", "Q6_K": "128s64s16se",
    "Q8_K": "f256s16h", "IQ4_NL": "e16s", "IQ4_XS": "eH4s128s", "TQ1_0": "48s4se", "TQ2_0": "64se", "MXFP4": "B16s",
    "NVFP4": "4s32s",
}  # fmt: skip
"""The fields of a block as `struct` writes them."""


def random_blocks(dtype: str) -> bytes:
    return random.Random(dtype).randbytes(BLOCKS * BLOCK_DTYPES[dtype][1])


def decode(dtype: str, data: bytes, byteorder: str = "<", shape: tuple[int, ...] | None = None) -> np.ndarray:
    values, size = BLOCK_DTYPES[dtype]
    shape = shape or (len(data) // size * values,)
    entry = TensorEntry("w", "", "w", shape, dtype, None, "gguf-blocks", byteorder=byteorder)
    assert codec("gguf-blocks").dtype(entry) == "float32"
    return np.asarray(codec("gguf-blocks").decode(memoryview(data), entry, Part(Extent(0, 0, len(data)))))


def checksum(values: np.ndarray) -> int:
    values = np.where(np.isnan(values), np.float32(np.nan), values + np.float32(0)).astype("<f4")
    return zlib.crc32(values.tobytes())


@pytest.mark.parametrize("dtype", CHECKSUMS)
def test_blocks_decode_to_what_the_gguf_package_gave(dtype: str) -> None:
    if dtype in CODE_BOOKS:
        pytest.importorskip("gguf")
    assert checksum(decode(dtype, random_blocks(dtype))) == CHECKSUMS[dtype]


@pytest.mark.parametrize("dtype", [name for name in BLOCK_DTYPES if name not in WITHOUT_ORACLE])
def test_blocks_decode_as_by_the_gguf_package(dtype: str) -> None:
    gguf = pytest.importorskip("gguf")
    if dtype not in gguf.GGMLQuantizationType.__members__:
        pytest.skip(f"this gguf package does not know {dtype}")
    raw = np.frombuffer(random_blocks(dtype), np.uint8).reshape(BLOCKS, -1)
    with np.errstate(all="ignore"):
        expected = gguf.quants.dequantize(raw, gguf.GGMLQuantizationType[dtype])
    np.testing.assert_array_equal(decode(dtype, raw.tobytes()), expected.reshape(-1))


def test_every_type_is_held_to_something() -> None:
    assert set(CHECKSUMS) | set(WITHOUT_ORACLE) == set(BLOCK_DTYPES)


def test_q1_0_by_its_definition() -> None:
    data = struct.pack("<e", 0.75) + bytes([0b10110001, *range(1, 16)])
    bits = [data[2 + j // 8] >> j % 8 & 1 for j in range(128)]
    np.testing.assert_array_equal(decode("Q1_0", data), [0.75 if b else -0.75 for b in bits])


@pytest.mark.parametrize(("dtype", "head", "tail"), [("Q8_1", "ee", 0), ("Q8_K", "f", 32)])
def test_signed_bytes_by_their_definition(dtype: str, head: str, tail: int) -> None:
    integers = np.resize(np.arange(-128, 128, dtype=np.int8), BLOCK_DTYPES[dtype][0])
    data = struct.pack("<" + head, *([0.5] * len(head))) + integers.tobytes() + bytes(tail)
    np.testing.assert_array_equal(decode(dtype, data), integers / 2)


def test_every_exponent_of_mxfp4() -> None:
    data = b"".join(bytes([e, 0x21, *bytes(15)]) for e in range(256))
    found = decode("MXFP4", data).reshape(256, 32)
    np.testing.assert_array_equal(found[:, 0], [ldexp(1, e - 128) for e in range(256)])
    np.testing.assert_array_equal(found[:255, 16], [ldexp(2, e - 128) for e in range(255)])
    assert found[255, 16] == np.inf, "2^128 is beyond float32"


@pytest.mark.parametrize("dtype", OWN)
def test_big_endian_blocks_give_the_same_values(dtype: str) -> None:
    little = random_blocks(dtype)
    size = BLOCK_DTYPES[dtype][1]
    fields = FIELDS[dtype]
    assert struct.calcsize("<" + fields) == size
    plain = fields.replace("e", "H").replace("f", "I")  # bit patterns: a NaN must survive the exchange
    blocks = [little[i : i + size] for i in range(0, len(little), size)]
    big = b"".join(struct.pack(">" + plain, *struct.unpack("<" + plain, b)) for b in blocks)
    np.testing.assert_array_equal(decode(dtype, big, ">"), decode(dtype, little))


def test_values_come_in_the_shape_of_their_part() -> None:
    found = decode("Q8_0", random_blocks("Q8_0"), shape=(4, 8, 64))
    assert (found.shape, found.dtype) == ((4, 8, 64), np.float32)


@pytest.mark.parametrize(("dtype", "size", "shape"), [("Q8_0", 33, (32,)), ("Q8_0", 34, (33,)), ("Q4_K", 0, (256,))])
def test_bytes_that_do_not_fit_are_refused(dtype: str, size: int, shape: tuple[int, ...]) -> None:
    with pytest.raises(CodecError, match="blocks of"):
        decode(dtype, bytes(size), shape=shape)


def test_without_the_gguf_package_code_books_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    gguf_codebooks.book.cache_clear()
    with pytest.raises(CodecError, match=r"pip install 'wtui\[gguf\]'"):
        decode("IQ2_XS", random_blocks("IQ2_XS"))


def test_big_endian_code_books_are_refused() -> None:
    with pytest.raises(CodecError, match="big-endian"):
        decode("IQ2_XS", random_blocks("IQ2_XS"), ">")
