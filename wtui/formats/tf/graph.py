"""GraphDef: operations, and the values that lie in those called Const, wherever their bytes are.

From tensorflow/core/framework/graph.proto, node_def.proto and tensor.proto. A value is either the bytes themselves
(`tensor_content`) or a list of numbers, of which the last stands for all that are missing. Knows no roles.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from functools import partial
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from wtui.errors import FormatError
from wtui.formats.boxes import cut
from wtui.formats.protobuf import FIXED32, FIXED64, LEN, VARINT, Field, fields, message, signed, text, varint
from wtui.formats.tf.dtypes import DT_STRING, OPAQUE, dtype_name
from wtui.model import DTYPE_BITS, RAW, Extent, Part, TensorEntry

if TYPE_CHECKING:
    from wtui.storage import Source

__all__ = ["Constant", "Node", "constant_entry", "graph_nodes", "read_constant"]

SMALL = 4096
"""Bytes of an operation that is read in one go."""

MAX_RANK = 254
MAX_PIECES = 100_000
"""Separate runs of bytes that one list of numbers may be made of: usually one."""

MAX_SPLAT = 1 << 32
"""Values that a single stored one may stand for."""

MAX_REPEATED = 1 << 24
"""The same where several are stored."""

CONTENT = 4
VALUES = {
    5: FIXED32, 6: FIXED64, 7: VARINT, 9: FIXED32, 10: VARINT, 11: VARINT, 12: FIXED64, 13: VARINT, 16: VARINT,
    17: VARINT,
}  # fmt: skip
"""Fields of TensorProto that hold numbers, and how: float, double, int, complex64, int64, bool, complex128, half,
uint32, uint64."""

FLOAT8 = 18
"""The field that holds values of a byte each."""


class Node(NamedTuple):
    """An operation."""

    name: str
    op: str
    inputs: tuple[str, ...]
    """Names of operations, with `:1` behind them for another output than the first."""
    value: Field | None
    """The TensorProto of a constant."""


class Constant(NamedTuple):
    """The value of a constant: what it is, and where it lies."""

    dtype: int
    shape: tuple[int, ...]
    content: Field | None
    values: tuple[Field, ...]
    """Runs of numbers, where there is no content."""


def graph_nodes(source: Source, graph: Field, wanted: Container[str], functions: bool = True) -> Iterator[Node]:
    """The operations of a GraphDef in its order, then those of its functions, called `function/name`.

    Inputs are only told of the kinds that are `wanted`: most operations of a graph are of no interest.
    """
    reader = _Reader(source, wanted)
    libraries: list[Field] = []
    for field in fields(source, graph.start, graph.stop):
        if field.number == 1 and field.wire == LEN:
            yield reader.node(field, "")
        elif field.number == 2 and field.wire == LEN and functions:
            libraries.append(field)
    for library in libraries:
        for function in fields(source, library.start, library.stop):
            if function.number == 1 and function.wire == LEN:
                yield from reader.function(function)


class _Reader:
    """Reads operations, of which a graph has many and most are small: those in one go."""

    def __init__(self, source: Source, wanted: Container[str]) -> None:
        self._source = source
        self._wanted = wanted

    def function(self, function: Field) -> Iterator[Node]:
        """The operations of a FunctionDef, whose signature comes first."""
        name = ""
        for field in fields(self._source, function.start, function.stop):
            if field.number == 1 and field.wire == LEN:
                signature = fields(self._source, field.start, field.stop)
                name = next((text(self._source, f) for f in signature if f.number == 1 and f.wire == LEN), "")
            elif field.number == 3 and field.wire == LEN:
                yield self.node(field, f"{name}/")

    def node(self, field: Field, scope: str) -> Node:
        """A NodeDef; of its attributes only a constant's value is looked for."""
        size = field.stop - field.start
        if size <= SMALL:
            data = self._source.read(field.start, size)
            return self._collect(
                message(data), lambda f: data[f.start : f.stop].decode("utf-8", "replace"), field.start, scope
            )
        return self._collect(fields(self._source, field.start, field.stop), partial(text, self._source), 0, scope)

    def _collect(self, found: Iterator[Field], read: Callable[[Field], str], base: int, scope: str) -> Node:
        """A node from its fields, whose offsets count from `base`."""
        name = op = ""
        inputs: list[str] = []
        value = None
        for f in found:
            if f.wire != LEN:
                continue
            if f.number == 1:
                name = read(f)
            elif f.number == 2:
                op = read(f)
                if op != "Const" and op not in self._wanted:
                    break
            elif f.number == 3:
                inputs.append(scope + read(f))
            elif f.number == 5 and op == "Const" and value is None:
                value = _attribute(self._source, f._replace(start=f.start + base, stop=f.stop + base))
        return Node(scope + name, op, tuple(inputs), value)


def _attribute(source: Source, field: Field) -> Field | None:
    """The tensor of an attribute called `value`, else None."""
    named, found = False, None
    for f in fields(source, field.start, field.stop):
        if f.number == 1 and f.wire == LEN:
            named = f.stop - f.start == 5 and source.read(f.start, 5) == b"value"
        elif f.number == 2 and f.wire == LEN and named:
            found = next((g for g in fields(source, f.start, f.stop) if g.number == 8 and g.wire == LEN), None)
    return found


