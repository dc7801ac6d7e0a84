"""The messages of an ONNX file that wtui needs, read where they lie: graphs, nodes, tensors without their values.

Field numbers are those of `onnx.proto` (github.com/onnx/onnx). Payloads of tensors are stepped over; what a node does
with a tensor is not known here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.errors import FormatError
from wtui.formats import protobuf
from wtui.formats.onnx.ends import opset, value_info
from wtui.formats.onnx.stored import StoredTensor, read_sparse, read_tensor
from wtui.formats.protobuf import FIXED32, LEN, VARINT, Field

if TYPE_CHECKING:
    from wtui.formats.onnx.walk import Walk

__all__ = ["Graph", "Model", "Node", "Reader"]

MAX_NESTING = 32
"""Graphs in nodes of graphs."""

NODE = 2
"""Fields that making a node of an empty message costs as much as."""

MAX_PROPERTIES = 1000
"""Entries of the metadata, inputs and outputs that are kept."""


class Node(NamedTuple):
    """An operation: what it is called, what it takes and gives, and where its attributes lie."""

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: tuple[Field, ...]
    tensors: tuple[tuple[str, StoredTensor], ...]
    """Attributes that are tensors, by name."""
    graphs: tuple[tuple[str, Graph], ...]
    """Attributes that are graphs, by name."""


class Graph(NamedTuple):
    """Nodes in their order, and the tensors that are constant in them."""

    name: str
    nodes: tuple[Node, ...]
    tensors: tuple[StoredTensor, ...]
    inputs: tuple[dict[str, Any], ...] = ()
    outputs: tuple[dict[str, Any], ...] = ()


class Model(NamedTuple):
    """The whole file: the graph, the bodies of functions, and what else it says of itself."""

    graph: Graph
    functions: tuple[Graph, ...]
    metadata: dict[str, Any]


class Reader:
    """Reads messages from one file; every method takes the bytes of a message, half-open."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._last: tuple[Node | None, dict[str, Any]] = (None, {})

    def model(self) -> Model:
        """The ModelProto that is the file. FormatError if it has no graph."""
        graph: Graph | None = None
        functions: list[Graph] = []
        metadata: dict[str, Any] = {}
        opsets: dict[str, int] = {}
        properties: dict[str, str] = {}
        names = {2: "producer", 3: "producer version", 4: "domain", 6: "documentation"}
        for field in self._walk.fields(0, self._walk.size):
            if field.number == 7:
                graph = self._graph(field, 0)
            elif field.number == 25:
                functions.append(self._function(field))
            elif field.number == 8:
                domain, version = opset(self._walk, field)
                opsets[domain or "ai.onnx"] = version
            elif field.number == 14 and len(properties) < MAX_PROPERTIES:
                key, value = self._walk.pair(field)
                properties[key] = value
            elif field.number in names and field.stop > field.start:
                metadata[names[field.number]] = self._walk.text(field)
            elif field.number in (1, 5) and field.value:
                metadata["IR version" if field.number == 1 else "model version"] = protobuf.signed(field.value)
        if graph is None:
            raise FormatError("holds no ONNX graph", self._walk.name, "cut off?")
        return Model(graph, tuple(functions), {**metadata, "opsets": opsets, "properties": properties})

    def attributes(self, node: Node) -> dict[str, Any]:
        """Those of a node that are numbers, texts or lists of a few of them, by name; None for others."""
        if self._last[0] is not node:
            self._last = (node, dict(self._attribute(f) for f in node.attributes))
        return self._last[1]

    def _attribute(self, field: Field) -> tuple[str, Any]:
        """Name and value of an attribute that is a number, a text or a list of a few of them; None for others."""
        name = ""
        found: float | int | str | None = None
        many: list[Any] = []
        for f in self._walk.fields(field.start, field.stop):
            if f.number == 1:
                name = self._walk.text(f)
            elif f.number == 2 and f.wire == FIXED32:
                found = protobuf.float32(f.value)
            elif f.number == 3 and f.wire == VARINT:
                found = protobuf.signed(f.value)
            elif f.number == 4 and f.wire == LEN:
                found = self._walk.text(f)
            elif f.number == 7 and f.wire == FIXED32 and len(many) < MAX_PROPERTIES:
                many.append(protobuf.float32(f.value))
            elif f.number == 8 and len(many) < MAX_PROPERTIES:
                many += protobuf.integers(self._walk, f)[:MAX_PROPERTIES]
        return name, many or found

    def _graph(self, field: Field, depth: int) -> Graph:
        if depth > MAX_NESTING:
            raise FormatError(f"has more than {MAX_NESTING} graphs in one another", self._walk.name)
        name = ""
        nodes: list[Node] = []
        tensors: list[StoredTensor] = []
        values: dict[int, list[dict[str, Any]]] = {11: [], 12: []}
        walk = self._walk
        for f in walk.fields(field.start, field.stop) if depth else walk.outline(field.start, field.stop):
            if f.number == 1 and not walk.is_exhausted:
                walk.charge(NODE)
                nodes.append(self._node(f, depth))
            elif f.number == 2:
                name = walk.text(f)
            elif f.number in (5, 15):
                tensor = read_tensor(walk, f) if f.number == 5 else read_sparse(walk, f)
                if tensor is not None:
                    tensors.append(tensor)
            elif f.number in values and depth == 0 and len(values[f.number]) < MAX_PROPERTIES:
                values[f.number].append(value_info(walk, f))
        return Graph(name, tuple(nodes), tuple(tensors), tuple(values[11]), tuple(values[12]))

    def _function(self, field: Field) -> Graph:
        name = domain = ""
        nodes: list[Node] = []
        for f in self._walk.fields(field.start, field.stop):
            if f.number == 1:
                name = self._walk.text(f)
            elif f.number == 7:
                nodes.append(self._node(f, 1))
            elif f.number == 10:
                domain = self._walk.text(f)
        return Graph(f"{domain}.{name}".lstrip("."), tuple(nodes), ())

    def _node(self, field: Field, depth: int) -> Node:
        name = op = ""
        inputs: list[str] = []
        outputs: list[str] = []
        attributes: list[Field] = []
        tensors: list[tuple[str, StoredTensor]] = []
        graphs: list[tuple[str, Graph]] = []
        for f in self._walk.fields(field.start, field.stop):
            if f.number == 1:
                inputs.append(self._walk.text(f))
            elif f.number == 2:
                outputs.append(self._walk.text(f))
            elif f.number == 3:
                name = self._walk.text(f)
            elif f.number == 4:
                op = self._walk.text(f)
            elif f.number == 5 and not self._heavy_attribute(f, depth, tensors, graphs):
                attributes.append(f)
        return Node(op, name, tuple(inputs), tuple(outputs), tuple(attributes), tuple(tensors), tuple(graphs))

    def _heavy_attribute(
        self, field: Field, depth: int, tensors: list[tuple[str, StoredTensor]], graphs: list[tuple[str, Graph]]
    ) -> bool:
        """Take in an attribute if it holds tensors or graphs; whether it does."""
        name, found = "", False
        for f in self._walk.fields(field.start, field.stop):
            if f.number == 1:
                name = self._walk.text(f)
            elif f.wire != LEN:
                continue
            elif f.number in (5, 10):
                tensor = read_tensor(self._walk, f)
                tensors += [(name, tensor)] if tensor is not None else []
                found = True
            elif f.number in (22, 23):
                tensor = read_sparse(self._walk, f)
                tensors += [(name, tensor)] if tensor is not None else []
                found = True
            elif f.number in (6, 11):
                graphs.append((name, self._graph(f, depth + 1)))
                found = True
        return found
