"""A model under construction, and its end as a Catalogue's tree and tensors: names, order, ties.

Names are made unique here and here alone. Knows tensors without names, and nothing of pickles.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.formats.unique import unique_name
from wtui.model import NOTHING, Extent, LayerNode, Notice, TensorEntry

if TYPE_CHECKING:
    from wtui.formats.torch.tensors import Found

__all__ = ["MODEL", "OPTIMIZER", "STATE", "Draft", "DraftTensor", "Finished", "finish", "name_all", "ties"]

MODEL, OPTIMIZER, STATE = "model", "optimizer", "state"
"""The groups of `TensorEntry`."""

MAX_LABEL = 200
"""Characters of one part of a name; longer ones are cut."""

MAX_SAME_PLACE = 20
"""Different views that begin at the same byte and that one more is compared with."""

MAX_OVERLAPS = 20
"""Notices about tensors that share bytes; more are counted."""


class DraftTensor:
    """A tensor that has not found its name yet."""

    __slots__ = ("found", "group", "inferred", "label", "name", "trainable")

    def __init__(self, label: str, found: Found, group: str, trainable: bool | None) -> None:
        self.label = label
        self.found = found
        self.group = group
        self.trainable = trainable
        self.inferred = ""
        self.name = ""
        """The unique name, once `name_all` or `finish` has given it."""


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
        self.children: list[Draft] = NOTHING
        self.tensors: list[DraftTensor] = NOTHING
        self._by_name: dict[str, Draft] | None = None

    def child(self, name: str) -> Draft:
        """The child of that name, made when there is none."""
        name = name[:MAX_LABEL]
        if self._by_name is None:
            self._by_name = {c.name: c for c in self.children}
        found = self._by_name.get(name)
        if found is None:
            found = self._by_name[name] = Draft(name, self)
            if self.children is NOTHING:
                self.children = [found]
            else:
                self.children.append(found)
        return found

    def add(self, tensor: DraftTensor) -> None:
        """Hang a tensor below this layer."""
        if self.tensors is NOTHING:
            self.tensors = [tensor]
        else:
            self.tensors.append(tensor)

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
            draft._by_name = None
            if draft.children:
                kept = [c for c in draft.children if c.tensors or c.children or c.keep]
                draft.children = kept if len(kept) < len(draft.children) else draft.children


class Finished(NamedTuple):
    """What becomes of drafts."""

    root: LayerNode
    tensors: list[TensorEntry]
    notices: list[Notice]


def name_all(root: Draft) -> None:
    """Give every tensor its unique name, before `finish`."""
    names: dict[str, int] = {}
    for draft, placed in _placed(root, LayerNode(root.name, "")):
        for tensor in draft.tensors:
            tensor.name = unique_name(_joined(placed.path, tensor.label[:MAX_LABEL]), names)


def finish(root: Draft) -> Finished:
    """Give every layer and tensor its name and place; what is the same view as an earlier tensor becomes its alias.

    The drafts are used up: they let go of each other one by one, since there may be hundreds of thousands.
    """
    root.prune()
    node = LayerNode(root.name, "", root.class_name, root.config)
    entries: list[TensorEntry] = []
    names: dict[str, int] = {}
    for draft, placed in _placed(root, node, used_up=True):
        for tensor in draft.tensors:
            tensor.name = unique_name(_joined(placed.path, tensor.label[:MAX_LABEL]), names)
            entries.append(_entry(tensor, placed.path))
        if draft.tensors:
            placed.tensors = list(range(len(entries) - len(draft.tensors), len(entries)))
        draft.tensors = NOTHING
    return Finished(node, entries, ties(entries))


def _joined(path: str, label: str) -> str:
    return f"{path}.{label}" if path else label


def _placed(root: Draft, node: LayerNode, used_up: bool = False) -> Iterator[tuple[Draft, LayerNode]]:
    """Drafts in depth order, each with its node, which is hung into the tree; `used_up`: they let go of those below."""
    paths: dict[str, int] = {}
    stack = [(root, node)]
    while stack:
        draft, node = stack.pop()
        yield draft, node
        below = []
        for child in draft.children:
            path = unique_name(_joined(node.path, child.name), paths)
            made = LayerNode(child.name, path, child.class_name, child.config)
            made.children = made.tensors = NOTHING
            below.append((child, made))
        children = [made for _, made in below]
        node.children = list(children) if children else NOTHING
        if used_up:
            draft.children, draft._by_name = NOTHING, None
        if below:
            stack.extend(reversed(below))


def _entry(tensor: DraftTensor, layer: str) -> TensorEntry:
    _, shape, parts, strides, byteorder, encoding, *_, problem = found = tensor.found
    return TensorEntry(
        tensor.name, layer, tensor.label[:MAX_LABEL], shape, found.dtype, parts, encoding, (), byteorder, strides,
        tensor.trainable, None, tensor.group, tensor.inferred, problem,
    )  # fmt: skip


def ties(entries: list[TensorEntry]) -> list[Notice]:
    """Make aliases of what is the same view of the same bytes; notices about other views that overlap."""
    firsts = [(*t.parts[0].extent, i) for i, t in enumerate(entries) if t.parts and 0 not in t.shape and not t.problem]
    firsts.sort()
    if not _overlap(firsts):
        return []
    placed = sorted((i for *_, i in firsts), key=lambda i: (*_first(entries[i])[:2], i))
    notices: list[Notice] = []
    here: list[int] = []
    count, end, owner, last = 0, 0, 0, (-1, -1)
    for i in placed:
        file, offset, length = _first(entries[i])
        here = here if (file, offset) == last else []
        same = next((j for j in here if _same_view(entries[i], entries[j])), None)
        if same is None and len(here) < MAX_SAME_PLACE:
            here.append(i)
        if same is not None:
            entries[i] = entries[i]._replace(alias_of=entries[same].name)
        elif file == last[0] and offset < end:
            count += 1
            message = f"is another view of the bytes of {entries[owner].name}, or of some of them"
            notices += [Notice(entries[i].name, message)] if count <= MAX_OVERLAPS else []
        if file != last[0] or offset + length > end:
            end, owner = offset + length, i
        last = (file, offset)
    if count > MAX_OVERLAPS:
        notices.append(Notice("", f"{count - MAX_OVERLAPS:,} more tensors are other views of bytes listed before"))
    return notices


def _overlap(places: list[tuple[int, int, int, int]]) -> bool:
    """Whether any of the places, as (file, offset, length, _) in order, begins before one before it ends."""
    last, end = -1, 0
    for file, offset, length, _ in places:
        if file == last and offset < end:
            return True
        last, end = file, offset + length
    return False


def _first(entry: TensorEntry) -> Extent:
    """The first bytes of a tensor that has some."""
    assert entry.parts
    return entry.parts[0].extent


def _same_view(a: TensorEntry, b: TensorEntry) -> bool:
    return (a.parts, a.dtype, a.shape, a.strides) == (b.parts, b.dtype, b.shape, b.strides)
