"""What h5py says of a file, in the words of the reader under test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from wtui.codecs import hdf5_filters
from wtui.dtypes import numpy_dtype
from wtui.formats.hdf5 import Dataset, Group
from wtui.model import DTYPE_BITS, TensorEntry

if TYPE_CHECKING:
    from wtui.storage import Source


def plain(value: Any) -> Any:
    """An attribute's value as h5py gives it, as text, numbers and lists."""
    if isinstance(value, h5py.Empty):
        return []
    if isinstance(value, h5py.Reference | np.void):
        return None
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, np.ndarray):
        return [plain(v) for v in value] if value.size else []
    if isinstance(value, np.generic):
        return plain(value.item())
    return value


def dtype_name(dataset: h5py.Dataset) -> str:
    """The name that the reader should give to a dataset's type."""
    dtype = dataset.dtype
    if h5py.check_string_dtype(dtype) or dtype.kind == "S":
        return "string"
    if h5py.check_vlen_dtype(dtype):
        return "vlen"
    if h5py.check_ref_dtype(dtype):
        return "reference"
    if dtype.subdtype:
        return "array"
    if dtype.kind == "V":
        named = dataset.attrs.get("dtype")
        if named and DTYPE_BITS[named] == 8 * dtype.itemsize:
            return str(named)
        return "compound" if dtype.fields else "opaque"
    return str(dtype.name)


def read_values(dataset: Dataset, source: Source) -> np.ndarray:
    """All values, from the dataset's parts through the codec."""
    parts = dataset.parts(0)
    parts = dataset.chunk_parts(0) if parts is None else parts
    entry = TensorEntry(
        "t", "", "t", dataset.shape, dataset.dtype, parts, dataset.encoding, dataset.encoding_args, dataset.byteorder
    )
    pieces = []
    for part in parts:
        _, offset, length = part.extent
        values = hdf5_filters.decode(memoryview(source.read(offset, length) if length else b""), entry, part)
        pieces.append((part, values))
    if not pieces:
        return np.zeros(dataset.shape, numpy_dtype(entry.dtype))
    out = np.empty(dataset.shape, pieces[0][1].dtype)
    seen = np.zeros(dataset.shape, bool)
    for part, values in pieces:
        assert values.shape == (dataset.shape if part.shape is None else part.shape)
        where = tuple(
            slice(o, min(o + n, t))
            for o, n, t in zip(part.origin or (0,) * out.ndim, values.shape, out.shape, strict=True)
        )
        inside = tuple(slice(w.stop - w.start) for w in where)
        assert not seen[where].any(), "parts overlap"
        out[where] = values[inside]
        seen[where] = True
    assert seen.all(), "parts leave a gap"
    return out


def assert_same(ours: Group, theirs: h5py.Group, source: Source, depth: int = 0, above: tuple[Any, ...] = ()) -> int:
    """Compare everything below two groups; how many objects were compared."""
    assert_same_attributes(ours, theirs)
    hard = [n for n in theirs if theirs.get(n, getlink=True).__class__ is h5py.HardLink]
    above = (*above, theirs)
    loops = [n for n in hard if any(theirs[n] == a for a in above)]
    assert ours.keys() == [n for n in hard if n not in loops]
    assert set(ours.links) == set(theirs) - set(ours.keys())
    assert ours.problem == ""
    count = 1
    for name in ours:
        found, expected = ours.get(name), theirs[name]
        if isinstance(expected, h5py.Group):
            assert isinstance(found, Group)
            count += assert_same(found, expected, source, depth + 1, above)
        elif isinstance(expected, h5py.Datatype):
            assert found is None
        else:
            assert isinstance(found, Dataset)
            assert_same_dataset(found, expected, source)
            count += 1
    return count


def assert_same_attributes(ours: Group | Dataset, theirs: Any) -> None:
    expected = {name: plain(value) for name, value in theirs.attrs.items()}
    assert list(ours.attrs) == list(expected), ours.path
    for name, value in expected.items():
        assert value is None or ours.attrs[name] == value, (ours.path, name)
    assert ours.attrs_problem == ""


def assert_same_dataset(ours: Dataset, theirs: h5py.Dataset, source: Source) -> None:
    assert_same_attributes(ours, theirs)
    assert ours.path == theirs.name
    assert ours.shape == ((0,) if theirs.shape is None else theirs.shape), ours.path
    assert ours.dtype == dtype_name(theirs), ours.path
    if theirs.is_virtual or theirs.external:
        assert ours.problem
        return
    assert ours.problem == "", ours.path
    plist = theirs.id.get_create_plist()
    if ours.nbytes and plist.get_layout() == h5py.h5d.CONTIGUOUS:
        assert ours.offset == theirs.id.get_offset(), ours.path
    if theirs.shape is None or ours.dtype not in DTYPE_BITS:
        return
    expected = theirs[()]
    found = read_values(ours, source)
    assert found.dtype.itemsize == np.asarray(expected).dtype.itemsize
    if ours.dtype.startswith(("bfloat", "float8")):
        assert found.tobytes() == np.asarray(expected).tobytes(), ours.path
    else:
        np.testing.assert_array_equal(found, expected, err_msg=ours.path)
