"""`Accumulator`: one tensor's values come in by blocks, in any order and from several threads; a `Summary` comes out.

The result has the same bits whatever the order and the threads were: counts are integers, and moments are put together
in the order of blocks. Small tensors are gathered and sorted, larger ones counted. Knows no file and no index: blocks
have numbers, and values a position in their block.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Literal

import numpy as np

from wtui.dtypes import numpy_dtype, patterns_of
from wtui.model import DTYPE_BITS
from wtui.stats import reference
from wtui.stats.counting import CountedBlocks
from wtui.stats.counts import MAX_DISTINCT
from wtui.stats.gathering import GatheredBlocks
from wtui.stats.kinds import kind_of
from wtui.stats.linear import LinearCounts, Window, join_steps
from wtui.stats.places import Places
from wtui.stats.rows import BLOCK
from wtui.stats.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from wtui.stats.scratch import Counted, Table
    from wtui.stats.summary import Summary

    CountSteps = Callable[[NDArray[np.float64], Window, NDArray[np.float64], Table], tuple[int, int]]

__all__ = ["BLOCK", "Accumulator", "KernelChoice", "LinearAccumulator", "Scratch", "can_compile", "warm_up"]

KernelChoice = Literal["auto", "numba", "numpy"]
"""`auto`: compiled kernels where numba can be imported, else numpy."""


class Accumulator:
    """Of one tensor of `total` values, of which `expected` will be added (default: all; fewer make a sample)."""

    def __init__(
        self,
        dtype: str,
        total: int,
        byteorder: str = "<",
        *,
        expected: int | None = None,
        kernels: KernelChoice = "auto",
    ) -> None:
        """CodecError for a dtype that has no statistics. `byteorder` (`<`, `>` or `=`) is that of raw bytes."""
        self._kind = kind_of(dtype)
        self._byteorder = byteorder
        self._total = total
        self._places: Places | None = None
        few = (total if expected is None else expected) <= MAX_DISTINCT
        self._blocks: GatheredBlocks | CountedBlocks = (
            GatheredBlocks(self._kind, total) if few else CountedBlocks(self._kind, total, _compiles(kernels))
        )

    def scratch(self) -> Scratch:
        """What a thread needs to add blocks: one per thread, which may go on to other accumulators."""
        return Scratch()

    def add(self, block: int, data: NDArray[np.generic], scratch: Scratch) -> None:
        """Take in the values of block number `block`, once; nothing of `data` is kept.

        data: (n,) raw bytes as uint8 or decoded values, contiguous; n <= BLOCK values, or several whole blocks that
        follow each other and perhaps a last one that is not. Any thread, any order; CodecError for another dtype.
        """
        patterns = patterns_of(data, self._kind.dtype, self._byteorder)
        if DTYPE_BITS[self._kind.dtype] < 8 and data.dtype == np.uint8:
            patterns = patterns[: max(0, self._total - block * BLOCK)]  # the rest of the last byte is padding
        if not (patterns.flags.aligned and patterns.flags.c_contiguous and patterns.flags.writeable):
            patterns = patterns.copy()
        self._blocks.add(block, patterns, scratch)

    def finish(self, scratches: Iterable[Scratch]) -> Summary:
        """The summary of all that was added with these scratches. Places are still open, see `places`."""
        summary, self._places = self._blocks.finish(scratches)
        return summary

    @property
    def places(self) -> Places:
        """After `finish`: the first blocks that hold the extremes, NaN and infinities."""
        return self._places or Places()


class LinearAccumulator:
    """The second pass over a tensor: counts its finite values in equal steps over a window."""

    def __init__(self, dtype: str, window: Window, byteorder: str = "<", *, kernels: KernelChoice = "auto") -> None:
        """CodecError for a dtype that has no statistics."""
        self._kind = kind_of(dtype)
        self._window = window
        self._edges = window.edges()
        self._byteorder = byteorder
        self.counters, self.compiled, self.paired = window.steps, _compiles(kernels), False
        self._outside = [0, 0]
        self._counted: list[Counted] = []
        self._lock = Lock()

    def scratch(self) -> Scratch:
        """As for `Accumulator`; the same ones may be used."""
        return Scratch()

    def add(self, block: int, data: NDArray[np.generic], scratch: Scratch) -> None:
        """Take in values; as `Accumulator.add`, but for padding of values below a byte, which has to be left out."""
        values = self._kind.floats(self._kind.widened(patterns_of(data, self._kind.dtype, self._byteorder)))
        table = scratch.table(self, len(values))
        below, above = _steps(self.compiled)(values, self._window, self._edges, table)
        with self._lock:
            self._outside[0] += below
            self._outside[1] += above

    def take_over(self, counted: Counted) -> None:
        """Keep what a thread counted."""
        with self._lock:
            self._counted.append(counted)

    def finish(self, scratches: Iterable[Scratch]) -> LinearCounts:
        """The counts of all that was added with these scratches, for `Summary.with_linear`."""
        for scratch in scratches:
            scratch.release(self)
        return join_steps(self._window, self._counted, *self._outside)


@cache
def can_compile() -> bool:
    """Whether there are compiled kernels here; imports numba."""
    try:
        import_module("wtui.stats.kernels")
    except Exception:  # numba fails in many ways where it does not fit numpy, LLVM or the machine
        return False
    return True


def warm_up(dtype: str = "float32") -> None:
    """Compile, or load from disk, what `dtype` needs, so that the first block is quick. Any thread may do it."""
    values = np.zeros(64, numpy_dtype(dtype))
    accumulator = Accumulator(dtype, MAX_DISTINCT + 1, kernels="numba")
    scratches = [accumulator.scratch(), accumulator.scratch()]
    for block, scratch in enumerate(scratches):
        accumulator.add(block, values, scratch)
    accumulator.finish(scratches)


def _compiles(kernels: KernelChoice) -> bool:
    return kernels == "numba" or (kernels == "auto" and can_compile())


def _steps(compiled: bool) -> CountSteps:
    if compiled:
        from wtui.stats import kernels

        return kernels.count_steps
    return reference.count_steps
