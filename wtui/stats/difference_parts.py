"""`DifferenceAccumulator`: pairs of values come in by parts, from several threads; a `Difference` comes out.

The result has the same bits whatever the threads were, since parts are put together in their order. Knows no file and
no index: pairs have a number that whoever adds them gives them.
"""

from __future__ import annotations

from dataclasses import replace
from math import nan
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from wtui.dtypes import numpy_dtype
from wtui.stats import difference_reference as reference
from wtui.stats.accumulate import can_compile
from wtui.stats.difference import Difference, merge_differences, narrower
from wtui.stats.rows import BLOCK

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wtui.stats.accumulate import KernelChoice

    Floats = NDArray[np.floating]

__all__ = ["MAX_CHANNELS", "DifferenceAccumulator", "DifferencePart", "floats"]

MAX_CHANNELS = 1 << 18
"""Channels that are told apart: 4 MB of sums for every part; the largest vocabularies have that many."""

WIDE = frozenset({"float64", "int32", "uint32", "int64", "uint64"})
"""Dtypes whose values float32 does not hold."""


class Loops(Protocol):
    """The loops over pairs, see `difference_reference`."""

    def pair_sums(self, a: Floats, b: Floats) -> NDArray[np.float64]: ...

    def different_patterns(self, a: NDArray[np.unsignedinteger], b: NDArray[np.unsignedinteger]) -> int: ...

    def by_channel(self, a: Floats, b: Floats, start: int, inner: int, sums: NDArray[np.float64]) -> None: ...


class DifferencePart:
    """Pairs that one thread adds one after the other; any part of a tensor's."""

    def __init__(self, channels: int, rounded: np.dtype[np.generic] | None, compiled: bool) -> None:
        self._loops = _loops(compiled)
        self._rounded = rounded
        self._sums = np.zeros(6)
        self._pairs = self._different_bits = self._changed = self._sign_flips = self._rounded_equal = 0
        self._left_out = self._left_out_differ = self._broken = self._mended = 0
        self._largest = nan
        self._place = -1
        self.channels = np.zeros((2, channels))
        """Sums of d^2 and a^2 of each channel."""

    def add(self, a: NDArray[np.generic], b: NDArray[np.generic], place: int) -> None:
        """Take in pairs. a, b: (n,) decoded values in native byte order; `place` is the number of the first pair."""
        for start in range(0, len(a), BLOCK):
            self._add_block(a[start : start + BLOCK], b[start : start + BLOCK], place + start)

    def add_channels(
        self,
        a: NDArray[np.generic],
        b: NDArray[np.generic],
        start: int,
        inner: int,
        numbers: NDArray[np.intp] | None = None,
    ) -> None:
        """Add to channels: the pair at p belongs to number ((start + p) // inner) % n of these `numbers`, or of all."""
        if numbers is None:
            self._loops.by_channel(*floats(a, b), start, inner, self.channels)
            return
        sums = np.zeros((2, len(numbers)))
        self._loops.by_channel(*floats(a, b), start, inner, sums)
        self.channels[:, numbers] += sums

    def difference(self) -> Difference:
        """What was added."""
        s = self._sums.tolist()
        return Difference(
            pairs=self._pairs,
            total=self._pairs,
            different_bits=self._different_bits,
            changed=self._changed,
            left_out=self._left_out,
            left_out_differ=self._left_out_differ,
            broken=self._broken,
            mended=self._mended,
            sign_flips=self._sign_flips,
            rounded_equal=None if self._rounded is None else self._rounded_equal,
            max_abs=self._largest,
            max_place=self._place,
            sums=(s[0], s[1], s[2], s[3], s[4], s[5]),
        )

    def _add_block(self, a: NDArray[np.generic], b: NDArray[np.generic], place: int) -> None:
        self._pairs += len(a)
        x, y = floats(a, b)
        found = self._loops.pair_sums(x, y)
        places = None
        unlike = 0
        if not np.isfinite(found[: reference.LARGEST]).all():
            places, unlike = self._leave_out(x, y)
            x, y = x[places], y[places]
            found = reference.pair_sums(x, y)
        self._sums += found[: reference.LARGEST]
        self._sign_flips += int(found[reference.FLIPS])
        changed = int(found[reference.CHANGED]) + unlike
        different = self._bits(a, b) if a.dtype == b.dtype else changed
        self._different_bits += different
        self._changed += different if a.dtype == b.dtype and a.dtype.kind in "iu" else changed
        if self._rounded is not None:
            self._rounded_equal += _equal_rounded(a, b, self._rounded)
        self._keep_extreme(x, y, float(found[reference.LARGEST]), place, places)

    def _bits(self, a: NDArray[np.generic], b: NDArray[np.generic]) -> int:
        unsigned = f"u{a.dtype.itemsize}"
        return self._loops.different_patterns(a.view(unsigned), b.view(unsigned))

    def _leave_out(self, x: Floats, y: Floats) -> tuple[NDArray[np.intp], int]:
        """Places of the pairs that are finite; the others are counted. Also how many of those differ."""
        finite_x, finite_y = np.isfinite(x), np.isfinite(y)
        both = finite_x & finite_y
        same = (x == y) | (np.isnan(x) & np.isnan(y))
        unlike = int(np.count_nonzero(~both & ~same))
        self._left_out += len(x) - int(np.count_nonzero(both))
        self._left_out_differ += unlike
        self._broken += int(np.count_nonzero(finite_x & ~finite_y))
        self._mended += int(np.count_nonzero(finite_y & ~finite_x))
        return np.flatnonzero(both), unlike

    def _keep_extreme(self, x: Floats, y: Floats, largest: float, place: int, places: NDArray[np.intp] | None) -> None:
        """Keep the largest |d| and where it is first; `places` are those of the pairs in the block, None for all."""
        if not len(x) or largest <= self._largest:
            return
        with np.errstate(over="ignore"):
            at = int(np.abs(y.astype(np.float64) - x.astype(np.float64)).argmax())
        self._largest, self._place = largest, place + (at if places is None else int(places[at]))


