"""Small values in metadata: attributes (section IV.A.2.m), and what a few small datasets hold.

Knows how the bytes of a value become a Python one. Made for settings and names, not for weights: everything is bounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import unpack
from typing import TypeAlias

from wtui.errors import FormatError
from wtui.formats.hdf5 import header
from wtui.formats.hdf5.datatype import (
    ENUM,
    STRING,
    VLEN,
    Dataspace,
    Datatype,
    read_dataspace,
    read_datatype,
)
from wtui.formats.hdf5.heap import global_object, text
from wtui.formats.hdf5.space import Cursor, Space

__all__ = ["AttrValue", "decode", "read_attributes"]

AttrValue: TypeAlias = "int | float | bool | str | bytes | list[AttrValue]"
"""One value, or nested lists of them, as the array's axes. Strings are text (UTF-8; other bytes escaped); what has no
Python counterpart here (opaque, compound, references) stays bytes; an empty dataspace is `[]`."""

MAX_ARRAY = 4 << 20
"""Bytes of an array of values that are turned into Python objects, some 50 bytes each."""

_CODES = {
    "int8": "b", "int16": "h", "int32": "i", "int64": "q", "bool": "?", "float16": "e", "float32": "f",
    "uint8": "B", "uint16": "H", "uint32": "I", "uint64": "Q", "float64": "d",
}  # fmt: skip
"""Formats of the struct module."""


def read_attributes(space: Space, messages: list[header.Message]) -> tuple[dict[str, AttrValue], str]:
    """The attributes among an object's messages, and why some are missing (`""`: none is).

    In creation order where the object tracks it, else sorted by name.
    """
    bodies, problem = [m for m in messages if m.kind == header.ATTRIBUTE], ""
    info = header.first(messages, header.ATTRIBUTE_INFO)
    if info:
        from wtui.formats.hdf5.dense import dense_attributes

        dense, problem = dense_attributes(space, info)
        bodies += dense
    found: list[tuple[int, str, AttrValue]] = []
    for message in bodies:
        try:
            found.append((message.order, *_attribute(space, header.resolved(space, message))))
        except FormatError as error:
            problem = problem or error.what
    found.sort(key=lambda f: f[:2])
    return {name: value for _, name, value in found}, problem


def _attribute(space: Space, message: header.Message) -> tuple[str, AttrValue]:
    """Name and value of an attribute message."""
    fields = Cursor(space, message.body, message.address)
    version, flags = fields.uint(1), fields.uint(1)
    if not 1 <= version <= 3:
        raise fields.error(f"an attribute of version {version}")
    sizes = [fields.uint(2) for _ in range(3)]
    fields.skip(version == 3)
    padding = 8 if version == 1 else 1
    name, type_body, space_body = (_padded(fields, size, padding) for size in sizes)
    flags = flags if version > 1 else 0
    if flags & 1:
        type_body = header.shared(space, header.DATATYPE, type_body, message.address).body
    if flags & 2:
        space_body = header.shared(space, header.DATASPACE, space_body, message.address).body
    datatype = read_datatype(space, type_body, message.address)
    dataspace = read_dataspace(space, space_body, message.address)
    data = fields.take(_checked_size(fields, dataspace, datatype))
    return text(name.split(b"\0")[0]), decode(space, datatype, dataspace, data, message.address)


def _padded(fields: Cursor, size: int, padding: int) -> bytes:
    data = fields.take(size)
    fields.skip(-size % padding)
    return data


def _checked_size(fields: Cursor, dataspace: Dataspace, datatype: Datatype) -> int:
    """Bytes of all values, which must still be there."""
    size = dataspace.values * datatype.size
    if size > fields.left:
        raise fields.error("an attribute that is larger than its message")
    return size


def decode(space: Space, datatype: Datatype, dataspace: Dataspace, data: bytes, address: int) -> AttrValue:
    """The values in `data`; FormatError if they are too many, or not where they should be."""
    shape = dataspace.shape
    if shape is None or not dataspace.values:
        return []
    if len(data) > MAX_ARRAY and not (shape == () and datatype.kind == STRING):
        raise space.error(f"a value of {len(data):,} bytes in metadata", address)
    return _nested(_flat(space, datatype, data), shape)


def _flat(space: Space, datatype: Datatype, data: bytes) -> Sequence[AttrValue]:
    """The values one after the other."""
    size, base = datatype.size, datatype.base
    code = _CODES.get(datatype.name)
    if code:
        return unpack(f"{datatype.byteorder}{len(data) // size}{code}", data)
    if datatype.name == "bfloat16":
        order = "big" if datatype.byteorder == ">" else "little"
        pieces = [int.from_bytes(data[i : i + 2], order) << 16 for i in range(0, len(data), 2)]  # type: ignore[arg-type]
        return [unpack("<f", p.to_bytes(4, "little"))[0] for p in pieces]
    items = [data[i : i + size] for i in range(0, len(data), size)]
    if datatype.kind == STRING:
        return [text(_stripped(item, datatype.padding)) for item in items]
    if datatype.kind == VLEN and base is not None and size == 8 + space.offsets:
        return [_variable(space, datatype, base, item) for item in items]
    if base is not None and datatype.dims and datatype.kind != ENUM:
        return [_nested(_flat(space, base, item), datatype.dims) for item in items]
    return items


def _stripped(item: bytes, padding: int) -> bytes:
    """A string of fixed length without what fills it up."""
    if padding == 0:
        return item.split(b"\0", 1)[0]
    return item.rstrip(b"\0") if padding == 1 else item.rstrip(b" ")


def _variable(space: Space, datatype: Datatype, base: Datatype, item: bytes) -> AttrValue:
    """A value of variable length: its length, the address of its heap and its number there (IV.B, "global heap ID")."""
    fields = Cursor(space, item)
    count, collection, index = fields.uint(4), fields.address_or_none(), fields.uint(4)
    size = count * base.size
    if not size or not collection:
        return "" if datatype.vlen_string else []
    data = global_object(space, collection, index)[:size]
    if datatype.vlen_string:
        return text(data.rstrip(b"\0"))
    if len(data) < size or size > MAX_ARRAY:
        raise space.error(f"a sequence of {size:,} bytes in metadata", collection)
    return list(_flat(space, base, data))


def _nested(values: Sequence[AttrValue], shape: Sequence[int]) -> AttrValue:
    """The values as lists of lists along `shape`, which holds no zero; a single value for the shape ()."""
    for length in reversed(shape[1:]):
        values = [list(values[i : i + length]) for i in range(0, len(values), length)]
    return list(values) if shape else values[0]
