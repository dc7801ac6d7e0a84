"""Object headers (section IV.A): the messages that describe a group, a dataset or a named datatype.

Knows how messages are packed into blocks, and how several objects can share one; not what they say.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from wtui.formats.hdf5.space import Cursor, Space

__all__ = ["Message", "first", "read_header", "resolved"]

DATASPACE, LINK_INFO, DATATYPE, FILL_OLD, FILL, LINK = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
EXTERNAL, LAYOUT, GROUP_INFO, FILTERS, ATTRIBUTE, SHARED_TABLE = 0x07, 0x08, 0x0A, 0x0B, 0x0C, 0x0F
CONTINUATION, SYMBOL_TABLE, ATTRIBUTE_INFO = 0x10, 0x11, 0x15
"""Types of messages (IV.A.2)."""

SHARED = 0x02
"""Flag of a message whose body only says where the real one lies."""

MAX_HEADER = 64 << 20
"""Bytes of all blocks of one header: many attributes of up to 64 KB may stand in it."""

_V1 = Struct("<HHB3x")
_V2 = Struct("<BHB")


class Message(NamedTuple):
    """One message of an object header."""

    kind: int
    flags: int
    body: bytes
    address: int
    """Where the body lies."""
    order: int = -1
    """When it was created, counted from 0; -1 where the object does not track that."""


def first(messages: list[Message], kind: int) -> Message | None:
    """The first message of a kind."""
    for message in messages:
        if message.kind == kind:
            return message
    return None


def read_header(space: Space, address: int) -> list[Message]:
    """All messages of the object at `address`, in the file's order; FormatError if there is no object header."""
    head = space.read(address, space.available(address, 16))
    if head[:4] == b"OHDR":
        return _read_v2(space, address)
    if len(head) < 16 or head[0] != 1:
        raise space.error("no object header", address)
    return _collect(space, address + 16, int.from_bytes(head[8:12], "little"))


def _read_v2(space: Space, address: int) -> list[Message]:
    fields = space.cursor(address, space.available(address, 34))
    fields.expect(b"OHDR")
    version, flags = fields.uint(1), fields.uint(1)
    if version != 2:
        raise fields.error(f"object header of version {version}")
    fields.skip(16 * (flags >> 5 & 1) + 4 * (flags >> 4 & 1))
    size = fields.uint(1 << (flags & 3))
    return _collect(space, address + fields.at, size, 6 if flags & 4 else 4)


def _collect(space: Space, address: int, size: int, v2_prefix: int = 0) -> list[Message]:
    """The messages of all blocks; `v2_prefix`: bytes before a body in version 2, 0 for version 1."""
    messages: list[Message] = []
    blocks, seen, total = [(address, size)], {address}, 0
    for start, length in blocks:
        total += length
        if total > MAX_HEADER:
            raise space.error("an object header of unreasonable size", start)
        data = space.read(start, length)
        found = _split_v2(space, data, start, v2_prefix) if v2_prefix else _split_v1(space, data, start)
        messages += found
        for message in found:
            if message.kind == CONTINUATION:
                following = _continuation(space, message, bool(v2_prefix))
                if following[0] in seen:
                    raise space.error("an object header that continues itself", start)
                seen.add(following[0])
                blocks.append(following)
    return messages


def _split_v1(space: Space, block: bytes, address: int) -> list[Message]:
    found, at = [], 0
    while at + 8 <= len(block):
        kind, size, flags = _V1.unpack_from(block, at)
        at += 8
        if at + size > len(block):
            raise space.error("a message that leaves its object header", address + at)
        if kind:
            found.append(Message(kind, flags, block[at : at + size], address + at))
        at += size
    return found


def _split_v2(space: Space, block: bytes, address: int, prefix: int) -> list[Message]:
    found, at = [], 0
    while at + prefix <= len(block):
        kind, size, flags = _V2.unpack_from(block, at)
        order = int.from_bytes(block[at + 4 : at + 6], "little") if prefix == 6 else -1
        at += prefix
        if at + size > len(block):
            raise space.error("a message that leaves its object header", address + at)
        if kind:
            found.append(Message(kind, flags, block[at : at + size], address + at, order))
        at += size
    return found


def _continuation(space: Space, message: Message, v2: bool) -> tuple[int, int]:
    """Address and size of the messages in the block that a continuation message points to."""
    fields = Cursor(space, message.body, message.address)
    address, size = fields.address_or_none(), fields.length()
    if address is None:
        raise fields.error("an object header that continues nowhere")
    if not v2:
        return address, size
    space.cursor(address, 4).expect(b"OCHK")
    return address + 4, size - 8


def resolved(space: Space, message: Message) -> Message:
    """The message itself, or the one that it shares (IV.A.2, "shared message"); FormatError if that is not there."""
    return shared(space, message.kind, message.body, message.address) if message.flags & SHARED else message


def shared(space: Space, kind: int, body: bytes, address: int) -> Message:
    """The message of type `kind` that the shared message `body` stands for."""
    fields = Cursor(space, body, address)
    version, where = fields.uint(1), fields.uint(1)
    if version == 3 and where == 1:
        from wtui.formats.hdf5.dense import shared_body

        return Message(kind, 0, shared_body(space, kind, fields.take(8)), address)
    fields.skip(6 if version == 1 else 0)
    target = fields.address_or_none()
    if not 1 <= version <= 3 or target is None:
        raise fields.error(f"a shared message of version {version}")
    message = first(read_header(space, target), kind)
    if message is None or message.flags & SHARED:
        raise space.error("a shared message that is not there", target)
    return message
