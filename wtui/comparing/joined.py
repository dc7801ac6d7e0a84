"""Two models as one tree: B's layers in B's order, and what only A has at its place or in a group of its own.

A tensor of B keeps its number; those that only A has follow behind. Both ends of the browser's pipe join for
themselves and mean the same by a number. Reads nothing; standard library only.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from wtui.model import NO_NUMBERS, Catalogue, LayerNode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wtui.insight.pairing.types import Pair, Pairing

__all__ = ["GROUP_OF_A", "Joined"]

GROUP_OF_A = "only in A"
"""Name of the group of layers of which B has nothing."""


class Joined:
    """A and B in one catalogue, which is for looking at: A's tensors in it have no bytes."""

    def __init__(self, a: Catalogue, b: Catalogue, pairing: Pairing | None = None) -> None:
        """Without a pairing: B alone. Optimizer slots and other state beside a model are left out of the tree."""
        self.a, self.b = a, b
        self.pairing = pairing
        self.pairs: dict[int, Pair] = {}
        self.only_a: dict[int, int] = {}
        """A's number of each tensor that only A has, by its number here."""
        self.beside = sum(t.group != "model" for c in (a, b) for t in c.tensors)
        """Tensors stored beside either model, which are left out."""
        if pairing is not None:
            is_own = [[t.group == "model" for t in c.tensors] for c in (a, b)]
            self.pairs = {p.b: p for p in pairing.pairs if is_own[0][p.a] and is_own[1][p.b]}
            lone = [i for i in pairing.only_a if is_own[0][i]]
            self.only_a = {len(b.tensors) + n: i for n, i in enumerate(lone)}
        self.catalogue = self._catalogue()

    def a_of(self, number: int) -> int | None:
        """A's tensor, None where there is none."""
        pair = self.pairs.get(number)
        return pair.a if pair is not None else self.only_a.get(number)

    def b_of(self, number: int) -> int | None:
        """B's tensor, None where there is none."""
        return number if number < len(self.b.tensors) else None

    def has_no_numbers(self, number: int) -> bool:
        """Whether it is text or the like in either model: listed, never compared."""
        a, b = self.a_of(number), self.b_of(number)
        dtypes = {self.a.tensors[a].dtype if a is not None else "", self.b.tensors[b].dtype if b is not None else ""}
        return bool(dtypes & NO_NUMBERS)

    @cached_property
    def only_b(self) -> frozenset[int]:
        """Tensors that only B has; second names of paired tensors are none of them."""
        if self.pairing is None:
            return frozenset()
        return frozenset(i for i in self.pairing.only_b if self.b.tensors[i].group == "model")

    @property
    def numbers(self) -> list[int]:
        """All that are in the tree, in its order."""
        return list(self.catalogue.root.all_tensors())

    @cached_property
    def nodes_a(self) -> list[LayerNode]:
        """The layer that owns each of A's tensors."""
        return _owners(self.a)

    @cached_property
    def nodes_b(self) -> list[LayerNode]:
        """The layer that owns each of B's tensors."""
        return _owners(self.b)

    def _catalogue(self) -> Catalogue:
        if not self.only_a and all(t.group == "model" for t in self.b.tensors):
            return self.b
        b = self.b
        tensors = (*b.tensors, *(self.a.tensors[i]._replace(parts=None) for i in self.only_a.values()))
        return Catalogue(b.path, b.format, b.files, tensors, self._root(), b.metadata, b.warnings)

    def _root(self) -> LayerNode:
        """B's tree with A's own tensors hung into the layers whose others have partners in them, and behind it the
        rest of A's."""
        homes = {id(self.nodes_a[p.a]): id(self.nodes_b[p.b]) for p in reversed(self.pairs.values())}
        hung: dict[int, list[int]] = {}
        homeless: dict[int, int] = {}
        for number, tensor in self.only_a.items():
            home = homes.get(id(self.nodes_a[tensor]))
            if home is None:
                homeless[tensor] = number
            else:
                hung.setdefault(home, []).append(number)
        own = self.b.tensors
        root = _copy(self.b.root, lambda n: [*(i for i in n.tensors if own[i].group == "model"), *hung.get(id(n), ())])
        assert root is not None
        if homeless:
            rest = _copy(self.a.root, lambda n: [homeless[i] for i in n.tensors if i in homeless], keep_empty=False)
            assert rest is not None
            group = LayerNode(GROUP_OF_A, GROUP_OF_A)
            group.children, group.tensors = rest.children, rest.tensors
            root.children.append(group)
        return root


def _owners(catalogue: Catalogue) -> list[LayerNode]:
    """The layer that owns each tensor."""
    found = [catalogue.root] * len(catalogue.tensors)
    for node in catalogue.root.walk():
        for i in node.tensors:
            found[i] = node
    return found


def _copy(root: LayerNode, tensors: Callable[[LayerNode], Sequence[int]], keep_empty: bool = True) -> LayerNode | None:
    """The tree with other tensors in its layers. A layer below which no tensor is left goes, unless it never had any
    and `keep_empty`; the root stays."""
    copies: dict[int, LayerNode] = {}
    for node in reversed(list(root.walk())):
        copy = LayerNode(node.name, node.path, node.class_name, node.config)
        copy.tensors = list(tensors(node))
        copy.children = [copies[id(c)] for c in node.children if id(c) in copies]
        had = bool(node.tensors or node.children)
        if copy.tensors or copy.children or (keep_empty and not had) or node is root:
            copies[id(node)] = copy
    return copies[id(root)]
