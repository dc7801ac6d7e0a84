"""The directory of a zip archive, and its members as sources of bytes: stored ones in place, deflated ones inflated.

Follows PKWARE's APPNOTE 6.3.10 (sections 4.3 and 4.5.3, zip64). Reads the directory and nothing else; knows no format
that uses zip. The standard `zipfile` module is not used: the offset of a member's data is in no public part of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import NamedTuple

from wtui.errors import FormatError
from wtui.model import Member
from wtui.storage import Source, WindowSource

__all__ = ["ZipMember", "data_offsets", "read_directory", "whole", "window"]

_END = Struct("<4s4H2LH")
_END64 = Struct("<4sQ2H2L4Q")
_LOCATOR64 = Struct("<4sLQL")
_ENTRY = Struct("<4s4x2H8x2L3H8xL")
_LOCAL = Struct("<4s5H3L2H")
_LENGTHS = Struct("<4s22x2H")
"""Of a local header: its magic, and the lengths of what stands before the member's bytes."""

PASS = 1 << 18
"""Bytes that are read at a time where all local headers are read."""

MAX_COMMENT = 0xFFFF
"""Bytes of the comment that may follow the end record."""

MAX_DIRECTORY = 64 << 20
"""Bytes of a directory that are read: half a million members."""

MAX_RECOVERED = 10_000
"""Members that are looked for in an archive without a directory."""

WIDE = 0xFFFFFFFF
"""What stands for a number that takes more than 32 bits and is in another record."""

STORED, DEFLATED = 0, 8
"""Compression methods."""

ENCRYPTED = 1
"""Bit of the flags."""

SIZES_FOLLOW = 8
"""Bit of the flags: the local header does not know the sizes."""

BOMB_FLOOR = 1 << 32
"""Bytes: a member that claims more must not be deflated to less than a BOMB_RATIO-th of that, as Keras demands, too."""

BOMB_RATIO = 100


class ZipMember(NamedTuple):
    """A file in the archive."""

    name: str
    header: int
    """Offset of its local header."""
    method: int
    flags: int
    compressed: int
    """Bytes in the archive."""
    size: int
    """Bytes when inflated."""

    @property
    def is_plain(self) -> bool:
        """Whether its bytes lie in the archive as they are."""
        return self.method == STORED and not self.flags & ENCRYPTED and self.size == self.compressed


def read_directory(source: Source) -> tuple[dict[str, ZipMember], str]:
    """Members by name, and what is wrong with the archive (`""`: nothing); FormatError if it cannot be understood.

    An archive that was cut off has no directory; its members are then recovered from their local headers.
    """
    end = _find_end(source)
    if end is None:
        return _recover(source), "cut off: the directory at its end is missing"
    count, size, offset = end
    if size > MAX_DIRECTORY or offset + size > source.size:
        raise FormatError(f"its directory claims {size:,} bytes at {offset:,}", source.name, "a damaged zip archive")
    return _listed(source.read(offset, size), count, source.name)


def _listed(data: bytes, count: int, archive: str) -> tuple[dict[str, ZipMember], str]:
    """The members that a directory lists, and what is wrong with it. There may be hundreds of thousands."""
    members: dict[str, ZipMember] = {}
    unpack, at, room = _ENTRY.unpack_from, 0, len(data) - _ENTRY.size
    for _ in range(count):
        if at > room:
            return members, f"its directory ends after {len(members):,} of {count:,} members"
        magic, flags, method, compressed, size, name_length, extra_length, comment_length, header = unpack(data, at)
        if magic != b"PK\1\2":
            raise FormatError("its directory is damaged", archive, "a damaged zip archive")
        start = at + _ENTRY.size
        end = start + name_length
        at = end + extra_length + comment_length
        name = data[start:end].decode("utf-8", "backslashreplace")
        if size == WIDE or compressed == WIDE or header == WIDE:
            size, compressed, header = _wide(data[end : end + extra_length], (size, compressed, header))
        if name in members:
            raise FormatError(f"holds {name!r} twice", archive, "which of them is meant cannot be known")
        members[name] = ZipMember(name, header, method, flags, compressed, size)
    return members, ""


def _find_end(source: Source) -> tuple[int, int, int] | None:
    """(number of members, size, offset) of the directory, None if there is no end record."""
    for length in (_END.size, _END.size + MAX_COMMENT):
        start = max(source.size - length, 0)
        tail = source.read(start, source.size - start)
        at = tail.rfind(b"PK\5\6")
        if at >= 0 and at + _END.size <= len(tail):
            _, _, _, _, count, size, offset, _ = _END.unpack_from(tail, at)
            if count == 0xFFFF or WIDE in (size, offset):
                return _find_end64(source, start + at) or (count, size, offset)
            return count, size, offset
    return None


def _find_end64(source: Source, end: int) -> tuple[int, int, int] | None:
    """The same from the zip64 record, which a locator before the end record leads to."""
    at = end - _LOCATOR64.size
    if at < 0:
        return None
    magic, _, record, _ = _LOCATOR64.unpack(source.read(at, _LOCATOR64.size))
    if magic != b"PK\6\7" or record + _END64.size > source.size:
        return None
    fields = _END64.unpack(source.read(record, _END64.size))
    return (fields[7], fields[8], fields[9]) if fields[0] == b"PK\6\6" else None


