"""Boxes of a tensor along the axes that it has in common with another one, read whatever the order in its file.

Raw values are gathered run by run into a bounded array; encoded ones are decoded part by part, or whole where that is
little. Knows no statistic.
"""

from __future__ import annotations

from math import prod
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from numpy.lib.stride_tricks import as_strided

from wtui.codecs.plain import decode_values
from wtui.engine.blocks import plan_blocks, read_span
from wtui.engine.region import decoded_box
from wtui.errors import CodecError
from wtui.model import DTYPE_BITS, RAW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from wtui.engine.blocks import Buffer
    from wtui.engine.compare_axes import CommonAxes
    from wtui.model import Catalogue, Part, TensorEntry
    from wtui.storage import Files

__all__ = ["BoxReader", "Stored", "box_reader", "is_raw"]

MAX_WHOLE = 32 << 20
"""Bytes up to which an encoded tensor is decoded at once, rather than part by part for every box."""

MAX_WASTE = 2
"""Times the wanted bytes that are read at once where gaps lie between them: a call costs as much as a few kB."""


class Stored(NamedTuple):
    """A tensor that has bytes of its own, and where they are."""

    entry: TensorEntry
    catalogue: Catalogue
    files: Files

    @property
    def parts(self) -> tuple[Part, ...]:
        """Where its values lie; CodecError for one that cannot be read."""
        if self.entry.problem:
            raise CodecError(self.entry.problem, self.entry.name)
        return self.catalogue.parts(self.entry)


class BoxReader(Protocol):
    """Reads boxes of one tensor."""

    dtype: str
    strides: tuple[int, ...] | None
    """In values, of each common axis; None where values are not read from the file in their own order."""

    def read(self, start: Sequence[int], shape: Sequence[int], buffer: Buffer) -> NDArray[np.generic]:
        """The values of the box, its axes the common ones, perhaps a view of `buffer`."""


def is_raw(stored: Stored, parts: tuple[Part, ...]) -> bool:
    """Whether values can be addressed one by one in the file."""
    whole_bytes = DTYPE_BITS.get(stored.entry.dtype, 0) >= 8
    return stored.entry.encoding == RAW and whole_bytes and all(p.shape is None for p in parts)


def box_reader(stored: Stored, common: CommonAxes, side: int) -> BoxReader:
    """The reader for A (side 0) or B (side 1); CodecError for a tensor that cannot be read."""
    parts = stored.parts
    if is_raw(stored, parts):
        return _RawReader(stored, parts, common, side)
    plan = plan_blocks(stored.entry, stored.catalogue, stored.files)
    if stored.entry.size * DTYPE_BITS[plan.dtype] // 8 <= MAX_WHOLE or len(parts) == 1:
        return _WholeReader(stored, plan.dtype, common, side)
    return _PartReader(stored, plan.dtype, common, side)


class _RawReader:
    """Values that lie in the file as they are in memory."""

    def __init__(self, stored: Stored, parts: tuple[Part, ...], common: CommonAxes, side: int) -> None:
        strides = common.strides(stored.entry, side)
        self.dtype = stored.entry.dtype
        self.strides: tuple[int, ...] | None = strides
        self._common = common
        self._side = side
        self._own = strides
        self._byteorder = stored.entry.byteorder
        self._parts = parts
        self._files = stored.files
        self._order = sorted(range(len(strides)), key=lambda i: -strides[i])
        """Common axes from the slowest to the fastest in the file."""

    def read(self, start: Sequence[int], shape: Sequence[int], buffer: Buffer) -> NDArray[np.generic]:
        item = DTYPE_BITS[self.dtype] // 8
        lengths = [shape[i] for i in self._order]
        strides = [self._own[i] for i in self._order]
        split, span = _together(lengths, strides)
        outer, inner = lengths[:split], lengths[split:]
        gaps = span > prod(inner)
        raw = buffer.take((prod(lengths) + span * gaps) * item)
        gathered = raw[: prod(lengths) * item].view(f"V{item}").reshape(prod(outer), *inner)
        spare = raw[prod(lengths) * item :]
        own = self._common.place(start, self._side)
        first = sum(i * s for i, s in zip(own, self._own, strict=True))
        for row, place in enumerate(np.ndindex(*outer)):
            offset = (first + sum(i * s for i, s in zip(place, strides, strict=False))) * item
            if gaps:
                read_span(self._parts, self._files, offset, spare.data)
                gathered[row] = as_strided(spare.view(f"V{item}"), inner, [s * item for s in strides[split:]])
            else:
                read_span(self._parts, self._files, offset, raw[row * span * item : (row + 1) * span * item].data)
        flat = raw[: prod(lengths) * item]
        values = decode_values(flat, self.dtype, prod(lengths), self._byteorder).reshape(lengths)
        return values.transpose([self._order.index(i) for i in range(len(lengths))])


def _together(lengths: Sequence[int], strides: Sequence[int]) -> tuple[int, int]:
    """From which axis on values are read at once, and how many that are with the gaps between them."""
    split, span = len(lengths), 1
    for axis in reversed(range(len(lengths))):
        wider = sum((n - 1) * s for n, s in zip(lengths[axis:], strides[axis:], strict=True)) + 1
        if wider > MAX_WASTE * prod(lengths[axis:]):
            break
        split, span = axis, wider
    return split, span


class _WholeReader:
    """A tensor that is decoded whole when its first box is asked for."""

    def __init__(self, stored: Stored, dtype: str, common: CommonAxes, side: int) -> None:
        self.dtype = dtype
        self.strides: tuple[int, ...] | None = None
        self._stored = stored
        self._common = common
        self._side = side
        self._lock = Lock()
        self._values: NDArray[np.generic] | None = None

    def read(self, start: Sequence[int], shape: Sequence[int], buffer: Buffer) -> NDArray[np.generic]:
        with self._lock:
            if self._values is None:
                entry, catalogue, files = self._stored
                values = plan_blocks(entry, catalogue, files).array()
                self._values = _along_common(values, self._common, self._side)
        first = self._common.place(start, self._side)
        return self._values[tuple(slice(a, a + n) for a, n in zip(first, shape, strict=True))]


class _PartReader:
    """A tensor that is decoded part by part: those that a box touches."""

    def __init__(self, stored: Stored, dtype: str, common: CommonAxes, side: int) -> None:
        self.dtype = dtype
        self.strides: tuple[int, ...] | None = None
        self._stored = stored
        self._common = common
        self._side = side

    def read(self, start: Sequence[int], shape: Sequence[int], buffer: Buffer) -> NDArray[np.generic]:
        entry = self._stored.entry
        box = self._common.box(start, shape, self._side)
        if box is None:
            raise CodecError("encoded values cannot be read in the other tensor's order", entry.name)
        values = decoded_box(entry, self._stored.parts, self._stored.files, *box)
        return _along_common(values, self._common, self._side, tuple(shape))


def _along_common(
    values: NDArray[np.generic], common: CommonAxes, side: int, shape: tuple[int, ...] | None = None
) -> NDArray[np.generic]:
    """Values in the tensor's own axes with their common axes, in the order of those."""
    lengths = shape or common.lengths
    if side == 0:
        return values.reshape(lengths)
    order = common.layout.order
    return values.reshape([lengths[i] for i in order]).transpose([order.index(i) for i in range(len(order))])
