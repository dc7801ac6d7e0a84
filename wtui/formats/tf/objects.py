"""Object graphs: which object held which variable under which attribute when a checkpoint or SavedModel was written.

Read from `TrackableObjectGraph` (tensorflow/core/protobuf/trackable_object_graph.proto) and `SavedObjectGraph`
(saved_object_graph.proto), whose nodes have the same numbers. Knows the records, not what the objects are for.
"""

from __future__ import annotations

from typing import NamedTuple

from wtui.errors import FormatError
from wtui.formats.protobuf import LEN, Field, message, varint

__all__ = ["Attribute", "ObjectNode", "SavedVariable", "Slot", "parse_object_graph", "parse_saved_objects"]

MAX_NODES = 250_000
"""Objects of one graph; a model of a thousand layers has some ten thousand."""

MAX_EDGES = 500_000
"""References between them."""


class Attribute(NamedTuple):
    """A value that an object saved: a variable has one called VARIABLE_VALUE."""

    name: str
    full_name: str
    """The variable's own name (`dense/kernel`), `""` for anything else."""
    key: str
    """Under which the value stands in the checkpoint; of a table, the beginning of two keys."""


class Slot(NamedTuple):
    """A variable that an optimizer keeps for another one."""

    of: int
    name: str
    variable: int


class SavedVariable(NamedTuple):
    """What a SavedModel records of a variable."""

    name: str
    trainable: bool


class ObjectNode:
    """An object: what it refers to, and what it saved."""

    __slots__ = ("attributes", "children", "constant", "identifier", "metadata", "slots", "variable")

    def __init__(self) -> None:
        self.children: list[tuple[str, int]] = []
        """(attribute name, number of the node), in the order of the file."""
        self.attributes: list[Attribute] = []
        self.slots: list[Slot] = []
        self.identifier = ""
        """What kind of object a SavedModel says it is (`_tf_keras_layer`)."""
        self.metadata = ""
        """JSON that Keras 2 records beside the identifier."""
        self.variable: SavedVariable | None = None
        self.constant = ""
        """Name of the operation that holds a constant's value."""


def parse_object_graph(data: bytes) -> list[ObjectNode]:
    """The nodes of a TrackableObjectGraph; FormatError if it is damaged."""
    return _Parser(data, saved=False).nodes()


def parse_saved_objects(data: bytes) -> list[ObjectNode]:
    """The nodes of a SavedObjectGraph; FormatError if it is damaged."""
    return _Parser(data, saved=True).nodes()


class _Parser:
    def __init__(self, data: bytes, saved: bool) -> None:
        self._data = data
        self._saved = saved
        self._names: dict[bytes, str] = {}
        self._edges = 0

    def nodes(self) -> list[ObjectNode]:
        found: list[ObjectNode] = []
        for field in message(self._data):
            if field.number == 1 and field.wire == LEN:
                found.append(self._node(field))
                if len(found) > MAX_NODES:
                    raise FormatError(f"its object graph has more than {MAX_NODES:,} objects")
        count = len(found)
        for node in found:
            node.children = [(name, child) for name, child in node.children if child < count]
        return found

    def _node(self, field: Field) -> ObjectNode:
        node = ObjectNode()
        for f in message(self._data, field.start, field.stop):
            if f.wire != LEN:
                continue
            if f.number == 1:
                node.children.append(self._reference(f))
            elif f.number == 3:
                node.slots.append(self._slot(f))
            elif not self._saved and f.number == 2:
                node.attributes.append(self._attribute(f))
            elif self._saved and f.number == 4:
                found = {g.number: g for g in message(self._data, f.start, f.stop)}
                node.identifier = self._text(found.get(1))
                node.metadata = self._text(found.get(3))
            elif self._saved and f.number == 7:
                node.variable = self._variable(f)
            elif self._saved and f.number == 9:
                node.constant = self._text(next(message(self._data, f.start, f.stop), None))
        return node

    def _reference(self, field: Field) -> tuple[str, int]:
        """{1 node_id, 2 local_name}: the commonest record by far, so that its usual form is read without detours."""
        self._edges += 1
        if self._edges > MAX_EDGES:
            raise FormatError(f"its object graph has more than {MAX_EDGES:,} references")
        child, name = 0, b""
        data, at = self._data, field.start
        try:
            while at < field.stop:
                tag = data[at]
                value, at = varint(data, at + 1)
                if tag == 0x08:
                    child = value
                elif tag == 0x12 and at + value <= field.stop:
                    name, at = data[at : at + value], at + value
                else:
                    raise ValueError
        except (IndexError, ValueError):
            raise FormatError("its object graph is damaged") from None
        known = self._names.get(name)
        if known is None:
            known = self._names[name] = name.decode("utf-8", "replace")
        return known, child

    def _attribute(self, field: Field) -> Attribute:
        found = {f.number: f for f in message(self._data, field.start, field.stop)}
        return Attribute(*(self._text(found.get(number)) for number in (1, 2, 3)))

    def _slot(self, field: Field) -> Slot:
        found = {f.number: f for f in message(self._data, field.start, field.stop)}
        of, variable = (found[n].value if n in found else 0 for n in (1, 3))
        return Slot(of, self._text(found.get(2)), variable)

    def _variable(self, field: Field) -> SavedVariable:
        found = {f.number: f for f in message(self._data, field.start, field.stop)}
        return SavedVariable(self._text(found.get(6)), 3 in found and found[3].value == 1)

    def _text(self, field: Field | None) -> str:
        if field is None or field.wire != LEN:
            return ""
        return self._data[field.start : field.stop].decode("utf-8", "replace")
