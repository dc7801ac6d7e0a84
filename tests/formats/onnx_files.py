"""Tiny ONNX files, written by hand on the wire format of protocol buffers."""

from __future__ import annotations

import struct
from collections.abc import Sequence

__all__ = [
    "attribute", "constant", "floats", "graph", "initializer", "integer", "message", "model", "node", "packed",
    "tensor", "text", "varint",
]  # fmt: skip


def varint(value: int) -> bytes:
    """An integer in sevens; negative ones as 64 bits."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def message(number: int, data: bytes) -> bytes:
    """A field of bytes."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def text(number: int, value: str) -> bytes:
    return message(number, value.encode())


def integer(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def packed(number: int, values: Sequence[int]) -> bytes:
    """A repeated field of integers."""
    return message(number, b"".join(map(varint, values)))


def tensor(
    name: str = "",
    shape: Sequence[int] = (),
    type: int = 1,
    raw: bytes | None = None,
    external: dict[str, str] | None = None,
    more: bytes = b"",
) -> bytes:
    """A TensorProto; `more` are fields that are written as they come."""
    out = b"".join(integer(1, n) for n in shape) + integer(2, type) + text(8, name)
    if raw is not None:
        out += message(9, raw)
    if external is not None:
        out += b"".join(message(13, text(1, k) + text(2, v)) for k, v in external.items()) + integer(14, 1)
    return out + more


def floats(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def initializer(name: str, *shape: int) -> tuple[str, bytes]:
    """A float32 tensor that counts from 0."""
    count = 1
    for n in shape:
        count *= n
    return name, tensor(name, shape, raw=floats(*range(count)))


def node(op: str, inputs: Sequence[str], outputs: Sequence[str], name: str = "", attributes: bytes = b"") -> bytes:
    """A NodeProto."""
    return (
        b"".join(text(1, i) for i in inputs)
        + b"".join(text(2, o) for o in outputs)
        + text(3, name)
        + text(4, op)
        + attributes
    )


def attribute(name: str, number: int, data: bytes) -> bytes:
    """An attribute as a field of a node; `number` is 5 for a tensor, 6 for a graph."""
    return message(5, text(1, name) + message(number, data))


def constant(output: str, value: bytes, name: str = "") -> bytes:
    """A Constant node."""
    return node("Constant", (), (output,), name, attribute("value", 5, value))


def graph(nodes: Sequence[bytes], tensors: Sequence[bytes] = (), name: str = "main", more: bytes = b"") -> bytes:
    """A GraphProto, in the order of fields that protobuf writes."""
    body = b"".join(message(1, n) for n in nodes) + text(2, name)
    return body + b"".join(message(5, t) for t in tensors) + more


def model(body: bytes, more: bytes = b"") -> bytes:
    """A ModelProto."""
    opset = message(8, text(1, "") + integer(2, 18))
    return integer(1, 9) + text(2, "hand") + text(3, "1.0") + message(7, body) + opset + more