def read_constant(source: Source, field: Field) -> Constant:
    """A TensorProto; its numbers are not read."""
    dtype = 0
    shape: tuple[int, ...] = ()
    content, values = None, []
    for f in fields(source, field.start, field.stop):
        if f.number == 1:
            dtype = f.value
        elif f.number == 2 and f.wire == LEN:
            shape = _shape(source, f)
        elif f.number == CONTENT and f.wire == LEN:
            content = f if f.stop > f.start else content
        elif (f.number in VALUES and f.wire in (VALUES[f.number], LEN)) or f.number == FLOAT8:
            values.append(f)
            if len(values) > MAX_PIECES:
                raise FormatError(f"a constant in more than {MAX_PIECES:,} pieces", source.name)
    return Constant(dtype, shape, content, tuple(values))


def _shape(source: Source, field: Field) -> tuple[int, ...]:
    dims: list[int] = []
    for f in fields(source, field.start, field.stop):
        if f.number == 2 and f.wire == LEN:
            dims.append(next((signed(g.value) for g in fields(source, f.start, f.stop) if g.number == 1), 0))
            if len(dims) > MAX_RANK:
                raise FormatError("a shape of too many axes", source.name)
    return tuple(dims)


def constant_entry(source: Source, constant: Constant, name: str, file: int) -> TensorEntry:
    """The constant as a tensor of the catalogue's file `file`, with its problem where it cannot be decoded."""
    dtype = dtype_name(constant.dtype)
    entry = TensorEntry(name, "", name.rpartition("/")[2], constant.shape, dtype, ())
    bits = DTYPE_BITS.get(dtype)
    if dtype in OPAQUE or bits is None:
        what = "text" if constant.dtype == DT_STRING else f"values of type {dtype}"
        return entry._replace(problem=f"holds {what}, no numbers", group="state")
    if not entry.size:
        return entry
    encoding = RAW if bits >= 8 else "padded"
    if constant.content is not None:
        return _stored(entry, [_extent(file, constant.content)], max(bits, 8), encoding)
    if not constant.values:
        return entry._replace(problem="the graph holds no value for it")
    kind = VALUES.get(constant.values[0].number, LEN)
    extents = [_extent(file, f) for f in constant.values]
    if kind == VARINT:
        return _integers(source, entry, constant.values, extents)
    return _stored(entry, extents, max(bits, 8), encoding, source)


def _extent(file: int, field: Field) -> Extent:
    return Extent(file, field.start, field.stop - field.start)


def _stored(
    entry: TensorEntry, extents: list[Extent], bits: int, encoding: str, source: Source | None = None
) -> TensorEntry:
    """Values as they are in memory: all of them, one for all, or some with the last one repeated."""
    stored = sum(e.length for e in extents) * 8
    parts = tuple(Part(e) for e in extents)
    if stored >= entry.size * bits or stored % bits or source is None or not stored:
        return entry._replace(parts=parts, encoding=encoding)
    if stored == bits:
        return _splat(entry, source.read(extents[0].offset, extents[0].length))
    if entry.size > MAX_REPEATED or len(extents) > 1:
        return entry._replace(problem=_repeats(entry, stored // bits))
    return entry._replace(parts=parts, encoding="repeated")


def _integers(source: Source, entry: TensorEntry, values: tuple[Field, ...], extents: list[Extent]) -> TensorEntry:
    """Numbers of variable length: counted only where the bytes leave it open whether there is more than one."""
    if len(values) == 1 and values[0].wire == VARINT:
        return _splat_integer(entry, values[0].value)
    if len(extents) > 1:
        return entry._replace(problem=f"its numbers are stored in {len(extents):,} pieces")
    extent = extents[0]
    if extent.length <= 10:
        first, at = varint(source.read(extent.offset, extent.length) + b"\0", 0)
        if at >= extent.length:
            return _splat_integer(entry, first)
    if extent.length < entry.size:
        return entry._replace(problem=_repeats(entry, None))
    return entry._replace(parts=(Part(extent),), encoding="protobuf-varints")


def _splat_integer(entry: TensorEntry, value: int) -> TensorEntry:
    """One integer for all; of halves and truth values it is the pattern of their bits."""
    size = max(DTYPE_BITS[entry.dtype], 8) // 8
    value = int(value != 0) if entry.dtype == "bool" else value
    return _splat(entry, (value & ((1 << 8 * size) - 1)).to_bytes(size, "little"))


def _splat(entry: TensorEntry, value: bytes) -> TensorEntry:
    """One value for all, in boxes that are small enough to be made at once."""
    if entry.size > MAX_SPLAT or min(entry.shape, default=1) < 0:
        return entry._replace(problem=f"one value stands for {entry.size:,}, which is more than wtui expands")
    whole = Extent(0, 0, entry.size * len(value))
    boxes = cut(whole, (0,) * len(entry.shape), entry.shape, len(value) * 8)
    parts = tuple(box._replace(extent=Extent(0, 0, 0)) for box in boxes)
    return entry._replace(parts=parts, encoding="fill", encoding_args=(("fill", value),))


def _repeats(entry: TensorEntry, count: int | None) -> str:
    stored = "some" if count is None else f"{count:,}"
    return f"{stored} of its {prod(entry.shape):,} values are stored and the last one repeated, which is not decoded"
