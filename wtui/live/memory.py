"""A model in memory as a Catalogue: every tensor is a file of its own, whose bytes are those of an array.

`Branch` and `Leaf` are the model while it is put together; `plant` gives names and finds what is shared. Values are
fetched when they are read, so that a variable is seen as it is then. Knows arrays, and no framework's models.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.errors import StorageError
from wtui.formats.unique import unique_name
from wtui.live.arrays import Fetched
from wtui.model import Catalogue, Extent, FileRef, LayerNode, Notice, Part, TensorEntry
from wtui.storage import Files

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wtui.live.arrays import ArrayValue, Bytes

__all__ = ["Branch", "InMemory", "Leaf", "catalogue_of_arrays", "plant"]

MAX_COPIES = 256 << 20
"""Bytes of values that had to be copied and are kept for the next block; the one in use is kept whatever its size."""

MAX_HELD = 16
"""Arrays that are held at a time: as many as threads may be reading."""


class Leaf(NamedTuple):
    """A tensor that has not found its name yet."""

    label: str
    value: ArrayValue
    trainable: bool | None = None
    group: str = "model"
    role: str = ""
    """`""`: the label."""


class Branch:
    """A layer that has not found its place yet."""

    __slots__ = ("children", "class_name", "config", "leaves", "name")

    def __init__(self, name: str, class_name: str = "", config: Mapping[str, Any] | None = None) -> None:
        self.name = name
        self.class_name = class_name
        self.config = config
        self.children: list[Branch] = []
        self.leaves: list[Leaf] = []

    def child(self, name: str) -> Branch:
        """The child of that name, made if there is none."""
        for known in self.children:
            if known.name == name:
                return known
        self.children.append(Branch(name))
        return self.children[-1]

    def prune(self) -> bool:
        """Drop children without a tensor below them; whether there is one."""
        self.children = [child for child in self.children if child.prune()]
        return bool(self.children or self.leaves)


class InMemory(NamedTuple):
    """A model in memory, opened."""

    catalogue: Catalogue
    values: Mapping[str, ArrayValue]
    """By name of the tensor, aliases left out."""

    def copied(self, names: Iterable[str]) -> InMemory:
        """The same with copies of the values that these tensors, and no others, have now."""
        return InMemory(self.catalogue, {name: _copied(self.values[name]) for name in names if name in self.values})

    def files(self) -> Files:
        """Its tensors' bytes."""
        held = _Held(self.values)
        return Files(self.catalogue.files, lambda ref: _ArraySource(ref, held))


def plant(
    path: str,
    format: str,
    root: Branch,
    *,
    separator: str = "/",
    metadata: Mapping[str, Any] | None = None,
    notices: Iterable[Notice] = (),
) -> InMemory:
    """Name everything, below `root` and in its order, and find arrays that stand at several places."""
    planter = _Planter(separator)
    top = LayerNode(root.name, "", root.class_name, root.config)
    planter.hang(root, top)
    catalogue = Catalogue(path, format, planter.files, planter.tensors, top, metadata, notices)
    return InMemory(catalogue, planter.values)


def catalogue_of_arrays(path: str, arrays: Mapping[str, ArrayValue]) -> InMemory:
    """A model of nothing but arrays by name."""
    root = Branch(path)
    root.leaves = [Leaf(name, value) for name, value in arrays.items()]
    return plant(path, "arrays in memory", root)


