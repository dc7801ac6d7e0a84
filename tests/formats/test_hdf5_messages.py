"""Messages of HDF5 object headers that today's library no longer writes, byte by byte after the specification."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from wtui.errors import FormatError
from wtui.formats.hdf5 import header, layout
from wtui.formats.hdf5.datatype import Datatype, read_dataspace, read_datatype
from wtui.formats.hdf5.header import Message
from wtui.formats.hdf5.space import Space
from wtui.formats.hdf5.values import decode, read_attributes
from wtui.storage import BytesSource

NOWHERE = Space(BytesSource(b""))
NONE = b"\xff" * 8
INT32 = struct.pack("<B3sIHH", 0x10, b"\x08\0\0", 4, 0, 32)
SCALAR = bytes([1, 0, 0, 0, 0, 0, 0, 0])


def message(kind: int, body: bytes, flags: int = 0) -> Message:
    return Message(kind, flags, body, 1000)


def datatype(body: bytes) -> Datatype:
    return read_datatype(NOWHERE, body, 0)


@pytest.mark.parametrize("version", [1, 2])
def test_old_layouts(version: int) -> None:
    """IV.A.2.i, versions 1 and 2: dimensionality, class, 5 reserved bytes, address unless compact, sizes."""

    def read(rank: int, kind: int, rest: bytes) -> layout.Layout:
        body = struct.pack("<BBB5x", version, rank, kind) + rest
        return layout.read_layout(NOWHERE, message(header.LAYOUT, body))

    place = struct.pack("<Q", 4096)
    assert read(2, 1, place + struct.pack("<2I", 3, 5)) == layout.Layout(layout.CONTIGUOUS, 4096)
    chunked = layout.Layout(layout.CHUNKED, None, None, (3, 5, 4), layout.Index("btree1", 4096))
    assert read(3, 2, place + struct.pack("<3I", 3, 5, 4)) == chunked
    assert read(3, 2, NONE + struct.pack("<3I", 3, 5, 4)).chunks is None
    compact = read(1, 0, struct.pack("<2I", 3, 12) + b"abcdefghijkl")
    assert compact == layout.Layout(layout.COMPACT, 1000 + 16, 12)
    with pytest.raises(FormatError):
        read(1, 3, place)


def test_unknown_layouts_are_named() -> None:
    with pytest.raises(FormatError, match="version 9"):
        layout.read_layout(NOWHERE, message(header.LAYOUT, bytes([9, 1]) + bytes(40)))
    chunked = bytes([4, 2, 0, 2, 1, 7, 4, 99]) + bytes(20)
    with pytest.raises(FormatError, match="type 99"):
        layout.read_layout(NOWHERE, message(header.LAYOUT, chunked))


@pytest.mark.parametrize(
    ("kind", "body", "value"),
    [
        (header.FILL, bytes([1, 2, 2, 1]) + struct.pack("<I", 4) + b"abcd", b"abcd"),
        (header.FILL, bytes([2, 2, 2, 1]) + struct.pack("<I", 4) + b"abcd", b"abcd"),
        (header.FILL, bytes([2, 2, 2, 0]) + struct.pack("<I", 4) + b"abcd", b""),
        (header.FILL, bytes([2, 2, 2, 1]), b""),
        (header.FILL, bytes([3, 0x29]) + struct.pack("<I", 4) + b"abcd", b"abcd"),
        (header.FILL, bytes([3, 0x09]), b""),
        (header.FILL_OLD, struct.pack("<I", 4) + b"abcd", b"abcd"),
    ],
)
def test_fill_values(kind: int, body: bytes, value: bytes) -> None:
    assert layout.read_fill(NOWHERE, [message(kind, body)]) == value


def test_filters_with_names() -> None:
    """IV.A.2.l, version 1: names are padded to 8 bytes, an odd number of values to an even one."""
    deflate = struct.pack("<4H", 1, 10, 1, 1) + b"deflate\0\0\0".ljust(16, b"\0") + struct.pack("<2I", 6, 0)
    shuffle = struct.pack("<4H", 2, 0, 0, 2) + struct.pack("<2I", 4, 9)
    found = layout.read_filters(NOWHERE, message(header.FILTERS, bytes([1, 2, 0, 0, 0, 0, 0, 0]) + deflate + shuffle))
    assert found == (layout.Filter(1, True, (6,)), layout.Filter(2, False, (4, 9)))
    with pytest.raises(FormatError):
        layout.read_filters(NOWHERE, message(header.FILTERS, bytes([2, 33])))


def test_compounds_of_version_1_and_2() -> None:
    """IV.A.2.d: names padded to 8 bytes; in version 1 each member has a rank and four sizes of its own."""
    for version, extra in ((1, bytes(28)), (2, b"")):
        members = b"".join(
            name.ljust(8, b"\0") + struct.pack("<I", 4 * i) + extra + FLOAT32 for i, name in enumerate(b"r i".split())
        )
        body = struct.pack("<B3sI", version << 4 | 6, b"\x02\0\0", 8) + members
        assert datatype(body).name == "complex64"
        assert datatype(body.replace(b"i\0", b"x\0")).name == "compound"


FLOAT32 = struct.pack("<B3sIHHBBBBI", 0x11, b"\x20\x1f\0", 4, 0, 32, 23, 8, 0, 23, 127)


def test_arrays_of_version_2() -> None:
    body = struct.pack("<B3sI", 0x2A, b"\0\0\0", 24) + bytes([2, 0, 0, 0]) + struct.pack("<4I", 2, 3, 0, 0) + INT32
    assert (datatype(body).name, datatype(body).dims) == ("array", (2, 3))
    with pytest.raises(FormatError, match="another size"):
        datatype(body.replace(struct.pack("<I", 24), struct.pack("<I", 25), 1))


def test_opaque_types_inside_others() -> None:
    """The tag of an opaque type belongs to it, so that what follows is found."""
    opaque = struct.pack("<B3sI", 0x15, b"\x08\0\0", 4) + b"tagged\0\0"
    members = b"a\0" + b"\0" + opaque + b"b\0" + b"\4" + INT32
    assert datatype(struct.pack("<B3sI", 0x36, b"\x02\0\0", 8) + members).name == "compound"


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (struct.pack("<B3sIHH", 0x10, b"\x08\0\0", 4, 0, 24), "int of 24 bits in 4 bytes"),
        (struct.pack("<B3sIHH", 0x10, b"\0\0\0", 3, 0, 24), "uint of 24 bits in 3 bytes"),
        (struct.pack("<B3sIHH", 0x10, b"\x08\0\0", 4, 4, 32), "int of 32 bits in 4 bytes"),
        (struct.pack("<B3sIHH", 0x14, b"\0\0\0", 2, 0, 16), "uint16"),
        (FLOAT32, "float32"),
        (FLOAT32.replace(b"\x20\x1f", b"\x61\x1f"), "float of 32 bits"),
        (FLOAT32.replace(b"\x20\x1f", b"\x00\x1f"), "float of 32 bits"),
        (struct.pack("<B3sIH", 0x12, b"\0\0\0", 8, 64), "time"),
    ],
)
def test_types_without_a_name_in_numpy(body: bytes, name: str) -> None:
    """Integers with padding, VAX floats, floats without a hidden bit, times: told, never decoded as something else."""
    assert datatype(body).name == name


@pytest.mark.parametrize(("padding", "text"), [(0, "ab"), (1, "ab\0c "), (2, "ab\0c \0\0\0")])
def test_paddings_of_strings(padding: int, text: str) -> None:
    found = datatype(struct.pack("<B3sI", 0x13, bytes([padding, 0, 0]), 8))
    data = b"ab\0c \0\0\0"
    assert decode(NOWHERE, found, read_dataspace(NOWHERE, SCALAR, 0), data, 0) == text
    spaced = b"ab      "
    assert decode(NOWHERE, found, read_dataspace(NOWHERE, SCALAR, 0), spaced, 0) == (
        "ab" if padding == 2 else "ab      "
    )


def attribute(version: int, flags: int, name: bytes, datatype: bytes, data: bytes) -> bytes:
    """An attribute message (IV.A.2.m) with a scalar dataspace."""
    sizes = struct.pack("<3H", len(name), len(datatype), len(SCALAR))
    if version == 1:
        name, datatype = (piece.ljust(-(-len(piece) // 8) * 8, b"\0") for piece in (name, datatype))
    return bytes([version, flags]) + sizes + (b"\0" if version == 3 else b"") + name + datatype + SCALAR + data


@pytest.mark.parametrize("version", [1, 2, 3])
def test_attributes(version: int) -> None:
    """The second byte is reserved in version 1: whatever stands there says nothing."""
    body = attribute(version, 3 if version == 1 else 0, b"depth\0", INT32, struct.pack("<i", 7))
    assert read_attributes(NOWHERE, [message(header.ATTRIBUTE, body)]) == ({"depth": 7}, "")


def test_large_arrays_are_left_out() -> None:
    shape = bytes([1, 1, 0, 0, 0, 0, 0, 0]) + struct.pack("<Q", 2_000_000)
    sizes = struct.pack("<3H", 2, len(INT32), len(shape))
    body = bytes([2, 0]) + sizes + b"a\0" + INT32 + shape + bytes(8_000_000)
    found, problem = read_attributes(NOWHERE, [message(header.ATTRIBUTE, body)])
    assert found == {}
    assert "8,000,000 bytes in metadata" in problem


@pytest.mark.parametrize("version", [1, 2, 3])
def test_committed_types(version: int) -> None:
    """A shared message of each version points at the object header that holds the real one."""
    head = (
        struct.pack("<BxHII4x", 1, 1, 1, 8 + 16)
        + struct.pack("<HHB3x", header.DATATYPE, 16, 0)
        + INT32.ljust(16, b"\0")
    )
    file = Space(BytesSource(bytes(64) + head))
    pointer = {1: struct.pack("<BB6xQ", 1, 0, 64), 2: struct.pack("<BBQ", 2, 0, 64), 3: struct.pack("<BBQ", 3, 2, 64)}
    found = header.resolved(file, message(header.DATATYPE, pointer[version], header.SHARED))
    assert found.body[:12] == INT32
    with pytest.raises(FormatError, match="not there"):
        header.resolved(file, message(header.DATASPACE, pointer[version], header.SHARED))


def test_headers_of_unreasonable_size(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(size: int) -> list[Any]:
        head = struct.pack("<BxHII4x", 1, 1, 1, size)
        return list(header.read_header(Space(BytesSource(head + bytes(1 << 16))), 0))

    assert read(1 << 15) == []
    monkeypatch.setattr(header, "MAX_HEADER", 1 << 14)
    with pytest.raises(FormatError, match="unreasonable size"):
        read(1 << 15)
