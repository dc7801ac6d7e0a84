"""TensorFlow Lite: a FlatBuffer with the operations of a network and the constants that they take.

Names are those that the file gives its tensors; one without a scope (`arith.constant3`) is put to the operation that
takes it, whose scope is known from its other tensors. Integers with scales are described by the values they stand for.
"""

from __future__ import annotations

import os
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.formats.boxes import cut
from wtui.formats.tf.roles import scope_of
from wtui.formats.tf.tree import Branch, grow, hang_on
from wtui.formats.tflite.operators import FORWARDING, GUESSES, ROLES
from wtui.formats.tflite.schema import LiteModel, Quantization, Subgraph, Tensor, read_model
from wtui.formats.unique import unique_names
from wtui.model import DTYPE_BITS, Catalogue, Extent, LayerNode, Part, TensorEntry
from wtui.storage import file_ref

if TYPE_CHECKING:
    from wtui.formats.probe import Probe

__all__ = ["catalogue", "sniff"]

IDENTIFIER = b"TFL3"
"""What stands behind the first four bytes."""

CONSTANTS = "constants"
"""The node that holds constants which are no weights: shapes, axes, factors."""

GUESS = "by the operation that takes it"
QUANTISED = ("int", "uint")

MAX_DEPTH = 64
"""Scopes inside scopes that become layers."""

MAX_STEPS = 8
"""Operations that hand a constant on before one takes it."""


class _Use(NamedTuple):
    """Which operation takes a constant, and as what."""

    place: int
    """Of the operation in its graph: the order of layers."""
    argument: int
    """Which input of the operation it is."""
    op: str
    role: str = ""
    guess: bool = False


class _Constant(NamedTuple):
    """A tensor with values, and how it is called here."""

    tensor: Tensor
    name: str
    use: _Use | None
    weight: bool


def sniff(probe: Probe) -> bool:
    """The identifier of the format."""
    return probe.head[4:8] == IDENTIFIER


def catalogue(probe: Probe) -> Catalogue:
    """The constants of all graphs in the order of the operations; FormatError if the file is damaged."""
    model = read_model(probe.source)
    found = [c for i, graph in enumerate(model.subgraphs) for c in _constants(graph, _prefix(graph, i))]
    weights = [c for c in found if c.weight]
    others = [c for c in found if not c.weight]
    first: dict[object, str] = {}
    classes: dict[str, str] = {}
    tensors = []
    for c, name in zip(weights, unique_names(c.name for c in weights), strict=True):
        tensors.append(_entry(c, name, first))
        if c.use is not None and c.use.role.endswith(("kernel", "embeddings", "alpha")):
            classes[_scope(name)] = c.use.op
    names = unique_names(f"{CONSTANTS}/{c.name}" for c in others)
    rest = [_entry(c, name, first)._replace(group="state") for c, name in zip(others, names, strict=True)]
    root = LayerNode(os.path.basename(probe.path), "")
    owners_of = grow(root, [t.layer for t in tensors])
    ordered = hang_on(root, tensors, owners_of, [Branch(CONSTANTS, "", rest)] if rest else [])
    for node in root.walk():
        node.class_name = classes.get(node.path, "")
    files = (file_ref(probe.file),)
    return Catalogue(probe.path, f"TFLite (schema {model.version})", files, ordered, root, _metadata(model))


def _prefix(graph: Subgraph, number: int) -> str:
    """What the names of a graph's tensors begin with: nothing in the main one."""
    return "" if number == 0 else f"{graph.name or f'subgraph_{number}'}/"


def _constants(graph: Subgraph, prefix: str) -> list[_Constant]:
    """The tensors of a graph that have values, in the order of the operations that take them."""
    used = _uses(graph)
    scopes = _scopes(graph)
    order = sorted(
        (i for i, tensor in enumerate(graph.tensors) if tensor.length),
        key=lambda i: (*(used[i][:2] if i in used else (len(graph.operators), 0)), i),
    )
    found: list[_Constant] = []
    for i in order:
        tensor, use = graph.tensors[i], used.get(i)
        name = tensor.name
        if not _scope(name):
            label = name or (use.role if use and use.role else f"tensor_{i}")
            scope = scopes.get(use.place, "") if use else ""
            name = f"{scope}/{label}" if scope else label
        found.append(_Constant(tensor, prefix + name, use, _is_weight(tensor, use)))
    return found


def _uses(graph: Subgraph) -> dict[int, _Use]:
    """Which operation takes a tensor, as what; through those that only hand it on. By number of the tensor."""
    found: dict[int, _Use] = {}
    handed: dict[int, int] = {}
    for place, operator in enumerate(graph.operators):
        if operator.op in FORWARDING and operator.inputs and operator.outputs:
            handed[operator.outputs[0]] = operator.inputs[0]
        roles, guess = ROLES.get(operator.op, {}), GUESSES.get(operator.op, "")
        for i, tensor in enumerate(operator.inputs):
            use = _Use(place, i, operator.op, roles.get(i, guess), i not in roles)
            known = found.get(tensor)
            if known is None or (known.guess and not use.guess):
                found[tensor] = use
    for tensor, use in list(found.items()):
        for _ in range(MAX_STEPS):
            tensor = handed.get(tensor, -1)
            if tensor < 0:
                break
            if tensor not in found or (found[tensor].guess and not use.guess) or found[tensor].op in FORWARDING:
                found[tensor] = use
    return found