class _Planter:
    """Turns branches into nodes, leaves into entries."""

    def __init__(self, separator: str) -> None:
        self.files: list[FileRef] = []
        self.tensors: list[TensorEntry] = []
        self.values: dict[str, ArrayValue] = {}
        self._separator = separator
        self._paths: dict[str, int] = {}
        self._names: dict[str, int] = {}
        self._owners: dict[object, TensorEntry] = {}

    def hang(self, root: Branch, top: LayerNode) -> None:
        """Everything below `root`, in depth order."""
        stack = [(root, top)]
        while stack:
            branch, node = stack.pop()
            for leaf in branch.leaves:
                node.tensors.append(len(self.tensors))
                self.tensors.append(self._entry(leaf, node.path))
            made = [(child, self._node(child, node)) for child in branch.children]
            node.children += [below for _, below in made]
            stack.extend(reversed(made))

    def _node(self, branch: Branch, above: LayerNode) -> LayerNode:
        path = unique_name(f"{above.path}{self._separator}{branch.name}" if above.path else branch.name, self._paths)
        return LayerNode(branch.name, path, branch.class_name, branch.config)

    def _entry(self, leaf: Leaf, layer: str) -> TensorEntry:
        value = leaf.value
        name = unique_name(f"{layer}{self._separator}{leaf.label}" if layer else leaf.label, self._names)
        owner = self._owners.get(value.identity)
        parts = self._parts(name, value) if owner is None else owner.parts
        entry = TensorEntry(
            name,
            layer,
            leaf.role or leaf.label,
            value.shape,
            value.dtype,
            parts,
            byteorder=value.byteorder,
            strides=value.strides,
            trainable=value.trainable if leaf.trainable is None else leaf.trainable,
            alias_of=None if owner is None else owner.name,
            group=leaf.group,
        )
        self._owners.setdefault(value.identity, entry)
        return entry

    def _parts(self, name: str, value: ArrayValue) -> tuple[Part, ...]:
        """The whole of a file of its own; nothing for what has no bytes."""
        if not value.nbytes:
            return ()
        self.files.append(FileRef(name, value.nbytes))
        self.values[name] = value
        return (Part(Extent(len(self.files) - 1, 0, value.nbytes)),)


def _copied(value: ArrayValue) -> ArrayValue:
    """An array as it is now; if its values cannot be had, whoever wants them hears of it then."""
    try:
        now = value.fetch()
    except (StorageError, MemoryError):
        return value
    kept = Fetched(now.data.copy(), True)
    return value._replace(fetch=lambda: kept)


class _Held:
    """The arrays that were read last. Views cost nothing and are let go all the same: they hold a variable's buffer."""

    def __init__(self, values: Mapping[str, ArrayValue]) -> None:
        self._values = values
        self._lock = Lock()
        self._held: OrderedDict[str, Fetched] = OrderedDict()

    def get(self, name: str) -> Bytes:
        """The bytes of an array; StorageError if they cannot be had, or are not as many as they were."""
        with self._lock:
            found = self._held.pop(name, None)
            if found is None:
                found = self._fetched(name)
            self._held[name] = found
            self._let_go()
            return found.data

    def close(self, name: str) -> None:
        """Let go of an array."""
        with self._lock:
            self._held.pop(name, None)

    def _fetched(self, name: str) -> Fetched:
        value = self._values[name]
        try:
            found = value.fetch()
        except StorageError as error:
            raise StorageError(error.what, name, error.hint) from error
        except MemoryError as error:
            raise StorageError(f"its {value.nbytes:,} bytes do not fit into memory", name) from error
        if len(found.data) != value.nbytes:
            raise StorageError(f"has {len(found.data):,} bytes now; it had {value.nbytes:,}", name, "open it again")
        return found

    def _let_go(self) -> None:
        """Keep the newest, and of the others what the bounds allow."""
        while len(self._held) > 1 and (
            len(self._held) > MAX_HELD or sum(len(f.data) for f in self._held.values() if f.copied) > MAX_COPIES
        ):
            self._held.popitem(last=False)


class _ArraySource:
    """The bytes of one array."""

    def __init__(self, ref: FileRef, held: _Held) -> None:
        self.name = ref.path
        self.size = ref.size
        self.bytes_read = 0
        self.requests = 0
        self._held = held

    def read_into(self, buffer: memoryview, offset: int) -> None:
        if offset < 0 or offset + len(buffer) > self.size:
            raise StorageError(
                f"{len(buffer):,} bytes at {offset:,} were asked for, but it holds {self.size:,}", self.name
            )
        buffer[:] = self._held.get(self.name)[offset : offset + len(buffer)].data
        self.bytes_read += len(buffer)
        self.requests += 1

    def read(self, offset: int, length: int) -> bytes:
        data = bytearray(length if 0 <= length <= self.size else 0)
        self.read_into(memoryview(data), offset)
        return bytes(data)

    def close(self) -> None:
        self._held.close(self.name)
