"""What a weight file contains, as data: tensors by extent, a tree of layers, and what could not be read.

A `Catalogue` is made by `wtui.formats` from metadata alone and is never changed afterwards. This module knows no
format, opens no file and imports only the standard library, since the first frame of the browser stands on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from wtui.errors import UsageError
from wtui.tensors import (
    BLOCK_DTYPES,
    DTYPE_BITS,
    NO_NUMBERS,
    RAW,
    Extent,
    FileRef,
    Member,
    Part,
    TensorEntry,
    stored_bytes,
)
from wtui.validation import checked

__all__ = [
    "BLOCK_DTYPES",
    "DTYPE_BITS",
    "NOTHING",
    "NO_NUMBERS",
    "RAW",
    "Catalogue",
    "Extent",
    "FileRef",
    "LayerNode",
    "Member",
    "Notice",
    "Part",
    "TensorEntry",
    "Totals",
    "layer_sums",
    "nodes_holding",
    "stored_bytes",
]


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


class _Nothing(list[Any]):
    """What every layer without children has once its tree is done: one empty list for all, to which nobody may add."""

    def append(self, item: Any) -> None:
        raise TypeError("the tree of a catalogue is not changed once it is built")

    insert = extend = __iadd__ = append  # type: ignore[assignment]


NOTHING: list[Any] = _Nothing()


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
            if node.children:
                stack.extend(reversed(node.children))

    def seal(self) -> None:
        """Let go of the empty lists below: of 200,000 layers most have no layers inside, and many no tensors."""
        for node in self.walk():
            if not node.children:
                node.children = NOTHING
            if not node.tensors:
                node.tensors = NOTHING

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
    explains: bool = False
    """Whether it says why tensors are lost that have notices of their own."""


class Catalogue:
    """Everything that a weight file's metadata says. Immutable once built; safe to read from any thread."""

    __slots__ = (
        "_by_name",
        "_locate",
        "_totals",
        "files",
        "format",
        "metadata",
        "path",
        "root",
        "tensors",
        "unreadable",
        "warnings",
    )

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
        root.seal()
        self.tensors: tuple[TensorEntry, ...] = tuple(checked(tensors, self.files))
        self._by_name: dict[str, int] | None = None
        lost = [t for t in self.tensors if t.problem]
        self.unreadable = sum(t.dtype not in NO_NUMBERS for t in lost)
        """Tensors whose values should be there and cannot be read, as far as metadata tells."""
        self.warnings: tuple[Notice, ...] = (
            *warnings,
            *(Notice(t.name, t.problem, lost=t.dtype not in NO_NUMBERS) for t in lost),
        )

    def index(self, name: str) -> int:
        """Position of the tensor called `name`; UsageError with the nearest names when there is none."""
        if self._by_name is None:
            self._by_name = {t.name: i for i, t in enumerate(self.tensors)}
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
    sizes: dict[tuple[tuple[int, ...], str], tuple[int, int]] = {}
    count = parameters = trainable = non_trainable = size = 0
    for t in tensors:
        if t.counted:
            key = (t.shape, t.dtype)
            n, nbytes = sizes.get(key) or sizes.setdefault(key, (t.size, t.nbytes))
            count += 1
            parameters += n
            size += nbytes
            if t.trainable:
                trainable += n
            elif t.trainable is not None:
                non_trainable += n
    return Totals(count, parameters, trainable, non_trainable, size)


def layer_sums(catalogue: Catalogue) -> dict[int, tuple[int, int]]:
    """Parameters and bytes of the tensors that count, at and below every layer, by `id` of the layer: in one pass."""
    sizes: dict[tuple[tuple[int, ...], str], tuple[int, int]] = {}
    sums: dict[int, tuple[int, int]] = {}
    for node in reversed(list(catalogue.root.walk())):
        parameters = size = 0
        for i in node.tensors:
            t = catalogue.tensors[i]
            if t.counted:
                key = (t.shape, t.dtype)
                n, nbytes = sizes.get(key) or sizes.setdefault(key, (t.size, t.nbytes))
                parameters += n
                size += nbytes
        for child in node.children:
            n, nbytes = sums[id(child)]
            parameters += n
            size += nbytes
        sums[id(node)] = (parameters, size)
    return sums
