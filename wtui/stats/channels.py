"""`Channels`: what merged counts cannot tell: norms by channel, constant runs, patterns of zeros, a fingerprint.

A Measurement of one tensor in one pass with bounded memory: values come in order, block by block, each with the box of
the tensor that it is from. Knows no file and no layer: which axes are channels is for the caller to say.
"""

from __future__ import annotations

from math import nan, prod
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from wtui.stats import channel_reference
from wtui.stats.accumulate import KernelChoice, can_compile
from wtui.stats.channel_row import LISTED, ChannelRow
from wtui.stats.sparsity import SIZES, pattern_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wtui.stats.box import Box
    from wtui.stats.channel_reference import Along, Run

__all__ = ["ChannelAccumulator", "Channels"]

MAX_CHANNELS = 1 << 22
"""Channels that are told apart: 100 MB of sums; the largest vocabularies have 2^18 rows."""

WEAK = 0.001
"""A channel whose norm is below this share of the median one has no say beside the others."""


LOW = 0.5
"""A channel below this share of the median norm stands apart where norms are alike, as in a trained embedding."""


class Loops(Protocol):
    """The loops over values, see `channel_reference`."""

    def by_channel(self, values: NDArray[np.floating], start: int, inner: int, sums: NDArray[np.float64]) -> None: ...

    def zeros_by_group(
        self, values: NDArray[np.floating], start: int, along: Along, counts: NDArray[np.int64], used: NDArray[np.int64]
    ) -> None: ...

    def whole(
        self, values: NDArray[np.floating], seen: int, value: float, length: int, longest: int
    ) -> tuple[int, Run]: ...


class Channels:
    """Numbers by channel, and of the tensor as a whole; see `ChannelRow` for what the scalars mean."""

    def __init__(
        self,
        sums: NDArray[np.float64],
        per_channel: int,
        whole: WholeState,
        groups: NDArray[np.int64],
        used: NDArray[np.int64],
    ) -> None:
        self.l1 = sums[0]
        """(channels,) sum of |x| of the finite values, like the next three."""
        self.square_sum = sums[1]
        self.largest = sums[2]
        """(channels,) the largest |x|."""
        self.nonzero = sums[3]
        self.per_channel = per_channel
        self.whole = whole
        self.groups = groups
        """(sizes, 17) groups of 2, 4, 8 and 16 neighbouring inputs of one output, by the number of zeros in them."""
        self.used = used
        """(inputs,) values but 0 of each input; empty where inputs were not looked at."""

    @property
    def l2(self) -> NDArray[np.float64]:
        """(channels,) root of the sum of x^2."""
        return np.asarray(np.sqrt(self.square_sum))

    def row(self) -> ChannelRow:
        """Everything that is told of it, as plain Python numbers."""
        norms, n = self.l2, len(self.l2)
        dead = np.flatnonzero(self.nonzero == 0)
        median = float(np.median(norms)) if n else nan
        weak = np.flatnonzero((norms < WEAK * median) & (self.nonzero > 0)) if n else dead
        low = np.flatnonzero(norms < LOW * median)
        at = int(norms.argmax()) if n else 0
        run, pattern = self.whole, pattern_of(self.groups, self.used)
        return ChannelRow(
            channels=n,
            per_channel=self.per_channel,
            dead=len(dead),
            dead_at=tuple(dead[:LISTED].tolist()),
            weak=len(weak),
            weak_at=tuple(weak[:LISTED].tolist()),
            low=len(low),
            low_at=tuple(low[:LISTED].tolist()),
            median_l2=median,
            largest_l2=float(norms[at]) if n else nan,
            largest_at=at,
            longest_run=run.longest,
            run_value=run.longest_value,
            run_at=run.longest_at,
            run_is_last=run.longest > 0 and run.longest_at + run.longest == run.seen,
            kept=pattern.kept,
            of=pattern.of,
            groups=pattern.groups,
            fingerprint=run.fingerprint,
        )


class WholeState(NamedTuple):
    """What is known of the tensor as a whole after some of its values."""

    seen: int = 0
    fingerprint: int = 0
    value: float = nan
    """The last value, and how many before it were equal, itself included."""
    length: int = 0
    longest: int = 0
    longest_value: float = nan
    longest_at: int = 0


