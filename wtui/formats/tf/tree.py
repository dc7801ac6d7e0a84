"""Tensors with names to a tree: scopes as layers, behind them nodes that are no scopes (the optimizer's, constants).

Knows no format.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from wtui.formats.names import tree_from_names
from wtui.model import LayerNode, TensorEntry

__all__ = ["Branch", "grow", "hang", "hang_on"]


class Branch(NamedTuple):
    """A node with a flat list of tensors, whose names begin with its path."""

    path: str
    class_name: str
    tensors: Sequence[TensorEntry]


def hang(
    root: LayerNode, tensors: Sequence[TensorEntry], branches: Iterable[Branch], *, keep_order: bool = True
) -> list[TensorEntry]:
    """All tensors in depth order: `tensors` by the scopes in their names, then the branches, below `root`."""
    ordered = tree_from_names(tensors, "/", root, keep_order=keep_order)
    _branch_out(root, ordered, branches)
    return ordered


def hang_on(
    root: LayerNode, tensors: Sequence[TensorEntry], owners: Sequence[LayerNode], branches: Iterable[Branch]
) -> list[TensorEntry]:
    """The same where the tree is there and the owner of each tensor is known."""
    held: dict[int, list[TensorEntry]] = {}
    for tensor, owner in zip(tensors, owners, strict=True):
        held.setdefault(id(owner), []).append(tensor)
    ordered: list[TensorEntry] = []
    for node in root.walk():
        for tensor in held.get(id(node), ()):
            node.tensors.append(len(ordered))
            ordered.append(tensor if tensor.layer == node.path else tensor._replace(layer=node.path))
    _branch_out(root, ordered, branches)
    return ordered


def grow(root: LayerNode, paths: Iterable[str]) -> list[LayerNode]:
    """The node of every path, below `root`, made where there is none yet."""
    nodes = {"": root}
    found: list[LayerNode] = []
    for path in paths:
        if path not in nodes:
            _make(nodes, path)
        found.append(nodes[path])
    return found


def _make(nodes: dict[str, LayerNode], path: str) -> None:
    """The node of `path`, and those above it that do not exist yet."""
    node = nodes[""]
    for end in (*(i for i, c in enumerate(path) if c == "/"), len(path)):
        above = path[:end]
        if above not in nodes:
            nodes[above] = LayerNode(above.rpartition("/")[2], above)
            node.children.append(nodes[above])
        node = nodes[above]


def _branch_out(root: LayerNode, ordered: list[TensorEntry], branches: Iterable[Branch]) -> None:
    """Nodes for the branches, behind everything else; their tensors behind `ordered`."""
    branches = list(branches)
    for branch, node in zip(branches, grow(root, [b.path for b in branches]), strict=True):
        node.class_name = branch.class_name
        for tensor in branch.tensors:
            node.tensors.append(len(ordered))
            ordered.append(tensor if tensor.layer == branch.path else tensor._replace(layer=branch.path))
