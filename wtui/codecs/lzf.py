"""LZF, the compression that h5py brings along: literals and references into what was just written.

The format is that of liblzf (Marc Lehmann). A control byte below 32 announces one literal more than its value. Any
other announces a copy: its upper three bits plus 2 are the length (all three set: the next byte is added), its lower
five bits and one more byte tell how far behind the copy begins, less one. Knows nothing of HDF5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

from wtui.errors import CodecError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["decompress"]

LITERALS = 32
"""Control bytes below this one announce literals."""


def decompress(data: memoryview, size: int) -> NDArray[np.uint8]:
    """The `size` bytes that `data` holds; CodecError if it holds fewer, more, or is damaged.

    Compiled: plain Python reaches 10 to 40 MB/s, this several hundred.
    """
    out = np.empty(size, np.uint8)
    if _decompress(np.frombuffer(data, np.uint8), out) != size:
        raise CodecError(f"LZF data do not give the {size:,} bytes they should")
    return out


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _decompress(data: NDArray[np.uint8], out: NDArray[np.uint8]) -> int:
    """Fill `out`; bytes written, or -1 where a step would leave either buffer."""
    read, written, end, size = 0, 0, len(data), len(out)
    while read < end:
        control = int(data[read])
        read += 1
        if control < LITERALS:
            length = control + 1
            if read + length > end or written + length > size:
                return -1
            for i in range(length):
                out[written + i] = data[read + i]
            read += length
        else:
            length = (control >> 5) + 2
            if length == 9:
                if read >= end:
                    return -1
                length += int(data[read])
                read += 1
            if read >= end:
                return -1
            start = written - ((control & 31) << 8) - int(data[read]) - 1
            read += 1
            if start < 0 or written + length > size:
                return -1
            for i in range(length):
                out[written + i] = out[start + i]
        written += length
    return written
