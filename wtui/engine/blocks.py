"""From a tensor's stored parts to blocks of values, in pieces that threads can share.

A plan cuts a tensor into units of work (a few MB each) and every unit into blocks on a fixed grid, so that statistics
do not depend on who reads what when. It also says which index of the tensor a position in a block is. Knows extents
and codecs, not statistics.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING, Protocol

from wtui.engine.parts import read_part
from wtui.errors import CodecError
from wtui.model import DTYPE_BITS, RAW, Catalogue, Part, TensorEntry
from wtui.stats.box import Box

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from wtui.storage import Files

__all__ = ["BLOCK", "Buffer", "Plan", "plan_blocks", "read_span"]

BLOCK = 131072
"""Values in a block: 512 KiB of float32, which stays in the L2 cache between the two looks at it."""

BLOCKS_PER_READ = 4
"""Blocks that are read and handed over together: a call for each costs more than the cache gains (1.3x measured)."""

BLOCKS_PER_UNIT = 32
"""Blocks in a unit of work: about 5 ms, after which a more urgent tensor may go first."""

GATHER_LIMIT = 8 << 20
"""Bytes of a strided tensor that are read at once, with whatever lies between its values."""


class Buffer:
    """The memory a thread reads into: a few blocks, grown to the widest dtype it met, aligned for every kernel."""

    def __init__(self) -> None:
        self._bytes: NDArray[np.uint8] | None = None

    def take(self, size: int) -> NDArray[np.uint8]:
        """`size` bytes of the buffer, to be filled; what they held before is lost."""
        import numpy as np

        if self._bytes is None or len(self._bytes) < size:
            self._bytes = np.empty(max(size, BLOCKS_PER_READ * BLOCK * 4), np.uint8)
        return self._bytes[:size]


class Plan(Protocol):
    """How to read one tensor."""

    dtype: str
    """Of the values that `blocks` gives: the tensor's own, or what its codec decodes to."""
    byteorder: str
    units: int
    """Pieces of work; any thread may do any of them in any order."""

    def blocks(self, unit: int, buffer: Buffer) -> Iterator[tuple[int, NDArray[np.generic]]]:
        """(number of the first block, values of one or several blocks), valid until the next ones are asked for.

        The values are raw bytes (as uint8) or a decoded 1-D array; all blocks but the tensor's last are full.
        """

    def unit_of(self, block: int) -> int:
        """The unit that a block belongs to."""

    def index(self, block: int, position: int) -> tuple[int, ...]:
        """The tensor's index of a position in a block."""

    def box(self, block: int) -> Box:
        """The box of the tensor that the block's values are from, and their place in it."""

    def array(self) -> NDArray[np.generic]:
        """All values, decoded, in native byte order and in the tensor's shape."""


def plan_blocks(entry: TensorEntry, catalogue: Catalogue, files: Files) -> Plan:
    """The plan for a tensor that can be read; CodecError for one that cannot."""
    if entry.problem:
        raise CodecError(entry.problem, entry.name)
    parts = catalogue.parts(entry)
    boxes = any(p.shape is not None for p in parts)
    if entry.encoding == RAW and not boxes:
        order = _dense_order(entry)
        if order is not None:
            return _Flat(entry, parts, files, order)
        return _Strided(entry, parts, files)
    return _Boxes(entry, parts, files)


def _dense_order(entry: TensorEntry) -> tuple[int, ...] | None:
    """The axes from slowest to fastest in the file if the values fill their bytes without gaps, else None."""
    axes = range(len(entry.shape))
    if entry.strides is None:
        return tuple(axes)
    if entry.size == 0:
        return tuple(axes)
    order = sorted(axes, key=lambda a: (-entry.strides[a], -entry.shape[a]))  # type: ignore[index]
    expected = 1
    for axis in reversed(order):
        if entry.shape[axis] != 1 and entry.strides[axis] != expected:
            return None
        expected *= entry.shape[axis]
    return tuple(order)


