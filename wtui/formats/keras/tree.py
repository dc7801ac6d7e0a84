"""A model under construction, and its end as a Catalogue's tree and tensors in depth order.

Names are made unique here, and here alone. Knows where bytes lie, and nothing of the layouts of Keras.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

from wtui.formats.hdf5 import Dataset, open_hdf5
from wtui.formats.unique import unique_name
from wtui.model import FileRef, LayerNode, Notice, Part, TensorEntry

__all__ = ["Draft", "DraftTensor", "Finished", "Origin", "Remark", "Stored", "finish", "locator"]


class Origin(NamedTuple):
    """The HDF5 file that a dataset is from, as a part of one of the catalogue's files."""

    name: str
    file: int
    base: int
    """Bytes of the file before it: the offset of the member in a zip."""
    size: int


class Stored(NamedTuple):
    """A dataset and the file that it is in."""

    dataset: Dataset
    origin: Origin


class DraftTensor:
    """A tensor that has not found its name yet."""

    __slots__ = ("alias_of", "group", "inferred", "label", "name", "role", "stored", "trainable")

    def __init__(
        self, label: str, role: str, stored: Stored, trainable: bool | None, inferred: str = "", group: str = "model"
    ) -> None:
        self.label = label
        """Its name below the layer."""
        self.role = role
        self.stored = stored
        self.trainable = trainable
        self.inferred = inferred
        self.group = group
        self.alias_of: DraftTensor | None = None
        self.name = ""
        """The unique name, once `finish` has given it."""

    @property
    def described(self) -> tuple[str, str, Stored, bool | None, str, str]:
        """The arguments that make another one like it."""
        return self.label, self.role, self.stored, self.trainable, self.inferred, self.group


class Draft:
    """A layer that has not found its place yet."""

    __slots__ = ("children", "class_name", "config", "name", "path", "tensors")

    def __init__(self, name: str, class_name: str = "", config: Mapping[str, Any] | None = None) -> None:
        self.name = name
        self.class_name = class_name
        self.config = config
        self.path = ""
        """The unique path, once `finish` has given it."""
        self.children: list[Draft] = []
        self.tensors: list[DraftTensor] = []

    def all_tensors(self) -> list[DraftTensor]:
        """Its tensors and those below it, in depth order."""
        found = list(self.tensors)
        for child in self.children:
            found += child.all_tensors()
        return found


class Remark(NamedTuple):
    """A notice about something that has no name yet."""

    about: Draft | DraftTensor
    message: str
    lost: bool = False

    def notice(self) -> Notice:
        """The notice, once everything is named."""
        if isinstance(self.about, DraftTensor):
            return Notice(self.about.name, self.message, self.lost)
        text = f"{self.about.path}: {self.message}" if self.about.path else self.message
        return Notice("", text, self.lost)


class Finished(NamedTuple):
    """What becomes of drafts."""

    root: LayerNode
    tensors: list[TensorEntry]
    stored: dict[str, Stored]
    """By tensor name, for those whose table of chunks is only read when it is needed."""


def finish(root: Draft) -> Finished:
    """Give every layer and tensor its name, and every tensor its index."""
    done = Finished(LayerNode(root.name, "", root.class_name, root.config), [], {})
    pairs = _nodes(root, done.root, {})
    names: dict[str, int] = {}
    for draft, node in pairs:
        for tensor in draft.tensors:
            tensor.name = unique_name(f"{node.path}/{tensor.label}" if node.path else tensor.label, names)
    for draft, node in pairs:
        for tensor in draft.tensors:
            node.tensors.append(len(done.tensors))
            done.tensors.append(_entry(tensor, node.path, done.stored))
    return done


def _nodes(draft: Draft, node: LayerNode, paths: dict[str, int]) -> list[tuple[Draft, LayerNode]]:
    """The drafts in depth order, each with its node, which is hung into the tree."""
    found = [(draft, node)]
    for child in draft.children:
        path = unique_name(f"{node.path}/{child.name}" if node.path else child.name, paths)
        child.path = path
        made = LayerNode(child.name, path, child.class_name, child.config)
        node.children.append(made)
        found += _nodes(child, made, paths)
    return found


def _entry(tensor: DraftTensor, layer: str, chunked: dict[str, Stored]) -> TensorEntry:
    dataset, origin = tensor.stored
    parts = dataset.parts(origin.file, origin.base)
    if parts is None:
        chunked[tensor.name] = tensor.stored
    return TensorEntry(
        tensor.name,
        layer,
        tensor.role,
        dataset.shape,
        _dtype(dataset),
        parts,
        dataset.encoding,
        dataset.encoding_args,
        dataset.byteorder,
        trainable=tensor.trainable,
        alias_of=tensor.alias_of.name if tensor.alias_of else None,
        group=tensor.group,
        inferred=tensor.inferred,
        problem=dataset.problem,
    )


def _dtype(dataset: Dataset) -> str:
    """Legacy files hold bfloat16 as two opaque bytes without a word; it is the only such type that Keras has."""
    two_bytes = dataset.dtype == "opaque" and dataset.nbytes == 2 * prod(dataset.shape)
    return "bfloat16" if two_bytes and dataset.nbytes else dataset.dtype


def locator(
    files: Sequence[FileRef], chunked: Mapping[str, Stored]
) -> Callable[[TensorEntry], tuple[Part, ...]] | None:
    """What reads the table of chunks of a tensor (Keras itself never writes chunks; tools that repack files do)."""
    if not chunked:
        return None

    def locate(entry: TensorEntry) -> tuple[Part, ...]:
        from wtui.storage import CachedSource, WindowSource
        from wtui.storage.files import open_ref

        dataset, origin = chunked[entry.name]
        source = WindowSource(CachedSource(open_ref(files[origin.file])), origin.base, origin.size)
        try:
            found = open_hdf5(source).get(dataset.path)
            return found.chunk_parts(origin.file, origin.base) if isinstance(found, Dataset) else ()
        finally:
            source.close()

    return locate
