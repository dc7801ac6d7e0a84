"""The HDF5 reader's own promises: what it lists, what it never follows, what it says of damage, how little it reads."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
from h5py import h5d, h5s, h5t

from tests.formats import hdf5_zoo as zoo
from tests.formats.hdf5_oracle import read_values
from wtui.errors import FormatError, StorageError
from wtui.formats.hdf5 import Dataset, Group, find_superblock, open_hdf5
from wtui.formats.hdf5.chunks import MAX_CHUNKS
from wtui.storage import BytesSource, CachedSource, FileSource, WindowSource

if TYPE_CHECKING:
    from pathlib import Path


def opened(path: Path) -> Group:
    return open_hdf5(FileSource(str(path)))


def dataset(group: Group, name: str) -> Dataset:
    found = group[name]
    assert isinstance(found, Dataset)
    return found


def test_paths_and_missing_names(tmp_path: Path) -> None:
    root = opened(zoo.write(tmp_path / "a.h5", "links earliest"))
    assert dataset(root, "a/b/c").path == "/a/b/c"
    assert dataset(root, "/a/b/c").name == "c"
    for missing in ("nothing", "a/nothing", "a/b/c/d", "soft", "dangling", "outside"):
        assert root.get(missing) is None
        assert missing not in root
    with pytest.raises(KeyError):
        root["nothing"]
    assert "a/b" in root
    assert [name for name, _ in root.items()] == list(root) == root.keys()
    assert len(root) == len(root.keys())


def test_walk_meets_every_object_once_and_ends(tmp_path: Path) -> None:
    path = zoo.write(tmp_path / "a.h5", "cycles earliest")
    root = opened(path)
    assert [found.path for found in root.walk()] == ["/a", "/a/b", "/a/b/c", "/a/b/c/x", "/y"]
    assert root["a"].links == ("root",)  # type: ignore[union-attr]
    assert root["a/b"].links == ("self",)  # type: ignore[union-attr]
    assert root["a/b/c"].links == ("up",)  # type: ignore[union-attr]


def test_a_group_that_was_let_go_is_read_again(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a/b/w"], file["a/c"], file["soft"] = [1.0, 2.0], 3, h5py.SoftLink("/a")
    root = opened(tmp_path / "a.h5")
    before = [o.path for o in root.walk()], root.links
    group = root["a"]
    assert isinstance(group, Group)
    for known in (group, root):
        known.forget()
    assert ([o.path for o in root.walk()], root.links) == before
    assert dataset(root, "a/b/w").shape == (2,)


def test_hard_links_to_one_dataset_have_one_address(tmp_path: Path) -> None:
    root = opened(zoo.write(tmp_path / "a.h5", "links latest"))
    assert root["hard"].address == root["a/b/c"].address != root["a"].address


@pytest.mark.parametrize("options", [{}, {"libver": "latest"}, {"track_order": True}])
def test_names_come_in_the_order_in_which_they_were_made(tmp_path: Path, options: dict[str, object]) -> None:
    names = [f"layer_{i}" for i in range(30)]
    with h5py.File(tmp_path / "a.h5", "w", **options) as file:
        for name in names:
            file[name] = 1
    assert opened(tmp_path / "a.h5").written() == names


def test_deep_groups_end(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file
        for _ in range(200):
            group = group.create_group("g")
    found = list(opened(tmp_path / "a.h5").walk())
    assert len(found) < 200
    assert "nested" in found[-1].problem


def test_offsets_are_absolute_in_the_source(tmp_path: Path) -> None:
    data = np.arange(6, dtype="<f4")
    for name, options in (("a.h5", {}), ("b.h5", {"userblock_size": 2048})):
        with h5py.File(tmp_path / name, "w", **options) as file:
            file["x"] = data
            file.create_dataset("c", data=data, chunks=(4,))
        raw = (tmp_path / name).read_bytes()
        padded = b"PK" + bytes(999) + raw + bytes(50)
        for source, start in ((BytesSource(raw), 0), (WindowSource(BytesSource(padded), 1001, len(raw)), 1001)):
            root = open_hdf5(source)
            (part,) = dataset(root, "x").parts(3, start) or ()
            whole = padded if start else raw
            assert whole[part.extent.offset :][: part.extent.length] == data.tobytes()
            assert part.extent.file == 3
            pieces = dataset(root, "c").chunk_parts(3, start)
            assert b"".join(whole[p.extent.offset :][: p.extent.length] for p in pieces)[:24] == data.tobytes()


def test_superblock_is_found_behind_user_blocks_only() -> None:
    signature = b"\x89HDF\r\n\x1a\n"
    assert find_superblock(BytesSource(signature)) == 0
    assert find_superblock(BytesSource(bytes(1024) + signature)) == 1024
    assert find_superblock(BytesSource(bytes(1000) + signature)) is None
    with pytest.raises(FormatError, match="not an HDF5 file"):
        open_hdf5(BytesSource(b"PK\3\4" * 1000))
    with pytest.raises(FormatError):
        open_hdf5(BytesSource(b""))


def test_native_bfloat16_and_float8(tmp_path: Path) -> None:
    """HDF5 describes floats by their bits, so that these need no name in the file."""
    wanted = {
        "bfloat16": (2, (15, 7, 8, 0, 7), 127), "float8_e4m3fn": (1, (7, 3, 4, 0, 3), 7),
        "float8_e5m2": (1, (7, 2, 5, 0, 2), 15), "float of 16 bits": (2, (15, 9, 6, 0, 9), 31),
    }  # fmt: skip
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, (size, fields, bias) in wanted.items():
            made = h5t.IEEE_F16LE.copy()
            made.set_fields(*fields)
            made.set_precision(8 * size)
            made.set_size(size)
            made.set_ebias(bias)
            h5d.create(file.id, name.encode(), made, h5s.create_simple((2,)))
    root = opened(tmp_path / "a.h5")
    assert {name: dataset(root, name).dtype for name in root} == {name: name for name in sorted(wanted)}


def test_small_datasets_are_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["text"] = "config"
        file["words"] = ["a", "b"]
        file["fixed"] = np.array([b"x", b"yz"])
        file["numbers"] = np.arange(4).reshape(2, 2)
        file["late"] = h5py.Empty("f4")
        file["large"] = np.zeros(1 << 18)
        file.create_dataset("chunked", data=np.zeros(10), chunks=(2,))
    root = opened(tmp_path / "a.h5")
    wanted = {"text": "config", "words": ["a", "b"], "fixed": ["x", "yz"], "numbers": [[0, 1], [2, 3]], "late": []}
    for name, value in wanted.items():
        assert dataset(root, name).read() == value
    for name in ("large", "chunked"):
        with pytest.raises(FormatError):
            dataset(root, name).read()


def test_values_elsewhere_are_refused_with_a_reason(tmp_path: Path) -> None:
    root = opened(zoo.write(tmp_path / "a.h5", "layouts latest"))
    assert "external" in dataset(root, "outside").problem
    assert "virtual" in dataset(root, "virtual").problem
    assert dataset(root, "outside").parts(0) == ()


def test_shape_bombs_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("late", (1 << 40,), "f4")
        file.create_dataset("chunks", (1 << 40,), "f4", chunks=(1 << 20,))[0] = 1
        file.create_dataset("fine", (1 << 20,), "f4")
        many = file.create_dataset("many", (MAX_CHUNKS + 1,), "i1", chunks=(1,))
        many[0] = 1
    root = opened(tmp_path / "a.h5")
    assert "none of them" in dataset(root, "late").problem
    assert "declares" in dataset(root, "chunks").problem
    assert dataset(root, "chunks").chunk_parts(0) == ()
    assert dataset(root, "fine").problem == ""
    with pytest.raises(FormatError, match="chunks"):
        dataset(root, "many").chunk_parts(0)


def test_unwritten_values_come_in_boxes_that_fit_in_memory(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("late", (3, 1500, 1000), "f4", fillvalue=1.5)
    late = dataset(opened(tmp_path / "a.h5"), "late")
    parts = late.parts(0)
    assert parts is not None
    assert len(parts) > 3
    assert all(p.extent.length == 0 and p.shape is not None and np.prod(p.shape) <= 1 << 20 for p in parts)
    found = read_values(late, BytesSource(b""))
    assert found.shape == (3, 1500, 1000)
    assert (found == 1.5).all()


def test_a_file_cut_anywhere_keeps_what_is_left(tmp_path: Path) -> None:
    """As a save that stopped leaves it: every dataset that lies before the cut is still whole."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for i in range(12):
            file[f"g{i}/x"] = np.full(500, i, "f4")
    raw = (tmp_path / "a.h5").read_bytes()
    readable = set()
    for cut in range(0, len(raw) + 1, 97):
        try:
            objects = list(open_hdf5(BytesSource(raw[:cut])).walk())
        except FormatError:
            continue
        whole = [o for o in objects if isinstance(o, Dataset) and not o.problem]
        assert all(o.offset is not None and o.offset + o.nbytes <= cut for o in whole)
        readable.add(len(whole))
    assert len(readable) > 6
    assert max(readable) == 12


