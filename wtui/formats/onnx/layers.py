"""From an ONNX graph to layers: which operator takes each tensor, what it is to that operator, and in which order.

A layer is a module of the framework that wrote the file where tensors are named by modules (`encoder.0.weight`), else
the node that takes the tensor; its class is the operator (Conv, Gemm, LSTM). The order is that of the graph.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from sys import intern
from typing import TYPE_CHECKING, NamedTuple

from wtui.formats.onnx.roles import PASSING

if TYPE_CHECKING:
    from wtui.formats.onnx.messages import Graph, Model, Node
    from wtui.formats.onnx.stored import StoredTensor

__all__ = ["Held", "Step", "Use", "held_tensors", "module_of", "node_path"]

MAX_HOPS = 16
"""Operators that are passed from a constant to the one that really takes it."""

_MODULE = re.compile(r"^([\w-]+(?:\.[\w-]+)*)\.([A-Za-z_]\w*)$")
"""`encoder.0.conv.weight`: a path of modules and the name of a parameter."""

Scope = tuple[str, ...]
"""Names of the graphs around a node, `()` for the model's own."""


class Step(NamedTuple):
    """A node in its place."""

    node: Node
    scope: Scope
    number: int
    """Place in the order in which nodes stand, those of inner graphs behind the node that holds them."""


class Use(NamedTuple):
    """An operator that takes a tensor, and as which of its inputs."""

    step: Step
    position: int
    is_transposed: bool = False
    """Whether the tensor went through an odd number of Transpose operators before."""


class Held(NamedTuple):
    """A constant tensor of a graph and the operator that takes it."""

    name: str
    stored: StoredTensor
    scope: Scope
    constant: bool
    """Whether it comes from a Constant node (or another attribute) rather than from the initializers."""
    use: Use | None
    """The one that does more than handing it on."""
    first: Use | None = None
    """The one that takes it as it is stored."""


def held_tensors(model: Model) -> list[Held]:
    """All constant tensors of a model in the order of the operators that take them; unused ones last."""
    steps = list(_steps(model))
    uses: dict[str, list[Use]] = {}
    for step in steps:
        for position, name in enumerate(step.node.inputs):
            if name:
                uses.setdefault(name, []).append(Use(step, position))
    held = [_used(h, uses) if h.name in uses else h for h in _constants(model, steps)]
    last = len(steps)
    return sorted(held, key=lambda h: (h.use.step.number, h.use.position) if h.use else (last, 0))


def module_of(name: str) -> tuple[str, str] | None:
    """Module and parameter of a tensor's name as torch gives it, None for other names."""
    match = _MODULE.match(name)
    return (match[1], intern(match[2])) if match else None


def node_path(node: Node, number: int) -> str:
    """The layer of a node: its name without the operator at the end; a nameless one is called by its number.

    torch writes `/encoder/conv/Conv` for the module `encoder.conv`, TensorFlow `model/dense/MatMul` for `model/dense`,
    and TensorFlow Lite several such names with semicolons between them.
    """
    name = node.name.split(";")[0]
    parts = [p for p in name.split("/") if p]
    if len(parts) > 1 and parts[-1][0].isupper():
        parts.pop()
    return (("." if name.startswith("/") else "/").join(parts)) or f"{node.op or 'node'}_{number}"


def _steps(model: Model) -> Iterator[Step]:
    """Every node of the model, of inner graphs and of functions."""
    stack: list[tuple[Graph, Scope]] = [(f, (f.name or "function",)) for f in reversed(model.functions)]
    stack.append((model.graph, ()))
    number = 0
    while stack:
        graph, scope = stack.pop()
        pending = [(iter(graph.nodes), scope)]
        while pending:
            nodes, here = pending[-1]
            node = next(nodes, None)
            if node is None:
                pending.pop()
                continue
            step = Step(node, here, number)
            yield step
            for name, inner in reversed(node.graphs):
                pending.append((iter(inner.nodes), _inner(step, name)))
            number += 1


def _inner(step: Step, attribute: str) -> Scope:
    return (*step.scope, f"{step.node.name or step.node.op}_{step.number}/{attribute}")


def _constants(model: Model, steps: list[Step]) -> Iterator[Held]:
    """Initializers of every graph, and tensors in the attributes of nodes."""
    for tensor in model.graph.tensors:
        yield Held(tensor.name, tensor, (), False, None)
    for step in steps:
        for attribute, tensor in step.node.tensors:
            outputs = step.node.outputs
            is_output = step.node.op == "Constant" and outputs
            name = outputs[0] if is_output else f"{step.node.name or step.node.op}/{attribute}"
            yield Held(name, tensor, step.scope, True, None)
        for attribute, graph in step.node.graphs:
            for tensor in graph.tensors:
                yield Held(tensor.name, tensor, _inner(step, attribute), False, None)


def _used(held: Held, uses: dict[str, list[Use]]) -> Held:
    """The same tensor with the operators that take it."""
    return held._replace(use=_final_use(held.name, held.scope, uses), first=_first_use(held.name, held.scope, uses))


def _final_use(name: str, scope: Scope, uses: dict[str, list[Use]]) -> Use | None:
    """The operator that takes a value and does more than handing it on."""
    use = _first_use(name, scope, uses)
    for _ in range(MAX_HOPS):
        if use is None or use.position not in PASSING.get(use.step.node.op, ()):
            break
        further = (_first_use(output, use.step.scope, uses) for output in use.step.node.outputs)
        following = next((u for u in further if u is not None and u.step.number > use.step.number), None)
        if following is None:
            break
        use = following._replace(is_transposed=use.is_transposed ^ (use.step.node.op == "Transpose"))
    return use


def _first_use(name: str, scope: Scope, uses: dict[str, list[Use]]) -> Use | None:
    """The first operator that takes a value, in its own graph or one inside it."""
    return next((u for u in uses.get(name, ()) if u.step.scope[: len(scope)] == scope), None)
