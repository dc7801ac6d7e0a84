"""PyTorch's distributed checkpoints (DCP): a folder with `.metadata` and `.distcp` files, as one model.

`.metadata` is a pickle of names, shapes, and where each piece of a tensor lies: at an offset of a `.distcp` file there
is a whole archive, as torch.save writes it, of that piece (torch/distributed/checkpoint/metadata.py and filesystem.py).
The archives are looked into when a tensor is read.
"""

from __future__ import annotations

import re
from math import prod
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.errors import FormatError, WtuiError
from wtui.formats.inert import Items, Machine, Object, Stream, attributes, path_of, plain
from wtui.formats.torch.archive import Archive
from wtui.formats.torch.describe import danger_notice
from wtui.formats.torch.draft import MODEL, OPTIMIZER, Draft, DraftTensor, finish
from wtui.formats.torch.dtypes import dtype_name
from wtui.formats.torch.folder import folder_name
from wtui.formats.torch.pieces import Box, assembled, covered, in_c_order
from wtui.formats.torch.tensors import Found, Tensors
from wtui.formats.torch.visit import Visitor
from wtui.model import DTYPE_BITS, Catalogue, FileRef, Notice, Part, TensorEntry
from wtui.storage import Files, file_ref

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wtui.formats.probe import Probe

__all__ = ["catalogue", "sniff"]

METADATA = ".metadata"
MAX_PIECES = 1_000_000
"""Pieces of one checkpoint."""

MAX_OBJECTS = 1_000
"""Names of what is no tensor that are listed."""

MAX_FILES = 10_000

_OPTIMIZER = re.compile(r"^optim(izer|izers|_state|izer_state|izer_states)?$")
_WRAPPER = re.compile(r"^(model|module|app|state_dict|state)$")

Place = tuple[int, ...]


class _Chunk(NamedTuple):
    """A piece of a tensor, and the archive that holds it."""

    origin: Place
    shape: Place
    file: int
    offset: int
    length: int


def sniff(probe: Probe) -> bool:
    """A folder with a `.metadata` file that begins like a pickle, or that file itself."""
    if probe.is_folder:
        return METADATA in probe.names
    return probe.path.endswith(METADATA) and probe.head[:1] == b"\x80" and b"torch.distributed" in probe.head


def catalogue(probe: Probe) -> Catalogue:
    """The tensors of all files together; FormatError if the metadata cannot be understood."""
    path = probe.inside(METADATA)
    if path is None:
        raise FormatError(f"holds no {METADATA}", probe.path)
    machine = Machine(Stream(probe.open(path)))
    told = attributes(machine.load())
    tensors = told.get("state_dict_metadata") if told else None
    if told is None or not isinstance(tensors, Items):
        raise FormatError("does not describe a distributed checkpoint", path)
    reader = _Reader(probe, told)
    root = Draft(folder_name(probe))
    reader.read(tensors, root)
    done = finish(root)
    chunks = {t.name: c for t, c in reader.chunks}
    metadata = {"checkpoint": _facts(told), "objects": reader.objects}
    notices = [*danger_notice(machine.called), *reader.notices(), *done.notices]
    title = f"PyTorch distributed checkpoint, {len(reader.files)} files"
    return Catalogue(
        probe.path, title, reader.files, done.tensors, done.root, metadata, notices, _Locator(reader.files, chunks)
    )


