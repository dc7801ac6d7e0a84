"""The groups of a Keras 3 weights file as they lie there: `<path>/vars/<number>`, with a name beside them.

Knows HDF5 groups, and nothing of classes and configurations. Shards are merged here, since one group may span several.
"""

from __future__ import annotations

from collections.abc import Iterator

from wtui.errors import FormatError
from wtui.formats.hdf5 import Dataset, Group
from wtui.formats.keras.config import MAX_DEPTH
from wtui.formats.keras.tree import Origin, Stored

__all__ = ["SavedGroup", "looks_saved_by_keras3", "read_saved"]

VARIABLES = "vars"
"""The group that holds a layer's own variables."""

SNIFFED_GROUPS = 64
"""Groups that are looked at before a file is said not to be Keras's."""


class SavedGroup:
    """One object that Keras saved (a layer, an optimizer), or a list of such."""

    __slots__ = ("children", "label", "name", "path", "problem", "variables")

    def __init__(self, name: str, path: str) -> None:
        self.name = name
        self.path = path
        self.label: str | None = None
        """The layer's name, which Keras writes since 3.6."""
        self.problem = ""
        """Why not all of it could be read; empty when it could."""
        self.variables: dict[str, Stored] = {}
        self.children: dict[str, SavedGroup] = {}
        """In the order in which Keras visited them."""

    @property
    def is_list(self) -> bool:
        """Whether it has nothing of its own: a list of layers, or (before Keras 3.6) a layer without variables."""
        return self.label is None and not self.variables

    def walk(self) -> Iterator[SavedGroup]:
        """This group and all below it."""
        yield self
        for child in self.children.values():
            yield from child.walk()

    @property
    def has_variables(self) -> bool:
        """Whether it or anything below it has variables."""
        return any(group.variables for group in self.walk())

    def ordered(self) -> list[tuple[str, Stored]]:
        """Its variables by number; those with names of their own come last, in the file's order."""
        return sorted(self.variables.items(), key=_number)


def _number(item: tuple[str, Stored]) -> tuple[bool, int]:
    key = item[0]
    numbered = key.isdecimal() and len(key) < MAX_DIGITS
    return (not numbered, int(key) if numbered else 0)


MAX_DIGITS = 10
"""Digits of a variable's number; longer ones are names."""


def read_saved(group: Group, origin: Origin, into: SavedGroup | None = None) -> SavedGroup:
    """The groups below `group`, merged into what other shards hold.

    A group that is linked from several places is read at the first; FormatError if they lie too deep.
    """
    into = into or SavedGroup("", "")
    _read(group, origin, into, set(), 0)
    return into


def _read(group: Group, origin: Origin, into: SavedGroup, seen: set[int], depth: int) -> None:
    if depth > MAX_DEPTH:
        raise FormatError(f"its groups lie too deep, at {group.path[:200]}", origin.name)
    seen.add(group.address)
    for name in group.written():
        child = group.get(name)
        if isinstance(child, Group):
            if child.address in seen:
                continue
            if name == VARIABLES:
                _read_variables(child, origin, into)
            else:
                _read(child, origin, _below(into, name), seen, depth + 1)
        elif child is not None and child.problem:
            _below(into, name).problem = child.problem
    into.problem = into.problem or group.problem


def _below(group: SavedGroup, name: str) -> SavedGroup:
    """The child of that name, which another shard may have made."""
    if name not in group.children:
        group.children[name] = SavedGroup(name, f"{group.path}/{name}" if group.path else name)
    return group.children[name]


def _read_variables(group: Group, origin: Origin, into: SavedGroup) -> None:
    label = group.attrs.get("name")
    if isinstance(label, str) and label:
        into.label = label
    for key, dataset in group.items():
        if isinstance(dataset, Dataset):
            into.variables[key] = Stored(dataset, origin)
    into.problem = into.problem or group.problem


def looks_saved_by_keras3(root: Group) -> bool:
    """Whether a group `vars` with numbered datasets or a name is near the root, and the root holds only groups."""
    queue, seen = [root], 0
    while queue and seen < SNIFFED_GROUPS:
        group = queue.pop(0)
        for name, child in group.items():
            seen += 1
            if not isinstance(child, Group):
                if group is root:
                    return False
            elif name == VARIABLES and _numbered(child):
                return True
            else:
                queue.append(child)
            if seen >= SNIFFED_GROUPS:
                break
    return False


def _numbered(group: Group) -> bool:
    keys = group.keys()
    return all(k.isdecimal() for k in keys) if keys else isinstance(group.attrs.get("name"), str)
