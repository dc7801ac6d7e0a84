"""The constants of a graph as tensors: weights where a program was frozen, and what is none of them.

Constants that are no weights (shapes, axes, factors) are kept apart. Knows no files beside the graph's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wtui.errors import FormatError
from wtui.formats.tf.dtypes import DT_STRING, is_weight_dtype
from wtui.formats.tf.graph import Constant, Node, constant_entry, graph_nodes, read_constant
from wtui.formats.tf.roles import GUESSES, INITIAL, OPERATIONS, TAKING, scope_of, uses
from wtui.formats.unique import unique_names
from wtui.model import Notice

if TYPE_CHECKING:
    from wtui.formats.protobuf import Field
    from wtui.formats.tf.roles import Use
    from wtui.model import TensorEntry
    from wtui.storage import Source

__all__ = ["CONSTANTS", "GraphTensors", "read_graph"]

CONSTANTS = "constants"
"""The node that holds constants which are no weights."""

MAX_NODES = 200_000
"""Operations of a graph that are read, functions included: 2 s, and more than the largest published graphs have."""

GUESS = "by the operation that takes it"


class GraphTensors(NamedTuple):
    """What the constants of a graph are."""

    weights: list[TensorEntry]
    others: list[TensorEntry]
    """Shapes, axes and factors; their names begin with the node that holds them."""
    classes: dict[str, str]
    """Operation by the layer that it makes: the path of a kernel's name."""
    operations: dict[str, int]
    """How often each operation stands in the graph."""
    texts: int
    """Constants that are texts, which are not listed."""
    notices: list[Notice]


class _Found(NamedTuple):
    name: str
    constant: Constant
    use: Use | None


def read_graph(source: Source, graph: Field, file: int, functions: bool = True) -> GraphTensors:
    """All constants of a GraphDef in its order, those of its functions last; FormatError if it is damaged."""
    kept: list[Node] = []
    raw: list[tuple[str, Constant]] = []
    operations: dict[str, int] = {}
    texts = 0
    notices: list[Notice] = []
    for count, node in enumerate(graph_nodes(source, graph, TAKING, functions)):
        if count == MAX_NODES:
            notices.append(Notice("", f"only the first {MAX_NODES:,} operations of its graph were read", lost=True))
            break
        operations[node.op] = operations.get(node.op, 0) + 1
        if node.value is not None:
            constant = read_constant(source, node.value)
            if constant.dtype == DT_STRING:
                texts += 1
            else:
                raw.append((node.name, constant))
        elif node.inputs:
            kept.append(node)
    known = uses(kept)
    found = [_Found(name, constant, known.get(name)) for name, constant in raw]
    weights = [f for f in found if _is_weight(f)]
    others = [f for f in found if not _is_weight(f)]
    result = GraphTensors([], [], {}, operations, texts, notices)
    for f, name in zip(weights, unique_names(scope_of(f.name) for f in weights), strict=True):
        result.weights.append(_weight(source, f, name, file, result.classes))
    for f, name in zip(others, unique_names(f"{CONSTANTS}/{f.name}" for f in others), strict=True):
        result.others.append(_entry(source, f, name, file)._replace(group="state"))
    return result


def _is_weight(found: _Found) -> bool:
    """A constant that an operation with weights takes, or any array of a type that weights have."""
    constant = found.constant
    if found.use is not None and found.use.role == INITIAL:
        return False
    if found.use is not None and not found.use.guess and constant.shape:
        return True
    return is_weight_dtype(constant.dtype) and bool(constant.shape) and max(constant.shape) > 1


def _weight(source: Source, found: _Found, name: str, file: int, classes: dict[str, str]) -> TensorEntry:
    entry = _entry(source, found, name, file)
    use = found.use
    if use is None:
        return entry
    layer = name.rpartition("/")[0]
    if use.op in OPERATIONS and (use.role.endswith(("kernel", "embeddings")) or layer not in classes):
        classes[layer] = use.op
    return entry._replace(role=use.role, inferred=GUESS if use.op in GUESSES and use.guess else "")


def _entry(source: Source, found: _Found, name: str, file: int) -> TensorEntry:
    try:
        return constant_entry(source, found.constant, name, file)
    except (FormatError, IndexError, ValueError) as error:
        problem = error.what if isinstance(error, FormatError) else "its numbers are damaged"
        return constant_entry(source, found.constant._replace(content=None, values=()), name, file)._replace(
            problem=problem
        )
