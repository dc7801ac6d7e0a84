"""ONNX: the initializers and constants of a graph as layers, named by the modules or nodes that take them.

Nothing but the structure is read: a file of any size costs what its nodes cost. Values that steer operators (shapes,
axes, epsilons, scales) stand apart in a last layer and do not count as parameters.
"""

from __future__ import annotations

import os
from sys import intern
from typing import TYPE_CHECKING, Any

from wtui.errors import FormatError
from wtui.formats.onnx.blocks import Blocked, blockwise
from wtui.formats.onnx.layers import Held, held_tensors, module_of, node_path
from wtui.formats.onnx.messages import Model, Reader
from wtui.formats.onnx.quantised import dequantised, scales_of
from wtui.formats.onnx.roles import ELEMENTWISE, is_major, is_parameter, role_of_input
from wtui.formats.onnx.values import DTYPES, Places
from wtui.formats.onnx.walk import MAX_FIELDS, MAX_OUTLINE, MAX_TENSORS, Walk
from wtui.formats.protobuf import LEN, Field, fields
from wtui.formats.unique import unique_name
from wtui.model import Catalogue, LayerNode, Notice, TensorEntry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wtui.formats.onnx.stored import StoredTensor
    from wtui.formats.probe import Probe

__all__ = ["catalogue", "sniff"]

KNOWN_FIELDS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25})
"""Fields of a ModelProto."""

GRAPH = 7

SUFFIX = ".onnx"
"""Of files that are taken for a model even where they were cut off: then there is less to know them by."""

MAX_GRAPH_FIELD = 16
"""The highest number of a field of a GraphProto."""

MAX_BEFORE_GRAPH = 1000
"""Fields that are looked at in search of the graph."""

CONSTANTS = "constants"
"""The last layer: what steers operators."""

MAX_LEVELS = 64
"""Levels of a tree; a name with more parts than this is one level."""

TRANSPOSED = "weight transposed"
"""Entry of a layer's configuration where a Transpose stands between the weight and the operator."""

GUESSED = "from the operator that takes it"


def sniff(probe: Probe) -> bool:
    """A message of the fields of a ModelProto, with a graph that is a message, too."""
    if not probe.head.startswith((b"\x08", b"\x12", b"\x3a")):
        return False
    cut = probe.suffix == SUFFIX
    try:
        for count, field in enumerate(fields(probe.source, 0, probe.file.size, cut=cut)):
            if field.number == GRAPH:
                return field.wire == LEN and _is_graph(probe, field, cut)
            if field.number not in KNOWN_FIELDS or count > MAX_BEFORE_GRAPH:
                return False
    except FormatError:
        return False
    return False


def _is_graph(probe: Probe, field: Field, cut: bool) -> bool:
    """Whether the first fields of what should be a GraphProto can be such."""
    first = zip(fields(probe.source, field.start, field.stop, cut=cut), range(20), strict=False)
    return all(f.number <= MAX_GRAPH_FIELD for f, _ in first)


def _is_cut_off(probe: Probe) -> bool:
    """Whether the file ends inside one of its fields."""
    try:
        for _ in zip(fields(probe.source, 0, probe.file.size), range(MAX_BEFORE_GRAPH), strict=False):
            pass
    except FormatError:
        return True
    return False


def catalogue(probe: Probe) -> Catalogue:
    """All tensors of the model that are constant; FormatError if it has no graph."""
    cut = _is_cut_off(probe)
    walk = Walk(probe.source, cut=cut)
    reader = Reader(walk)
    model = reader.model()
    places = Places(probe)
    _tell_limits(walk, places.notices)
    if cut:
        text = "was cut off, or is damaged: it ends inside its graph, and what comes behind is not known"
        places.notices.append(Notice("", f"the file {text}", lost=True))
    metadata, opset = _metadata(model), model.metadata["opsets"].get("ai.onnx")
    tensors = held_tensors(model)
    constants = {held.name: held.stored for held in tensors if held.first}
    tree = _Tree(reader, places, constants, model.graph.name or os.path.basename(probe.path))
    del model
    tensors.reverse()
    while tensors:  # there may be hundreds of thousands, which are let go of one by one
        tree.add(tensors.pop())
    producer = " ".join(str(metadata[k]) for k in ("producer", "producer version") if k in metadata)
    title = "ONNX" + (f" opset {opset}" if opset else "") + (f", {producer}" if producer else "")
    return Catalogue(probe.path, title[:80], places.files, tree.ordered(), tree.root, metadata, places.notices)


def _tell_limits(walk: Walk, notices: list[Notice]) -> None:
    if walk.is_full:
        text = f"has more than {MAX_TENSORS:,} tensors, or {MAX_OUTLINE:,} tensors and nodes: the others are not listed"
        notices.append(Notice("", f"the file {text}", lost=True))
    if walk.is_exhausted:
        text = f"has more than {MAX_FIELDS:,} fields: what its last nodes do, and hold, is not read"
        notices.append(Notice("", f"the file {text}", lost=True))


