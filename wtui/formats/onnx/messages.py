"""The messages of an ONNX file that wtui needs, read where they lie: graphs, nodes, tensors without their values.

Field numbers are those of `onnx.proto` (github.com/onnx/onnx). Payloads of tensors are stepped over; what a node does
with a tensor is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from wtui.errors import FormatError
from wtui.formats import protobuf
from wtui.formats.protobuf import FIXED32, LEN, VARINT, Field

if TYPE_CHECKING:
    from wtui.storage import Source

__all__ = ["Graph", "Model", "Node", "Reader", "StoredTensor"]

MAX_FIELDS = 700_000
"""Fields that are looked at in one file: a model of 10,000 nodes has some hundred thousand; these take 2 s."""

WINDOW = 8192
"""Bytes that are read at once."""

MAX_NESTING = 32
"""Graphs in nodes of graphs."""

MAX_TEXT = 1 << 12
"""Characters of a documentation string that are kept."""

MAX_AXES = 64
"""Axes of a tensor."""

MAX_PROPERTIES = 1000
"""Entries of the metadata, inputs and outputs that are kept."""


class StoredTensor(NamedTuple):
    """A TensorProto, with the places of its values instead of them."""

    name: str
    shape: tuple[int, ...]
    type: int
    """Number of the element type (`TensorProto.DataType`)."""
    raw: tuple[Field, ...] = ()
    """The fields `raw_data`: there is at most one."""
    typed: tuple[Field, ...] = ()
    """The fields `float_data`, `int32_data`, `int64_data`, `double_data` or `uint64_data`, packed or one by one."""
    text: bool = False
    """Whether it holds strings."""
    external: tuple[tuple[str, str], ...] | None = None
    """Keys and values of `external_data`, where the values are in another file."""
    segmented: bool = False
    sparse: bool = False
    """Whether it stands for the values of a SparseTensorProto, whose dense shape is then `shape`."""


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


class _Window:
    """The part of a source that was read last: messages lie in one another, and are read in order by one thread."""

    def __init__(self, source: Source) -> None:
        self.name = source.name
        self.size = source.size
        self._source = source
        self._start = 0
        self._data = b""

    def read(self, offset: int, length: int) -> bytes:
        """The bytes `offset : offset + length`."""
        at = offset - self._start
        if at < 0 or at + length > len(self._data):
            if length > WINDOW:
                return self._source.read(offset, length)
            self._start, at = offset, 0
            self._data = self._source.read(offset, min(WINDOW, self.size - offset))
        return self._data[at : at + length]


class Reader:
    """Reads messages from one file; every method takes the bytes of a message, half-open."""

    def __init__(self, source: Source, *, cut: bool = False) -> None:
        """`cut`: the file was cut off, so that messages may end with it."""
        self._source = cast("Source", _Window(source))
        self._left = MAX_FIELDS
        self._cut = cut

    @property
    def is_exhausted(self) -> bool:
        """Whether the file has more fields than are looked at."""
        return self._left < 0

    def model(self) -> Model:
        """The ModelProto that is the file. FormatError if it has no graph."""
        graph: Graph | None = None
        functions: list[Graph] = []
        metadata: dict[str, Any] = {}
        opsets: dict[str, int] = {}
        properties: dict[str, str] = {}
        names = {2: "producer", 3: "producer version", 4: "domain", 6: "documentation"}
        for field in self._fields(0, self._source.size):
            if field.number == 7:
                graph = self._graph(field, 0)
            elif field.number == 25:
                functions.append(self._function(field))
            elif field.number == 8:
                domain, version = self._opset(field)
                opsets[domain or "ai.onnx"] = version
            elif field.number == 14 and len(properties) < MAX_PROPERTIES:
                key, value = self._pair(field)
                properties[key] = value
            elif field.number in names and field.stop > field.start:
                metadata[names[field.number]] = self._text(field)
            elif field.number in (1, 5) and field.value:
                metadata["IR version" if field.number == 1 else "model version"] = protobuf.signed(field.value)
        if graph is None:
            raise FormatError("holds no ONNX graph", self._source.name, "cut off?")
        return Model(graph, tuple(functions), {**metadata, "opsets": opsets, "properties": properties})

    def attribute(self, field: Field) -> tuple[str, Any]:
        """Name and value of an attribute that is a number, a text or a list of a few of them; None for others."""
        name = ""
        found: float | int | str | None = None
        many: list[Any] = []
        for f in self._fields(field.start, field.stop):
            if f.number == 1:
                name = self._text(f)
            elif f.number == 2 and f.wire == FIXED32:
                found = protobuf.float32(f.value)
            elif f.number == 3 and f.wire == VARINT:
                found = protobuf.signed(f.value)
            elif f.number == 4 and f.wire == LEN:
                found = self._text(f)
            elif f.number == 7 and f.wire == FIXED32 and len(many) < MAX_PROPERTIES:
                many.append(protobuf.float32(f.value))
            elif f.number == 8 and len(many) < MAX_PROPERTIES:
                many += protobuf.integers(self._source, f)[:MAX_PROPERTIES]
        return name, many or found

    def _fields(self, start: int, stop: int) -> Iterator[Field]:
        """The fields of a message; none once the file has had its share of them."""
        for field in protobuf.fields(self._source, start, stop, cut=self._cut):
            self._left -= 1
            if self._left < 0:
                return
            yield field

    def _graph(self, field: Field, depth: int) -> Graph:
        if depth > MAX_NESTING:
            raise FormatError(f"has more than {MAX_NESTING} graphs in one another", self._source.name)
        name = ""
        nodes: list[Node] = []
        tensors: list[StoredTensor] = []
        values: dict[int, list[dict[str, Any]]] = {11: [], 12: []}
        for f in self._fields(field.start, field.stop):
            if f.number == 1:
                nodes.append(self._node(f, depth))
            elif f.number == 2:
                name = self._text(f)
            elif f.number == 5:
                tensors.append(self._tensor(f))
            elif f.number == 15:
                tensors.append(self._sparse(f))
            elif f.number in values and depth == 0 and len(values[f.number]) < MAX_PROPERTIES:
                values[f.number].append(self._value_info(f))
        whole = slice(0, -1 if self.is_exhausted and tensors else None)
        return Graph(name, tuple(nodes), tuple(tensors[whole]), tuple(values[11]), tuple(values[12]))

    def _function(self, field: Field) -> Graph:
        name = domain = ""
        nodes: list[Node] = []
        for f in self._fields(field.start, field.stop):
            if f.number == 1:
                name = self._text(f)
            elif f.number == 7:
                nodes.append(self._node(f, 1))
            elif f.number == 10:
                domain = self._text(f)
        return Graph(f"{domain}.{name}".lstrip("."), tuple(nodes), ())

    def _node(self, field: Field, depth: int) -> Node:
        name = op = ""
        inputs: list[str] = []
        outputs: list[str] = []
        attributes: list[Field] = []
        tensors: list[tuple[str, StoredTensor]] = []
        graphs: list[tuple[str, Graph]] = []
        for f in self._fields(field.start, field.stop):
            if f.number == 1:
                inputs.append(self._text(f))
            elif f.number == 2:
                outputs.append(self._text(f))
            elif f.number == 3:
                name = self._text(f)
            elif f.number == 4:
                op = self._text(f)
            elif f.number == 5 and not self._heavy_attribute(f, depth, tensors, graphs):
                attributes.append(f)
        return Node(op, name, tuple(inputs), tuple(outputs), tuple(attributes), tuple(tensors), tuple(graphs))

    def _heavy_attribute(
        self, field: Field, depth: int, tensors: list[tuple[str, StoredTensor]], graphs: list[tuple[str, Graph]]
    ) -> bool:
        """Take in an attribute if it holds tensors or graphs; whether it does."""
        name, found = "", False
        for f in self._fields(field.start, field.stop):
            if f.number == 1:
                name = self._text(f)
            elif f.wire != LEN:
                continue
            elif f.number in (5, 10):
                tensors.append((name, self._tensor(f)))
                found = True
            elif f.number in (22, 23):
                tensors.append((name, self._sparse(f)))
                found = True
            elif f.number in (6, 11):
                graphs.append((name, self._graph(f, depth + 1)))
                found = True
        return found

    def _tensor(self, field: Field) -> StoredTensor:
        shape: list[int] = []
        tensor = StoredTensor("", (), 0)
        raw: list[Field] = []
        typed: list[Field] = []
        external: list[tuple[str, str]] = []
        for f in self._fields(field.start, field.stop):
            if f.number == 1:
                shape += protobuf.integers(self._source, f)
            elif f.number == 2:
                tensor = tensor._replace(type=f.value)
            elif f.number == 3:
                tensor = tensor._replace(segmented=True)
            elif f.number in (4, 5, 7, 10, 11):
                typed.append(f)
            elif f.number == 6:
                tensor = tensor._replace(text=True)
            elif f.number == 8:
                tensor = tensor._replace(name=self._text(f))
            elif f.number == 9:
                raw.append(f)
            elif f.number == 13:
                external.append(self._pair(f))
            elif f.number == 14 and f.value == 1:
                tensor = tensor._replace(external=())
        if len(shape) > MAX_AXES:
            raise FormatError(f"describes a tensor of {len(shape):,} axes", self._source.name, "damaged?")
        if tensor.external is not None:
            tensor = tensor._replace(external=tuple(external))
        return tensor._replace(shape=tuple(shape), raw=tuple(raw), typed=tuple(typed))

    def _sparse(self, field: Field) -> StoredTensor:
        values, shape = StoredTensor("", (), 0), []
        for f in self._fields(field.start, field.stop):
            if f.number == 1 and f.wire == LEN:
                values = self._tensor(f)
            elif f.number == 3:
                shape += protobuf.integers(self._source, f)
        return values._replace(shape=tuple(shape[:MAX_AXES]), sparse=True)

    def _value_info(self, field: Field) -> dict[str, Any]:
        """Name, element type and shape of an input or output; axes that vary go by their names, or None."""
        found: dict[str, Any] = {"name": "", "type": 0, "shape": None}
        for f in self._fields(field.start, field.stop):
            if f.number == 1:
                found["name"] = self._text(f)
            elif f.number == 2:
                for kind in self._fields(f.start, f.stop):
                    if kind.number == 1 and kind.wire == LEN:
                        self._tensor_type(kind, found)
        return found

    def _tensor_type(self, field: Field, found: dict[str, Any]) -> None:
        for f in self._fields(field.start, field.stop):
            if f.number == 1:
                found["type"] = f.value
            elif f.number == 2 and f.wire == LEN:
                axes = [a for a in self._fields(f.start, f.stop) if a.number == 1 and a.wire == LEN]
                found["shape"] = [self._axis(a) for a in axes[:MAX_PROPERTIES]]

    def _axis(self, field: Field) -> int | str | None:
        for f in self._fields(field.start, field.stop):
            if f.number == 1 and f.wire == VARINT:
                return protobuf.signed(f.value)
            if f.number == 2:
                return self._text(f)
        return None

    def _opset(self, field: Field) -> tuple[str, int]:
        domain, version = "", 0
        for f in self._fields(field.start, field.stop):
            if f.number == 1:
                domain = self._text(f)
            elif f.number == 2:
                version = protobuf.signed(f.value)
        return domain, version

    def _pair(self, field: Field) -> tuple[str, str]:
        """Key and value of a StringStringEntryProto."""
        pair = ["", ""]
        for f in self._fields(field.start, field.stop):
            if f.number in (1, 2):
                pair[f.number - 1] = self._text(f)
        return pair[0], pair[1]

    def _text(self, field: Field) -> str:
        """The text of a field; of a long one the beginning."""
        if field.wire != LEN:
            return ""
        short = field._replace(stop=min(field.stop, field.start + protobuf.MAX_TEXT))
        text = protobuf.text(self._source, short)
        return text if short.stop == field.stop else text[:MAX_TEXT] + "..."