class ChannelAccumulator:
    """Takes in one tensor's values in order; one thread."""

    def __init__(
        self,
        shape: tuple[int, ...],
        channel_axes: tuple[int, int] | None,
        group_axis: int | None = None,
        *,
        kernels: KernelChoice = "auto",
    ) -> None:
        """Channels lie along the axes `start : stop` taken together; None: the tensor has none.

        `group_axis` is the axis of inputs, along which zeros are counted by groups of neighbours.
        """
        axes = channel_axes if channel_axes and prod(shape[slice(*channel_axes)]) <= MAX_CHANNELS else None
        self._shape = shape
        self._axes = axes
        self._group_axis = group_axis
        self._sums = np.zeros((4, prod(shape[slice(*axes)]) if axes else 0))
        self._groups = np.zeros((len(SIZES), SIZES[-1] + 1), np.int64)
        self._used = np.zeros(0 if group_axis is None else shape[group_axis], np.int64)
        self._whole = WholeState()
        self._compiled = kernels == "numba" or (kernels == "auto" and can_compile())

    def add(self, values: NDArray[np.floating], box: Box) -> None:
        """Take in values of one box that follow each other. values: (n,) float32 or float64, all inside the box."""
        loops = _loops(self._compiled)
        self._by_channel(values, box)
        if self._group_axis is not None:
            inner, length = _inner(box, self._group_axis, self._group_axis + 1) or (0, 0)
            if inner:
                along = inner, length, box.origin[self._group_axis]
                loops.zeros_by_group(values, box.start, along, self._groups, self._used)
        state = self._whole
        hashed, run = loops.whole(values, state.seen, state.value, state.length, state.longest)
        longest = run[2] > state.longest
        self._whole = WholeState(
            seen=state.seen + len(values),
            fingerprint=(state.fingerprint + int(hashed)) % (1 << 64),
            value=float(run[0]),
            length=int(run[1]),
            longest=int(run[2]) if longest else state.longest,
            longest_value=float(run[3]) if longest else state.longest_value,
            longest_at=int(run[4]) if longest else state.longest_at,
        )

    def finish(self) -> Channels:
        """What was measured."""
        n = self._sums.shape[1]
        return Channels(self._sums, prod(self._shape) // n if n else 0, self._whole, self._groups, self._used)

    def _by_channel(self, values: NDArray[np.floating], box: Box) -> None:
        if self._axes is None:
            return
        along = _inner(box, *self._axes)
        if along is None:
            return
        inner, length = along
        sums = np.zeros((4, length))
        _loops(self._compiled).by_channel(values, box.start, inner, sums)
        at = self._numbers(box, length)
        self._sums[:2, at] += sums[:2]
        self._sums[2, at] = np.maximum(self._sums[2, at], sums[2])
        self._sums[3, at] += sums[3]

    def _numbers(self, box: Box, length: int) -> slice | NDArray[np.intp]:
        """Which channels of the tensor those of the box are."""
        if self._axes is None or length == self._sums.shape[1]:
            return slice(None)
        axes = range(*self._axes)
        lengths = dict(zip(box.axes, box.shape, strict=True))
        grid = np.indices([lengths[a] for a in axes]).reshape(len(axes), -1)
        index = [grid[i] + box.origin[a] for i, a in enumerate(axes)]
        return np.asarray(np.ravel_multi_index(index, [self._shape[a] for a in axes]))


def _inner(box: Box, start: int, stop: int) -> tuple[int, int] | None:
    """How many values of the box lie behind each step along these axes, and how many steps there are.

    None where the axes are not neighbours in the order in which the values lie.
    """
    try:
        first = box.axes.index(start)
    except ValueError:
        return None
    last = first + stop - start
    if box.axes[first:last] != tuple(range(start, stop)):
        return None
    return prod(box.shape[last:]), prod(box.shape[first:last])


def _loops(compiled: bool) -> Loops:
    if compiled:
        from wtui.stats import channel_loops

        return channel_loops
    return channel_reference
