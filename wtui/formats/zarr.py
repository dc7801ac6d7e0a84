"""zarr arrays and groups, versions 2 and 3: metadata from their JSON, values in place or through tensorstore.

An array in one chunk that nothing compresses lies in a file as it is; any other is read through tensorstore where that
is installed, chunk by chunk. Sources: the zarr specifications 2 and 3. What the arrays are for is not known here.
"""

from __future__ import annotations

import json
import os
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.errors import FormatError, WtuiError
from wtui.formats.names import tree_from_names
from wtui.model import DTYPE_BITS, Catalogue, Extent, FileRef, LayerNode, Notice, Part, TensorEntry
from wtui.storage import FileSource, StoredFile, file_ref
from wtui.storage.arrays import chunk_origins, describe_array, is_tensorstore_here

if TYPE_CHECKING:
    from wtui.formats.probe import Probe

__all__ = ["ArrayMeta", "Listing", "catalogue", "parse_array", "read_json", "sniff"]

V2, GROUP_V2, V3 = ".zarray", ".zgroup", "zarr.json"

MAX_JSON = 16 << 20
"""Bytes of a metadata file."""

MAX_FOLDERS = 100_000
MAX_DEPTH = 32

MAX_CHUNKS = 1_000_000
"""Chunks of one array."""

MAX_PLAIN = 500
"""Files that are read in place: each stays open while the model is."""

MAX_AXES = 64

NEEDS = "its chunks need tensorstore: pip install 'wtui[orbax]'"

_KINDS = {"f": "float", "i": "int", "u": "uint", "c": "complex"}


class ArrayMeta(NamedTuple):
    """What the metadata of an array says."""

    driver: str
    """`zarr` or `zarr3`, as tensorstore calls them."""
    shape: tuple[int, ...]
    dtype: str
    byteorder: str
    chunk: tuple[int, ...]
    """Shape of what is decoded at once."""
    plain: str
    """Name of the only chunk if it lies in its file as it is, else `""`."""


def sniff(probe: Probe) -> bool:
    """A folder that is a zarr array or group."""
    return probe.is_folder and bool(probe.names & {V2, GROUP_V2, V3})


def catalogue(probe: Probe) -> Catalogue:
    """Every array of the group; FormatError if there is none."""
    root = LayerNode(os.path.basename(os.path.abspath(probe.path)), "")
    listing = Listing(probe.path)
    _walk(probe, listing)
    if not listing.tensors:
        raise FormatError(listing.notices[0].message if listing.notices else "holds no zarr arrays", probe.path)
    ordered = tree_from_names(listing.tensors, "/", root)
    title = f"zarr {listing.versions()}"
    return Catalogue(probe.path, title, listing.files, ordered, root, {}, listing.notices, listing.locate)


def _walk(probe: Probe, listing: Listing) -> None:
    """List the arrays of a folder and the folders in it; links are not followed."""
    stack = [""]
    seen = 0
    while stack:
        below = stack.pop()
        seen += 1
        if seen > MAX_FOLDERS:
            listing.notices.append(Notice("", f"only the first {MAX_FOLDERS:,} folders are listed", lost=True))
            return
        folder = os.path.join(probe.path, below)
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda e: e.name)
        except OSError as error:
            listing.notices.append(Notice("", f"{below}: {(error.strerror or 'unreadable').lower()}", lost=True))
            continue
        names = {e.name for e in entries}
        found_meta = next((n for n in (V2, V3) if n in names), "")
        try:
            is_array = bool(found_meta) and listing.add_file(probe, below, found_meta)
        except WtuiError as error:
            listing.notices.append(Notice("", f"{below}: {error.what}", lost=True))
            continue
        if not is_array and below.count("/") < MAX_DEPTH:
            inner = [f"{below}/{e.name}".lstrip("/") for e in entries if e.is_dir(follow_symlinks=False)]
            stack.extend(reversed(inner))