class _Reader:
    """What the metadata says, name by name."""

    def __init__(self, probe: Probe, told: Items) -> None:
        self._probe = probe
        self._numbers: dict[str, int | None] = {}
        self._missing: dict[str, None] = {}
        self.files: list[FileRef] = []
        self.objects: list[str] = []
        """Names of what is no tensor."""
        self.chunks: list[tuple[DraftTensor, list[_Chunk]]] = []
        self._visitor = Visitor()
        self._places = dict(_storage_data(told.get("storage_data")))
        planned = told.get("planner_data")
        self._paths = planned.strings() if isinstance(planned, Items) else {}

    def notices(self) -> list[Notice]:
        """Files that are missing, and what was left out."""
        missing = [
            Notice("", f"{name} is missing, or lies outside the folder", lost=True) for name in list(self._missing)[:50]
        ]
        return [*missing, *(Notice("", n) for n in self._visitor.notices)]

    def read(self, tensors: Items, root: Draft) -> None:
        """List everything, the optimizer last."""
        names = [(str(n), v) for n, v in tensors.pairs() if isinstance(n, str)]
        wrapper = self._wrapper([n for n, v in names if _is_tensor(v)])
        last: list[tuple[str, object]] = []
        for name, value in names:
            if not _is_tensor(value):
                self.objects += [name[:200]] if len(self.objects) < MAX_OBJECTS else []
            elif _OPTIMIZER.match(self._path(name)[0]):
                last.append((name, value))
            else:
                path = self._path(name)
                label = ".".join(path[1:] if wrapper and path[0] == wrapper else path)
                self._add(root, label, name, value, MODEL)
        for name, value in last:
            self._slot(root.child(OPTIMIZER), name, value)

    def _slot(self, optimizer: Draft, name: str, value: object) -> None:
        """A slot of the optimizer: `optimizer.state.<parameter>.<slot>`."""
        path = self._path(name)[1:]
        if path[:1] == ("state",) and len(path) > 2:
            path = path[1:]
        below = optimizer.child(".".join(path[:-1])) if len(path) > 1 else optimizer
        self._add(below, (path[-1] if path else name).replace(".", "_"), name, value, OPTIMIZER)

    def _path(self, name: str) -> tuple[str, ...]:
        """The keys of the nested dictionaries that the tensor was saved in; its name where they are not recorded."""
        planned = self._paths.get(name)
        if type(planned) is tuple and planned and all(isinstance(p, str | int) for p in planned):
            return tuple(str(p)[:2000] for p in planned)
        first, _, rest = name.partition(".")
        return (first, rest) if rest and _OPTIMIZER.match(first) else (name,)

    def _wrapper(self, names: list[str]) -> str:
        """The one key that the whole model stands under and that says no more than that."""
        firsts = {self._path(n)[0] for n in names if not _OPTIMIZER.match(self._path(n)[0])}
        nested = all(len(self._path(n)) > 1 for n in names)
        only = next(iter(firsts)) if len(firsts) == 1 and nested else ""
        return only if _WRAPPER.match(only) else ""

    def _add(self, draft: Draft, label: str, name: str, value: object, group: str) -> None:
        found, chunks = self._found(name, value)
        made = self._visitor.add(draft, label, found, group)
        if made is not None:
            made.trainable = None
            self.chunks.append((made, chunks))

    def _found(self, name: str, value: object) -> tuple[Found, list[_Chunk]]:
        """A tensor whose bytes are looked up later, or why there are none."""
        told = attributes(value)
        assert told is not None
        properties, shape, pieces = told.get("properties"), _place(told.get("size")), told.get("chunks")
        state = properties.state if isinstance(properties, Object) else None
        dtype = dtype_name(state[0]) if type(state) is tuple and state else ""
        if shape is None or not isinstance(pieces, list) or len(pieces) > MAX_PIECES:
            return Found("unknown", (), problem="its description cannot be understood"), []
        chunks, problem = self._chunks(name, pieces)
        if not problem and dtype not in DTYPE_BITS:
            problem = f"values of type {dtype or 'unknown'} cannot be decoded"
        if not problem and not covered([(c.origin, c.shape) for c in chunks], shape):
            problem = f"{len(chunks):,} pieces do not make up its {prod(shape):,} values"
        if not prod(shape):
            return Found(dtype, shape), []
        return Found(dtype or "unknown", shape, None, problem=problem), chunks

    def _chunks(self, name: str, pieces: list[object]) -> tuple[list[_Chunk], str]:
        """The pieces of a tensor, and why not all can be read."""
        found: list[_Chunk] = []
        for piece in pieces:
            told = attributes(piece)
            origin, shape = (_place(told.get(k)) for k in ("offsets", "sizes")) if told else (None, None)
            if origin is None or shape is None:
                return found, "its pieces cannot be understood"
            place = self._places.get((name, origin)) or self._places.get((name, None))
            if place is None:
                return found, f"nothing says where its piece at {list(origin)} lies"
            number, problem = self._file(*place)
            if number is None:
                return found, problem
            found.append(_Chunk(origin, shape, number, place[1], place[2]))
        return found, ""

    def _file(self, name: str, offset: int, length: int, transforms: bool) -> tuple[int | None, str]:
        """The number of a file that holds a range, or None and why it does not."""
        if transforms:
            return None, "its bytes were transformed (compressed or encrypted) when they were saved"
        if name not in self._numbers:
            self._numbers[name] = self._open(name)
        number = self._numbers[name]
        if number is None:
            self._missing[name[:200]] = None
            return None, f"{name[:200]} is missing"
        behind = offset + length - self.files[number].size
        if offset < 0 or length < 0 or behind > 0:
            return None, f"{behind:,} of the bytes of a piece lie behind the end of {name[:200]}"
        return number, ""

    def _open(self, name: str) -> int | None:
        path = self._probe.inside(name)
        if path is None or len(self.files) >= MAX_FILES:
            return None
        try:
            self.files.append(file_ref(self._probe.open(path)))
        except WtuiError:
            return None
        return len(self.files) - 1


