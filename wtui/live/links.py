"""Which layer of a functional Keras model takes what from which, as its configuration records it, whoever wrote it.

Keras 1 and 2 write a node as lists `[name, node, tensor, arguments]`, Keras 3 as the arguments of the call, in which
`__keras_tensor__` stands for a tensor and says its shape too. Data in, data out; knows no file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

__all__ = ["Link", "Shape", "link", "links_of", "recorded_shapes", "shape_of"]

Shape = tuple[int | None, ...]
"""Of a tensor; None where it is open, as the batch usually is."""

MAX_NESTING = 200
"""Containers inside containers in the arguments of one call."""


class Link(NamedTuple):
    """One tensor that a layer takes."""

    layer: str
    node: int
    """Which call of that layer it comes from."""
    tensor: int
    """Which of that call's outputs it is."""
    shape: Shape | None = None
    """As the configuration records it, if it does."""

    def __str__(self) -> str:
        return f"{self.layer}[{self.node}][{self.tensor}]"


def links_of(item: Mapping[str, Any]) -> list[list[Link]]:
    """The tensors that each call of a layer takes; `item` is the layer in its model's list."""
    nodes = item.get("inbound_nodes")
    if not isinstance(nodes, Sequence) or isinstance(nodes, str):
        return []
    return [list(_links(node)) for node in nodes]


def recorded_shapes(items: Sequence[Any]) -> dict[tuple[str, int, int], Shape]:
    """The shapes of a model's tensors that its layers record of what they take, by (layer, call, output)."""
    found: dict[tuple[str, int, int], Shape] = {}
    for item in items:
        for one in (one for call in links_of(item) for one in call) if isinstance(item, Mapping) else ():
            if one.shape is not None:
                found[one[:3]] = one.shape
    return found


def link(value: object) -> Link | None:
    """A reference of the form `[name, node, tensor, ...]`; None for anything else."""
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) < 3:
        return None
    name, node, tensor = value[:3]
    is_link = isinstance(name, str) and type(node) is int and type(tensor) is int
    return Link(name, node, tensor) if is_link else None


def _links(value: object, depth: int = 0) -> Iterator[Link]:
    """All references inside the arguments of a call, in order."""
    if depth > MAX_NESTING:
        return
    if isinstance(value, Mapping):
        if value.get("class_name") == "__keras_tensor__":
            yield from _keras_tensor(value.get("config"))
        else:
            for inner in value.values():
                yield from _links(inner, depth + 1)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        found = link(value)
        if found is None:
            for inner in value:
                yield from _links(inner, depth + 1)
            return
        yield found
        yield from _links(value[3:], depth + 1)


def _keras_tensor(config: object) -> Iterator[Link]:
    if isinstance(config, Mapping):
        found = link(config.get("keras_history"))
        if found is not None:
            yield found._replace(shape=shape_of(config.get("shape")))


def shape_of(value: object) -> Shape | None:
    """A recorded shape; None for what is none."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return None
    return tuple(value) if all(n is None or type(n) is int for n in value) else None
