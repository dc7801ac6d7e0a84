"""One pass over one tensor: its plan, its accumulator, and what is left to do. Knows no threads and no priorities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wtui.engine.blocks import BLOCK, Buffer
from wtui.engine.pool import Task
from wtui.errors import CodecError
from wtui.model import DTYPE_BITS
from wtui.stats.accumulate import Accumulator, LinearAccumulator
from wtui.stats.places import locate
from wtui.stats.row import At

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from wtui.engine.blocks import Plan
    from wtui.engine.pool import Worker
    from wtui.model import TensorEntry
    from wtui.stats.linear import Window
    from wtui.stats.places import Place
    from wtui.stats.scratch import Scratch
    from wtui.stats.summary import Summary

__all__ = ["Job"]


class Job(Task):
    """A first pass, which makes a summary, or a second one, which makes its distribution finer in a window."""

    def __init__(
        self, tensor: int, entry: TensorEntry, plan: Plan, known: Summary | None = None, window: Window | None = None
    ) -> None:
        """With `known` and `window`: a second pass. CodecError for a dtype that has no statistics."""
        super().__init__(tensor, plan.units)
        self.entry = entry
        self.plan = plan
        self._share = entry.nbytes / (entry.size * DTYPE_BITS[plan.dtype] / 8 or 1)
        """Bytes in the tensor's own dtype for each byte of what its codec decodes to."""
        self._known = known
        self._window = window
        self._first = Accumulator(plan.dtype, entry.size, plan.byteorder) if window is None else None
        self._second = LinearAccumulator(plan.dtype, window, plan.byteorder) if window is not None else None

    @property
    def is_second(self) -> bool:
        """Whether this is a second pass."""
        return self._second is not None

    def read(self, unit: int, worker: Worker) -> int:
        """Take in one unit's values; their bytes in the tensor's own dtype, none for a second pass."""
        target = self._first or self._second
        assert target is not None
        size = 0
        for block, data in self.plan.blocks(unit, worker.buffers[0]):
            target.add(block, data, worker.scratches[0])
            size += data.nbytes
        return 0 if self.is_second else round(size * self._share)

    def summary(self, scratches: Sequence[Scratch]) -> Summary:
        """The summary of all units, extremes located; reads the blocks that hold them once more."""
        if self._second is not None:
            assert self._known is not None
            return self._known.with_linear(self._second.finish(scratches))
        assert self._first is not None
        summary = self._first.finish(scratches)
        buffer = Buffer()
        places = self._first.places
        found = {
            f"{what}_at": self._at(what, place, buffer) for what, place in places._asdict().items() if place is not None
        }
        return summary.with_places(**found)

    def _at(self, what: str, place: Place, buffer: Buffer) -> At | None:
        position = place.position
        if position is None:
            data = self._block(place.block, buffer)
            position = locate(data, self.plan.dtype, what, self.plan.byteorder)  # type: ignore[arg-type]
        return None if position is None else At(self.entry.name, self.plan.index(place.block, position))

    def _block(self, block: int, buffer: Buffer) -> NDArray[np.generic]:
        """The values of one block, read again."""
        for first, data in self.plan.blocks(self.plan.unit_of(block), buffer):
            raw = data.dtype == np.uint8 and DTYPE_BITS[self.plan.dtype] != 8
            size = BLOCK * DTYPE_BITS[self.plan.dtype] // 8 if raw else BLOCK
            start = (block - first) * size
            if 0 <= start < len(data):
                return data[start : start + size]
        raise CodecError(f"block {block} cannot be found again", self.entry.name)
