"""A walk through an object graph: every variable once, by the shortest path of attributes, in the model's order.

The graph has cycles, and one variable is reached by many ways: as an attribute of its layer, as an item of the lists
that Keras keeps, and through the optimizer. The first kind counts, then the second, then the third. Knows no names of
tensors and no bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wtui.formats.tf.objects import ObjectNode

__all__ = ["VARIABLE_VALUE", "Place", "Survey", "survey"]

VARIABLE_VALUE = "VARIABLE_VALUE"
"""The attribute under which a variable saves its value."""

LISTS = frozenset({
    "variables", "trainable_variables", "non_trainable_variables", "_all_variables", "keras_api", "_tracked", "weights",
    "_trainable_weights", "_non_trainable_weights", "_self_tracked_trackables", "_misc_assets", "signatures",
})  # fmt: skip
"""Attributes that repeat what stands elsewhere; followed when everything else was."""

TRAINED = "_trainable_variables"
"""The list in which an optimizer of Keras 3 keeps the model's weights."""

_NOT_OWN = frozenset({TRAINED, "_trainable_variables_indices", "_model", "model"})
"""Attributes of an optimizer that lead to the model."""

MAX_PATH = 64
"""Steps from the root that are taken; Keras itself nests far less."""


class Place:
    """Where the walk met an object."""

    __slots__ = ("attribute", "children", "depth", "node", "parent")

    def __init__(self, node: int, attribute: str, parent: Place | None) -> None:
        self.node = node
        self.attribute = attribute
        self.parent = parent
        self.children: list[Place] = []
        self.depth: int = 0 if parent is None else parent.depth + 1

    @property
    def path(self) -> tuple[str, ...]:
        """Attributes from the root to here."""
        found: list[str] = []
        place: Place | None = self
        while place is not None and place.parent is not None:
            found.append(place.attribute)
            place = place.parent
        return tuple(reversed(found))

    def walk(self) -> Iterator[Place]:
        """This place and all below it, in the order of the attributes."""
        stack = [self]
        while stack:
            place = stack.pop()
            yield place
            stack.extend(reversed(place.children))


class Survey:
    """What the walk found."""

    def __init__(self, nodes: Sequence[ObjectNode], is_model: bool) -> None:
        self.nodes = nodes
        self.is_container = not is_model and bool(nodes) and all(name != "root" for name, _ in nodes[0].children)
        """Whether the root holds models under names of the user's and is none itself: a model refers to itself."""
        self.root = Place(0, "", None)
        """Everything that is not reached through an optimizer alone."""
        self.optimizers: list[Place] = []
        """Optimizers, each with what belongs to it alone, slots included."""
        self.trained: list[tuple[Place, list[int]]] = []
        """For every optimizer that lists them: the weights it trains, in its order."""
        self.unattached: list[Place] = []
        """Weights that only an optimizer knows."""
        self.seen: set[int] = {0} if nodes else set()


def survey(nodes: Sequence[ObjectNode], is_model: bool = False) -> Survey:
    """Walk through the whole graph; `is_model`: its root is known to be the model."""
    found = Survey(nodes, is_model)
    if not nodes:
        return found
    later: list[tuple[Place, str, int]] = []
    _spread(found, [found.root], later)
    for place, name, node in later:
        if node not in found.seen:
            _spread(found, [_add(found, place, name, node)], None)
    for optimizer in found.optimizers:
        _weights_of(found, optimizer)
    for optimizer in found.optimizers:
        _own_of(found, optimizer)
    return found


def _spread(found: Survey, start: list[Place], later: list[tuple[Place, str, int]] | None) -> None:
    """Breadth first from `start`; optimizers are noted and not entered, lists only where `later` is None."""
    queue = deque(start)
    while queue:
        place = queue.popleft()
        if place.depth >= MAX_PATH:
            continue
        for name, node in found.nodes[place.node].children:
            if node in found.seen:
                continue
            if _is_optimizer(found.nodes, node, name):
                found.seen.add(node)
                found.optimizers.append(Place(node, name, place))
            elif later is not None and name in LISTS:
                later.append((place, name, node))
            else:
                queue.append(_add(found, place, name, node))


def _add(found: Survey, parent: Place, name: str, node: int) -> Place:
    place = Place(node, name, parent)
    parent.children.append(place)
    found.seen.add(node)
    return place


def _is_optimizer(nodes: Sequence[ObjectNode], number: int, attribute: str) -> bool:
    node = nodes[number]
    if not node.children and not node.slots:
        return False
    names = {name for name, _ in node.children}
    return (
        bool(node.slots)
        or "_iterations" in names
        or {"iter", "learning_rate"} <= names
        or attribute.endswith("optimizer")
        or node.identifier in ("optimizer", "experimentalOptimizer")
    )


def _weights_of(found: Survey, optimizer: Place) -> None:
    """The weights that an optimizer lists; those that nothing else refers to are only known from here."""
    for name, node in found.nodes[optimizer.node].children:
        if name == TRAINED:
            weights = [child for _, child in found.nodes[node].children]
            found.trained.append((optimizer, weights))
            for child in weights:
                if child not in found.seen:
                    found.seen.add(child)
                    found.unattached.append(Place(child, "", None))


def _own_of(found: Survey, optimizer: Place) -> None:
    """What only the optimizer refers to: counters, lists of slots, an optimizer inside it, and slots by reference."""
    queue = deque([optimizer])
    while queue:
        place = queue.popleft()
        node = found.nodes[place.node]
        for name, child in node.children:
            if child not in found.seen and name not in _NOT_OWN and place.depth < MAX_PATH:
                queue.append(_add(found, place, name, child))
        for slot in node.slots:
            if slot.variable < len(found.nodes) and slot.variable not in found.seen:
                _add(found, place, slot.name, slot.variable)
