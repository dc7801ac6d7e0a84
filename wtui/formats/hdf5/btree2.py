"""B-trees of version 2 (section III.A.2): records in order, whatever they stand for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from wtui.formats.hdf5.space import MAX_BLOCK, Space

__all__ = ["records"]

MAX_DEPTH = 16
"""Levels; a tree of the smallest nodes with more would not fit into a file."""

OVERHEAD = 10
"""Bytes of a node that are neither records nor pointers: signature, version, type, checksum."""


class _Level(NamedTuple):
    """What nodes of one level can hold; level 0 are the leaves."""

    records: int
    """Records of one node."""
    total_width: int
    """Bytes that count the records of a node and all below it; 0 for leaves."""


class _Tree(NamedTuple):
    kind: int
    node_size: int
    record_size: int
    count_width: int
    """Bytes that count the records of one node."""
    levels: tuple[_Level, ...]


def records(space: Space, address: int, kind: int) -> Iterator[bytes]:
    """The records of the tree of type `kind` whose header is at `address`, in order; FormatError on damage."""
    fields = space.cursor(address, 22 + space.offsets + space.lengths)
    fields.expect(b"BTHD\0")
    found, node_size, record_size, depth = fields.uint(1), fields.uint(4), fields.uint(2), fields.uint(2)
    fields.skip(2)
    root, used = fields.address_or_none(), fields.uint(2)
    if found != kind or not record_size or not OVERHEAD + record_size <= node_size <= MAX_BLOCK or depth > MAX_DEPTH:
        raise fields.error(f"a B-tree of type {found}, {depth} levels, nodes of {node_size:,} bytes")
    if root is None:
        return
    tree = _measure(space, kind, node_size, record_size, depth)
    yield from _walk(space, tree, root, used, depth, set())


def _measure(space: Space, kind: int, node_size: int, record_size: int, depth: int) -> _Tree:
    """How wide the counts in inner nodes are: as wide as the most that the nodes below can hold needs."""
    most = (node_size - OVERHEAD) // record_size
    count_width = _width(most)
    levels = [_Level(most, 0)]
    below = most
    for _ in range(depth):
        pointer = space.offsets + count_width + levels[-1].total_width
        here = (node_size - OVERHEAD - pointer) // (record_size + pointer)
        below = (here + 1) * below + here
        levels.append(_Level(here, _width(below)))
    return _Tree(kind, node_size, record_size, count_width, tuple(levels))


def _width(most: int) -> int:
    return max(1, (most.bit_length() + 7) // 8)


def _walk(space: Space, tree: _Tree, address: int, used: int, level: int, seen: set[int]) -> Iterator[bytes]:
    """The records of the node at an address and of those below it."""
    if address in seen or used > tree.levels[level].records:
        raise space.error("a B-tree that leads in circles, or an overfull node", address)
    seen.add(address)
    size = tree.record_size
    pointer = space.offsets + tree.count_width + tree.levels[level - 1].total_width if level else 0
    fields = space.cursor(address, 6 + used * size + (used + 1) * pointer)
    fields.expect(b"BTIN\0" if level else b"BTLF\0")
    if fields.uint(1) != tree.kind:
        raise fields.error("a B-tree node of another type")
    own = [fields.take(size) for _ in range(used)]
    if not level:
        yield from own
        return
    for number in range(used + 1):
        child, count = fields.uint(space.offsets), fields.uint(tree.count_width)
        fields.skip(tree.levels[level - 1].total_width)
        yield from _walk(space, tree, child, count, level - 1, seen)
        yield from own[number : number + 1]