def _scopes(graph: Subgraph) -> dict[int, str]:
    """The scope of each operation: of its constants, else of what it computes, else its kind and place."""
    found: dict[int, str] = {}
    for place, operator in enumerate(graph.operators):
        inputs = [graph.tensors[i] for i in operator.inputs if 0 <= i < len(graph.tensors)]
        outputs = [graph.tensors[i] for i in operator.outputs if 0 <= i < len(graph.tensors)]
        named = [_scope(tensor.name) for tensor in (*(t for t in inputs if t.length), *outputs)]
        known = next((scope for scope in named if scope), "")
        found[place] = known or f"{operator.op.lower()}_{place}"
    return found


def _scope(name: str) -> str:
    """The layer in a tensor's name; of several operations that were made into one (`a/b;c/d`) that of the first."""
    scope = scope_of(name.partition(";")[0]).rpartition("/")[0]
    return scope if scope.count("/") < MAX_DEPTH else ""


def _is_weight(tensor: Tensor, use: _Use | None) -> bool:
    """An array of a type that weights have; whole numbers of 32 and 64 bits only with a scale."""
    if not tensor.shape or tensor.dtype in ("string", "resource", "variant", "bool"):
        return False
    if tensor.dtype in ("int32", "int64", "uint32", "uint64") and tensor.quantization is None:
        return False
    return max(tensor.shape) > 1 or (use is not None and not use.guess)


def _entry(constant: _Constant, name: str, first: dict[object, str]) -> TensorEntry:
    """The tensor of a constant; the second with the same bytes is an alias of the first."""
    tensor, use = constant.tensor, constant.use
    role = (use.role if use else "") or name.rpartition("/")[2]
    inferred = GUESS if use is not None and use.role and use.guess else ""
    entry = TensorEntry(name, _scope(name), role, tensor.shape, tensor.dtype, (), inferred=inferred)
    identity = (tensor.buffer, tensor.dtype, tensor.shape, tensor.quantization)
    owner = first.setdefault(identity, name)
    problem = _problem(tensor)
    if problem:
        return entry._replace(problem=problem)
    bits = DTYPE_BITS[tensor.dtype]
    extent = Extent(0, tensor.offset, tensor.length)
    entry = entry._replace(parts=(Part(extent),), alias_of=owner if owner != name else None)
    if tensor.quantization is None or not tensor.dtype.startswith(QUANTISED):
        return entry
    parts = tuple(cut(extent, (0,) * len(tensor.shape), tensor.shape, bits))
    return entry._replace(parts=parts, encoding="affine", encoding_args=_arguments(tensor.quantization))


def _problem(tensor: Tensor) -> str:
    """Why the values cannot be decoded, or `""`."""
    if tensor.dtype not in DTYPE_BITS:
        return "holds texts, no numbers" if tensor.dtype == "string" else f"holds values of type {tensor.dtype}"
    if tensor.sparse:
        return "is stored sparsely, which is not decoded"
    size = prod(tensor.shape)
    if min(tensor.shape, default=0) < 0 or (size * DTYPE_BITS[tensor.dtype] + 7) // 8 != tensor.length:
        return f"the file holds {tensor.length:,} bytes for {tensor.dtype} {list(tensor.shape)}"
    return _scale_problem(tensor.quantization, tensor.shape) if tensor.quantization else ""


def _scale_problem(quantization: Quantization, shape: tuple[int, ...]) -> str:
    """Why the scales do not fit the shape, or `""`."""
    if quantization.block_size:
        return f"is quantised in blocks of {quantization.block_size} values, which is not decoded"
    scales, points, axis = quantization.scales, quantization.zero_points, quantization.axis
    if len(scales) > 1 and not (0 <= axis < len(shape) and shape[axis] == len(scales)):
        return f"has {len(scales):,} scales, which fit no axis of its shape {list(shape)}"
    if len(points) > 1 and len(points) != len(scales):
        return f"has {len(scales):,} scales, but {len(points):,} zero points"
    return ""


def _arguments(quantization: Quantization) -> tuple[tuple[str, Any], ...]:
    """What the codec has to know."""
    points = quantization.zero_points or (0,)
    axis = quantization.axis if len(quantization.scales) > 1 else None
    return (("scales", quantization.scales), ("zero_points", points), ("axis", axis))


def _metadata(model: LiteModel) -> dict[str, Any]:
    """What is worth telling about the whole: plain data."""
    main = model.subgraphs[0]
    counts: dict[str, int] = {}
    for graph in model.subgraphs:
        for operator in graph.operators:
            counts[operator.op] = counts.get(operator.op, 0) + 1
    facts: dict[str, Any] = {
        "description": model.description,
        "inputs": _described(main, main.inputs),
        "outputs": _described(main, main.outputs),
        "signatures": model.signatures,
        "operations": dict(sorted(counts.items(), key=lambda item: -item[1])),
        "subgraphs": [graph.name for graph in model.subgraphs] if len(model.subgraphs) > 1 else [],
        "metadata": model.metadata,
    }
    return {key: value for key, value in facts.items() if value}


def _described(graph: Subgraph, numbers: tuple[int, ...]) -> dict[str, Any]:
    tensors = [graph.tensors[i] for i in numbers if 0 <= i < len(graph.tensors)]
    return {tensor.name: {"dtype": tensor.dtype, "shape": list(tensor.shape)} for tensor in tensors}
