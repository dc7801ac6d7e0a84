"""Fixed and extensible arrays (sections VII.C and VII.D): the indexes of chunks that are numbered.

Knows how their blocks and pages are laid out and how elements are written, not which chunk a number stands for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from wtui.formats.hdf5.space import Cursor, Space

__all__ = ["Element", "extensible_array", "fixed_array"]

CHECKSUM = 4
"""Bytes behind every block and page."""


class Element(NamedTuple):
    """Where a chunk lies."""

    address: int
    size: int
    """Bytes in the file."""
    mask: int
    """Bit i set: filter i was not applied."""


class _Shape(NamedTuple):
    """How elements are written."""

    width: int
    """Bytes of one element."""
    nbytes: int
    """Bytes of a chunk where the element does not say."""
    filtered: bool


def _elements(fields: Cursor, shape: _Shape, start: int, count: int) -> Iterator[tuple[int, Element]]:
    """The `count` elements that come next, numbered from `start`; chunks that were never written are left out."""
    for number in range(start, start + count):
        address = fields.address_or_none()
        size, mask = shape.nbytes, 0
        if shape.filtered:
            size, mask = fields.uint(shape.width - fields.space.offsets - 4), fields.uint(4)
        if address is not None:
            yield number, Element(address, size, mask)


def _shape(fields: Cursor, nbytes: int, filtered: bool) -> _Shape:
    """Read the class and width of elements, which must be what the dataset's filters call for."""
    client, width = fields.uint(1), fields.uint(1)
    least = fields.space.offsets + (5 if filtered else 0)
    if client != filtered or not least <= width <= least + 8:
        raise fields.error(f"an array of chunks of class {client} with elements of {width} bytes")
    return _Shape(width, nbytes, filtered)


def fixed_array(space: Space, address: int, nbytes: int, filtered: bool, wanted: int) -> Iterator[tuple[int, Element]]:
    """(number, element) of the chunks numbered below `wanted` that were written; FormatError on damage."""
    fields = space.cursor(address, 8 + space.lengths + space.offsets)
    fields.expect(b"FAHD\0")
    shape, page_bits, count = _shape(fields, nbytes, filtered), fields.uint(1), fields.length()
    block = fields.address_or_none()
    if block is None:
        return
    count = min(count, wanted) if count <= 1 << min(page_bits, 63) else count
    start = block + 6 + space.offsets
    space.cursor(block, 4).expect(b"FADB")
    if count <= 1 << min(page_bits, 63):
        yield from _elements(space.cursor(start, count * shape.width), shape, 0, count)
        return
    per_page = 1 << page_bits
    pages = -(-count // per_page)
    initialised = space.read(start, (pages + 7) // 8)
    start += len(initialised) + CHECKSUM
    for page in range(min(pages, -(-wanted // per_page))):
        if initialised[page // 8] & 0x80 >> page % 8:
            here = start + page * (per_page * shape.width + CHECKSUM)
            used = min(per_page, count - page * per_page)
            yield from _elements(space.cursor(here, used * shape.width), shape, page * per_page, used)


class _Extensible(NamedTuple):
    """The measures of an extensible array."""

    shape: _Shape
    offset_width: int
    """Bytes of an offset into the array."""
    block_least: int
    """Elements of the smallest data block."""
    page: int
    """Elements of a page; larger data blocks are cut into pages."""


def extensible_array(
    space: Space, address: int, nbytes: int, filtered: bool, wanted: int
) -> Iterator[tuple[int, Element]]:
    """(number, element) of the chunks numbered below `wanted` that were written; FormatError on damage."""
    fields = space.cursor(address, 12 + 6 * space.lengths + space.offsets)
    fields.expect(b"EAHD\0")
    shape = _shape(fields, nbytes, filtered)
    bits, direct, least, pointers, page_bits = fields.take(5)
    fields.skip(6 * space.lengths)
    index_block = fields.address_or_none()
    if index_block is None:
        return
    if not (0 < bits <= 64 and least and pointers > 1 and not least & least - 1 and not pointers & pointers - 1):
        raise fields.error("an array of chunks of impossible measures")
    array = _Extensible(shape, (bits + 7) // 8, least, 1 << min(page_bits, 63))
    last = 1 + bits - (least.bit_length() - 1)
    inner = 2 * (pointers.bit_length() - 1)
    blocks = 2 * (pointers - 1)
    size = 6 + space.offsets + direct * shape.width + (blocks + max(last - inner, 0)) * space.offsets
    fields = space.cursor(index_block, size)
    fields.expect(b"EAIB")
    fields.skip(2 + space.offsets)
    yield from _elements(fields, shape, 0, direct)
    yield from _super_blocks(space, array, fields, direct, inner, last, wanted)


def _super_blocks(
    space: Space, array: _Extensible, fields: Cursor, number: int, inner: int, last: int, wanted: int
) -> Iterator[tuple[int, Element]]:
    """The elements from `number` on: super block s has 2^(s/2) data blocks of 2^((s+1)/2) times the least elements.

    The first `inner` super blocks have no block of their own: the index block names their data blocks.
    """
    for s in range(last):
        if number >= wanted:
            return
        count, elements = 1 << s // 2, array.block_least << (s + 1) // 2
        pages = elements // array.page if elements > array.page else 0
        bitmap = b""
        names = fields
        if s >= inner:
            block = fields.address_or_none()
            if block is None:
                number += count * elements
                continue
            names, bitmap = _super_block(space, array, block, count, pages)
        for data_block in range(count):
            where = names.address_or_none()
            if where is not None and number < wanted:
                present = _pages(bitmap, data_block, pages)
                yield from _data_block(space, array, where, number, elements, present)
            number += elements


def _super_block(space: Space, array: _Extensible, address: int, count: int, pages: int) -> tuple[Cursor, bytes]:
    """A cursor at the addresses of a super block's data blocks, and the bits that say which of their pages exist."""
    bitmap = count * ((pages + 7) // 8)
    fields = space.cursor(address, 6 + space.offsets + array.offset_width + bitmap + count * space.offsets)
    fields.expect(b"EASB")
    fields.skip(2 + space.offsets + array.offset_width)
    return fields, fields.take(bitmap)


def _pages(bitmap: bytes, data_block: int, pages: int) -> list[bool] | None:
    """Which pages of a data block exist; None where it is not cut into pages."""
    if not pages:
        return None
    first = data_block * pages
    return [bool(bitmap[bit // 8] & 0x80 >> bit % 8) for bit in range(first, first + pages)]


def _data_block(
    space: Space, array: _Extensible, address: int, start: int, elements: int, present: list[bool] | None
) -> Iterator[tuple[int, Element]]:
    """The elements of one data block, numbered from `start`."""
    space.cursor(address, 4).expect(b"EADB")
    at = address + 6 + space.offsets + array.offset_width
    width = array.shape.width
    if present is None:
        yield from _elements(space.cursor(at, elements * width), array.shape, start, elements)
        return
    at += CHECKSUM
    for page, exists in enumerate(present):
        if exists:
            fields = space.cursor(at + page * (array.page * width + CHECKSUM), array.page * width)
            yield from _elements(fields, array.shape, start + page * array.page, array.page)