class _Locator:
    """Finds the bytes of a tensor by opening the archives of its pieces; thread-safe."""

    def __init__(self, files: list[FileRef], chunks: Mapping[str, list[_Chunk]]) -> None:
        self._refs = files
        self._files = Files(files)
        self._chunks = chunks
        self._lock = Lock()

    def __call__(self, entry: TensorEntry) -> tuple[Part, ...]:
        with self._lock:
            boxes = [box for chunk in self._chunks.get(entry.name, ()) for box in self._boxes(entry, chunk)]
        return assembled(boxes, entry.shape, entry.dtype)

    def _boxes(self, entry: TensorEntry, chunk: _Chunk) -> list[Box]:
        """The values in one archive; FormatError if they are not what the metadata says."""
        known = len(self._refs)
        archive = Archive(self._files[chunk.file], list(self._refs), chunk.file, chunk.offset, chunk.length)
        loaded = archive.load()
        found = Tensors(loaded.places).find(loaded.root)
        if found is None or found.problem or not found.parts:
            raise FormatError(found.problem if found else "its piece holds no tensor", entry.name)
        extent = found.parts[0].extent
        if found.shape != chunk.shape or found.dtype != entry.dtype or found.byteorder != entry.byteorder:
            raise FormatError(f"a piece is {found.dtype} {list(found.shape)}, unlike its description", entry.name)
        if extent.file >= known or extent.offset + extent.length > self._refs[chunk.file].size:
            raise FormatError("a piece is compressed, or lies behind the end of its file", entry.name)
        box = Box(chunk.origin, chunk.shape, extent)
        if found.strides is None:
            return [box]
        boxes = in_c_order(box, found.strides, DTYPE_BITS[found.dtype] // 8)
        if not boxes:
            raise FormatError("a piece is stored with gaps between its values", entry.name)
        return boxes


def _is_tensor(value: object) -> bool:
    return path_of(value).endswith(".TensorStorageMetadata") and attributes(value) is not None


def _place(value: object) -> Place | None:
    """A pickled torch.Size, None for anything else."""
    if type(value) is not tuple or len(value) > 64 or not all(type(n) is int and 0 <= n < 1 << 62 for n in value):
        return None
    return value


def _storage_data(value: object) -> Iterator[tuple[tuple[str, Place | None], tuple[str, int, int, bool]]]:
    """((name, origin), (file, offset, length, transformed)) of every piece."""
    for key, info in value.pairs() if isinstance(value, Items) else ():
        index, told = attributes(key), attributes(info)
        if index is None or told is None:
            continue
        name, origin = index.get("fqn"), _place(index.get("offset"))
        file, offset, length = (told.get(k) for k in ("relative_path", "offset", "length"))
        if isinstance(name, str) and isinstance(file, str) and isinstance(offset, int) and isinstance(length, int):
            yield (str(name), origin), (str(file), offset, length, bool(told.get("transform_descriptors")))


def _facts(told: Items) -> Any:
    """What the metadata says besides tensors."""
    kept = [part for k in ("storage_meta", "version") if told.get(k) is not None for part in (k, told.get(k))]
    return plain(Items(kept), lambda _: None)
