"""The records of a TensorFlow Lite file that describe its tensors (tensorflow/lite/schema/schema.fbs, version 3).

Knows the fields of the schema and where bytes lie, not what a tensor is for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from wtui.errors import FormatError
from wtui.formats.flatbuffers import Table, Vector, root
from wtui.formats.tflite.operators import BUILTIN, CUSTOM

if TYPE_CHECKING:
    from wtui.storage import Source

__all__ = ["LiteModel", "Operator", "Quantization", "Subgraph", "Tensor", "read_model"]

DTYPES: Mapping[int, str] = {
    0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 5: "string", 6: "bool", 7: "int16", 8: "complex64",
    9: "int8", 10: "float64", 11: "complex128", 12: "uint64", 13: "resource", 14: "variant", 15: "uint32",
    16: "uint16", 17: "int4", 18: "bfloat16", 19: "int2", 20: "uint4",
}  # fmt: skip

MAX_ITEMS = 100_000
"""Tensors and operations that are taken: 2 s; published models have some thousands."""

MAX_NUMBERS = 4_000_000
"""Numbers in all shapes, lists of inputs and scales together."""

MAX_RANK = 64

BLOCKWISE = 2
"""The kind of quantisation whose scales are a tensor of their own."""


class Quantization(NamedTuple):
    """By which numbers integers stand for real ones: `(q - zero_point) * scale`."""

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int
    block_size: int = 0
    """Values that share a scale along the last axis, where scales are a tensor of their own; else 0."""


class Tensor(NamedTuple):
    """A tensor of a subgraph; without bytes it is a value that is computed."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    offset: int
    length: int
    """0: it holds no values."""
    buffer: int
    quantization: Quantization | None
    sparse: bool


class Operator(NamedTuple):
    """An operation; inputs and outputs are numbers of tensors, -1 for one that is left out."""

    op: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class Subgraph(NamedTuple):
    """A graph of operations: the model's main one, or the body of a loop or branch."""

    name: str
    tensors: list[Tensor]
    operators: list[Operator]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class LiteModel(NamedTuple):
    """What the file holds."""

    version: int
    description: str
    subgraphs: list[Subgraph]
    signatures: dict[str, dict[str, dict[str, str]]]
    metadata: list[str]
    """Names of further data that the file carries."""


def read_model(source: Source) -> LiteModel:
    """The whole description; FormatError or StorageError if it is damaged."""
    model = root(source)
    return _Reader(source, model).model()


