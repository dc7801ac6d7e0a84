"""Groups of an HDF5 file: named objects, each made when it is asked for.

Never leaves the file or walks in circles: soft links, external links and links back to a group above are named only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from wtui.errors import FormatError
from wtui.formats.hdf5 import header
from wtui.formats.hdf5.dataset import Dataset
from wtui.formats.hdf5.links import LinkTable, read_links
from wtui.formats.hdf5.objects import Object

if TYPE_CHECKING:
    from wtui.formats.hdf5.space import Space

__all__ = ["Group"]

MAX_DEPTH = 128
"""Groups within groups; deeper ones are not opened."""


class Group(Object):
    """A folder of the file: named groups and datasets, each made when it is asked for."""

    __slots__ = ("_above", "_groups", "_table")

    def __init__(
        self, space: Space, path: str, address: int, messages: list[header.Message], above: frozenset[int] = frozenset()
    ) -> None:
        """`above`: addresses of the groups that led here, so that links back to them end the walk."""
        super().__init__(space, path, address, messages)
        self._above = above | {address}
        self._groups: dict[str, Group] = {}
        self._table: LinkTable | None = None

    def keys(self) -> list[str]:
        """Names of what the group holds, in creation order where the file tracks it, else sorted by bytes.

        `problem` says why some are missing, after a save that stopped half-way for instance.
        """
        return list(self._read_table().hard)

    def written(self) -> list[str]:
        """The names of `keys` in the order in which they were made, as far as the file tells it."""
        return list(self._read_table().written)

    @property
    def links(self) -> tuple[str, ...]:
        """Names of what is not followed: soft and external links, and hard links back to a group above."""
        return self._read_table().other

    def get(self, name: str) -> Group | Dataset | None:
        """The object called `name`, which may be a path (`a/b/c`) from here; None if there is none to be opened.

        A name that leads to damage gives a Dataset whose `problem` tells it.
        """
        found: Group | Dataset | None = self
        for part in name.split("/"):
            if part:
                found = found._child(part) if isinstance(found, Group) else None
        return found

    def __getitem__(self, name: str) -> Group | Dataset:
        found = self.get(name)
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._read_table().hard)

    def __len__(self) -> int:
        return len(self._read_table().hard)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def items(self) -> Iterator[tuple[str, Group | Dataset]]:
        """(name, object) of all that the group holds, in the order of `keys`; named datatypes are left out."""
        for name in self.keys():
            found = self._child(name)
            if found is not None:
                yield name, found

    def walk(self) -> Iterator[Group | Dataset]:
        """Everything below, depth first in the order of `keys`; an object with several names comes once."""
        seen = {self.address}
        stack = [self.items()]
        while stack:
            _, found = next(stack[-1], (None, None))
            if found is None:
                stack.pop()
            elif found.address not in seen:
                seen.add(found.address)
                yield found
                if isinstance(found, Group):
                    stack.append(found.items())

    def forget(self) -> None:
        """Let go of its links and of the groups in it; they are read again when they are asked for."""
        self._groups, self._table = {}, None

    def _read_table(self) -> LinkTable:
        if self._table is None:
            table = read_links(self._space, self._header())
            back = tuple([name for name, address in table.hard.items() if address in self._above])
            if back:
                hard = {name: address for name, address in table.hard.items() if address not in self._above}
                written = tuple([name for name in table.written if name in hard])
                table = LinkTable(hard, table.other + back, table.problem, written)
            self._table, self._messages = table, None
            self.problem = self.problem or table.problem
        return self._table

    def _child(self, name: str) -> Group | Dataset | None:
        known = self._groups.get(name)
        if known is not None:
            return known
        address = self._read_table().hard.get(name)
        if address is None:
            return None
        made = _make(self._space, f"{self.path.rstrip('/')}/{name}", address, self._above)
        if isinstance(made, Group):
            self._groups[name] = made
        return made


_GROUP_MESSAGES = frozenset((header.SYMBOL_TABLE, header.LINK_INFO, header.LINK, header.GROUP_INFO))


def _make(space: Space, path: str, address: int, above: frozenset[int]) -> Group | Dataset | None:
    """The object at an address; None for a named datatype."""
    try:
        messages = header.read_header(space, address)
    except FormatError as error:
        return Dataset(space, path, address, [], error.what)
    kinds = {m.kind for m in messages}
    if kinds & _GROUP_MESSAGES:
        if len(above) >= MAX_DEPTH:
            return Dataset(space, path, address, [], f"groups are nested more than {MAX_DEPTH} deep")
        return Group(space, path, address, messages, above)
    if header.DATATYPE in kinds and not kinds & {header.DATASPACE, header.LAYOUT}:
        return None
    return Dataset(space, path, address, messages)
