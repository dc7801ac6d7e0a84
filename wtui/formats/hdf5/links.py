"""The links of a group: symbol tables (sections III.A to III.D), compact links (IV.A.2.g) and dense ones.

Knows names and the addresses that they stand for, never the objects there. Soft and external links are named only:
they may lead out of the file, or in circles.
"""

from __future__ import annotations

from typing import NamedTuple

from wtui.errors import FormatError
from wtui.formats.hdf5 import header
from wtui.formats.hdf5.heap import LocalHeap, text
from wtui.formats.hdf5.space import Cursor, Space

__all__ = ["LinkTable", "link_message", "read_links"]

SOFT, EXTERNAL = 1, 64
"""Types of links that are not followed; hard links have type 0."""

MAX_LEVEL = 16
"""Levels of a group's B-tree; 16 levels of the smallest nodes hold more names than a file can."""


class LinkTable(NamedTuple):
    """The links of one group, in the order in which the file iterates over them."""

    hard: dict[str, int]
    """Name: address of the object header."""
    other: tuple[str, ...]
    """Names of soft and external links."""
    problem: str
    """Why some links could not be read; `""` when all were."""
    written: tuple[str, ...] = ()
    """The names in `hard` in the order in which they were made, as far as the file tells it."""


def read_links(space: Space, messages: list[header.Message]) -> LinkTable:
    """The links of the group with these messages; what cannot be read is left out and told in `problem`."""
    table = header.first(messages, header.SYMBOL_TABLE)
    if table:
        return _symbol_table(space, table)
    info = header.first(messages, header.LINK_INFO)
    tracked = bool(info and len(info.body) > 1 and info.body[1] & 1)
    bodies, problem = [m for m in messages if m.kind == header.LINK], ""
    if info:
        from wtui.formats.hdf5.dense import dense_links

        dense, problem = dense_links(space, info)
        bodies += dense
    found: list[tuple[int, bytes, int | None]] = []
    for place, message in enumerate(bodies):
        try:
            order, name, address = link_message(header.resolved(space, message), space)
            found.append((order if tracked else place, name, address))
        except FormatError as error:
            problem = problem or error.what
    found.sort(key=lambda link: link[0] if tracked else link[1])
    return _table(found, problem)


def link_message(message: header.Message, space: Space) -> tuple[int, bytes, int | None]:
    """Creation order (0 where it is not tracked), name, and address (None for a link that is not hard)."""
    fields = Cursor(space, message.body, message.address)
    version, flags = fields.uint(1), fields.uint(1)
    if version != 1:
        raise fields.error(f"a link of version {version}")
    kind = fields.uint(1) if flags & 8 else 0
    order = fields.uint(8) if flags & 4 else 0
    fields.skip(flags >> 4 & 1)
    name = fields.take(fields.uint(1 << (flags & 3)))
    return order, name, None if kind else fields.address_or_none()


def _table(found: list[tuple[int, bytes, int | None]], problem: str) -> LinkTable:
    """The table of (place in the order of creation, name, address), which are given in the order of iteration."""
    possible = [link for link in found if link[1] and b"/" not in link[1]]
    if len(possible) < len(found):
        found, problem = possible, problem or "damaged HDF5: names that no link can have"
    hard = {text(name): address for _, name, address in found if address is not None}
    other = tuple([text(name) for _, name, address in found if address is None])
    found = sorted(found, key=lambda link: link[0])
    return LinkTable(hard, other, problem, tuple([text(name) for _, name, address in found if address is not None]))


def _symbol_table(space: Space, message: header.Message) -> LinkTable:
    """The links of an old-style group: a B-tree of tables whose names lie in a local heap, each behind the last one."""
    found: list[tuple[int, bytes, int | None]] = []
    problem = ""
    try:
        fields = Cursor(space, message.body, message.address)
        tree, heap_address = fields.address_or_none(), fields.address_or_none()
        if tree is None or heap_address is None:
            return _table([], "")
        heap = LocalHeap(space, heap_address)
        nodes, problem = _nodes(space, tree)
    except FormatError as error:
        return _table([], error.what)
    for node in nodes:
        try:
            found += _symbols(space, node, heap)
        except FormatError as error:
            problem = problem or error.what
    return _table(found, problem)


def _nodes(space: Space, root: int) -> tuple[list[int], str]:
    """Addresses of the symbol table nodes below a B-tree node, in order, and why some are missing."""
    level, found, problem = -1, [root], ""
    seen: set[int] = set()
    for _ in range(MAX_LEVEL):
        following: list[int] = []
        for address in found:
            try:
                if address in seen:
                    raise space.error("a B-tree that leads in circles", address)
                seen.add(address)
                level, children = _children(space, address, level)
                following += children
            except FormatError as error:
                problem = problem or error.what
        found = following
        if level <= 0:
            return found, problem
        level -= 1
    raise space.error("a B-tree of unreasonable depth", root)


def _children(space: Space, address: int, level: int) -> tuple[int, list[int]]:
    """Level and children of the B-tree node at an address; the level must be the expected one, unless that is -1."""
    prefix = 8 + 2 * space.offsets
    fields = space.cursor(address, prefix)
    fields.expect(b"TREE")
    kind, found, used = fields.uint(1), fields.uint(1), fields.uint(2)
    if kind != 0 or level not in (found, -1):
        raise fields.error("a B-tree node of the wrong kind or level")
    fields = space.cursor(address + prefix, used * (space.lengths + space.offsets))
    children = []
    for _ in range(used):
        fields.skip(space.lengths)
        children.append(fields.uint(space.offsets))
    return found, children


def _symbols(space: Space, address: int, heap: LocalHeap) -> list[tuple[int, bytes, int | None]]:
    """(place in the heap, name, address) of what a symbol table node holds; no address for soft links."""
    fields = space.cursor(address, 8)
    fields.expect(b"SNOD")
    fields.skip(2)
    used = fields.uint(2)
    fields = space.cursor(address + 8, used * (space.lengths + space.offsets + 24))
    found: list[tuple[int, bytes, int | None]] = []
    for _ in range(used):
        place, target, cached = fields.length(), fields.address_or_none(), fields.uint(4)
        fields.skip(20)
        found.append((place, heap.name(place), None if cached == 2 else target))
    return found