class _Flat:
    """Raw values without gaps: blocks are runs of the file, whatever the order of the axes."""

    def __init__(self, entry: TensorEntry, parts: tuple[Part, ...], files: Files, order: tuple[int, ...]) -> None:
        self.dtype = entry.dtype
        self.byteorder = entry.byteorder
        self._order = order
        self._stored_shape = tuple(entry.shape[a] for a in order)
        self._size = entry.size
        self._bits = DTYPE_BITS[entry.dtype]
        self._parts = parts
        self._files = files
        blocks = -(-self._size // BLOCK)
        self.units = -(-blocks // BLOCKS_PER_UNIT)

    def blocks(self, unit: int, buffer: Buffer) -> Iterator[tuple[int, NDArray[np.generic]]]:
        first = unit * BLOCKS_PER_UNIT
        last = min(first + BLOCKS_PER_UNIT, -(-self._size // BLOCK))
        for block in range(first, last, BLOCKS_PER_READ):
            start = block * BLOCK * self._bits // 8
            end = min(block + BLOCKS_PER_READ, last) * BLOCK
            stop = (min(end, self._size) * self._bits + 7) // 8
            data = buffer.take(stop - start)
            read_span(self._parts, self._files, start, data.data)
            yield block, data

    def unit_of(self, block: int) -> int:
        return block // BLOCKS_PER_UNIT

    def index(self, block: int, position: int) -> tuple[int, ...]:
        return self.box(block).index_of(position)

    def box(self, block: int) -> Box:
        return Box(block * BLOCK, self._stored_shape, self._order, (0,) * len(self._order))

    def array(self) -> NDArray[np.generic]:
        import numpy as np

        from wtui.codecs.plain import decode_values

        data = np.empty((self._size * self._bits + 7) // 8, np.uint8)
        read_span(self._parts, self._files, 0, data.data)
        values = decode_values(data, self.dtype, self._size, self.byteorder).reshape(self._stored_shape)
        return values.transpose([self._order.index(a) for a in range(len(self._order))])


class _Strided:
    """A view with gaps: gathered piece by piece along its slowest axis."""

    def __init__(self, entry: TensorEntry, parts: tuple[Part, ...], files: Files) -> None:
        assert entry.strides is not None
        self.dtype = entry.dtype
        self.byteorder = entry.byteorder
        self._entry = entry
        self._parts = parts
        self._files = files
        self._axis = max(range(len(entry.shape)), key=lambda a: entry.strides[a])  # type: ignore[index]
        rest = entry.size // max(entry.shape[self._axis], 1)
        self._step = max(1, min(BLOCK // max(rest, 1), GATHER_LIMIT // (entry.strides[self._axis] * 8 or 1)))
        self._cuts = -(-entry.shape[self._axis] // self._step)
        self._per_cut = -(-self._step * rest // BLOCK)
        self.units = self._cuts
        if DTYPE_BITS[entry.dtype] < 8:
            raise CodecError("strided values of less than a byte cannot be decoded", entry.name)

    def blocks(self, unit: int, buffer: Buffer) -> Iterator[tuple[int, NDArray[np.generic]]]:
        import numpy as np

        values = np.ascontiguousarray(self._cut(unit)).reshape(-1).view(np.uint8)
        item = DTYPE_BITS[self.dtype] // 8
        for i in range(self._per_cut):
            piece = values[i * BLOCK * item : (i + 1) * BLOCK * item]
            if len(piece):
                yield unit * self._per_cut + i, piece

    def _cut(self, unit: int) -> NDArray[np.generic]:
        """The values of one cut as an array of opaque items, read with whatever lies between them."""
        import numpy as np
        from numpy.lib.stride_tricks import as_strided

        entry, item = self._entry, DTYPE_BITS[self.dtype] // 8
        assert entry.strides is not None
        shape = list(entry.shape)
        start = unit * self._step
        shape[self._axis] = min(self._step, entry.shape[self._axis] - start)
        first = start * entry.strides[self._axis]
        span = sum((n - 1) * s for n, s in zip(shape, entry.strides, strict=True)) + 1
        if span * item > 8 * GATHER_LIMIT:
            raise CodecError(f"its values lie too far apart ({span * item:,} bytes for one row)", entry.name)
        data = np.empty(span * item, np.uint8)
        read_span(self._parts, self._files, first * item, data.data)
        return as_strided(data.view(f"V{item}"), tuple(shape), tuple(s * item for s in entry.strides))

    def unit_of(self, block: int) -> int:
        return block // self._per_cut

    def index(self, block: int, position: int) -> tuple[int, ...]:
        return self.box(block).index_of(position)

    def box(self, block: int) -> Box:
        unit, i = divmod(block, self._per_cut)
        shape, origin = list(self._entry.shape), [0] * len(self._entry.shape)
        origin[self._axis] = unit * self._step
        shape[self._axis] = min(self._step, shape[self._axis] - origin[self._axis])
        return Box(i * BLOCK, tuple(shape), tuple(range(len(shape))), tuple(origin))

    def array(self) -> NDArray[np.generic]:
        import numpy as np

        from wtui.codecs.plain import decode_values

        entry = self._entry
        items = np.empty(entry.shape, f"V{DTYPE_BITS[self.dtype] // 8}")
        for unit in range(self.units):
            start = unit * self._step
            items[(slice(None),) * self._axis + (slice(start, start + self._step),)] = self._cut(unit)
        raw = items.reshape(-1).view(np.uint8)
        return decode_values(raw, self.dtype, entry.size, self.byteorder).reshape(entry.shape)


class _Boxes:
    """Parts that are boxes of the tensor, or that a codec decodes: each part is a unit, decoded whole."""

    def __init__(self, entry: TensorEntry, parts: tuple[Part, ...], files: Files) -> None:
        from wtui.codecs import codec

        self._codec = codec(entry.encoding)
        self.dtype = self._codec.dtype(entry)
        self.byteorder = "="
        self._entry = entry
        self._parts = parts
        self._files = files
        self.units = len(parts)
        shapes = [self._clipped(p) for p in parts]
        self._per_part = max([1, *(-(-prod(s) // BLOCK) for s in shapes)])

    def _clipped(self, part: Part) -> tuple[int, ...]:
        """The part's shape without what sticks out over the tensor's edge."""
        if part.shape is None:
            return self._entry.shape
        return tuple(min(n, t - o) for n, t, o in zip(part.shape, self._entry.shape, part.origin, strict=True))

    def blocks(self, unit: int, buffer: Buffer) -> Iterator[tuple[int, NDArray[np.generic]]]:
        import numpy as np

        flat = np.ascontiguousarray(self._decoded(self._parts[unit])).reshape(-1)
        for i in range(-(-len(flat) // BLOCK)):
            yield unit * self._per_part + i, flat[i * BLOCK : (i + 1) * BLOCK]

    def unit_of(self, block: int) -> int:
        return block // self._per_part

    def index(self, block: int, position: int) -> tuple[int, ...]:
        return self.box(block).index_of(position)

    def box(self, block: int) -> Box:
        unit, i = divmod(block, self._per_part)
        shape = self._clipped(self._parts[unit])
        return Box(i * BLOCK, shape, tuple(range(len(shape))), self._parts[unit].origin or (0,) * len(shape))

    def array(self) -> NDArray[np.generic]:
        import numpy as np

        from wtui.dtypes import numpy_dtype

        held = sum(prod(self._clipped(p)) for p in self._parts)
        if held != self._entry.size:
            raise CodecError(f"the file holds {held:,} of its {self._entry.size:,} values", self._entry.name)
        values = np.zeros(self._entry.shape, numpy_dtype(self.dtype))
        for part in self._parts:
            origin = part.origin or (0,) * values.ndim
            box = tuple(slice(o, o + n) for o, n in zip(origin, self._clipped(part), strict=True))
            values[box] = self._decoded(part)
        return values

    def _decoded(self, part: Part) -> NDArray[np.generic]:
        """The values of one part, without what sticks out over the tensor's edge."""
        values = self._codec.decode(read_part(part, self._files), self._entry, part)
        return values[tuple(slice(n) for n in self._clipped(part))]


def read_span(parts: tuple[Part, ...], files: Files, start: int, out: memoryview) -> None:
    """Fill `out` with the bytes `start : start + len(out)` of the parts laid one after the other."""
    done = 0
    for part in parts:
        file, offset, length = part.extent
        if start < length and done < len(out):
            take = min(length - start, len(out) - done)
            files[file].read_into(out[done : done + take], offset + start)
            done += take
            start = 0
        else:
            start -= min(length, start)
    if done != len(out):
        raise CodecError(f"{len(out) - done:,} bytes of it are missing from the file")
