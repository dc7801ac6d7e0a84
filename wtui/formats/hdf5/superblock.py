"""The superblock (section II.A): where an HDF5 file begins, and where its root group is."""

from __future__ import annotations

from wtui.errors import FormatError
from wtui.formats.hdf5.group import Group
from wtui.formats.hdf5.header import read_header
from wtui.formats.hdf5.space import Space
from wtui.storage.source import CachedSource, Source

__all__ = ["SIGNATURE", "find_superblock", "open_hdf5"]

SIGNATURE = b"\x89HDF\r\n\x1a\n"

MAX_USER_BLOCK = 1 << 20
"""Bytes up to which a superblock is looked for behind a user block, at 512, 1024, 2048, ..."""


def find_superblock(source: Source) -> int | None:
    """Offset of the signature: 0, or behind a user block; None if the file is no HDF5."""
    at = 0
    while at + len(SIGNATURE) <= source.size and at <= MAX_USER_BLOCK:
        if source.read(at, len(SIGNATURE)) == SIGNATURE:
            return at
        at = at * 2 or 512
    return None


def open_hdf5(source: Source, *, cached: bool = False) -> Group:
    """The root group of an HDF5 file; FormatError if it is none, or too damaged to have one.

    `cached`: `source` already keeps blocks for the many small reads that follow. The source stays the caller's to
    close; whatever is asked of the groups before is read from it then.
    """
    base = find_superblock(source)
    if base is None:
        raise FormatError("not an HDF5 file", source.name)
    space, root = _superblock(source if cached else CachedSource(source), base)
    return Group(space, "/", root, read_header(space, root))


def _superblock(source: Source, start: int) -> tuple[Space, int]:
    """The file's address space, and the address of the root group's object header.

    Addresses count from where the superblock is found, as the library has it, whatever base address it gives: tools
    that put something before a file leave the old one.
    """
    fields = Space(source, start).cursor(0, min(96, source.size - start))
    fields.skip(len(SIGNATURE))
    version = fields.uint(1)
    if version > 3:
        raise fields.error(f"a superblock of version {version}, which wtui does not know")
    fields.skip(4 if version < 2 else 0)
    offsets, lengths = fields.uint(1), fields.uint(1)
    if not (2 <= offsets <= 8 and 2 <= lengths <= 8):
        raise fields.error(f"addresses of {offsets} bytes and lengths of {lengths}")
    fields.skip(1 if version >= 2 else 9 + 4 * version)
    space = fields.space = Space(source, start, offsets, lengths)
    fields.skip(offsets)
    extension = fields.address_or_none()
    fields.skip(offsets if version >= 2 else 2 * offsets + lengths)
    root = fields.address_or_none()
    if root is None:
        raise fields.error("no root group")
    space.extension = extension if version >= 2 else None
    return space, root
