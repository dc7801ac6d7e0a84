"""Tiny GGUF files, written by hand: every version, either byte order, and damage of every kind."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

__all__ = ["KINDS", "Tensor", "gguf_bytes", "string"]

KINDS = {"uint8": 0, "int8": 1, "uint32": 4, "int32": 5, "float32": 6, "bool": 7, "string": 8, "array": 9, "uint64": 10}
CODES = {0: "B", 1: "b", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q"}

Value = tuple[str, object]
"""A kind and what is stored; of an array a pair of the kind of its elements and these."""


class Tensor(NamedTuple):
    """A tensor as the list of a GGUF file has it; shape slowest axis first."""

    name: str
    shape: Sequence[int]
    type: int
    data: bytes


class _Writer:
    def __init__(self, version: int, order: str) -> None:
        self.order = order
        self.wide = "Q" if version > 1 else "I"

    def pack(self, code: str, *values: object) -> bytes:
        return struct.pack(self.order + code, *values)

    def string(self, text: str) -> bytes:
        return string(text, self.order, self.wide)

    def value(self, kind: str, stored: object) -> bytes:
        if kind == "string":
            return self.string(str(stored))
        if kind == "array":
            inner, items = stored  # type: ignore[misc]
            return self.pack("I" + self.wide, KINDS[inner], len(items)) + b"".join(self.value(inner, i) for i in items)
        return self.pack(CODES[KINDS[kind]], stored)


def string(text: str, order: str = "<", wide: str = "Q") -> bytes:
    """A string with its length before it."""
    data = text.encode()
    return struct.pack(f"{order}{wide}", len(data)) + data


def gguf_bytes(
    metadata: Mapping[str, Value],
    tensors: Sequence[Tensor],
    version: int = 3,
    order: str = "<",
    alignment: int = 32,
) -> bytes:
    """A whole file, the tensors' data in the given order."""
    w = _Writer(version, order)
    head = b"GGUF" + w.pack("I", version) + w.pack(w.wide * 2, len(tensors), len(metadata))
    for key, (kind, stored) in metadata.items():
        head += w.string(key) + w.pack("I", KINDS[kind]) + w.value(kind, stored)
    data = b""
    for t in tensors:
        dims = tuple(reversed(t.shape))
        head += w.string(t.name) + w.pack("I" + w.wide * len(dims), len(dims), *dims) + w.pack("IQ", t.type, len(data))
        data += t.data + bytes(-len(t.data) % alignment)
    return head + bytes(-len(head) % alignment) + data
