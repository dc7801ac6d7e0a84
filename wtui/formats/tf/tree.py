"""Tensors with names to a tree: scopes as layers, behind them nodes that are no scopes (the optimizer's, constants).

Knows no format.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from wtui.formats.names import tree_from_names
from wtui.model import LayerNode, TensorEntry

__all__ = ["Branch", "hang", "hang_on"]


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
            ordered.append(tensor._replace(layer=node.path))
    _branch_out(root, ordered, branches)
    return ordered


def _branch_out(root: LayerNode, ordered: list[TensorEntry], branches: Iterable[Branch]) -> None:
    """Nodes for the branches, behind everything else; their tensors behind `ordered`."""
    nodes = {"": root}
    for branch in branches:
        node = root
        for end in (*(i for i, c in enumerate(branch.path) if c == "/"), len(branch.path)):
            path = branch.path[:end]
            if path not in nodes:
                nodes[path] = LayerNode(path.rpartition("/")[2], path)
                node.children.append(nodes[path])
            node = nodes[path]
        node.class_name = branch.class_name
        for tensor in branch.tensors:
            node.tensors.append(len(ordered))
            ordered.append(tensor._replace(layer=branch.path))
