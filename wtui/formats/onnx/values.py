"""Where the values of an ONNX tensor lie: in the file itself as raw or typed data, or in a file beside it.

Source: `onnx.proto`, TensorProto, and the document "External data" of the ONNX specification.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple

from wtui.errors import WtuiError
from wtui.formats.absent import MAX_POINTER, why_absent
from wtui.formats.protobuf import LEN
from wtui.model import RAW, Extent, FileRef, Notice, Part, stored_bytes
from wtui.storage import file_ref

if TYPE_CHECKING:
    from wtui.formats.onnx.stored import StoredTensor
    from wtui.formats.probe import Probe
    from wtui.storage import Source

__all__ = ["DTYPES", "Places", "Values"]

DTYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "string", 9: "bool",
    10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 14: "complex64", 15: "complex128", 16: "bfloat16",
    17: "float8_e4m3fn", 18: "float8_e4m3fnuz", 19: "float8_e5m2", 20: "float8_e5m2fnuz", 21: "uint4", 22: "int4",
    23: "float4_e2m1fn", 24: "float8_e8m0fnu", 25: "uint2", 26: "int2",
}  # fmt: skip
"""Number of an element type (`TensorProto.DataType`) -> dtype."""

FLOATS, DOUBLES = 4, 10
"""Fields whose packed values lie as they are in memory; the values of the others have as many bytes as they need."""

VARINTS = "protobuf-varints"
"""The encoding of those."""

MAX_VARINTS = 4 << 20
"""Bytes of such values that are decoded at once; exporters write a few."""

MAX_NUMBER = 20
"""Digits of an offset or a length."""


class Values(NamedTuple):
    """Of a tensor: dtype, stored pieces, their encoding, and why they cannot be read (`""`: they can)."""

    dtype: str
    parts: tuple[Part, ...]
    encoding: str = RAW
    problem: str = ""


class Places:
    """Finds the values of tensors; opens the files that they are in."""

    def __init__(self, probe: Probe) -> None:
        self.files: list[FileRef] = [file_ref(probe.file)]
        self.notices: list[Notice] = []
        self._probe = probe
        self._sources: list[Source] = [probe.source]
        self._numbers: dict[str, int | str] = {}

    def source(self, number: int) -> Source:
        """The opened file of a number."""
        return self._sources[number]

    def of(self, tensor: StoredTensor) -> Values:
        """Where the values lie, or why they cannot be had."""
        dtype = DTYPES.get(tensor.type, f"ONNX type {tensor.type}")
        if tensor.sparse:
            return Values(dtype, (), problem="stored as a sparse tensor, which is listed but not decoded")
        if tensor.segmented:
            return Values(dtype, (), problem="stored in segments, which are listed but not decoded")
        if dtype == "string" or tensor.text:
            return Values("string", (), problem="holds texts, not numbers")
        if tensor.type not in DTYPES:
            return Values(dtype, (), problem=f"values of type {dtype} cannot be decoded")
        if tensor.external is not None:
            return self._external(tensor, dtype)
        if tensor.raw is not None:
            return Values(dtype, (Part(tensor.raw),))
        return _typed(tensor, dtype)

    def _external(self, tensor: StoredTensor, dtype: str) -> Values:
        where = dict(tensor.external or ())
        location = where.get("location", "")
        file = self._file(location)
        if isinstance(file, str):
            return Values(dtype, (), problem=file)
        offset, length = _number(where.get("offset", "0")), _number(where.get("length", ""))
        if length is None:
            length = stored_bytes(dtype, tensor.shape) or 0
        if offset is None:
            return Values(dtype, (), problem=f"its place in {location} is impossible")
        return Values(dtype, (Part(Extent(file, offset, length)),))

    def _file(self, location: str) -> int | str:
        """The number of a file beside the model, or why it cannot be read."""
        if location not in self._numbers:
            self._numbers[location] = found = self._open(location)
            if isinstance(found, str):
                self.notices.append(Notice("", found, lost=True))
        return self._numbers[location]

    def _open(self, location: str) -> int | str:
        shown = location[:200]
        path = self._probe.inside(location) if location else None
        if path is None:
            return f"its values are in {shown!r}, which is missing or outside the model's folder"
        try:
            file = self._probe.open(path)
        except WtuiError as error:
            return f"its values are in {shown!r}: {error.what}"
        absent = why_absent(file.size, file.read(0, min(file.size, MAX_POINTER)))
        if absent:
            return f"its values are in {shown!r}, which {absent}"
        self.files.append(file_ref(file))
        self._sources.append(file)
        return len(self.files) - 1


def _typed(tensor: StoredTensor, dtype: str) -> Values:
    """Values in a typed field: packed floats lie as in memory, integers of any kind have to be decoded."""
    if not tensor.typed:
        problem = "" if prod(tensor.shape) == 0 else "the file holds no values for it"
        return Values(dtype, (), problem=problem)
    if any(f.wire != LEN for f in tensor.typed):
        return Values(dtype, (), problem="its values are stored one by one, which is listed but not decoded")
    parts = tuple(Part(Extent(0, f.start, f.stop - f.start)) for f in tensor.typed)
    kinds = {f.number for f in tensor.typed}
    plain = {FLOATS: ("float32", "complex64"), DOUBLES: ("float64", "complex128")}
    (kind,) = kinds if len(kinds) == 1 else (0,)
    if kind in plain:
        wrong = "" if dtype in plain[kind] else f"values of type {dtype} cannot lie in a field of floats"
        return Values(dtype, () if wrong else parts, problem=wrong)
    if len(parts) > 1 or parts[0].extent.length > MAX_VARINTS:
        return Values(dtype, (), problem="its values are stored as too many integers of varying length")
    return Values(dtype, parts, VARINTS)


def _number(text: str) -> int | None:
    """A count of bytes from a text; None if it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= MAX_NUMBER else None
