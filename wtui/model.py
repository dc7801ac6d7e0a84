"""What a weight file contains, as data: tensors by extent, a tree of layers, and what could not be read.

A `Catalogue` is made by `wtui.formats` from metadata alone and is never changed afterwards. This module knows no
format, opens no file and imports only the standard library, since the first frame of the browser stands on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

from wtui.errors import UsageError

__all__ = [
    "BLOCK_DTYPES",
    "DTYPE_BITS",
    "Catalogue",
    "Extent",
    "FileRef",
    "LayerNode",
    "Member",
    "Notice",
    "Part",
    "TensorEntry",
    "Totals",
    "nodes_holding",
    "stored_bytes",
]

DTYPE_BITS: Mapping[str, int] = {
    "float64": 64, "float32": 32, "float16": 16, "bfloat16": 16,
    "int64": 64, "int32": 32, "int16": 16, "int8": 8,
    "uint64": 64, "uint32": 32, "uint16": 16, "uint8": 8, "bool": 8,
    "float8_e4m3fn": 8, "float8_e5m2": 8, "float8_e4m3fnuz": 8, "float8_e5m2fnuz": 8,
    "float8_e4m3b11fnuz": 8, "float8_e8m0fnu": 8, "float8_e3m4": 8, "float8_e4m3": 8,
    "float6_e2m3fn": 6, "float6_e3m2fn": 6, "float4_e2m1fn": 4,
    "int4": 4, "uint4": 4, "int2": 2, "uint2": 2, "complex64": 64, "complex128": 128,
}  # fmt: skip
"""Bits of one value of each dtype that wtui can describe; the names are those of numpy and ml_dtypes."""

BLOCK_DTYPES: Mapping[str, tuple[int, int]] = {
    "Q1_0": (128, 18), "Q4_0": (32, 18), "Q4_1": (32, 20), "Q5_0": (32, 22), "Q5_1": (32, 24), "Q8_0": (32, 34),
    "Q8_1": (32, 36), "Q2_K": (256, 84), "Q3_K": (256, 110), "Q4_K": (256, 144), "Q5_K": (256, 176),
    "Q6_K": (256, 210), "Q8_K": (256, 292), "IQ1_S": (256, 50), "IQ1_M": (256, 56), "IQ2_XXS": (256, 66),
    "IQ2_XS": (256, 74), "IQ2_S": (256, 82), "IQ3_XXS": (256, 98), "IQ3_S": (256, 110), "IQ4_NL": (32, 18),
    "IQ4_XS": (256, 136), "TQ1_0": (256, 54), "TQ2_0": (256, 66), "MXFP4": (32, 17), "NVFP4": (64, 36),
}  # fmt: skip
"""Types whose values share scales in blocks: (values, bytes) of a block; the names are those of the GGML library."""

NO_NUMBERS = frozenset({"string", "resource", "variant"})
"""Dtypes that have no numbers: what is listed of them is all there is to show, and nothing is lost."""

RAW = "raw"
"""The encoding of values that lie in the file as they are in memory, one after the other."""


class Member(NamedTuple):
    """A deflated member of a zip file, which has to be inflated before anything inside it can be addressed."""

    name: str
    offset: int
    """Where its compressed bytes start in the file."""
    compressed: int
    """How many compressed bytes there are."""


class FileRef(NamedTuple):
    """One file that holds weights, with what identifies its content, so that a changed file is noticed."""

    path: str
    size: int
    """Bytes that extents may address: of the file, or of the inflated member."""
    mtime_ns: int = 0
    inode: int = 0
    member: Member | None = None
    array: str = ""
    """What `wtui.storage.arrays` has to know to read an array through a library; the path is then that of a file
    which changes with it."""


class Extent(NamedTuple):
    """The bytes `offset : offset + length` of `Catalogue.files[file]`."""

    file: int
    offset: int
    length: int


class Part(NamedTuple):
    """One stored piece of a tensor: values in C order, whole or a box of the tensor."""

    extent: Extent
    origin: tuple[int, ...] = ()
    """Index of the piece's first value in the tensor; `()` when the piece is the whole tensor."""
    shape: tuple[int, ...] | None = None
    """Shape of the stored piece, which may stick out over the tensor's edge (HDF5 chunks); None: the whole tensor."""
    skipped_filters: int = 0
    """Bit i set: filter i of the tensor's encoding was not applied to this piece (HDF5's filter mask)."""


