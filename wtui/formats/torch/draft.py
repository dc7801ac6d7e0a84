"""A model under construction, and its end as a Catalogue's tree and tensors: names, order, ties.

Names are made unique here and here alone. Knows tensors without names, and nothing of pickles.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.model import LayerNode, Notice, TensorEntry

if TYPE_CHECKING:
    from wtui.formats.torch.tensors import Found

__all__ = ["MODEL", "OPTIMIZER", "STATE", "Draft", "DraftTensor", "Finished", "finish"]

MODEL, OPTIMIZER, STATE = "model", "optimizer", "state"
"""The groups of `TensorEntry`."""

MAX_LABEL = 200
"""Characters of one part of a name; longer ones are cut."""

MAX_OVERLAPS = 20
"""Notices about tensors that share bytes; more are counted."""


class DraftTensor:
    """A tensor that has not found its name yet."""

    __slots__ = ("found", "group", "inferred", "label", "name", "role", "trainable")

    def __init__(self, label: str, found: Found, group: str, trainable: bool | None) -> None:
        self.label = label
        self.role = label
        self.found = found
        self.group = group
        self.trainable = trainable
        self.inferred = ""
        self.name = ""
        """The unique name, once `name_all` has given it."""


class Draft:
    """A layer, or a part of a checkpoint, that has not found its place yet."""

    __slots__ = ("_by_name", "children", "class_name", "config", "depth", "keep", "length", "name", "parent", "tensors")

    def __init__(self, name: str, parent: Draft | None = None, class_name: str = "", keep: bool = False) -> None:
        self.name = name[:MAX_LABEL]
        self.parent = parent
        self.class_name = class_name
        self.config: Mapping[str, Any] | None = None
        self.keep = keep
        """Whether it belongs into the tree even if it holds no tensor."""
        self.depth: int = parent.depth + 1 if parent else 0
        self.length: int = parent.length + len(self.name) + 1 if parent else 0
        """Characters of its path."""
        self.children: list[Draft] = []
        self.tensors: list[DraftTensor] = []
        self._by_name: dict[str, Draft] = {}

    def child(self, name: str) -> Draft:
        """The child of that name, made when there is none."""
        name = name[:MAX_LABEL]
        found = self._by_name.get(name)
        if found is None:
            found = self._by_name[name] = Draft(name, self)
            self.children.append(found)
        return found

    def walk(self) -> Iterator[Draft]:
        """This one and all below it, in depth order."""
        stack = [self]
        while stack:
            draft = stack.pop()
            yield draft
            stack.extend(reversed(draft.children))

    def prune(self) -> None:
        """Drop what holds no tensor and is not to be kept."""
        for draft in reversed(list(self.walk())):
            draft.children = [c for c in draft.children if c.keep or c.children or c.tensors]
            draft._by_name = {c.name: c for c in draft.children}


class Finished(NamedTuple):
    """What becomes of drafts."""

    root: LayerNode
    tensors: list[TensorEntry]
    notices: list[Notice]


def finish(root: Draft) -> Finished:
    """Give every layer and tensor its name and place; what is the same view as an earlier tensor becomes its alias."""
    root.prune()
    node = LayerNode(root.name, "", root.class_name, root.config)
    entries: list[TensorEntry] = []
    names: dict[str, int] = {}
    owners: dict[object, str] = {}
    for draft, placed in _placed(root, node):
        for tensor in draft.tensors:
            label = tensor.label[:MAX_LABEL]
            tensor.name = _unique(f"{placed.path}.{label}" if placed.path else label, names)
            placed.tensors.append(len(entries))
            entries.append(_entry(tensor, placed.path, owners))
    return Finished(node, entries, _overlaps(entries))


def _placed(root: Draft, node: LayerNode) -> Iterator[tuple[Draft, LayerNode]]:
    """Drafts in depth order, each with its node, which is hung into the tree."""
    paths: dict[str, int] = {}
    stack = [(root, node)]
    while stack:
        draft, node = stack.pop()
        yield draft, node
        below = []
        for child in draft.children:
            path = _unique(f"{node.path}.{child.name}" if node.path else child.name, paths)
            made = LayerNode(child.name, path, child.class_name, child.config)
            node.children.append(made)
            below.append((child, made))
        stack.extend(reversed(below))


def _unique(wanted: str, taken: dict[str, int]) -> str:
    """`wanted`, or the first of `wanted#2`, `wanted#3`, ... that is free; `taken` counts how often each was wanted."""
    name = wanted
    while name in taken:
        taken[wanted] += 1
        name = f"{wanted}#{taken[wanted]}"
    taken[name] = 1
    return name


def _entry(tensor: DraftTensor, layer: str, owners: dict[object, str]) -> TensorEntry:
    found = tensor.found
    alias = None
    if found.parts and found.size and not found.problem:
        view = (found.parts, found.dtype, found.shape, found.strides)
        owner = owners.setdefault(view, tensor.name)
        alias = owner if owner != tensor.name else None
    return TensorEntry(
        tensor.name,
        layer,
        tensor.role[:MAX_LABEL],
        found.shape,
        found.dtype,
        found.parts,
        found.encoding,
        byteorder=found.byteorder,
        strides=found.strides,
        trainable=tensor.trainable,
        alias_of=alias,
        group=tensor.group,
        inferred=tensor.inferred,
        problem=found.problem,
    )


def _overlaps(entries: list[TensorEntry]) -> list[Notice]:
    """Notices about tensors whose bytes lie, in part or all, in those of another view."""
    spans = sorted(
        (part.extent.file, part.extent.offset, place, part.extent.length)
        for place, entry in enumerate(entries)
        if entry.alias_of is None and entry.parts
        for part in entry.parts
        if part.extent.length
    )
    notices: list[Notice] = []
    count, end, owner, last = 0, 0, "", -1
    for file, offset, place, length in spans:
        name = entries[place].name
        if file == last and offset < end and name != owner:
            count += 1
            if count <= MAX_OVERLAPS:
                notices.append(Notice(name, f"is another view of the bytes of {owner}, or of some of them"))
        if file != last or offset + length > end:
            last, end, owner = file, offset + length, name
    if count > MAX_OVERLAPS:
        notices.append(Notice("", f"{count - MAX_OVERLAPS:,} more tensors are other views of bytes listed before"))
    return notices