class _Reader:
    def __init__(self, source: Source, model: Table) -> None:
        self._source = source
        self._model = model
        self._buffers = model.vector(4)
        self._ops = [self._operation(table) for table in _tables(model.vector(1))]
        self._places: dict[int, tuple[int, int]] = {}
        self._scales: dict[int, tuple[float, ...]] = {}
        self._left = MAX_ITEMS
        self._numbers_left = MAX_NUMBERS

    def model(self) -> LiteModel:
        subgraphs = [self._subgraph(table) for table in _tables(self._model.vector(2))]
        if not subgraphs:
            raise FormatError("holds no graph", self._source.name)
        names = [table.text(0) for table in _tables(self._model.vector(6))]
        version, description = self._model.integer(0, 4), self._model.text(3)
        return LiteModel(version, description, subgraphs, self._signatures(subgraphs), names)

    def _operation(self, table: Table) -> str:
        """The name of an operator code; numbers above 126 have a field of their own."""
        code = max(table.integer(0, 1, signed=True), table.integer(3, 4, signed=True))
        if code == CUSTOM:
            return table.text(1) or "CUSTOM"
        return BUILTIN[code] if 0 <= code < len(BUILTIN) else f"operation {code}"

    def _subgraph(self, table: Table) -> Subgraph:
        tensors = [self._tensor(item) for item in self._counted(table.vector(0))]
        operators = [self._operator(item) for item in self._counted(table.vector(3))]
        inputs, outputs = self._indices(table.vector(1)), self._indices(table.vector(2))
        return Subgraph(table.text(4), tensors, operators, inputs, outputs)

    def _counted(self, vector: Vector | None) -> Iterator[Table]:
        for table in _tables(vector):
            self._left -= 1
            if self._left < 0:
                raise FormatError(f"has more than {MAX_ITEMS:,} tensors and operations", self._source.name)
            yield table

    def _operator(self, table: Table) -> Operator:
        code = table.integer(0, 4)
        op = self._ops[code] if code < len(self._ops) else f"operation {code}"
        return Operator(op, self._indices(table.vector(1)), self._indices(table.vector(2)))

    def _tensor(self, table: Table) -> Tensor:
        shape = self._indices(table.vector(0))
        if len(shape) > MAX_RANK:
            raise FormatError(f"a shape of {len(shape):,} axes", self._source.name)
        buffer = table.integer(2, 4)
        offset, length = self._place(buffer)
        dtype = table.integer(1, 1, signed=True)
        quantization = table.table(4)
        return Tensor(
            table.text(3),
            shape,
            DTYPES.get(dtype, f"type {dtype}"),
            offset,
            length,
            buffer,
            self._quantization(quantization) if quantization else None,
            table.table(6) is not None,
        )

    def _place(self, number: int) -> tuple[int, int]:
        """Offset and length of a buffer's bytes; beyond 2 GB they lie behind the tables."""
        if self._buffers is None or number >= self._buffers.count:
            return 0, 0
        known = self._places.get(number)
        if known is None:
            buffer = self._buffers.table(number)
            offset, length = buffer.integer(1, 8), buffer.integer(2, 8)
            data = buffer.vector(0, 1)
            if data is not None:
                offset, length = data.start, data.count
            known = self._places[number] = (offset, length) if data is not None or offset > 1 else (0, 0)
        return known

    def _quantization(self, table: Table) -> Quantization | None:
        scales, zeros = table.vector(2), table.vector(3, 8)
        if table.integer(4, 1) == BLOCKWISE:
            details = table.table(5)
            return Quantization((), (), -1, details.integer(2, 4) if details else 1)
        if scales is None or not scales.count:
            return None
        known = self._scales.get(scales.start)
        if known is None:
            known = self._scales[scales.start] = self._numbers(scales, "f")
        points = tuple(int(z) for z in self._numbers(zeros, "q")) if zeros is not None else ()
        return Quantization(known, points, table.integer(6, 4, signed=True))

    def _indices(self, vector: Vector | None) -> tuple[int, ...]:
        return () if vector is None else tuple(int(n) for n in self._numbers(vector, "i"))

    def _numbers(self, vector: Vector, kind: str) -> tuple[float, ...]:
        """The numbers of a vector, of which there is an end: many may share one."""
        self._numbers_left -= vector.count
        if self._numbers_left < 0:
            raise FormatError(f"lists more than {MAX_NUMBERS:,} numbers", self._source.name)
        return vector.numbers(kind)

    def _signatures(self, subgraphs: list[Subgraph]) -> dict[str, dict[str, dict[str, str]]]:
        """By key: the model's inputs and outputs by the names that its users know, as names of tensors."""
        found: dict[str, dict[str, dict[str, str]]] = {}
        for table in _tables(self._model.vector(7)):
            number = table.integer(4, 4)
            tensors = subgraphs[number].tensors if number < len(subgraphs) else []
            sides = {}
            for side, field in (("inputs", 0), ("outputs", 1)):
                pairs = [(item.text(0), item.integer(1, 4)) for item in self._counted(table.vector(field))]
                sides[side] = {name: tensors[i].name for name, i in pairs if i < len(tensors)}
            found[table.text(2)] = sides
        return found


def _tables(vector: Vector | None) -> Iterator[Table]:
    if vector is not None:
        if vector.count > MAX_ITEMS:
            raise FormatError(f"a list of {vector.count:,} records")
        for index in range(vector.count):
            yield vector.table(index)