class TensorEntry(NamedTuple):
    """One tensor: what it is called, what it is, and where its bytes lie."""

    name: str
    """Unique in the catalogue, as the format's users would write it (`block1_conv1/kernel`)."""
    layer: str
    """Path of the layer that owns it (`block1_conv1`), `""` for the model itself."""
    role: str
    """kernel, bias, gamma, moving_mean, embedding, ...; the last part of the name where nothing better is known."""
    shape: tuple[int, ...]
    dtype: str
    """Of the values, a key of DTYPE_BITS, or another name for what wtui lists but cannot decode."""
    parts: tuple[Part, ...] | None
    """Where the values lie; None: ask `Catalogue.locate`, the table of pieces is only read when needed."""
    encoding: str = RAW
    """How the bytes hold the values: `raw`, or the name of a codec."""
    encoding_args: tuple[tuple[str, Any], ...] = ()
    """What the codec has to know, as (name, value) pairs of plain data."""
    byteorder: str = "<"
    strides: tuple[int, ...] | None = None
    """In values, not bytes; None: C order."""
    trainable: bool | None = None
    """None: the file does not say."""
    alias_of: str | None = None
    """Name of the tensor that owns the same bytes; an alias adds nothing to totals."""
    group: str = "model"
    """`model`, `optimizer` (slots, iteration counters) or `state`; only `model` counts in totals."""
    inferred: str = ""
    """Why the role is a guess (`by rank`, ...); empty when the file or the layer's class says so."""
    problem: str = ""
    """Why the values cannot be read; empty when they can."""

    @property
    def size(self) -> int:
        """Number of values."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the values in the tensor's own dtype, rounded up for dtypes below a byte."""
        return stored_bytes(self.dtype, self.shape) or 0

    @property
    def label(self) -> str:
        """The name below its layer (`kernel`); the whole name where it does not begin with its layer's path."""
        below = self.name.removeprefix(self.layer) if self.layer else ""
        return (below.lstrip("/.") or self.name) if below.startswith(("/", ".")) else self.name

    @property
    def counted(self) -> bool:
        """Whether the tensor's parameters belong to the model's totals."""
        return self.group == "model" and self.alias_of is None


class Totals(NamedTuple):
    """Sums over tensors that count: parameters as Keras counts them, bytes of decoded values."""

    tensors: int = 0
    parameters: int = 0
    trainable: int = 0
    non_trainable: int = 0
    bytes: int = 0

    @property
    def unknown(self) -> int:
        """Parameters of which the file does not say whether they are trainable."""
        return self.parameters - self.trainable - self.non_trainable


NO_CONFIG: Mapping[str, Any] = {}
"""The configuration of layers of which the file records none: one for all, never written to."""


