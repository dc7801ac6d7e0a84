"""safetensors: a JSON header with names, dtypes, shapes and offsets, then the values. One file.

Layout: u64 length of the header, the header, the values (https://github.com/huggingface/safetensors, "Format").
What the numbers mean (packed quantisation, adapters) is not known here.
"""

from __future__ import annotations

import json
import os
from typing import Any

from wtui.errors import FormatError
from wtui.formats.names import tree_from_names
from wtui.formats.probe import Probe
from wtui.model import Catalogue, Extent, LayerNode, Notice, Part, TensorEntry
from wtui.storage import FileSource, file_ref

__all__ = ["catalogue", "read_header", "sniff", "tensor_entries"]

MAX_HEADER = 100_000_000
"""Bytes: the limit of the reference implementation."""

DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16",
    "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8",
    "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu",
    "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "F6_E2M3": "float6_e2m3fn", "F6_E3M2": "float6_e3m2fn", "F4": "float4_e2m1fn", "C64": "complex64",
}  # fmt: skip


def sniff(probe: Probe) -> bool:
    """A plausible header length, then an opening brace."""
    head = probe.head
    if len(head) < 10 or head[8:9] not in b"{ ":
        return False
    length = int.from_bytes(head[:8], "little")
    return 2 <= length <= min(MAX_HEADER, probe.file.size - 8) and head[8:].lstrip().startswith(b"{")


def catalogue(probe: Probe) -> Catalogue:
    """All tensors of one file, in the model's order as far as names or offsets tell it."""
    header, start = read_header(probe.file)
    metadata = header.pop("__metadata__", {})
    tensors, warnings = tensor_entries(header, 0, start)
    root = LayerNode(os.path.basename(probe.path), "")
    ordered = tree_from_names(tensors, ".", root, keep_order=_order_is_meant(tensors))
    files = (file_ref(probe.file),)
    return Catalogue(probe.path, "safetensors", files, ordered, root, {"metadata": metadata}, warnings)


def read_header(source: FileSource) -> tuple[dict[str, Any], int]:
    """The parsed header and the offset at which the values begin; FormatError if it is not one."""
    length = int.from_bytes(source.read(0, 8), "little")
    if length > MAX_HEADER:
        raise FormatError(f"its header claims {length:,} bytes, more than the format allows", source.name)
    if 8 + length > source.size:
        message = f"ends inside its header ({source.size:,} of {8 + length:,} bytes)"
        raise FormatError(message, source.name, "truncated download?")
    raw = source.read(8, length)
    try:
        header = json.loads(raw)
    except ValueError as error:
        raise FormatError(f"its header is not valid JSON ({error})", source.name) from error
    if not isinstance(header, dict):
        raise FormatError("its header is not a JSON object", source.name)
    declared = raw.count(b'"data_offsets"')
    if declared > len(header):
        raise FormatError(f"its header declares {declared:,} tensors under {len(header):,} names", source.name)
    return header, 8 + length


def tensor_entries(header: dict[str, Any], file: int, start: int) -> tuple[list[TensorEntry], list[Notice]]:
    """Entries in the order of their bytes, and notices on those that the header describes wrongly or that overlap."""
    tensors: list[TensorEntry] = []
    warnings: list[Notice] = []
    for name, info in header.items():
        try:
            tensors.append(_entry(name, info, file, start))
        except (KeyError, TypeError, ValueError, IndexError):
            warnings.append(Notice(name, "its description in the header cannot be understood", lost=True))
    tensors.sort(key=lambda t: t.parts[0].extent.offset if t.parts else 0)
    end, owner = start, ""
    for tensor in tensors:
        if tensor.parts:
            extent = tensor.parts[0].extent
            if extent.offset < end and extent.length:
                warnings.append(Notice(tensor.name, f"its bytes overlap those of {owner}"))
            if extent.offset + extent.length > end:
                end, owner = extent.offset + extent.length, tensor.name
    return tensors, warnings


def _entry(name: str, info: Any, file: int, start: int) -> TensorEntry:
    first, last = info["data_offsets"]
    shape = tuple(map(int, info["shape"]))
    if not isinstance(first, int) or not isinstance(last, int):
        raise TypeError("offsets must be integers")
    dtype = DTYPES.get(str(info["dtype"]), str(info["dtype"]))
    part = Part(Extent(file, start + first, last - first))
    layer, _, role = name.rpartition(".")
    return TensorEntry(name, layer, role, shape, dtype, (part,))


def _order_is_meant(tensors: list[TensorEntry]) -> bool:
    """Whether the order of the bytes is more than the writer's sorting by name within each dtype."""
    last: dict[str, str] = {}
    for tensor in tensors:
        if tensor.name < last.get(tensor.dtype, ""):
            return True
        last[tensor.dtype] = tensor.name
    return False
