"""Tables, snappy, protobuf, slices and boxes against their specifications."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.formats import tf_files as files
from wtui.errors import FormatError
from wtui.formats.boxes import cut
from wtui.formats.protobuf import FIXED32, LEN, VARINT, fields, float32, float64, integers, message, signed, text
from wtui.formats.tf.slices import Box
from wtui.formats.tf.snappy import decompress
from wtui.formats.tf.sstable import entries
from wtui.model import Extent
from wtui.storage import BytesSource

if TYPE_CHECKING:
    from collections.abc import Sequence


@given(st.dictionaries(st.binary(max_size=20), st.binary(max_size=50), max_size=40), st.integers(1, 7), st.booleans())
@settings(max_examples=60, deadline=None)
def test_tables_come_back(found: dict[bytes, bytes], per_block: int, snappy: bool) -> None:
    whole = sorted(found.items())
    data = files.table(whole, per_block, int(snappy))
    assert list(entries(BytesSource(data))) == whole


@given(st.lists(st.sampled_from([b"abc", b"xyzxyzxyz", b"\0" * 70, b"q", bytes(range(200))]), max_size=30))
@settings(max_examples=100, deadline=None)
def test_snappy_blocks_come_back(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    assert decompress(files.compressed(data), 1 << 20) == data


def test_snappy_elements_of_every_kind() -> None:
    """By the format's description: literal lengths in 0 to 4 bytes, copies with distances of 1, 2 and 4 bytes."""
    long = bytes(i % 251 for i in range(70_000))
    assert decompress(files.varint(3) + bytes([2 << 2]) + b"abc", 100) == b"abc"
    assert decompress(files.varint(61) + bytes([60 << 2, 60]) + long[:61], 100) == long[:61]
    literal = bytes([62 << 2]) + (69_999).to_bytes(3, "little") + long
    copies = bytes([(4 - 4) << 2 | 1 | 0 << 5, 2]) + bytes([9 << 2 | 2, 5, 0]) + bytes([0 << 2 | 3, 1, 0, 0, 0])
    expected = bytearray(long)
    for offset, length in ((2, 4), (5, 10), (1, 1)):
        for _ in range(length):
            expected.append(expected[-offset])
    assert decompress(files.varint(70_015) + literal + copies, 1 << 20) == bytes(expected)


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"\xff",
        files.varint(1 << 40),
        files.varint(5) + bytes([2 << 2]) + b"abc",
        files.varint(3) + bytes([9 << 2]) + b"abc",
        files.varint(4) + bytes([0 << 2 | 2, 1, 0]),
        files.varint(5) + bytes([0]) + b"a" + bytes([3 << 2 | 2, 2, 0]),
        files.varint(2) + bytes([2 << 2]) + b"abc",
    ],
)
def test_damaged_snappy_is_refused(block: bytes) -> None:
    with pytest.raises(FormatError):
        decompress(block, 1 << 20)


@pytest.mark.parametrize("change", ["cut", "magic", "handle", "shared", "compression", "restarts"])
def test_damaged_tables_are_refused(change: str) -> None:
    data = bytearray(files.table([(b"", b"x"), (b"a", b"1"), (b"ab", b"2")]))
    if change == "cut":
        data = data[10:]
    elif change == "magic":
        data[-1] ^= 1
    elif change == "handle":
        data[-48:-40] = files.varint(1 << 50).ljust(8, b"\0")
    elif change == "shared":
        data[0] = 9
    elif change == "restarts":
        data[14 + 4 : 14 + 8] = b"\xff" * 4  # behind 14 bytes of entries and one restart
    else:
        data[14 + 8] = 7
    with pytest.raises(FormatError):
        list(entries(BytesSource(bytes(data))))


def test_blocks_that_are_used_twice_are_refused() -> None:
    """A table whose index points to the same block again and again would cost its size squared."""
    once = files.table([(b"a", b"1" * 100)])
    block = 1 + 1 + 1 + 1 + 100 + 8
    handle = files.varint(0) + files.varint(block)
    twice = once[: block + 5]
    index = files._stored(files._block([(b"a", handle), (b"b", handle)]), 0)
    footer = (files.varint(0) + files.varint(block) + files.varint(len(twice)) + files.varint(len(index) - 5)).ljust(40)
    with pytest.raises(FormatError, match="overlap"):
        list(entries(BytesSource(twice + index + footer.replace(b" ", b"\0") + files.MAGIC)))


