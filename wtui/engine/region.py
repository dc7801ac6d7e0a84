"""A box of a tensor's values, read alone: what a viewer shows, without reading what it does not show."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import TYPE_CHECKING

from wtui.engine.blocks import read_span
from wtui.engine.parts import read_part
from wtui.errors import CodecError, UsageError
from wtui.model import DTYPE_BITS, RAW, Catalogue, Part, TensorEntry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from wtui.storage import Files

__all__ = ["MAX_BOX", "decoded_box", "read_box"]

MAX_BOX = 1 << 20
"""Values of a box: more is no view."""

MAX_GAP = 1 << 16
"""Bytes between two wanted values up to which they are read together."""


def read_box(
    entry: TensorEntry, catalogue: Catalogue, files: Files, start: tuple[int, ...], stop: tuple[int, ...]
) -> NDArray[np.generic]:
    """The values of the box `start : stop` (half-open, an index for each axis), in native byte order.

    Reads the rows of the box for raw values and the parts that it touches for encoded ones. UsageError for a box that
    is not inside the tensor or too large; CodecError and StorageError where it cannot be read.
    """
    if len(start) != len(entry.shape) or not all(
        0 <= a <= b <= n for a, b, n in zip(start, stop, entry.shape, strict=True)
    ):
        raise UsageError(f"[{_range(start, stop)}] is not inside {list(entry.shape)}", entry.name)
    shape = tuple(b - a for a, b in zip(start, stop, strict=True))
    if prod(shape) > MAX_BOX:
        raise UsageError(f"{prod(shape):,} values are too many for a view", entry.name)
    if entry.problem:
        raise CodecError(entry.problem, entry.name)
    parts = catalogue.parts(entry)
    if entry.encoding == RAW and all(p.shape is None for p in parts):
        return _raw_box(entry, parts, files, start, shape)
    return decoded_box(entry, parts, files, start, stop)


def _raw_box(
    entry: TensorEntry, parts: tuple[Part, ...], files: Files, start: tuple[int, ...], shape: tuple[int, ...]
) -> NDArray[np.generic]:
    """Read runs along the axis whose values lie closest together."""
    import numpy as np

    from wtui.dtypes import numpy_dtype

    if not shape:
        return _raw_box(entry._replace(shape=(1,), strides=None), parts, files, (0,), (1,)).reshape(())
    strides = entry.strides or tuple(prod(entry.shape[a + 1 :]) for a in range(len(shape)))
    axes = sorted(range(len(shape)), key=lambda a: -strides[a])
    out = np.empty(tuple(shape[a] for a in axes), numpy_dtype(entry.dtype))
    corner = sum(i * s for i, s in zip(start, strides, strict=True))
    for outer in product(*(range(shape[a]) for a in axes[:-1])):
        begin = corner + sum(i * strides[a] for a, i in zip(axes, outer, strict=False))
        _read_run(entry, parts, files, begin, strides[axes[-1]], out[outer])
    return out.transpose([axes.index(a) for a in range(len(axes))])


def _read_run(
    entry: TensorEntry, parts: tuple[Part, ...], files: Files, begin: int, step: int, out: NDArray[np.generic]
) -> None:
    """Fill `out` with the values `begin`, `begin + step`, ...; with what lies between them if that is little."""
    import numpy as np

    from wtui.codecs.plain import decode_values

    bits = DTYPE_BITS[entry.dtype]
    together = max(len(out), 1) if step * bits <= MAX_GAP * 8 else 1
    for first in range(0, len(out), together):
        wanted = min(together, len(out) - first)
        count = (wanted - 1) * step + 1
        byte, bit = divmod((begin + first * step) * bits, 8)
        data = np.empty((bit + count * bits + 7) // 8, np.uint8)
        read_span(parts, files, byte, data.data)
        values = decode_values(data, entry.dtype, bit // bits + count, entry.byteorder)
        out[first : first + wanted] = values[bit // bits :: step]


def decoded_box(
    entry: TensorEntry, parts: tuple[Part, ...], files: Files, start: tuple[int, ...], stop: tuple[int, ...]
) -> NDArray[np.generic]:
    """The values of a box of encoded parts, of which those are decoded that it touches; its size is not limited."""
    import numpy as np

    from wtui.codecs import codec
    from wtui.dtypes import numpy_dtype

    decoder = codec(entry.encoding)
    shape = tuple(b - a for a, b in zip(start, stop, strict=True))
    out = np.zeros(shape, numpy_dtype(decoder.dtype(entry)))
    for part in parts:
        origin = part.origin or (0,) * len(shape)
        size = part.shape or entry.shape
        low = tuple(max(a, o) for a, o in zip(start, origin, strict=True))
        high = tuple(min(b, o + n) for b, o, n in zip(stop, origin, size, strict=True))
        if all(a < b for a, b in zip(low, high, strict=True)):
            values = decoder.decode(read_part(part, files), entry, part)
            here = tuple(slice(a - s, b - s) for a, b, s in zip(low, high, start, strict=True))
            there = tuple(slice(a - o, b - o) for a, b, o in zip(low, high, origin, strict=True))
            out[here] = values[there]
    return out


def _range(start: tuple[int, ...], stop: tuple[int, ...]) -> str:
    return ", ".join(f"{a}:{b}" for a, b in zip(start, stop, strict=False))
