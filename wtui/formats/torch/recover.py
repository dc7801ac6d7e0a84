"""The members of a PyTorch archive that was cut off, found without the directory at its end.

PyTorch's local headers do not give sizes, so each member is measured: the pickle by reading it, storages by what the
pickle says of them, small records by the descriptor behind them (APPNOTE 6.3.10, section 4.3.9).
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from wtui.errors import WtuiError
from wtui.formats.inert import Machine, Stream
from wtui.formats.torch.tensors import storage_of
from wtui.formats.zipped import SIZES_FOLLOW, ZipMember
from wtui.model import stored_bytes

if TYPE_CHECKING:
    from wtui.storage import Source

__all__ = ["recover"]

_LOCAL = Struct("<4s5H3L2H")
MAX_SMALL = 1 << 16
"""Bytes of a member of unknown size that are searched for its end."""

MAX_MEMBERS = 1_000_000
DESCRIPTORS = (16, 24, 12, 20)
"""Bytes of the descriptor behind a member: sizes of 4 or 8 bytes, with its signature or without."""


def recover(source: Source) -> dict[str, ZipMember]:
    """Members by name up to the place where the archive ends; the last one may claim more than is left of it."""
    members: dict[str, ZipMember] = {}
    sizes: dict[str, int] = {}
    at = 0
    while at + _LOCAL.size <= source.size and len(members) < MAX_MEMBERS:
        fields = _LOCAL.unpack(source.read(at, _LOCAL.size))
        start = at + _LOCAL.size + fields[9] + fields[10]
        if fields[0] != b"PK\3\4" or start > source.size or fields[3] != 0:
            break
        name = source.read(at + _LOCAL.size, fields[9]).decode("utf-8", "backslashreplace")
        size = fields[7] if not fields[2] & SIZES_FOLLOW else _measured(source, name, start, sizes)
        members.setdefault(name, ZipMember(name, at, 0, fields[2] & ~SIZES_FOLLOW, size, size))
        at = _next_header(source, start + size)
    return members


def _measured(source: Source, name: str, start: int, sizes: dict[str, int]) -> int:
    """Bytes of a member; `sizes` gains those of the storages when the member is the pickle."""
    if name.endswith("data.pkl"):
        return _pickle_size(source, start, sizes)
    folder, _, key = name.rpartition("/")
    if folder.endswith("data") and key in sizes:
        return sizes[key]
    tail = source.read(start, min(MAX_SMALL, source.size - start))
    end = tail.find(b"PK\7\b")
    return end if end >= 0 else source.size - start


def _pickle_size(source: Source, start: int, sizes: dict[str, int]) -> int:
    machine = Machine(Stream(source, start))
    try:
        machine.load()
    except WtuiError:
        return source.size - start
    for reference in machine.persistent:
        storage = storage_of(reference)
        size = stored_bytes(storage.dtype, (storage.numel,)) if storage else None
        if storage and size is not None:
            sizes[storage.key] = size
    return machine.stream.position - start


def _next_header(source: Source, end: int) -> int:
    """Offset of the local header behind a member that ends at `end`; the end of the source where there is none."""
    for length in (*DESCRIPTORS, 0):
        if end + length + 4 <= source.size and source.read(end + length, 4) == b"PK\3\4":
            return end + length
    return source.size
