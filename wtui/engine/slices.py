"""Statistics of parts of one tensor, each a slice along one axis. The caller says which; nothing here knows why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from wtui.engine.blocks import plan_blocks
from wtui.errors import UsageError
from wtui.stats.accumulate import BLOCK, Accumulator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wtui.model import Catalogue, TensorEntry
    from wtui.stats.summary import Summary
    from wtui.storage import Files

__all__ = ["HELD", "Slice", "summarise_parts"]

HELD = 1 << 26
"""Values of a tensor up to which it is held in memory: 256 MB of float32."""


class Slice(NamedTuple):
    """Part `start : stop` along `axis`."""

    axis: int
    start: int
    stop: int


def summarise_parts(
    entry: TensorEntry,
    catalogue: Catalogue,
    files: Files,
    parts: Sequence[Slice],
    stopped: Callable[[], bool] = lambda: False,
) -> list[Summary] | None:
    """A summary of each part; None if `stopped` said so. UsageError for a tensor that is too large to be cut up,
    CodecError or StorageError where it cannot be read."""
    if entry.size > HELD:
        raise UsageError(f"more than {HELD:,} values are not cut into parts", entry.name)
    array = plan_blocks(entry, catalogue, files).array()
    found = []
    for axis, start, stop in parts:
        if stopped():
            return None
        inside = (*(slice(None) for _ in range(axis)), slice(start, stop))
        found.append(_summary(np.ascontiguousarray(array[inside]).reshape(-1)))
    return found


def _summary(values: NDArray[np.generic]) -> Summary:
    accumulator = Accumulator(str(values.dtype), len(values), "=")
    scratch = accumulator.scratch()
    for number in range(-(-len(values) // BLOCK)):
        accumulator.add(number, values[number * BLOCK : (number + 1) * BLOCK], scratch)
    return accumulator.finish([scratch])
