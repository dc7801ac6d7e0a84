"""The stored bytes of one part, with those beside it that its codec needs. Knows extents, not what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wtui.model import Part
    from wtui.storage import Files

__all__ = ["read_part"]


def read_part(part: Part, files: Files) -> memoryview:
    """The bytes of the part's extent, then those of each extent beside it, one after the other; StorageError if some
    cannot be had."""
    extents = (part.extent, *part.beside)
    data = memoryview(bytearray(sum(extent.length for extent in extents)))
    start = 0
    for file, offset, length in extents:
        if length:
            files[file].read_into(data[start : start + length], offset)
        start += length
    return data
