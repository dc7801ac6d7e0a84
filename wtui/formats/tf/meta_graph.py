"""MetaGraphDef, what TensorFlow records beside a graph: the `.meta` of a TensorFlow 1 checkpoint, a SavedModel's body.

From tensorflow/core/protobuf/meta_graph.proto. The graph and the objects in it are only located here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.errors import FormatError
from wtui.formats.protobuf import LEN, Field, blob, fields, message, signed, text
from wtui.formats.tf.dtypes import dtype_name

if TYPE_CHECKING:
    from wtui.storage import Source

__all__ = ["MetaGraph", "read_meta_graph"]

MAX_ITEMS = 200_000
"""Variables, signatures or tensors of one graph that are taken."""

MAX_DEFINITION = 1 << 20
"""Bytes of the definition of one variable."""

INTERNAL = "__saved_model"
"""What the names of signatures begin with that only TensorFlow calls."""

VARIABLES, TRAINED = ("variables", "model_variables"), ("trainable_variables",)
"""Collections of TensorFlow 1 that list variables in the order in which the program made them."""


class MetaGraph(NamedTuple):
    """What is known of a graph, and where its large parts lie."""

    tags: tuple[str, ...]
    version: str
    """Of the TensorFlow that wrote it, `""` where it is not recorded."""
    signatures: dict[str, Any]
    assets: tuple[str, ...]
    graph: Field | None
    objects: Field | None
    order: tuple[str, ...]
    """Names of variables as they were made, partitioned ones once; empty without collections."""
    trained: frozenset[str] | None
    """Those that the program trains; None where it does not say."""


def read_meta_graph(source: Source, start: int, stop: int) -> MetaGraph:
    """The MetaGraphDef in the bytes `start:stop`; FormatError if it is damaged."""
    tags: list[str] = []
    assets: list[str] = []
    signatures: dict[str, Any] = {}
    collections: dict[str, list[str]] = {}
    version, graph, objects = "", None, None
    for field in fields(source, start, stop):
        if field.wire != LEN:
            continue
        if field.number == 1:
            tags, version = _info(source, field)
        elif field.number == 2:
            graph = field
        elif field.number == 4:
            _collect(source, field, collections)
        elif field.number == 5 and len(signatures) < MAX_ITEMS:
            name, value = _pair(source, field)
            if not name.startswith(INTERNAL):
                signatures[name] = _signature(source, value) if value else {}
        elif field.number == 6 and len(assets) < MAX_ITEMS:
            assets += [text(source, f) for f in fields(source, field.start, field.stop) if f.number == 2]
        elif field.number == 7:
            objects = field
    order, trained = _listed(collections, (*VARIABLES, *TRAINED)), frozenset(_listed(collections, TRAINED))
    facts = (tuple(tags), version, signatures, tuple(assets), graph, objects)
    return MetaGraph(*facts, order, trained if collections else None)


def _listed(collections: Mapping[str, Sequence[str]], keys: Sequence[str]) -> tuple[str, ...]:
    """The names of several collections, each once."""
    return tuple(dict.fromkeys(name for key in keys for name in collections.get(key, ())))


def _info(source: Source, field: Field) -> tuple[list[str], str]:
    """Tags and version of a MetaInfoDef; the list of operations in it is skipped."""
    tags: list[str] = []
    version = ""
    for f in fields(source, field.start, field.stop):
        if f.number == 4 and f.wire == LEN and len(tags) < MAX_ITEMS:
            tags.append(text(source, f))
        elif f.number == 5 and f.wire == LEN:
            version = text(source, f)
    return tags, version


def _pair(source: Source, field: Field) -> tuple[str, Field | None]:
    """An entry of a map: its key, and where its value lies."""
    key, value = "", None
    for f in fields(source, field.start, field.stop):
        if f.number == 1 and f.wire == LEN:
            key = text(source, f)
        elif f.number == 2 and f.wire == LEN:
            value = f
    return key, value


def _collect(source: Source, field: Field, found: dict[str, list[str]]) -> None:
    """The variables of a collection that is of interest."""
    key, value = _pair(source, field)
    if value is None or key not in (*VARIABLES, *TRAINED):
        return
    for kind in fields(source, value.start, value.stop):
        if kind.number == 2 and kind.wire == LEN:
            definitions = (f for f in fields(source, kind.start, kind.stop) if f.number == 1 and f.wire == LEN)
            names = dict.fromkeys(_variable(blob(source, f, MAX_DEFINITION)) for f in _bounded(definitions))
            found[key] = [name for name in names if name]


def _bounded(found: Iterator[Field]) -> Iterator[Field]:
    for number, field in enumerate(found):
        if number >= MAX_ITEMS:
            raise FormatError(f"a collection of more than {MAX_ITEMS:,} variables")
        yield field


def _variable(data: bytes) -> str:
    """The name under which a VariableDef is saved: of a slice that of the whole variable, without `:0`."""
    name = whole = ""
    for f in message(data):
        if f.number == 1 and f.wire == LEN:
            name = data[f.start : f.stop].decode("utf-8", "replace")
        elif f.number == 4 and f.wire == LEN:
            for g in message(data, f.start, f.stop):
                if g.number == 1 and g.wire == LEN:
                    whole = data[g.start : g.stop].decode("utf-8", "replace")
    return (whole or name).partition(":")[0]


def _signature(source: Source, field: Field) -> dict[str, Any]:
    """A SignatureDef as plain data."""
    found: dict[str, Any] = {"inputs": {}, "outputs": {}}
    for f in fields(source, field.start, field.stop):
        if f.number in (1, 2) and f.wire == LEN:
            name, value = _pair(source, f)
            side = found["inputs" if f.number == 1 else "outputs"]
            if value is not None and len(side) < MAX_ITEMS:
                side[name] = _tensor_info(source, value)
        elif f.number == 3 and f.wire == LEN:
            found["method"] = text(source, f)
    return found


def _tensor_info(source: Source, field: Field) -> dict[str, Any]:
    """Name, dtype and shape of a TensorInfo; None stands for an axis, or a rank, that is not fixed."""
    found: dict[str, Any] = {"name": "", "dtype": "", "shape": None}
    for f in fields(source, field.start, field.stop):
        if f.number == 1 and f.wire == LEN:
            found["name"] = text(source, f)
        elif f.number == 2:
            found["dtype"] = dtype_name(f.value)
        elif f.number == 3 and f.wire == LEN:
            found["shape"] = _shape(source, f)
    return found


def _shape(source: Source, field: Field) -> list[int | None] | None:
    dims: list[int | None] = []
    for f in fields(source, field.start, field.stop):
        if f.number == 3 and f.value:
            return None
        if f.number == 2 and f.wire == LEN and len(dims) < MAX_ITEMS:
            size = next((signed(g.value) for g in fields(source, f.start, f.stop) if g.number == 1), 0)
            dims.append(None if size < 0 else size)
    return dims
