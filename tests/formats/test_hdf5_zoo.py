"""The HDF5 reader against h5py, on every kind of file that h5py can write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h5py
import pytest

from tests.formats import hdf5_zoo as zoo
from tests.formats.hdf5_oracle import assert_same
from wtui.formats.hdf5 import Dataset, open_hdf5
from wtui.storage import FileSource

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", list(zoo.ZOO))
def test_equals_h5py(name: str, tmp_path: Path) -> None:
    path = zoo.write(tmp_path / "zoo.h5", name)
    _compare(path)


@pytest.mark.parametrize("latest", [False, True])
def test_shared_messages_equal_h5py(latest: bool, tmp_path: Path) -> None:
    path = zoo.write_with(tmp_path / "shared.h5", zoo.shared_plist(), zoo.shared_messages, latest=latest)
    _compare(path)


def test_superblock_1_equals_h5py(tmp_path: Path) -> None:
    path = zoo.write_with(tmp_path / "old.h5", zoo.old_superblock_plist(), zoo.chunks)
    assert path.read_bytes()[8] == 1
    _compare(path)


@pytest.mark.parametrize(("offsets", "lengths"), [(4, 4), (8, 4), (4, 8)])
def test_narrow_addresses_equal_h5py(offsets: int, lengths: int, tmp_path: Path) -> None:
    for build in (zoo.numbers, zoo.attributes, zoo.chunks):
        plist = h5py.h5p.create(h5py.h5p.FILE_CREATE)
        plist.set_sizes(offsets, lengths)
        _compare(zoo.write_with(tmp_path / f"{build.__name__}.h5", plist, build))


@pytest.mark.parametrize("name", list(zoo.MANY_CHUNKS))
def test_chunk_tables_equal_h5py(name: str, tmp_path: Path) -> None:
    """Place, bytes and filter mask of every chunk that was written."""
    path = zoo.write(tmp_path / "zoo.h5", name)
    root = open_hdf5(FileSource(str(path)))
    with h5py.File(path) as file:
        for dataset in root.walk():
            assert isinstance(dataset, Dataset)
            expected: set[tuple[tuple[int, ...], int, int, int]] = set()
            file[dataset.path].id.chunk_iter(
                lambda c, to=expected: to.add((c.chunk_offset, c.byte_offset, c.size, c.filter_mask))
            )
            parts = dataset.chunk_parts(0)
            found = {(p.origin, p.extent.offset, p.extent.length, p.skipped_filters) for p in parts if p.extent.length}
            assert found == expected
            assert len(found) > 19


def _compare(path: Path) -> None:
    source = FileSource(str(path))
    with h5py.File(path) as file:
        compared = assert_same(open_hdf5(source), file, source)
        assert compared > 1