class Listing:
    """Arrays as tensors, and the files or chunks that hold them."""

    def __init__(self, folder: str, ocdbt: str = "") -> None:
        """`ocdbt` is the path of the manifest where the arrays lie in an OCDBT database."""
        self.files: list[FileRef] = []
        self.tensors: list[TensorEntry] = []
        self.notices: list[Notice] = []
        self._folder = folder
        self._ocdbt = ocdbt
        self._arrays: dict[str, tuple[int, ArrayMeta]] = {}
        self._drivers: set[str] = set()
        self._plain = 0

    def versions(self) -> str:
        """The versions of zarr that were met."""
        return " and ".join({"zarr": "2", "zarr3": "3"}[d] for d in sorted(self._drivers))

    def add_file(self, probe: Probe, below: str, name: str) -> bool:
        """Take in an array by its metadata file; False if that is a group's."""
        path = os.path.join(self._folder, below, name)
        meta = parse_array(read_json(probe.open(path)), path)
        if meta is None:
            return False
        self.add(below or os.path.basename(os.path.abspath(self._folder)), below, meta, path)
        return True

    def add(self, name: str, array: str, meta: ArrayMeta, path: str, entry: TensorEntry | None = None) -> None:
        """Take in an array called `name`, which lies in `array`; `path` is a file that changes with it.

        `entry` brings what is known of its role and group.
        """
        self._drivers.add(meta.driver)
        entry = entry or TensorEntry(name, "", name.rpartition("/")[2], meta.shape, meta.dtype, ())
        entry = entry._replace(name=name, shape=meta.shape, dtype=meta.dtype, byteorder=meta.byteorder, parts=())
        problem = _problem(meta)
        plain = None if problem or not meta.plain or self._ocdbt else self._plain_file(array, meta)
        if plain is not None:
            number = self._number(plain)
            self.tensors.append(entry._replace(parts=(Part(Extent(number, 0, plain.size)),)))
        elif problem or not is_tensorstore_here():
            self.tensors.append(entry._replace(problem=problem or NEEDS))
        else:
            number = self._number(self._array_file(array, meta, path))
            self._arrays[name] = number, meta
            self.tensors.append(entry._replace(parts=None, byteorder="<"))

    def locate(self, entry: TensorEntry) -> tuple[Part, ...]:
        """The chunks of an array, for `Catalogue.locate`."""
        number, meta = self._arrays[entry.name]
        size = prod(meta.chunk) * DTYPE_BITS[meta.dtype] // 8
        origins = chunk_origins(meta.shape, meta.chunk)
        return tuple(Part(Extent(number, i * size, size), origin, meta.chunk) for i, origin in enumerate(origins))

    def _number(self, file: FileRef) -> int:
        self.files.append(file)
        return len(self.files) - 1

    def _plain_file(self, array: str, meta: ArrayMeta) -> FileRef | None:
        """The file of the only chunk of an array, if it is there and as large as it should be."""
        if self._plain >= MAX_PLAIN:
            return None
        try:
            source = FileSource(os.path.join(self._folder, array, meta.plain))
        except WtuiError:
            return None
        found = file_ref(source)
        source.close()
        if found.size != prod(meta.chunk) * DTYPE_BITS[meta.dtype] // 8:
            return None
        self._plain += 1
        return found

    def _array_file(self, array: str, meta: ArrayMeta, path: str) -> FileRef:
        """The chunks of an array as a file."""
        described = describe_array(self._folder, array, meta.driver, meta.shape, meta.chunk, ocdbt=bool(self._ocdbt))
        status = os.stat(path)
        count = prod(-(-n // c) for n, c in zip(meta.shape, meta.chunk, strict=True))
        size = count * prod(meta.chunk) * DTYPE_BITS[meta.dtype] // 8
        return FileRef(path, size, status.st_mtime_ns, status.st_ino, None, described)


def read_json(source: StoredFile) -> dict[str, Any]:
    """The object in a metadata file; FormatError if it is none."""
    if source.size > MAX_JSON:
        raise FormatError(f"has {source.size:,} bytes, more than metadata has", source.name)
    return parse_json(source.read(0, source.size), source.name)


def parse_json(data: bytes, path: str) -> dict[str, Any]:
    """The object that bytes hold; FormatError if they hold none."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormatError("is not valid JSON", path) from error
    if not isinstance(found, dict):
        raise FormatError("is no JSON object", path)
    return found


def parse_array(found: dict[str, Any], path: str) -> ArrayMeta | None:
    """What an array's metadata says, None for a group's; FormatError where it makes no sense."""
    try:
        if found.get("zarr_format") == 3:
            return _parse_v3(found) if found.get("node_type") == "array" else None
        return _parse_v2(found)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise FormatError("its metadata makes no sense", path, "damaged?") from error


def _parse_v2(found: dict[str, Any]) -> ArrayMeta:
    shape, chunk = _axes(found["shape"]), _axes(found["chunks"])
    dtype, byteorder = _dtype(found["dtype"])
    separator = "/" if found.get("dimension_separator") == "/" else "."
    is_plain = (
        shape == chunk and found.get("compressor") is None and not found.get("filters") and found.get("order") == "C"
    )
    plain = separator.join("0" for _ in shape) or "0"
    return ArrayMeta("zarr", shape, dtype, byteorder, _clipped(shape, chunk), plain if is_plain else "")


def _parse_v3(found: dict[str, Any]) -> ArrayMeta:
    shape = _axes(found["shape"])
    chunk = _axes(found["chunk_grid"]["configuration"]["chunk_shape"])
    codecs = found["codecs"]
    if codecs and codecs[0]["name"] == "sharding_indexed":
        chunk = _axes(codecs[0]["configuration"]["chunk_shape"])
    data_type = found["data_type"]
    dtype, byteorder = _dtype(data_type if isinstance(data_type, str) else "")
    is_plain = shape == chunk and len(codecs) == 1 and codecs[0]["name"] == "bytes"
    if is_plain and codecs[0].get("configuration", {}).get("endian") == "big":
        byteorder = ">"
    encoding = found.get("chunk_key_encoding", {})
    is_plain &= encoding.get("name") == "default" and encoding.get("configuration", {}).get("separator", "/") == "/"
    plain = "/".join(["c", *("0" for _ in shape)])
    return ArrayMeta("zarr3", shape, dtype, byteorder, _clipped(shape, chunk), plain if is_plain else "")


def _clipped(shape: tuple[int, ...], chunk: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a chunk in memory: not larger than the array."""
    return tuple(max(min(n, c), 1) for n, c in zip(shape, chunk, strict=True))


def _axes(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) > MAX_AXES or not all(type(n) is int and n >= 0 for n in value):
        raise ValueError("no shape")
    return tuple(value)


def _dtype(name: str) -> tuple[str, str]:
    """(dtype, byte order) of a type's name in either version; an unknown one stays as it is."""
    if name in DTYPE_BITS:
        return name, "<"
    order, kind, size = name[:1], name[1:2], name[2:]
    if order in "<>|" and kind in _KINDS and size.isdecimal() and len(size) < 4:
        return f"{_KINDS[kind]}{int(size) * 8}", ">" if order == ">" else "<"
    return ("bool" if name == "|b1" else name or "unknown"), "<"


def _problem(meta: ArrayMeta) -> str:
    """Why an array cannot be read by anyone, or `""`."""
    if DTYPE_BITS.get(meta.dtype, 0) % 8 or meta.dtype not in DTYPE_BITS:
        return f"values of type {meta.dtype} cannot be decoded"
    chunks = [-(-n // c) for n, c in zip(meta.shape, meta.chunk, strict=True)]
    return f"it is cut into more than {MAX_CHUNKS:,} chunks" if prod(chunks) > MAX_CHUNKS else ""