class _Tree:
    """Layers as they come up, and the entries of the tensors in them."""

    def __init__(self, reader: Reader, places: Places, constants: Mapping[str, StoredTensor], name: str) -> None:
        self.root = LayerNode(name, "")
        self._reader = reader
        self._places = places
        self._constants_by_name = constants
        self._nodes = {"": self.root}
        self._entries: list[TensorEntry] = []
        self._constants = LayerNode(CONSTANTS, CONSTANTS)
        self._names: dict[str, int] = {}
        self._numbers: dict[str, int] = {}
        self._paths: dict[int, str] = {}
        self._major: set[str] = set()

    def add(self, held: Held) -> None:
        """Take in a tensor, under the layer that it belongs to."""
        values, shape, arguments = self._values(held)
        op, position = (held.use.step.node.op, held.use.position) if held.use else ("", 0)
        module = module_of(held.name)
        role, inferred = _role(held, op, position, module[1] if module else "")
        counts = is_parameter(op, role, values.dtype, shape, constant=held.constant)
        node = self._layer(held, module[0] if module else "") if counts else self._constants
        entry = TensorEntry(
            self._unique(held),
            node.path,
            role or "constant",
            shape,
            values.dtype,
            values.parts,
            values.encoding,
            arguments,
            group="model" if counts else "state",
            inferred=inferred,
            problem=values.problem,
        )
        node.tensors.append(len(self._entries))
        self._entries.append(entry)

    def _values(self, held: Held) -> Blocked:
        """Where a tensor's values lie, and the scales of a quantised one."""
        values, shape = self._places.of(held.stored), held.stored.shape
        if held.first is None:
            return Blocked(values, shape)
        blocked = blockwise(held.first, values, shape, self._constants_by_name, self._reader, self._places)
        if blocked is not None:
            return blocked
        scales = scales_of(held.first, values.dtype, shape, self._constants_by_name, self._reader, self._places)
        converted = dequantised(values, shape) if scales else None
        return Blocked(converted, shape, scales) if converted and scales else Blocked(values, shape)

    def ordered(self) -> list[TensorEntry]:
        """The entries in order of depth; the nodes of the tree then know them by number."""
        if self._constants.tensors:
            self.root.children.append(self._constants)
        ordered: list[TensorEntry] = []
        for node in self.root.walk():
            first = len(ordered)
            ordered += [self._entries[i] for i in node.tensors]
            node.tensors = list(range(first, len(ordered)))
        return ordered

    def _layer(self, held: Held, module: str) -> LayerNode:
        path = module or self._path_of_node(held)
        node = self._nodes.get(path) or self._node(path)
        step = held.use.step if held.use else None
        if step is not None and path and (not node.class_name or (path not in self._major and is_major(step.node.op))):
            node.class_name = step.node.op
            pairs = self._reader.attributes(step.node).items()
            config = {name: value for name, value in pairs if value is not None}
            node.config = {**config, TRANSPOSED: True} if held.use and held.use.is_transposed else config
            if is_major(step.node.op):
                self._major.add(path)
        return node

    def _path_of_node(self, held: Held) -> str:
        if held.use is None:
            return ""
        step = held.use.step
        if step.number not in self._paths:
            number = self._numbers.get(step.node.op, 0)
            self._paths[step.number] = node_path(step.node, number)
            self._numbers[step.node.op] = number + 1
        return self._paths[step.number]

    def _node(self, path: str) -> LayerNode:
        """The node of a path, made with those above it."""
        found = self._nodes.get(path)
        if found is not None:
            return found
        if path.count(".") + path.count("/") > MAX_LEVELS:
            above, name = "", path
        else:
            cut = max(path.rfind("."), path.rfind("/"))
            above, name = path[: max(cut, 0)], path[cut + 1 :] or path
        node = self._nodes[path] = LayerNode(intern(name), path)
        self._node(above).children.append(node)
        return node

    def _unique(self, held: Held) -> str:
        """The tensor's name; one that is taken gets the graph's name before it, or a number behind it."""
        name = held.name or "unnamed"
        if name in self._names and held.scope:
            name = f"{'/'.join(held.scope)}/{name}"
        return unique_name(name, self._names)


def _role(held: Held, op: str, position: int, last: str) -> tuple[str, str]:
    """What a tensor is to the operator that takes it, and whether that is a guess; `last`: what its name ends in."""
    role = role_of_input(op, position)
    if op in ELEMENTWISE and role and sum(n != 1 for n in held.stored.shape) <= 1:
        return role, GUESSED
    return (role if op not in ELEMENTWISE else "") or last, ""


def _metadata(model: Model) -> dict[str, Any]:
    """What the file says of itself, its inputs and outputs, and how often it uses each operator."""
    counts: dict[str, int] = {}
    for node in model.graph.nodes:
        counts[node.op] = counts.get(node.op, 0) + 1
    operators = dict(sorted(counts.items(), key=lambda item: -item[1])[:200])
    ends = {
        what: [{**v, "type": DTYPES.get(v["type"], v["type"])} for v in values]
        for what, values in (("inputs", model.graph.inputs), ("outputs", model.graph.outputs))
    }
    functions = [f.name for f in model.functions[:200]]
    return {**model.metadata, **ends, "operators": operators, "functions": functions}
