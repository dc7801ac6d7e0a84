"""HDF5 files made to be read for ever, or into memory that nobody has: each ends at once, and says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest

from tests.formats import hdf5_zoo as zoo
from wtui.errors import FormatError
from wtui.formats.hdf5 import Dataset, Group, header, layout, open_hdf5, space
from wtui.formats.hdf5 import heap as heap_module
from wtui.formats.hdf5.datatype import MAX_MEMBERS, read_dataspace, read_datatype
from wtui.formats.hdf5.space import Space
from wtui.storage import BytesSource, FileSource

if TYPE_CHECKING:
    from pathlib import Path


class Unread:
    """A source of any size that fails the test when a byte of it is read."""

    name = "unread"
    bytes_read = requests = 0

    def __init__(self, size: int) -> None:
        self.size = size

    def read(self, offset: int, length: int) -> bytes:
        raise AssertionError(f"{length:,} bytes were read")

    def read_into(self, buffer: memoryview, offset: int) -> None:
        raise AssertionError(f"{len(buffer):,} bytes were read")

    def close(self) -> None:
        pass


def patched(path: Path, changes: dict[int, bytes]) -> Group:
    """The root group of the file with other bytes at some offsets."""
    data = bytearray(path.read_bytes())
    for place, replacement in changes.items():
        data[place : place + len(replacement)] = replacement
    return open_hdf5(BytesSource(bytes(data)))


def word(value: int) -> bytes:
    return value.to_bytes(8, "little")


def test_no_memory_is_taken_for_what_is_not_there() -> None:
    for size, address, length in (
        (1 << 20, 0, 1 << 21),
        (1 << 20, 1 << 40, 8),
        (1 << 20, -5, 8),
        (1 << 40, 0, 1 << 30),
    ):
        with pytest.raises(FormatError):
            Space(Unread(size)).read(address, length)


def test_metadata_is_not_read_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "READ_FLOOR", 10_000)
    limited = Space(BytesSource(bytes(100)))
    for _ in range(10_000 // space.READ_COST):
        limited.read(0, 1)
    with pytest.raises(FormatError, match="circles"):
        limited.read(0, 1)


def test_an_object_header_that_continues_itself(tmp_path: Path) -> None:
    path = zoo.write(tmp_path / "a.h5", "many_attributes earliest")
    root = open_hdf5(FileSource(str(path)))
    messages = header.read_header(root._space, root.address)
    more = [m for m in messages if m.kind == header.CONTINUATION]
    blocks = [int.from_bytes(m.body[:8], "little") for m in more]
    assert len(blocks) > 1
    with pytest.raises(FormatError, match="continues itself"):
        patched(path, {more[-1].address: word(blocks[0])})


def test_a_tree_of_names_that_leads_in_circles(tmp_path: Path) -> None:
    """All children of the root node become its first: a file of 60 KB that would list 2^n names."""
    path = zoo.write(tmp_path / "a.h5", "many_links earliest")
    raw = path.read_bytes()
    tree = raw.index(b"TREE\0")
    while raw[tree + 5] == 0:
        tree = raw.index(b"TREE\0", tree + 1)
    used = int.from_bytes(raw[tree + 6 : tree + 8], "little")
    first = raw[tree + 32 : tree + 40]
    root = patched(path, {tree + 32 + 16 * i: first for i in range(used)})
    assert 0 < len(root.keys()) < 300
    assert "circles" in root.problem
    back = patched(path, {tree + 32 + 16 * i: word(tree) for i in range(used)})
    assert back.keys() == []
    assert "level" in back.problem or "circles" in back.problem


@pytest.mark.parametrize("target", ["itself", "its first child"])
@pytest.mark.parametrize(("libver", "signature"), [("earliest", b"TREE\1"), ("latest", b"BTIN\0")])
def test_a_tree_of_chunks_that_leads_in_circles(tmp_path: Path, libver: str, signature: bytes, target: str) -> None:
    path = zoo.write(tmp_path / "a.h5", f"deep_btree {libver}")
    raw = path.read_bytes()
    place = raw.index(signature)
    while libver == "earliest" and raw[place + 5] == 0:
        place = raw.index(signature, place + 1)
    children = [i for i in range(place + 6, place + 2048) if _points_at_node(raw, i)]
    assert len(children) > 1
    to = word(place) if target == "itself" else raw[children[0] : children[0] + 8]
    dataset = patched(path, dict.fromkeys(children, to))["both"]
    assert isinstance(dataset, Dataset)
    with pytest.raises(FormatError, match=r"circles|BTLF"):
        dataset.chunk_parts(0)


@pytest.mark.parametrize("size", [0, 1 << 30])
def test_chunks_outside_the_file(tmp_path: Path, size: int) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=np.zeros(100), chunks=(50,), compression="gzip")
        stored = file["x"].id.get_chunk_info(1)
    raw = (tmp_path / "a.h5").read_bytes()
    place = raw.index(word(stored.byte_offset))
    dataset = patched(tmp_path / "a.h5", {place - 24: size.to_bytes(4, "little")})["x"]
    assert isinstance(dataset, Dataset)
    with pytest.raises(FormatError, match="a chunk of"):
        dataset.chunk_parts(0)


def test_chunks_larger_than_memory(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=np.zeros((70, 90), "f4"), chunks=(70, 90))
    raw = (tmp_path / "a.h5").read_bytes()
    place = raw.index(b"".join(n.to_bytes(4, "little") for n in (70, 90, 4)))
    dataset = patched(tmp_path / "a.h5", {place: b"\xff" * 4})["x"]
    assert isinstance(dataset, Dataset)
    assert "too large" in dataset.problem
    assert dataset.chunk_parts(0) == ()


def test_chunks_that_hold_next_to_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "BOMB_SIZE", 1 << 20)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["filling"] = np.zeros(100_000)
        file.create_dataset("x", (1 << 23,), "f4", chunks=(1 << 20,), compression="gzip")[0] = 1
    dataset = open_hdf5(FileSource(str(tmp_path / "a.h5")))["x"]
    assert isinstance(dataset, Dataset)
    assert dataset.problem == ""
    with pytest.raises(FormatError, match="declares"):
        dataset.chunk_parts(0)


def test_contiguous_values_that_the_file_does_not_hold(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = np.zeros(77)
        offset = file["x"].id.get_offset()
    place = (tmp_path / "a.h5").read_bytes().index(word(offset) + word(77 * 8))
    dataset = patched(tmp_path / "a.h5", {place + 8: word(600)})["x"]
    assert isinstance(dataset, Dataset)
    assert "holds 600 bytes" in dataset.problem
    cut = patched(tmp_path / "a.h5", {place: word(len((tmp_path / "a.h5").read_bytes()) - 16)})["x"]
    assert "600 of its 616 bytes lie behind the end" in cut.problem


def _points_at_node(raw: bytes, place: int) -> bool:
    target = int.from_bytes(raw[place : place + 8], "little")
    return 0 < target < len(raw) and raw[target : target + 4] in (b"TREE", b"BTLF", b"BTIN")


def test_a_string_longer_than_the_file(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["text"] = "hello"
        file.attrs["other"] = 1
    raw = (tmp_path / "a.h5").read_bytes()
    heap = raw.index(b"GCOL")
    for length in (1 << 62, heap_module.MAX_OBJECT + 1):
        root = patched(tmp_path / "a.h5", {heap + 24: word(length)})
        assert dict(root.attrs) == {"other": 1}
        assert root.attrs_problem


def test_a_sequence_shorter_than_it_claims(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["ragged"] = np.array([np.arange(3), np.arange(1)], dtype=h5py.vlen_dtype("i8"))
    raw = (tmp_path / "a.h5").read_bytes()
    place = raw.index(b"\3\0\0\0" + word(raw.index(b"GCOL")))
    for count in (4, 1 << 31):
        root = patched(tmp_path / "a.h5", {place: count.to_bytes(4, "little")})
        assert dict(root.attrs) == {}
        assert "sequence" in root.attrs_problem


def test_an_attribute_of_more_values_than_bytes(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["values"] = np.arange(77)
        file.attrs["other"] = 1
    place = (tmp_path / "a.h5").read_bytes().index(word(77))
    root = patched(tmp_path / "a.h5", {place: word(1 << 50)})
    assert dict(root.attrs) == {"other": 1}
    assert "larger than its message" in root.attrs_problem


def test_shapes_and_types_of_unreasonable_depth() -> None:
    nowhere = Space(BytesSource(b""))
    with pytest.raises(FormatError, match="axes"):
        read_dataspace(nowhere, bytes([1, 33, 0]) + bytes(400), 0)
    array = bytes([0x3A, 0, 0, 0]) + (4).to_bytes(4, "little") + b"\1" + (1).to_bytes(4, "little")
    integer = bytes([0x10, 8, 0, 0]) + (4).to_bytes(4, "little") + bytes([0, 0, 32, 0])
    assert read_datatype(nowhere, array * 3 + integer, 0).name == "array"
    with pytest.raises(FormatError):
        read_datatype(nowhere, array * 5000 + integer, 0)
    for members in (MAX_MEMBERS + 1, 0xFFFF):
        record = bytes([0x36, *members.to_bytes(2, "little"), 0]) + (1).to_bytes(4, "little")
        with pytest.raises(FormatError, match="members"):
            read_datatype(nowhere, record + (b"\0\0" + integer) * members, 0)


def test_names_that_would_lead_elsewhere(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["first"] = 1
        file["second"] = 2
    raw = (tmp_path / "a.h5").read_bytes()
    for name in (b"\0", b"a/b"):
        root = patched(tmp_path / "a.h5", {raw.index(b"second"): name + b"\0"})
        assert root.keys() == ["first"]
        assert "names" in root.problem
        assert [found.path for found in root.walk()] == ["/first"]
