"""Buckets by the leading 20 bits of a float32: sign, exponent and 11 bits of the significand.

A bucket is 0.05 % wide (below 2^-126, where float32 is denormal, 2^-137 wide). Buckets are numbered in two ways. An
*id* is the 20 bits themselves, which is what a kernel counts. A *slot* is its place in the order of values, with one
of its own for zero: negative buckets 0 : ZERO, zero, positive buckets ZERO + 1 : SLOTS. Values beyond float32's range
fall into the outermost buckets. Knows no tensor and keeps no counts.
"""

from __future__ import annotations

from math import floor, frexp, inf, ldexp
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["IDS", "ID_SHIFT", "SLOTS", "ZERO", "bounds", "ids_of", "slots_of", "slots_of_ids", "snapped"]

ID_SHIFT = 12
"""Bits of a float32 below the leading 20."""

IDS = 1 << 20
SIGN = 1 << 19
"""The sign's bit in an id; also the number of ids of one sign."""

ZERO = SIGN
SLOTS = 2 * SIGN + 1

LAST = (0xFF << 11) - 1
"""Magnitude of the last finite bucket."""

FLOAT64_SHIFT = 41
"""Bits of a float64 below sign, exponent and 11 bits of its significand."""

REBIAS = (1023 - 127) << 11
"""What to take off the leading bits of a float64 to get those of a float32."""

FIRST_NORMAL = 1 << 11
"""Magnitude of the bucket that starts at 2^-126; those below are DENORMAL_SCALE^-1 wide."""

DENORMAL_BITS = 137
DENORMAL_SCALE = 2.0**DENORMAL_BITS

SIGNIFICANT_BITS = 12
"""Of the ends of buckets, with the one that float32 does not store."""

MAX_EXPONENT = 128
"""The exponent of float32's largest value, as math.frexp has it."""


def magnitudes(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """The bucket of |x| among those of one sign, rounded towards zero. values: (n,) finite float64."""
    size = np.abs(values)
    leading = (size.view(np.int64) >> FLOAT64_SHIFT) - REBIAS
    small = leading < FIRST_NORMAL
    leading = np.minimum(leading, LAST)
    if small.any():
        leading[small] = (size[small] * DENORMAL_SCALE).astype(np.int64)
    return np.asarray(leading)


def ids_of(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Ids of finite values; a zero has the id 0 or SIGN. values: (n,) float64."""
    return np.asarray(magnitudes(values) | (np.signbit(values) * SIGN))


def slots_of(values: NDArray[np.float64]) -> NDArray[np.int32]:
    """Slots of finite values. values: (n,) float64."""
    found = magnitudes(values)
    slots = np.where(values > 0, ZERO + 1 + found, ZERO - 1 - found)
    slots[values == 0] = ZERO
    return slots.astype(np.int32)


def slots_of_ids(ids: NDArray[np.integer]) -> NDArray[np.int32]:
    """Slots of ascending ids, descending for negative ones: reverse those from SIGN on to have slots ascend."""
    slots = np.asarray(ids, np.int32) + np.int32(ZERO + 1)
    negative = int(np.searchsorted(ids, SIGN))
    slots[negative:] = 2 * ZERO + SIGN - slots[negative:]
    return slots


def bounds(slots: NDArray[np.int32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper end of each slot: [lower, upper) for positive ones, (lower, upper] for negative ones."""
    offset = slots - ZERO
    size = np.abs(offset)
    inner = ((size - 1) << ID_SHIFT).astype(np.uint32).view(np.float32).astype(np.float64)
    outer = (size << ID_SHIFT).astype(np.uint32).view(np.float32).astype(np.float64)
    lower = np.where(offset > 0, inner, -outer)
    upper = np.where(offset > 0, outer, -inner)
    zero = offset == 0
    lower[zero] = upper[zero] = 0.0
    return lower, upper


def snapped(threshold: float) -> float:
    """The nearest end of a bucket towards zero, so that values nearer to zero can be counted exactly."""
    if not 0 < threshold < inf:
        return 0.0
    significand, exponent = frexp(threshold)
    if exponent > MAX_EXPONENT:
        significand, exponent = 1 - 2.0**-SIGNIFICANT_BITS, MAX_EXPONENT
    bits = min(SIGNIFICANT_BITS, exponent + DENORMAL_BITS)
    return floor(ldexp(significand, bits)) * 2.0 ** (exponent - bits)
