"""Flax checkpoints in MessagePack (`flax.serialization`, `flax_model.msgpack`): nested maps with arrays at their ends.

Collections and modules are layers. What the optimizer keeps stands last and does not count; single values, such as
the step, are metadata.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from wtui.errors import FormatError
from wtui.formats.jax_tree import assemble, group_of, trainable
from wtui.formats.msgpack import PackedArray, Reader, Skipped
from wtui.model import DTYPE_BITS, Catalogue, Extent, LayerNode, Notice, Part, TensorEntry
from wtui.storage import file_ref

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wtui.formats.probe import Probe

__all__ = ["catalogue", "sniff"]

CHUNKED = "__msgpack_chunked_array__"
"""Key of a map that stands for an array of more than a gigabyte, in pieces."""

SNIFFED = 5000
"""Values that are looked at in search of an array."""

MAX_VALUES = 1000
"""Single values that are kept as metadata."""


def sniff(probe: Probe) -> bool:
    """A map of MessagePack that holds an array."""
    head = probe.head[:1]
    if not head or not (0x81 <= head[0] <= 0x8F or head[0] in (0xDE, 0xDF)):
        return False
    reader = _Sniffer(probe.source, SNIFFED)
    try:
        reader.value()
    except FormatError:
        pass
    return reader.arrays > 0


class _Sniffer(Reader):
    """Counts arrays."""

    arrays = 0

    def _array(self, end: int) -> PackedArray:
        found = super()._array(end)
        self.arrays += 1
        return found


def catalogue(probe: Probe) -> Catalogue:
    """Every array of the file; FormatError if it is damaged or holds none."""
    tree = Reader(probe.source).value()
    if not isinstance(tree, dict):
        raise FormatError("is no map of arrays", probe.path)
    tensors: list[TensorEntry] = []
    values: dict[str, Any] = {}
    notices: list[Notice] = []
    in_order = False
    for path, leaf, is_sorted in _leaves(tree):
        in_order |= not is_sorted
        entry = _entry(path, leaf)
        if entry is not None:
            tensors.append(entry)
        elif isinstance(leaf, Skipped):
            notices.append(Notice("", f"{'/'.join(path)}: {leaf.length:,} bytes of {leaf.what} are not read"))
        elif len(values) < MAX_VALUES:
            values["/".join(path)] = leaf
    if not tensors:
        raise FormatError("holds no arrays", probe.path)
    tree.clear()  # a long listing is not held twice
    root = LayerNode(os.path.basename(probe.path), "")
    ordered = assemble(tensors, root, notices, keep_order=in_order)
    title = "Flax (MessagePack)"
    return Catalogue(probe.path, title, (file_ref(probe.file),), ordered, root, {"values": values}, notices)


def _leaves(tree: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], Any, bool]]:
    """(path, leaf, whether its collection is in the order of the alphabet down to it), in the file's order."""
    stack: list[tuple[tuple[str, ...], Any, bool]] = [((), tree, True)]
    while stack:
        path, value, is_sorted = stack.pop()
        if isinstance(value, list):
            value = {str(i): v for i, v in enumerate(value)}
            pairs, in_alphabet = list(value.items()), is_sorted
        elif isinstance(value, dict) and CHUNKED not in value:
            pairs = list(value.items())
            in_alphabet = not path or (is_sorted and list(value) == sorted(value))
        else:
            yield path, value, is_sorted
            continue
        stack.extend(((*path, key), below, in_alphabet) for key, below in reversed(pairs))


def _entry(path: tuple[str, ...], leaf: Any) -> TensorEntry | None:
    """The entry of an array, whole or in chunks; None for anything else."""
    if isinstance(leaf, PackedArray):
        shape, chunks, problem = leaf.shape, [leaf], ""
    elif isinstance(leaf, dict) and CHUNKED in leaf:
        shape, chunks, problem = _chunked(leaf)
    else:
        return None
    dtype = chunks[0].dtype if chunks else ""
    if not problem and dtype not in DTYPE_BITS:
        problem = f"values of type {dtype} cannot be decoded"
    parts = tuple(Part(Extent(0, c.start, c.length)) for c in chunks if c.length)
    name = "/".join(path)
    return TensorEntry(
        name,
        "/".join(path[:-1]),
        path[-1] if path else name,
        shape,
        dtype,
        () if problem else parts,
        trainable=trainable(path),
        group=group_of(path),
        problem=problem,
    )


def _chunked(leaf: dict[str, Any]) -> tuple[tuple[int, ...], list[PackedArray], str]:
    """Shape and pieces of an array in chunks, and why they are none."""
    sizes, chunks = _items(leaf.get("shape")), _items(leaf.get("chunks"))
    if not all(type(n) is int and n >= 0 for n in sizes) or not all(isinstance(c, PackedArray) for c in chunks):
        return (), [], "its chunks are damaged"
    if len({c.dtype for c in chunks}) > 1:
        return tuple(sizes), [], "its chunks are of different types"
    return tuple(sizes), chunks, ""


def _items(value: Any) -> list[Any]:
    """The items of a tuple, which Flax writes as a map of numbers."""
    if isinstance(value, dict):
        return [v for _, v in sorted(value.items(), key=lambda item: (len(item[0]), item[0]))]
    return value if isinstance(value, list) else [None]
