"""Any HDF5 file as a tree: groups as layers, datasets as tensors, attributes as metadata.

For files that no more knowing reader takes. Knows nothing of networks: roles are the datasets' own names, whether a
tensor is trainable stays open.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from sys import intern
from threading import Lock
from typing import TYPE_CHECKING, Any

from wtui.errors import FormatError
from wtui.formats.hdf5 import SIGNATURE, AttrValue, Dataset, Group, find_superblock, open_hdf5
from wtui.formats.names import natural_key
from wtui.model import DTYPE_BITS, Catalogue, FileRef, LayerNode, Notice, Part, TensorEntry
from wtui.storage import CachedSource, Files, file_ref

if TYPE_CHECKING:
    from wtui.formats.probe import Probe

__all__ = ["catalogue", "sniff"]

MAX_OBJECTS = 1_000_000
"""Groups and datasets that are listed; the rest is told in a warning."""

MAX_TEXT = 1 << 16
"""Characters of one attribute that are kept."""

MAX_VALUES = 1000
"""Values of an array attribute that are kept."""

MAX_ATTRIBUTES = 10_000
"""Attributes of datasets that are kept; those of groups stand with their layers."""

NAMED_LINKS = 5
"""Links that a warning names."""


def sniff(probe: Probe) -> bool:
    """The signature, at the start or behind a user block."""
    return probe.is_file and (probe.head.startswith(SIGNATURE) or find_superblock(probe.file) is not None)


def catalogue(probe: Probe) -> Catalogue:
    """Every group and dataset of the file; FormatError if it has no root group."""
    files = (file_ref(probe.file),)
    root = open_hdf5(probe.source, cached=True)
    found = _Listing()
    node = LayerNode(os.path.basename(probe.path), "", config=_bounded(root.attrs))
    found.read(root, node)
    metadata: dict[str, Any] = {"attributes": node.config, "dataset attributes": found.attributes}
    return Catalogue(
        probe.path,
        "HDF5",
        files,
        found.tensors,
        node,
        metadata,
        found.notices(),
        _Locator(files[0], found.chunked) if found.chunked else None,
    )


class _Listing:
    """What a walk through the file has met so far."""

    def __init__(self) -> None:
        self.tensors: list[TensorEntry] = []
        self.attributes: dict[str, Mapping[str, AttrValue]] = {}
        self.chunked: dict[str, str] = {}
        """Tensors whose chunks have to be located: name and path in the file."""
        self._owners: dict[int, str] = {}
        self._shapes: dict[tuple[int, ...], tuple[int, ...]] = {}
        """Those that came up, each once."""
        self._left = MAX_OBJECTS
        self._links: list[str] = []
        self._notices: list[Notice] = []

    def read(self, root: Group, node: LayerNode) -> None:
        """List what is below `root`, depth first: the datasets of a group, then its groups, in the file's order."""
        self._owners[root.address] = "/"
        stack = [(root, node)]
        while stack:
            group, node = stack.pop()
            below = self._group(group, node) if group is root else self._subgroup(group, node)
            stack.extend(reversed(below))
            if self._left <= 0:
                self._notices.append(Notice("", f"only the first {MAX_OBJECTS:,} objects are listed", lost=True))
                return

    def notices(self) -> list[Notice]:
        """What could not be read or was not followed."""
        if not self._links:
            return self._notices
        named = ", ".join(self._links[:NAMED_LINKS]) + (", ..." if len(self._links) > NAMED_LINKS else "")
        count = f"{len(self._links):,} link{'s' if len(self._links) > 1 else ''}"
        return [*self._notices, Notice("", f"{count} to other places not followed: {named}")]

    def _subgroup(self, group: Group, above: LayerNode) -> list[tuple[Group, LayerNode]]:
        """As `_group`, in a layer of its own; nothing where the same group was already met under another name."""
        path = group.path.strip("/")
        owner = self._owners.setdefault(group.address, path)
        if owner != path:
            self._notices.append(Notice("", f"{path} is the same group as {owner}, where its tensors are listed"))
            return []
        node = LayerNode(intern(group.name), path, config=_bounded(group.attrs))
        above.children.append(node)
        return self._group(group, node)

    def _group(self, group: Group, node: LayerNode) -> list[tuple[Group, LayerNode]]:
        """List the datasets of a group; the groups in it come back, each with the layer that it belongs below."""
        below: list[tuple[Group, LayerNode]] = []
        for name in _in_order(group):
            self._left -= 1
            if self._left <= 0:
                break
            found = group.get(name)
            if isinstance(found, Dataset):
                self._dataset(found, node)
            elif found is not None:
                below.append((found, node))
        self._links += [f"{node.path}/{name}".lstrip("/") for name in group.links]
        for problem in (group.problem, group.attrs_problem):
            if problem:
                self._notices.append(Notice("", f"{group.path}: {problem}", lost=True))
        group.forget()  # of hundreds of thousands of groups nothing else would
        return below

    def _dataset(self, dataset: Dataset, node: LayerNode) -> None:
        name = dataset.path.strip("/")
        owner = self._owners.setdefault(dataset.address, name)
        parts = dataset.parts(0)
        problem = dataset.problem
        if not problem and dataset.dtype not in DTYPE_BITS:
            problem = f"values of type {dataset.dtype} are listed but not decoded"
        if parts is None:
            self.chunked[name] = dataset.path
        if len(self.attributes) < MAX_ATTRIBUTES and dataset.attrs:
            self.attributes[name] = _bounded(dataset.attrs)
        node.tensors.append(len(self.tensors))
        self.tensors.append(
            TensorEntry(
                name,
                node.path,
                intern(dataset.name),
                self._shapes.setdefault(dataset.shape, dataset.shape),
                dataset.dtype,
                parts,
                dataset.encoding,
                dataset.encoding_args,
                dataset.byteorder,
                alias_of=None if owner == name else owner,
                problem=problem,
            )
        )


class _Locator:
    """Reads tables of chunks when they are asked for, from the file as it was when it was described; thread-safe."""

    def __init__(self, file: FileRef, paths: Mapping[str, str]) -> None:
        self._files = Files([file])
        self._paths = paths
        self._lock = Lock()

    def __call__(self, entry: TensorEntry) -> tuple[Part, ...]:
        with self._lock:
            found = open_hdf5(CachedSource(self._files[0]), cached=True).get(self._paths[entry.name])
            if not isinstance(found, Dataset) or found.problem:
                raise FormatError("its chunks are no longer there", entry.name)
            return found.chunk_parts(0)


def _in_order(group: Group) -> list[str]:
    """Names in the order in which they were made; where that is the alphabet's, numbers count as numbers."""
    names = group.written()
    return sorted(names, key=natural_key) if names == sorted(names) else names


def _bounded(attributes: Mapping[str, AttrValue]) -> dict[str, AttrValue]:
    """The attributes, long ones cut."""
    return {name: _cut(value) for name, value in attributes.items()}


def _cut(value: AttrValue) -> AttrValue:
    if isinstance(value, str) and len(value) > MAX_TEXT:
        return value[:MAX_TEXT] + "..."
    if isinstance(value, bytes) and len(value) > MAX_TEXT:
        return value[:MAX_TEXT]
    if isinstance(value, list):
        cut = [_cut(item) for item in value[:MAX_VALUES]]
        return [*cut, "..."] if len(value) > MAX_VALUES else cut
    return value
