"""The header of a safetensors file: names, dtypes, shapes and offsets, made into entries in one pass.

Layout: u64 length of the header, the header in JSON, the values (https://github.com/huggingface/safetensors, "Format").
Headers of hundreds of thousands of tensors are common (experts, adapters), so every step for one tensor is cheap.
Knows neither models nor what numbers mean.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from wtui.errors import FormatError
from wtui.formats.absent import LFS, MAX_POINTER, why_absent
from wtui.model import Extent, Notice, Part, TensorEntry

if TYPE_CHECKING:
    from collections.abc import Callable

    from wtui.storage import Source

__all__ = ["DTYPES", "MAX_HEADER", "Header", "cut_off", "entries", "read_first", "read_header"]

MAX_HEADER = 100_000_000
"""Bytes: the limit of the reference implementation."""

WHOLE = 1 << 20
"""Bytes of a header up to which it is parsed whole before the first frame: some 8,000 tensors, in 80 ms."""

PREVIEW = 1 << 19
"""Bytes of a header that are parsed for its first rows: some 4,000 tensors, in about 10 ms."""

DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16",
    "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8",
    "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu",
    "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "F6_E2M3": "float6_e2m3fn", "F6_E3M2": "float6_e3m2fn", "F4": "float4_e2m1fn", "C64": "complex64",
}  # fmt: skip


class Header(NamedTuple):
    """What a file says before its values begin."""

    infos: dict[str, Any]
    """By name: (dtype, shape, first byte, behind the last byte) where the header says just that, else what it says."""
    metadata: Mapping[str, Any]
    start: int
    """Where the values begin in the file; offsets count from here."""


class _Info(tuple[str, tuple[int, ...], int, int]):
    """dtype, shape, first byte and the byte behind the last, checked to be of these types."""

    __slots__ = ()


_new_info = cast("Callable[[object], _Info]", partial(tuple.__new__, _Info))
_new_extent = cast("Callable[[object], Extent]", partial(tuple.__new__, Extent))
_new_part = cast("Callable[[object], Part]", partial(tuple.__new__, Part))
_new_entry = cast("Callable[[object], TensorEntry]", partial(tuple.__new__, TensorEntry))
"""NamedTuples without their own constructors, which would take half of the time that a large header needs."""

_PART_REST = Part(Extent(0, 0, 0))[1:]
_ENTRY_REST = TensorEntry("", "", "", (), "", None)[6:]


def read_header(source: Source) -> Header:
    """The parsed header; FormatError if it is none."""
    length = _length(source)
    return _parsed(source.read(8, length), 8 + length, source.name)


def read_first(source: Source) -> Header | None:
    """The header as far as its first PREVIEW bytes tell; None for one of no great length, or that
    cannot be cut off cleanly."""
    length = _length(source)
    if length <= WHOLE:
        return None
    raw = source.read(8, PREVIEW)
    try:
        return _parsed(raw[: raw.rindex(b"},") + 1] + b"}", 8 + length, source.name)
    except (ValueError, FormatError):
        return None


def entries(header: Header, file: int) -> tuple[list[TensorEntry], list[Notice]]:
    """Entries in the order of their bytes, and notices on those that the header describes wrongly or that overlap.

    The header is used up, so that both are never held in full.
    """
    made: list[TensorEntry] = []
    notices: list[Notice] = []
    words: dict[str, str] = {}
    infos, start = header.infos, header.start
    while infos:
        name, info = infos.popitem()
        if type(info) is not _Info:
            try:
                info = _other_info(info)
            except (KeyError, TypeError, ValueError):
                notices.append(Notice(name, "its description in the header cannot be understood", lost=True))
                continue
        dtype, shape, first, last = info
        layer, _, role = name.rpartition(".")
        extent = _new_extent((file, start + first, last - first))
        part = _new_part((extent, *_PART_REST))
        role = words.setdefault(role, role)
        made.append(_new_entry((name, layer, role, shape, DTYPES.get(dtype, dtype), (part,), *_ENTRY_REST)))
    made.sort(key=_offset)
    return made, notices + _overlaps(made, header.start)


def cut_off(tensors: list[TensorEntry], size: int) -> str:
    """How much of a file of `size` bytes is missing, by the last of its `entries`; `""` if nothing is."""
    parts = tensors[-1].parts if tensors else None
    end = parts[0].extent.offset + parts[0].extent.length if parts else 0
    return f"was cut off: it has {size:,} of {end:,} bytes" if end > size else ""


def _length(source: Source) -> int:
    """Bytes of the header; FormatError if the file does not hold as many."""
    first = source.read(0, 8) if source.size >= 8 else b""
    if not first or LFS.startswith(first):
        head = source.read(0, min(source.size, MAX_POINTER))
        raise FormatError(why_absent(source.size, head) or f"has only {source.size:,} bytes", source.name)
    length = int.from_bytes(first, "little")
    if length > MAX_HEADER:
        raise FormatError(f"its header claims {length:,} bytes, more than the format allows", source.name)
    if 8 + length > source.size:
        message = f"ends inside its header ({source.size:,} of {8 + length:,} bytes)"
        raise FormatError(message, source.name, "truncated download?")
    return length


def _parsed(raw: bytes, start: int, name: str) -> Header:
    """The header in `raw`; descriptions become `_Info`s while they are parsed, so that they take little memory."""
    shapes: dict[tuple[int, ...], tuple[int, ...]] = {}
    twice: list[str] = []

    def compact(pairs: list[tuple[str, Any]]) -> object:
        if len(pairs) == 3:
            (a, dtype), (b, shape), (c, offsets) = pairs
            if a == "dtype" and b == "shape" and c == "data_offsets":
                return _info(dtype, shape, offsets, shapes) or dict(pairs)
        found = dict(pairs)
        if len(found) != len(pairs) and any(isinstance(value, _Info | dict) for value in found.values()):
            twice.append(f"{len(pairs):,} tensors under {len(found):,} names")
        return found

    try:
        infos = json.loads(raw, object_pairs_hook=compact)
    except ValueError as error:
        raise FormatError(f"its header is not valid JSON ({error})", name) from error
    if not isinstance(infos, dict):
        raise FormatError("its header is not a JSON object", name)
    if twice:
        raise FormatError(f"its header declares {twice[-1]}", name)
    metadata = infos.pop("__metadata__", {})
    return Header(infos, metadata if isinstance(metadata, dict) else {}, start)


def _info(
    dtype: object, shape: object, offsets: object, shapes: dict[tuple[int, ...], tuple[int, ...]]
) -> _Info | None:
    """A description if it is of the usual types, with one tuple for all equal shapes."""
    if type(dtype) is not str or type(shape) is not list or type(offsets) is not list or len(offsets) != 2:
        return None
    first, last = offsets
    if type(first) is not int or type(last) is not int:
        return None
    try:
        key = tuple(shape)
        known = shapes.get(key)
    except TypeError:
        return None
    if known is None:
        if not all(type(n) is int for n in key):
            return None
        known = shapes[key] = key
    return _new_info((dtype, known, first, last))


def _other_info(info: Any) -> _Info:
    """A description with further keys, or in another order; KeyError, TypeError or ValueError if it is none."""
    first, last = info["data_offsets"]
    shape = info["shape"]
    if not all(type(n) is int for n in (first, last, *shape)):
        raise TypeError("offsets and axes must be integers")
    return _new_info((str(info["dtype"]), tuple(shape), first, last))


def _offset(tensor: TensorEntry) -> int:
    """Where its bytes begin."""
    parts = tensor.parts
    return parts[0].extent.offset if parts else 0


def _overlaps(tensors: list[TensorEntry], start: int) -> list[Notice]:
    """Notices on tensors, in the order of their bytes, that begin before an earlier one ends."""
    notices: list[Notice] = []
    end, owner = start, ""  # of the header
    for tensor in tensors:
        _, offset, length = tensor.parts[0].extent if tensor.parts else (0, 0, 0)
        if offset < end and length:
            of = owner or "the header, so that its values are none"
            notices.append(Notice(tensor.name, f"its bytes overlap those of {of}", lost=not owner))
        if offset + length > end:
            end, owner = offset + length, tensor.name
    return notices