class LayerNode:
    """A layer, a group of layers, or the model itself; `children` and `tensors` are in the model's own order."""

    __slots__ = ("children", "class_name", "config", "name", "path", "tensors")

    def __init__(
        self,
        name: str,
        path: str,
        class_name: str = "",
        config: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.path = path
        """Path of names from the root, `""` for the root itself."""
        self.class_name = class_name
        """The framework's class (`Conv2D`), `""` where the file does not say."""
        self.config: Mapping[str, Any] = config or NO_CONFIG
        self.children: list[LayerNode] = []
        self.tensors: list[int] = []
        """Indices into `Catalogue.tensors` of the tensors that this very layer owns."""

    def walk(self) -> Iterator[LayerNode]:
        """This node and all below it, in depth order."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))

    def all_tensors(self) -> Iterator[int]:
        """Indices of all tensors of this node and below it, in depth order."""
        for node in self.walk():
            yield from node.tensors


def nodes_holding(root: LayerNode, wanted: Callable[[int], bool]) -> set[int]:
    """`id`s of the nodes at and below `root` that hold a wanted tensor, be it in a layer inside them."""
    found: set[int] = set()
    for node in reversed(list(root.walk())):
        if any(map(wanted, node.tensors)) or any(id(child) in found for child in node.children):
            found.add(id(node))
    return found


class Notice(NamedTuple):
    """Something that the reader saw and the user should know, about a tensor or (`""`) about the whole."""

    tensor: str
    message: str
    lost: bool = False
    """Whether something that should be there is missing or cannot be read."""


def stored_bytes(dtype: str, shape: Sequence[int]) -> int | None:
    """Bytes of `shape` values of `dtype`, without gaps, or None for a dtype that wtui does not know."""
    bits = DTYPE_BITS.get(dtype)
    if bits is not None:
        return (prod(shape) * bits + 7) // 8
    if dtype in BLOCK_DTYPES:
        values, size = BLOCK_DTYPES[dtype]
        return -(-prod(shape) // values) * size
    return None


class Catalogue:
    """Everything that a weight file's metadata says. Immutable once built; safe to read from any thread."""

    __slots__ = ("_by_name", "_locate", "_totals", "files", "format", "metadata", "path", "root", "tensors", "warnings")

    def __init__(
        self,
        path: str,
        format: str,
        files: Iterable[FileRef],
        tensors: Iterable[TensorEntry],
        root: LayerNode,
        metadata: Mapping[str, Any] | None = None,
        warnings: Iterable[Notice] = (),
        locate: Callable[[TensorEntry], tuple[Part, ...]] | None = None,
    ) -> None:
        """Check every tensor against its files; one that does not hold is kept, with its `problem` and a warning."""
        self.path = path
        self.format = format
        """Format and version for people: `Keras 3.15.1`, `safetensors`."""
        self.files = tuple(files)
        self.root = root
        self.metadata: Mapping[str, Any] = metadata or {}
        self._locate = locate
        self._totals: dict[int, Totals] = {}
        checked = [_checked(t, self.files) for t in tensors]
        self.tensors: tuple[TensorEntry, ...] = tuple(checked)
        self._by_name = {t.name: i for i, t in enumerate(checked)}
        self.warnings: tuple[Notice, ...] = (
            *warnings,
            *(Notice(t.name, t.problem, lost=t.dtype not in NO_NUMBERS) for t in checked if t.problem),
        )

    def index(self, name: str) -> int:
        """Position of the tensor called `name`; UsageError with the nearest names when there is none."""
        found = self._by_name.get(name)
        if found is None:
            from difflib import get_close_matches

            near = get_close_matches(name, self._by_name, n=3, cutoff=0.4)
            hint = f"did you mean {', '.join(near)}?" if near else "see `wtui ls`"
            raise UsageError(f"no tensor named {name!r}", self.path, hint)
        return found

    def __getitem__(self, name: str) -> TensorEntry:
        return self.tensors[self.index(name)]

    def parts(self, entry: TensorEntry) -> tuple[Part, ...]:
        """Where the tensor's bytes lie; may read a table of chunks, never values."""
        if entry.parts is not None:
            return entry.parts
        return self._locate(entry) if self._locate else ()

    def totals(self, node: LayerNode | None = None) -> Totals:
        """Sums over the tensors of `node` (default: the model) and below; optimizer slots and aliases left out."""
        node = node or self.root
        known = self._totals.get(id(node))
        if known is None:
            below = self.tensors if node is self.root else [self.tensors[i] for i in node.all_tensors()]
            known = self._totals[id(node)] = _sum(below)
        return known


def _sum(tensors: Iterable[TensorEntry]) -> Totals:
    count = parameters = trainable = non_trainable = size = 0
    for t in tensors:
        if t.counted:
            n = t.size
            count += 1
            parameters += n
            size += t.nbytes
            if t.trainable:
                trainable += n
            elif t.trainable is not None:
                non_trainable += n
    return Totals(count, parameters, trainable, non_trainable, size)


def _checked(t: TensorEntry, files: Sequence[FileRef]) -> TensorEntry:
    """The entry itself, or the same without parts and with the reason why its bytes cannot be what it says."""
    if _is_plain(t, files):
        return t
    problem = t.problem or _shape_problem(t) or _extent_problem(t, files)
    return t if not problem else t._replace(problem=problem, parts=())


def _is_plain(t: TensorEntry, files: Sequence[FileRef]) -> bool:
    """Whether it is raw, in one piece inside its file, and of just the right size: as nearly all are."""
    if t.encoding != RAW or t.problem or t.strides is not None or t.parts is None or len(t.parts) != 1:
        return False
    file, offset, length = t.parts[0].extent
    bits = DTYPE_BITS.get(t.dtype)
    if bits is None or not 0 <= file < len(files) or offset < 0 or min(t.shape, default=0) < 0:
        return False
    return 8 * length == prod(t.shape) * bits and length > 0 and offset + length <= files[file].size


def _shape_problem(t: TensorEntry) -> str:
    if any(n < 0 for n in t.shape):
        return f"shape {list(t.shape)} has a negative axis"
    if t.size >= 1 << 60:
        return f"shape {list(t.shape)} has more values than any file can hold"
    if t.encoding == RAW and t.dtype not in DTYPE_BITS:
        return f"values of type {t.dtype} cannot be decoded"
    return ""


def _extent_problem(t: TensorEntry, files: Sequence[FileRef]) -> str:
    """Why the extents are impossible, or `""`. All arithmetic is on Python integers: nothing can overflow."""
    if t.parts is None:
        return ""
    stored = 0
    for part in t.parts:
        file, offset, length = part.extent
        if not 0 <= file < len(files) or offset < 0 or length < 0:
            return "its place in the file is impossible"
        if offset + length > files[file].size:
            missing = offset + length - files[file].size
            return f"{missing:,} of its {length:,} bytes lie behind the end of {files[file].path}"
        stored += length
    if t.encoding == RAW and t.strides is None and t.parts:
        expected = stored_bytes(t.dtype, t.shape)
        if expected is not None and stored != expected:
            return f"the file holds {stored:,} bytes, but {t.dtype} {list(t.shape)} needs {expected:,}"
    if t.encoding == RAW and not t.parts and t.size:
        return "the file holds no bytes for it"
    if t.strides is not None and t.size:
        return _stride_problem(t, t.strides, stored)
    return ""


def _stride_problem(t: TensorEntry, strides: tuple[int, ...], stored: int) -> str:
    """Why a view with these strides (in values) would leave its `stored` bytes, or `""`."""
    if len(strides) != len(t.shape) or any(s < 0 for s in strides):
        return f"strides {list(strides)} do not fit shape {list(t.shape)}"
    last = sum((n - 1) * s for n, s in zip(t.shape, strides, strict=True))
    if (last + 1) * DTYPE_BITS.get(t.dtype, 8) > stored * 8:
        return f"strides {list(strides)} lead out of the {stored:,} bytes that the file holds for it"
    return ""
