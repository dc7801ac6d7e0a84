"""What has to be known of a dtype to summarise its values: how patterns are ordered, and which of them are finite.

*Narrow* dtypes, of 16 bits or fewer, are counted pattern by pattern. *Wide* ones become float32, float64, int64 or
uint64 for the kernels. The *key* of a value is an integer that orders it among the values of its dtype.
"""

from __future__ import annotations

from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np

from wtui.dtypes import numpy_dtype
from wtui.errors import CodecError
from wtui.model import DTYPE_BITS
from wtui.stats.moments import USUAL_EXPONENT

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Kind", "kind_of"]


class Kind:
    """A dtype as the kernels see it."""

    def __init__(self, dtype: str) -> None:
        """CodecError for dtypes that are unknown or have no order."""
        self.dtype = dtype
        if dtype.startswith("complex"):
            raise CodecError("complex values have no order, hence no statistics here")
        self.native = numpy_dtype(dtype)
        self.whole = dtype == "bool" or "int" in dtype
        """Whether values are integers by their dtype."""
        self.narrow = DTYPE_BITS[dtype] <= 16
        self.work = self.native if self.narrow else np.dtype(_WIDE.get(dtype, dtype))
        """Dtype of the values that kernels of wide dtypes get."""
        self.signed = np.dtype(f"i{self.work.itemsize}")
        """Signed integers of the same width."""

    @cached_property
    def order(self) -> tuple[np.signedinteger, np.signedinteger]:
        """(flip, mask): with p a pattern as a signed integer, p ^ flip ^ (p >> (bits - 1) & mask) orders the values.

        Floats are sign and magnitude: the magnitude of negative ones is inverted. Unsigned integers change places
        around the sign. Of narrow dtypes only those of 16 bits.
        """
        top = np.iinfo(self.signed)
        flip = top.min if self.work.kind == "u" else 0
        return self.signed.type(flip), self.signed.type(0 if self.whole else top.max)

    @cached_property
    def usual(self) -> tuple[int, int, int]:
        """Keys of the lowest and highest value that kernels take, and of the smallest but zero.

        They leave blocks with NaN, infinities and values whose fourth power does not fit float64 to others.
        """
        if self.whole:
            limits = np.iinfo(self.signed)
            return int(limits.min), int(limits.max), 0
        if self.work == np.float64:
            highest, smallest = 2.0**USUAL_EXPONENT, 2.0**-USUAL_EXPONENT
        elif self.work == np.float32:
            highest, smallest = float(np.finfo(np.float32).max), 0.0
        else:
            highest, smallest = float(self.table[np.isfinite(self.table)].max()), 0.0
        keys = self.keys(np.array([-highest, highest, smallest]).astype(self.native).view(f"u{self.work.itemsize}"))
        return int(keys[0]), int(keys[1]), int(keys[2])

    @cached_property
    def table(self) -> NDArray[np.float64]:
        """Narrow dtypes: the value of every pattern. -> (256,) or (65536,) float64"""
        patterns = np.arange(1 << (8 * self.native.itemsize)).astype(f"u{self.native.itemsize}")
        if self.dtype == "bool":
            return np.asarray(patterns != 0, np.float64)
        with np.errstate(invalid="ignore"):
            return np.asarray(patterns.view(self.native), np.float64) + 0.0

    @cached_property
    def ranks(self) -> NDArray[np.int16]:
        """Narrow dtypes of a byte: the key of every pattern, -1 where it is not finite. -> (256,)"""
        ranks = np.unique(self.table, return_inverse=True)[1].reshape(-1).astype(np.int16)
        ranks[~np.isfinite(self.table)] = -1
        return ranks

    def keys(self, patterns: NDArray[np.unsignedinteger]) -> NDArray[np.integer]:
        """Integers in the order of the values. patterns: (n,) of finite values of `work`"""
        if patterns.dtype.itemsize == 1:
            return np.asarray(self.ranks[patterns])
        flip, mask = self.order
        p = patterns.view(self.signed)
        return np.asarray(p ^ flip ^ (p >> (8 * p.itemsize - 1) & mask))

    def value(self, key: int) -> float | int:
        """The value of a key of a wide dtype; -0.0 as 0.0."""
        if self.whole:
            return key + (1 << 63 if self.work.kind == "u" else 0)
        bits = self.signed.type(key)
        pattern = bits ^ (bits >> (8 * bits.itemsize - 1) & self.order[1])
        return float(np.array([pattern]).view(self.work)[0]) + 0.0

    def widened(self, patterns: NDArray[np.unsignedinteger]) -> NDArray[np.unsignedinteger]:
        """Patterns of the dtype as those of `work`: the same, or 32-bit integers as 64-bit ones."""
        if self.native == self.work:
            return patterns
        return patterns.view(self.native).astype(self.work).view(np.uint64)

    def floats(self, patterns: NDArray[np.unsignedinteger]) -> NDArray[np.float64]:
        """The values of patterns of `work` as float64, which rounds integers beyond 2^53."""
        if self.narrow:
            return np.asarray(self.table[patterns])
        with np.errstate(invalid="ignore"):  # signalling NaN
            return patterns.view(self.work).astype(np.float64)


_WIDE = {"int32": "int64", "uint32": "int64"}


@cache
def kind_of(dtype: str) -> Kind:
    """The kind of a dtype; CodecError for one without statistics."""
    return Kind(dtype)