class DifferenceAccumulator:
    """Puts the parts of one tensor together in their order."""

    def __init__(
        self, total: int, dtype_a: str, dtype_b: str, channels: int = 0, *, kernels: KernelChoice = "auto"
    ) -> None:
        """Of `total` pairs; with 0 channels, or more than MAX_CHANNELS, they are not told apart."""
        narrow = narrower(dtype_a, dtype_b)
        self._total = total
        self.channels = channels if channels <= MAX_CHANNELS else 0
        self._rounded = numpy_dtype(narrow) if narrow else None
        self._compiled = kernels == "numba" or (kernels == "auto" and can_compile())
        self._lock = Lock()
        self._waiting: dict[int, DifferencePart] = {}
        self._next = 0
        self._found = Difference()
        self._sums = np.zeros((2, self.channels))

    def part(self) -> DifferencePart:
        """An empty part for one thread."""
        return DifferencePart(self.channels, self._rounded, self._compiled)

    def take(self, number: int, part: DifferencePart) -> None:
        """Take the part with this number, 0, 1, 2, ...; each once, in any order, from any thread."""
        with self._lock:
            self._waiting[number] = part
            while (following := self._waiting.pop(self._next, None)) is not None:
                self._next += 1
                self._found = merge_differences((self._found, following.difference()))
                self._sums += following.channels

    def finish(self) -> tuple[Difference, NDArray[np.float64]]:
        """The difference, places still as numbers; and the sums of d^2 and a^2 by channel. -> (2, channels)"""
        return replace(self._found, total=self._total), self._sums


def floats(a: NDArray[np.generic], b: NDArray[np.generic]) -> tuple[Floats, Floats]:
    """Both as float32 where that holds all their values exactly, else as float64 (which rounds beyond 2^53)."""
    target = np.float64 if WIDE & {str(a.dtype), str(b.dtype)} else np.float32
    return _as_float(a, target), _as_float(b, target)


def _as_float(values: NDArray[np.generic], target: type[np.floating[Any]]) -> Floats:
    if values.dtype == np.bool_:
        values = values.view(np.uint8) != 0
    with np.errstate(invalid="ignore"):  # signalling NaN
        return values.astype(target, copy=False)


def _equal_rounded(a: NDArray[np.generic], b: NDArray[np.generic], narrow: np.dtype[np.generic]) -> int:
    """Pairs that are equal as values of the narrower dtype; NaN equals NaN."""
    with np.errstate(over="ignore", invalid="ignore"):
        x, y = (v.astype(narrow, copy=False).astype(np.float32) for v in (a, b))
    return int(np.count_nonzero((x == y) | (np.isnan(x) & np.isnan(y))))


def _loops(compiled: bool) -> Loops:
    if compiled:
        from wtui.stats import difference_loops

        return difference_loops
    return reference