def test_fields_have_absolute_places() -> None:
    inner = files.message((1, 300), (2, "text"))
    data = b"\0\0\0" + files.message((1, -5), (3, inner), (4, b"\x03\x96\x01")) + files.fixed32(5, 0x3FC00000)
    source = BytesSource(data)
    found = {f.number: f for f in fields(source, 3, len(data))}
    assert [(f.number, f.wire) for f in found.values()] == [(1, VARINT), (3, LEN), (4, LEN), (5, FIXED32)]
    assert signed(found[1].value) == -5
    assert data[found[3].start : found[3].stop] == inner
    assert integers(source, found[4]) == [3, 150]
    assert float32(found[5].value) == 1.5
    assert float64(0x3FF8000000000000) == 1.5
    nested = list(fields(source, found[3].start, found[3].stop))
    assert (nested[0].value, text(source, nested[1])) == (300, "text")
    assert [f[:3] for f in message(inner)] == [f[:3] for f in nested]


def test_payloads_are_not_read() -> None:
    data = files.message((1, "name"), (2, b"\1" * (1 << 20)), (3, 7), (2, b"\2" * (1 << 20)), (4, 8))
    source = BytesSource(data)
    assert [f.number for f in fields(source, 0, len(data))] == [1, 2, 3, 2, 4]
    assert source.bytes_read < 20_000


@pytest.mark.parametrize("data", [b"\x80", b"\x0a\x05abc", b"\x00\x01", b"\x0b", b"\x08" + b"\xff" * 11, b"\x0d\1\2"])
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        list(fields(BytesSource(data), 0, len(data)))
    with pytest.raises(FormatError):
        list(message(data))


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (0, "80"), (1, "81"), (63, "bf"), (-1, "7f"), (-64, "40"), (64, "c040"), (-65, "3fbf"), (8191, "dfff"),
        (8192, "e02000"), (-8193, "1fdfff"), (1 << 20, "f0100000"), ((1 << 63) - 1, "ffc07fffffffffffffff"),
        (-(1 << 63), "003f8000000000000000"),
    ],
)  # fmt: skip
def test_numbers_in_keys_of_slices(value: int, stored: str) -> None:
    """Worked out by hand from ordered_code.cc: a header of ones tells the length, the number's bits are XORed to it."""
    key = Box((value,), (-1,)).key("w")
    assert key == b"\0w\0\1" + b"\1\1" + bytes.fromhex(stored) + b"\x7f"


def test_names_in_keys_of_slices_are_escaped() -> None:
    assert Box((), ()).key("a\0b").startswith(b"\0a\0\xffb\0\1\0")


@given(
    st.lists(st.integers(1, 6), min_size=0, max_size=4),
    st.sampled_from([4, 8, 16, 32]),
    st.integers(1, 40),
)
@settings(max_examples=200, deadline=None)
def test_boxes_cover_a_tensor_once(shape: list[int], bits: int, limit: int) -> None:
    whole = Extent(0, 100, (prod(shape) * bits + 7) // 8)
    parts = cut(whole, (0,) * len(shape), tuple(shape), bits, limit)
    seen = np.zeros(shape, int)
    order = np.arange(prod(shape)).reshape(shape)
    for part in parts:
        box = tuple(slice(o, o + n) for o, n in zip(part.origin, _shape(part.shape), strict=True))
        seen[box] += 1
        values = order[box].reshape(-1)
        assert part.extent.offset == 100 + int(values[0]) * bits // 8
        assert (values == np.arange(values[0], values[0] + len(values))).all(), "a box is a run of the bytes"
        assert part.extent.length == (len(values) * bits + 7) // 8
    assert (seen == 1).all()


def test_boxes_keep_to_their_limit() -> None:
    for shape in ((1000, 10), (2, 5000), (1, 3, 4000), (10_000,)):
        parts = cut(Extent(0, 0, prod(shape) * 4), (0,) * len(shape), shape, 32, 4096)
        assert max(p.extent.length for p in parts) <= 4096
        assert len(parts) <= 2 * prod(shape) * 4 // 4096 + len(shape) * 4


def _shape(shape: Sequence[int] | None) -> Sequence[int]:
    assert shape is not None
    return shape