def test_a_broken_object_leaves_the_others(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in ("first", "second", "third"):
            file[name] = np.arange(4)
            file[name].attrs["a"] = "text"
        place = h5py.h5o.get_info(file["second"].id).addr
    raw = bytearray((tmp_path / "a.h5").read_bytes())
    raw[place] = 77
    root = open_hdf5(BytesSource(bytes(raw)))
    assert [(o.path, bool(o.problem)) for o in root.walk()] == [("/first", False), ("/second", True), ("/third", False)]
    broken = dataset(root, "second")
    assert "object header" in broken.problem
    assert broken.parts(0) == ()
    assert dict(broken.attrs) == {}
    with pytest.raises(FormatError):
        broken.read()


def test_a_broken_attribute_leaves_the_others_and_the_values(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = np.arange(4.0)
        file["x"].attrs["good"] = 1
        file["x"].attrs["text"] = "in the global heap"
    raw = (tmp_path / "a.h5").read_bytes().replace(b"GCOL", b"GONE")
    found = dataset(open_hdf5(BytesSource(raw)), "x")
    assert dict(found.attrs) == {"good": 1}
    assert "GCOL" in found.attrs_problem
    assert found.problem == ""
    assert len(found.parts(0) or ()) == 1


def test_a_failing_disk_is_no_format_error(tmp_path: Path) -> None:
    path = zoo.write(tmp_path / "a.h5", "nested earliest")
    source = FileSource(str(path))
    source.size += 1 << 20
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(StorageError, match="ends at byte"):
        list(open_hdf5(source).walk())


def test_listing_reads_little_and_no_values(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for i in range(16):
            file[f"layers/conv_{i}/kernel"] = np.ones((3, 3, 64, 256), "f4")
            file[f"layers/conv_{i}/bias"] = np.ones(256, "f4")
            file[f"layers/conv_{i}"].attrs["name"] = f"conv {i}"
    source = FileSource(str(tmp_path / "a.h5"))
    found = list(open_hdf5(source).walk())
    assert len(found) == 16 * 3 + 1
    assert [dict(o.attrs) for o in found if o.name == "conv_3"] == [{"name": "conv 3"}]
    assert source.size > 9_000_000
    assert source.bytes_read < 200_000
    assert source.requests < 50


def test_a_given_cache_is_used(tmp_path: Path) -> None:
    source = FileSource(str(zoo.write(tmp_path / "a.h5", "nested earliest")))
    cached = CachedSource(source)
    list(open_hdf5(cached, cached=True).walk())
    once = source.requests
    list(open_hdf5(cached, cached=True).walk())
    assert source.requests == once


HEAVY = ("numpy", "h5py", "pyfive", "numba", "ml_dtypes", "zlib", "dataclasses", "inspect", "tempfile")


def test_opening_imports_the_standard_library_alone(tmp_path: Path) -> None:
    """Law 5: the first frame stands on this reader; chunk tables and dense storage are no exception."""
    paths = [
        str(zoo.write(tmp_path / f"{i}.h5", name))
        for i, name in enumerate(
            ("attributes earliest", "many_links latest", "chunks latest", "many_attributes latest")
        )
    ]
    code = f"""
import sys
from wtui.formats.hdf5 import open_hdf5, Dataset
from wtui.formats.hdf5_any import catalogue, sniff
from wtui.formats.probe import Probe
for path in {paths!r}:
    probe = Probe(path)
    assert sniff(probe)
    assert catalogue(probe).tensors
    for found in open_hdf5(probe.source).walk():
        found.attrs
        isinstance(found, Dataset) and found.chunk_parts(0)
print(*[name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
