"""Frozen graphs of TensorFlow: a GraphDef whose variables were turned into constants (`frozen.pb`).

Nothing says what is trained; layers are the scopes of the constants' names, roles come from the operations that take
them. Knows where a graph's constants hang in a tree; what they are is `wtui.formats.tf.constants`.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from wtui.errors import FormatError, WtuiError
from wtui.formats.protobuf import LEN, Field, fields, signed, text
from wtui.formats.tf.constants import CONSTANTS, GraphTensors, read_graph
from wtui.formats.tf.tree import Branch, hang
from wtui.model import Catalogue, LayerNode, Notice
from wtui.storage import file_ref

if TYPE_CHECKING:
    from wtui.formats.probe import Probe
    from wtui.storage import Source

__all__ = ["catalogue", "name_classes", "sniff"]

_OPERATION = re.compile(r"[A-Za-z_][A-Za-z0-9_>]*\Z")
_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*\Z")

MAX_OPERATIONS = 200
"""Kinds of operations that the metadata counts."""


def sniff(probe: Probe) -> bool:
    """A first field that is an operation: a name and a kind, as TensorFlow allows them."""
    if not probe.is_file or not probe.head.startswith(b"\x0a"):
        return False
    source = probe.source
    try:
        first = next(fields(source, 0, source.size))
        node = fields(source, first.start, first.stop)
        name, op = next(node), next(node)
        if first.number != 1 or (name.number, op.number) != (1, 2) or name.wire != LEN or op.wire != LEN:
            return False
        return bool(_NAME.match(text(source, name)) and _OPERATION.match(text(source, op)))
    except (WtuiError, StopIteration):
        return False


def catalogue(probe: Probe) -> Catalogue:
    """The constants of a graph; FormatError if it is damaged or holds none."""
    source = probe.source
    stop = _end_of_whole_fields(probe)
    found = read_graph(source, Field(0, LEN, 0, 0, stop), 0)
    if not found.operations:
        raise FormatError("holds no operations", probe.path)
    root = LayerNode(os.path.basename(probe.path), "")
    branches = [Branch(CONSTANTS, "", found.others)] if found.others else []
    tensors = hang(root, found.weights, branches)
    name_classes(root, found.classes)
    missing = _missing(found)
    notices = [*found.notices, *([Notice("", missing)] if missing else [])]
    if stop < source.size:
        text = f"the file was cut off, or is damaged: it cannot be read from byte {stop:,} on"
        notices.append(Notice("", text, lost=True))
    files = (file_ref(probe.file),)
    return Catalogue(probe.path, "TensorFlow graph", files, tensors, root, _metadata(source, found, stop), notices)


def _end_of_whole_fields(probe: Probe) -> int:
    """Where the last operation ends that is whole: the end of the file, unless it was cut off."""
    stop = 0
    try:
        for field in fields(probe.source, 0, probe.file.size):
            stop = field.stop
    except FormatError:
        return stop
    return probe.file.size


def name_classes(root: LayerNode, classes: dict[str, str]) -> None:
    """Give layers the operation that takes their kernel."""
    for node in root.walk():
        if node.path in classes:
            node.class_name = classes[node.path]


def _missing(found: GraphTensors) -> str:
    """What the graph lacks, or `""`."""
    variables = sum(found.operations.get(op, 0) for op in ("Variable", "VariableV2", "VarHandleOp"))
    if variables:
        return f"the graph has {variables:,} variables, whose values lie in a checkpoint and not in it"
    return "" if found.weights else "the graph holds no weights"


def _metadata(source: Source, found: GraphTensors, stop: int) -> dict[str, Any]:
    """Counts of operations, and the version of the graph's format."""
    common = sorted(found.operations.items(), key=lambda item: -item[1])[:MAX_OPERATIONS]
    facts: dict[str, Any] = {"operations": dict(common)}
    for field in fields(source, 0, stop):
        if field.number == 4 and field.wire == LEN:
            facts["producer"] = next(
                (signed(f.value) for f in fields(source, field.start, field.stop) if f.number == 1), 0
            )
    if found.texts:
        facts["texts"] = found.texts
    return facts