def _wide(extra: bytes, values: tuple[int, int, int]) -> tuple[int, int, int]:
    """Size, compressed size and offset, with those that did not fit 32 bits taken from the zip64 field."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = int.from_bytes(extra[at : at + 2], "little"), int.from_bytes(extra[at + 2 : at + 4], "little")
        if kind == 1:
            field = extra[at + 4 : at + 4 + length]
            wide = [int.from_bytes(field[i : i + 8], "little") for i in range(0, len(field) - 7, 8)]
            first, second, third = (wide.pop(0) if v == WIDE and wide else v for v in values)
            return first, second, third
        at += 4 + length
    return values


def _recover(source: Source) -> dict[str, ZipMember]:
    """Members by their local headers, one behind the other, up to the one that was cut off."""
    members: dict[str, ZipMember] = {}
    at = 0
    while at + _LOCAL.size <= source.size and len(members) < MAX_RECOVERED:
        fields = _LOCAL.unpack(source.read(at, _LOCAL.size))
        magic, flags, method, compressed, size, name_length, extra_length = *fields[:1], *fields[2:4], *fields[7:]
        start = at + _LOCAL.size
        if magic != b"PK\3\4" or start + name_length + extra_length > source.size:
            break
        names = source.read(start, name_length + extra_length)
        size, compressed, _ = _wide(names[name_length:], (size, compressed, 0))
        name = names[:name_length].decode("utf-8", "backslashreplace")
        start += name_length + extra_length
        if flags & SIZES_FOLLOW and not compressed:
            compressed = size = source.size - start
        members.setdefault(name, ZipMember(name, at, method, flags, compressed, size))
        at = start + compressed
    return members


def _data_offset(source: Source, member: ZipMember) -> int:
    """Where the member's bytes begin: the lengths in its local header differ from those in the directory."""
    if member.header < 0 or member.header + _LOCAL.size > source.size:
        raise FormatError(f"{member.name!r} lies outside the archive", source.name, "truncated download?")
    fields = _LOCAL.unpack(source.read(member.header, _LOCAL.size))
    if fields[0] != b"PK\3\4":
        raise FormatError(f"{member.name!r} is not where the directory says", source.name, "a damaged zip archive")
    return member.header + _LOCAL.size + int(fields[9]) + int(fields[10])


def data_offsets(source: Source, members: Iterable[ZipMember]) -> dict[int, int]:
    """Where the bytes of members begin, by the offset of the local header, where the directory tells the truth.

    All in one pass over the archive: for archives of many small members, between which there is nothing to be spared.
    """
    found: dict[int, int] = {}
    data, base = b"", 0
    for header in sorted(m.header for m in members):
        at = header - base
        if at + _LOCAL.size > len(data):
            if header + _LOCAL.size > source.size:
                break
            base, at = header, 0
            data = source.read(base, min(PASS, source.size - base))
        magic, name_length, extra_length = _LENGTHS.unpack_from(data, at)
        if magic == b"PK\3\4":
            found[header] = header + _LOCAL.size + name_length + extra_length
    return found


def window(source: Source, member: ZipMember) -> tuple[int, int, Member | None]:
    """(offset, size) of the member's bytes in the archive; with a Member, (0, size) of what it inflates to.

    A stored member that was cut off is as long as what is left of it. FormatError for encrypted members, for methods
    other than deflate, and for sizes that no honest archive has.
    """
    if member.flags & ENCRYPTED:
        raise FormatError(f"{member.name!r} is encrypted", source.name, "decrypt the archive first")
    if member.method not in (STORED, DEFLATED):
        raise FormatError(f"{member.name!r} is compressed by method {member.method}", source.name, "zip it again")
    offset = _data_offset(source, member)
    left = max(source.size - offset, 0)
    if member.method == STORED:
        if member.size != member.compressed:
            raise FormatError(f"{member.name!r} is stored, but has two sizes", source.name, "a damaged zip archive")
        return offset, min(member.size, left), None
    if member.size > BOMB_FLOOR and member.size > BOMB_RATIO * member.compressed:
        message = f"{member.name!r} claims to inflate from {member.compressed:,} to {member.size:,} bytes"
        raise FormatError(message, source.name, "refused, as Keras does")
    return 0, member.size, Member(member.name, offset, min(member.compressed, left))


def whole(source: Source, member: ZipMember, limit: int) -> bytes:
    """The member's bytes; FormatError if there are more than `limit` of them."""
    if member.size > limit:
        raise FormatError(
            f"{member.name!r} has {member.size:,} bytes, more than the {limit:,} that are read", source.name
        )
    offset, size, deflated = window(source, member)
    if deflated is None:
        return WindowSource(source, offset, size).read(0, size)
    from wtui.storage.inflate import InflatedSource

    return InflatedSource(source, deflated, size).read(0, size)
