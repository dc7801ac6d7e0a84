"""What the constants of a graph are for: told by the operations that take them.

Knows the operations of TensorFlow that have weights, no bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from wtui.formats.tf.graph import Node

__all__ = ["FORWARDING", "INITIAL", "TAKING", "Use", "scope_of", "uses"]

_KERNEL = {1: "kernel"}
_NORM = {1: "gamma", 2: "beta", 3: "moving_mean", 4: "moving_variance"}
OPERATIONS: Mapping[str, Mapping[int, str]] = {
    "Conv2D": _KERNEL, "Conv3D": _KERNEL, "DepthwiseConv2dNative": {1: "depthwise_kernel"},
    "Conv2DBackpropInput": _KERNEL, "Conv3DBackpropInputV2": _KERNEL, "MatMul": {0: "kernel", 1: "kernel"},
    "BatchMatMul": _KERNEL, "BatchMatMulV2": _KERNEL, "BatchMatMulV3": _KERNEL, "Einsum": _KERNEL,
    "_FusedConv2D": {1: "kernel", 2: "bias"}, "_FusedMatMul": {1: "kernel", 2: "bias"}, "BiasAdd": {1: "bias"},
    "BiasAddV1": {1: "bias"}, "FusedBatchNorm": _NORM, "FusedBatchNormV2": _NORM, "FusedBatchNormV3": _NORM,
    "Gather": {0: "embeddings"}, "GatherV2": {0: "embeddings"}, "ResourceGather": {0: "embeddings"},
}  # fmt: skip
"""Operation -> what its inputs are."""

INITIAL = "initial_value"
ASSIGNING = frozenset({"Assign", "AssignVariableOp"})
"""Operations that give a variable the value it begins with: no weight of a model."""

BATCHNORM: Mapping[str, str] = {"add": "moving_variance", "mul": "gamma", "mul_2": "moving_mean", "sub": "beta"}
"""The steps of `tf.nn.batch_normalization`, by the names it gives them, and the constant that each takes."""

GUESSES: Mapping[str, str] = {"Add": "bias", "AddV2": "bias", "Mul": "scale"}
"""Operations that take biases and scales, among other things."""

FORWARDING = frozenset({
    "Identity", "ReadVariableOp", "Reshape", "Squeeze", "ExpandDims", "Cast", "Enter", "StopGradient", "Transpose",
    "Dequantize", "PreventGradient",
})  # fmt: skip
"""Operations that hand their first input on as what it is."""

TAKING = frozenset({*OPERATIONS, *GUESSES, *FORWARDING, *ASSIGNING, "Sub"})
"""Operations that say something of what they take."""

UGLY = ("/resource", "/ReadVariableOp", "/read")
"""What freezing appends to the names of variables."""

MAX_STEPS = 8
"""Forwarding operations between a constant and the one that uses it."""


class Use(NamedTuple):
    """What a constant is for."""

    role: str
    op: str
    """The operation that takes it."""
    guess: bool = False


def uses(nodes: Iterable[Node]) -> dict[str, Use]:
    """For every operation whose output is a kernel, a bias, ...: what it is. Constants and what hands them on alike."""
    found: dict[str, Use] = {}
    handed: dict[str, str] = {}
    for node in nodes:
        if node.op in FORWARDING:
            if node.inputs:
                handed[node.name] = _plain(node.inputs[0])
            continue
        for place, role, guess in _takes(node):
            if place < len(node.inputs):
                source = _plain(node.inputs[place])
                known = found.get(source)
                if known is None or (known.guess and not guess):
                    found[source] = Use(role, node.op, guess)
    for name, use in list(found.items()):
        for _ in range(MAX_STEPS):
            name = handed.get(name, "")
            if not name:
                break
            if name not in found or (found[name].guess and not use.guess):
                found[name] = use
    return found


def _takes(node: Node) -> list[tuple[int, str, bool]]:
    """(place of an input, its role, whether that is a guess)"""
    scope, _, step = node.name.rpartition("/")
    if step in BATCHNORM and scope.endswith("batchnorm"):
        return [(place, BATCHNORM[step], False) for place in range(len(node.inputs))]
    if node.op in ASSIGNING:
        return [(1, INITIAL, True)]
    if node.op in OPERATIONS:
        return [(place, role, False) for place, role in OPERATIONS[node.op].items()]
    if node.op in GUESSES:
        return [(place, GUESSES[node.op], True) for place in range(2)]
    return []


def scope_of(name: str) -> str:
    """A constant's name without what freezing appended to it."""
    for suffix in UGLY:
        name = name.removesuffix(suffix)
    return name


def _plain(reference: str) -> str:
    """The operation that an input refers to: without `^` and `:1`, in functions without `:output:0`."""
    return reference.removeprefix("^").partition(":")[0]
