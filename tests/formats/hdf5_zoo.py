"""HDF5 files of every kind that h5py can write, each small: what the reader is held to h5py's answers on."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from h5py import h5d, h5p, h5s, h5t

if TYPE_CHECKING:
    from pathlib import Path

Build = Callable[[h5py.File], None]

KINDS = ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"]
NUMBERS = [order + kind for order in "<>" for kind in KINDS]


def values(shape: tuple[int, ...], dtype: str = "<f4") -> np.ndarray:
    """Numbers that differ from place to place and need every byte of the dtype."""
    rng = np.random.default_rng(sum(shape) + len(dtype))
    if np.dtype(dtype).kind in "iu":
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, shape, np.dtype(dtype).newbyteorder("=")).astype(dtype)
    if np.dtype(dtype).kind == "c":
        return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(dtype)
    return rng.normal(size=shape).astype(dtype)


def numbers(file: h5py.File) -> None:
    for dtype in NUMBERS:
        file[dtype] = values((3, 5), dtype)
    file["bool"] = np.array([[True, False], [False, True]])
    file["scalar"] = np.float32(2.5)
    file["one"] = np.array([7], "i2")
    file["nothing"] = np.zeros((0, 3), "f4")
    file["null"] = h5py.Empty("f4")
    file.create_dataset("enum", data=[0, 1, 5], dtype=h5py.enum_dtype({"A": 0, "B": 1, "C": 5}, basetype="i4"))
    many_axes = values((1, 2, 1, 3, 1, 2, 1, 2))
    file["axes"] = many_axes


def keras_opaque(file: h5py.File) -> None:
    """Types that numpy lacks, written as Keras writes them."""
    import ml_dtypes

    for name in ("bfloat16", "float8_e4m3fn", "float8_e5m2"):
        data = np.arange(12).reshape(3, 4).astype(getattr(ml_dtypes, name))
        file[name] = data.view(f"V{data.dtype.itemsize}")
        file[name].attrs["dtype"] = name
    file["plain"] = np.zeros(3, "V2")
    file["wide"] = np.zeros(3, "V5")
    file["wide"].attrs["dtype"] = "bfloat16"


def other_types(file: h5py.File) -> None:
    file["fixed"] = np.array([b"ab", b"cdef"])
    file["text"] = "héllo"
    file.create_dataset("texts", data=["a", "", "ccc"], dtype=h5py.string_dtype())
    file["utf8"] = np.array(["ä".encode()], h5py.string_dtype("utf-8", 4))
    file["record"] = np.zeros(2, [("a", "f4"), ("b", "i2", (2,)), ("c", "S3")])
    file["pairs"] = np.zeros(2, [("r", "f4"), ("x", "f4")])
    vlen = file.create_dataset("ragged", (2,), h5py.vlen_dtype("i4"))
    vlen[0], vlen[1] = [1, 2, 3], [4]
    file.create_dataset("arrays", (2,), np.dtype(("f4", (2, 3))))
    file.create_dataset("reference", data=file["text"].ref, dtype=h5py.ref_dtype)
    file["named"] = np.dtype("f4")
    file.create_dataset("of_named", data=[1, 2, 3], dtype=file["named"])


def attributes(file: h5py.File) -> None:
    file.attrs["text"] = "naïve"
    file.attrs["empty"] = ""
    file.attrs["bytes"] = np.bytes_(b"fixed")
    file.attrs["names"] = np.array([b"one", b"three"])
    file.attrs["texts"] = ["a", "bb", ""]
    file.attrs["grid"] = np.array([["a", "b"], ["c", "d"]], dtype=h5py.string_dtype())
    file.attrs["number"] = 5
    file.attrs["real"] = 2.5
    file.attrs["yes"] = True
    file.attrs["flags"] = np.array([True, False])
    file.attrs["half"] = np.float16(0.5)
    file.attrs["matrix"] = np.arange(6).reshape(2, 3)
    file.attrs["big"] = np.arange(5, dtype=">i4")
    file.attrs["none"] = h5py.Empty("f4")
    file.attrs["zero"] = np.zeros((0, 4))
    file.attrs["ragged"] = np.array([np.arange(3), np.arange(1)], dtype=h5py.vlen_dtype("i8"))
    file.attrs.create("array", np.ones((4, 2, 3)), (4, 2, 3), np.dtype(("f8", (2, 3))))
    file["t"] = np.dtype("i4")
    file.attrs.create("named", 5, dtype=file["t"])
    file["data"] = values((4,))
    file["data"].attrs["dtype"] = "float32"


def many_attributes(file: h5py.File) -> None:
    for i in range(300):
        file.attrs[f"a{i}"] = "v" * i
    file["d"] = 1
    for i in range(12):
        file["d"].attrs[f"b{i}"] = i
    for i in range(7):
        del file.attrs[f"a{i * 13 + 5}"]


def large_attributes(file: h5py.File) -> None:
    file.attrs["numbers"] = np.arange(20_000.0)
    file.attrs["text"] = np.bytes_(b"x" * 70_000)
    file.attrs["long"] = "y" * 200_000
    file["data"] = 1


def many_links(file: h5py.File) -> None:
    for i in range(300):
        file[f"layer_{i}"] = np.arange(4, dtype="f4") + i
    for i in range(0, 300, 7):
        del file[f"layer_{i}"]
    for i in range(9):
        file.create_group(f"g/{i}")
    file.create_group("a" * 300)


def nested(file: h5py.File) -> None:
    group = file
    for i in range(40):
        group = group.create_group(f"g{i}")
        group.attrs["name"] = f"layer {i}"
    group["x"] = values((3,))


def links(file: h5py.File) -> None:
    file["a/b/c"] = values((2, 2))
    file["hard"] = file["a/b/c"]
    file["soft"] = h5py.SoftLink("/a/b/c")
    file["dangling"] = h5py.SoftLink("/nowhere")
    file["outside"] = h5py.ExternalLink("other.h5", "/secret")
    file["twice"] = file["a/b"]
    file["überall"] = 1.0


def cycles(file: h5py.File) -> None:
    file["a/b/c/x"] = values((2,))
    file["a/b/c/up"] = file["a"]
    file["a/b/self"] = file["a/b"]
    file["a/root"] = file["/"]
    file["y"] = values((3,))


def layouts(file: h5py.File) -> None:
    plist = h5p.create(h5p.DATASET_CREATE)
    plist.set_layout(h5d.COMPACT)
    _create(file, "compact", values((5, 5)), plist)
    file.create_dataset("late", (4, 6), "f4")
    file.create_dataset("late filled", (4, 6), "f4", fillvalue=2.5)
    file.create_dataset("late chunks", (40, 6), ">i2", chunks=(7, 4), fillvalue=-3)
    file.create_dataset("outside", (4,), "f4", external=[("elsewhere.bin", 0, 16)])
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("elsewhere.h5", "d", (4,))
    file.create_virtual_dataset("virtual", layout)
    sparse = file.create_dataset("sparse", (100, 100), "f4", chunks=(10, 10), fillvalue=9.0, compression="gzip")
    sparse[35:45, 50:60] = 1.0


def chunks(file: h5py.File) -> None:
    data = values((50, 37))
    grow: dict[str, tuple[int | None, ...] | None] = {
        "fixed": None, "limited": (80, 90), "rows": (None, 37), "columns": (60, None), "both": (None, None),
    }  # fmt: skip
    for name, maxshape in grow.items():
        for filters in ({}, {"compression": "gzip", "shuffle": True}):
            file.create_dataset(f"{name} {len(filters)}", data=data, chunks=(7, 9), maxshape=maxshape, **filters)
    file.create_dataset("single", data=data, chunks=data.shape)
    file.create_dataset("single gzip", data=data, chunks=data.shape, compression="gzip")
    shrunk = file.create_dataset("shrunk", data=data, chunks=(7, 9), maxshape=(None, None), compression="gzip")
    shrunk.resize((20, 11))
    cube = values((5, 6, 7), "<f8")
    file.create_dataset("cube", data=cube, chunks=(2, 6, 3), maxshape=(5, None, 7))
    file.create_dataset("line", data=values((1000,)), chunks=(3,), maxshape=(None,))
    plist = h5p.create(h5p.DATASET_CREATE)
    plist.set_chunk((7, 9))
    plist.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    _create(file, "implicit", data, plist)


def filters(file: h5py.File) -> None:
    data, steps = values((40, 40)), np.arange(1600, dtype=">i4").reshape(40, 40)
    for name, options in {
        "gzip": {"compression": "gzip"}, "shuffle": {"shuffle": True}, "fletcher": {"fletcher32": True},
        "lzf": {"compression": "lzf"}, "gzip all": {"compression": 9, "shuffle": True, "fletcher32": True},
        "lzf all": {"compression": "lzf", "shuffle": True, "fletcher32": True},
    }.items():  # fmt: skip
        file.create_dataset(name, data=data, chunks=(9, 16), **options)
        file.create_dataset(f"{name} int", data=steps, chunks=(40, 3), **options)
    file.create_dataset("bytes", data=np.arange(101, dtype="u1"), chunks=(33,), shuffle=True, fletcher32=True)
    file.create_dataset("flags", data=np.arange(100) % 3 == 0, chunks=(33,), compression="gzip")
    masked = file.create_dataset("masked", (4, 4), "<f4", chunks=(2, 4), compression="gzip", shuffle=True)
    masked.id.write_direct_chunk((0, 0), np.arange(8, dtype="<f4").tobytes(), filter_mask=0b11)
    masked[2:] = 5.0


def raw_edges(file: h5py.File) -> None:
    """Chunks over the edge left unfiltered: an option of the C library that h5py has no name for."""
    plist = h5p.create(h5p.DATASET_CREATE)
    plist.set_chunk((16, 16))
    plist.set_deflate(5)
    if c_library().H5Pset_chunk_opts(ctypes.c_int64(plist.id), ctypes.c_uint(2)) < 0:
        raise RuntimeError("H5Pset_chunk_opts")
    _create(file, "edges", values((40, 40)), plist)


def paged_fixed(file: h5py.File) -> None:
    """More chunks than one page of a fixed array holds, most of its pages never written."""
    dataset = file.create_dataset("fixed", (5000,), "<i2", chunks=(1,), fillvalue=-1)
    dataset[2100:2110] = np.arange(10)
    dataset[4990:] = 3


def paged_extensible(file: h5py.File) -> None:
    """Data blocks of an extensible array that are cut into pages begin behind some 130,000 chunks."""
    dataset = file.create_dataset("rows", (190_000,), "i1", chunks=(1,), maxshape=(None,), fillvalue=-1)
    for start in (0, 3, 900, 140_000, 150_500, 189_990):
        dataset[start : start + 10] = np.arange(10)


def deep_btree(file: h5py.File) -> None:
    """Chunk indexes of several levels."""
    file.create_dataset("both", data=values((90, 90), "<i2"), chunks=(1, 2), maxshape=(None, None))


def indirect_heap(file: h5py.File) -> None:
    """More names than the direct blocks of a fractal heap hold (512 KB), in trees of several levels."""
    for i in range(8000):
        file[f"{i:080}"] = h5py.SoftLink("/nowhere")
    file["last"] = 1.0


def unusual_headers(file: h5py.File) -> None:
    """Object headers with times and with limits of their own for dense attributes."""
    plist = h5p.create(h5p.DATASET_CREATE)
    plist.set_attr_phase_change(20, 15)
    plist.set_obj_track_times(True)
    _create(file, "data", values((3,)), plist)
    for i in range(18):
        file["data"].attrs[f"a{i}"] = i
    plist = h5p.create(h5p.GROUP_CREATE)
    plist.set_attr_phase_change(2, 1)
    h5py.h5g.create(file.id, b"group", gcpl=plist)
    for i in range(4):
        file["group"].attrs[f"a{i}"] = i


def shared_messages(file: h5py.File) -> None:
    file["scalar"] = 1.5
    for i in range(12):
        dataset = file.create_dataset(f"d{i}", data=values((3, 4)), fillvalue=1.5)
        dataset.attrs["same"] = "of all"
        dataset.attrs["own"] = float(i)
        file["d0"].attrs[f"more {i}"] = "of all"


def _create(file: h5py.File, name: str, data: np.ndarray, plist: Any) -> None:
    space = h5s.create_simple(data.shape)
    h5d.create(file.id, name.encode(), h5t.py_create(data.dtype), space, plist).write(h5s.ALL, h5s.ALL, data)


def c_library() -> Any:
    """The HDF5 library that h5py is linked with, for what h5py does not wrap."""
    return ctypes.CDLL(h5p.__file__)


def shared_plist() -> Any:
    """A file creation property list that shares all messages of 1 byte or more: datatypes, attributes, ..."""
    plist = h5p.create(h5p.FILE_CREATE)
    library = c_library()
    number = ctypes.c_int64(plist.id)
    done = library.H5Pset_shared_mesg_nindexes(number, 2)
    done |= library.H5Pset_shared_mesg_index(number, 0, ctypes.c_uint(1 << 12), ctypes.c_uint(1))
    done |= library.H5Pset_shared_mesg_index(number, 1, ctypes.c_uint(0b101010), ctypes.c_uint(1))
    if done < 0:
        raise RuntimeError("H5Pset_shared_mesg_index")
    return plist


LATEST: dict[str, Any] = {"libver": "latest"}
BUILDS: tuple[Build, ...] = (
    numbers, keras_opaque, other_types, attributes, many_attributes, many_links, nested, links, cycles, layouts, chunks,
    filters,
)  # fmt: skip
ZOO: dict[str, tuple[Build, dict[str, Any]]] = {
    **{f"{b.__name__} earliest": (b, {"libver": "earliest"}) for b in BUILDS},
    **{f"{b.__name__} latest": (b, LATEST) for b in BUILDS},
    **{f"{b.__name__} tracked": (b, {"track_order": True}) for b in (attributes, many_attributes, many_links, links)},
    "many_links latest tracked": (many_links, {"track_order": True, **LATEST}),
    "attributes user block": (attributes, {"userblock_size": 1024}),
    "chunks user block": (chunks, {"userblock_size": 512, **LATEST}),
    "large_attributes": (large_attributes, LATEST),
    "raw_edges": (raw_edges, LATEST),
    "indirect_heap": (indirect_heap, LATEST),
    "unusual_headers": (unusual_headers, LATEST),
    "paged_fixed": (paged_fixed, LATEST),
}
"""Name: what to write, and how to open the file for it."""

MANY_CHUNKS: dict[str, tuple[Build, dict[str, Any]]] = {
    "paged_extensible": (paged_extensible, LATEST),
    "paged_fixed": (paged_fixed, LATEST),
    "deep_btree earliest": (deep_btree, {"libver": "earliest"}),
    "deep_btree latest": (deep_btree, LATEST),
}
"""Files of which the tables of chunks are compared, with too many chunks to read them all. None whose unlimited axis is
not the first: HDF5 1.14 itself then tells places outside the dataset."""


def write(path: Path, name: str) -> Path:
    """Write the file `name` of ZOO or MANY_CHUNKS to `path`."""
    build, options = (ZOO | MANY_CHUNKS)[name]
    with h5py.File(path, "w", **options) as file:
        build(file)
    return path


def old_superblock_plist() -> Any:
    """A file creation property list that calls for superblock 1: another size of the nodes that index chunks."""
    plist = h5p.create(h5p.FILE_CREATE)
    if c_library().H5Pset_istore_k(ctypes.c_int64(plist.id), ctypes.c_uint(64)) < 0:
        raise RuntimeError("H5Pset_istore_k")
    return plist


def write_with(path: Path, plist: Any, build: Build, *, latest: bool = False) -> Path:
    """Write a file that needs a property list which h5py.File has no argument for."""
    access = h5p.create(h5p.FILE_ACCESS)
    if latest:
        access.set_libver_bounds(h5py.h5f.LIBVER_LATEST, h5py.h5f.LIBVER_LATEST)
    number = h5py.h5f.create(str(path).encode(), h5py.h5f.ACC_TRUNC, plist, access)
    with h5py.File(number) as file:
        build(file)
    return path
