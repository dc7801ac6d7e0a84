"""Measurements of one tensor that no summary can give: one more pass over its values, in order and in bounded memory.

The caller says which axes are channels; nothing here knows what they mean.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from wtui.engine.blocks import Buffer, plan_blocks
from wtui.errors import CodecError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from wtui.model import Catalogue, TensorEntry
    from wtui.stats.channels import Channels
    from wtui.storage import Files

__all__ = ["block_floats", "measure_channels"]


def measure_channels(
    entry: TensorEntry,
    catalogue: Catalogue,
    files: Files,
    channel_axes: tuple[int, int] | None,
    group_axis: int | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Channels | None:
    """Numbers by channel, runs and fingerprint of a tensor, whose channels lie along the axes `start : stop`.

    `stopped` is asked between blocks; None if it said so. CodecError or StorageError if the values cannot be had.
    """
    from wtui.stats.channels import ChannelAccumulator

    plan = plan_blocks(entry, catalogue, files)
    found = ChannelAccumulator(entry.shape, channel_axes, group_axis)
    buffer = Buffer()
    left = entry.size
    for unit in range(plan.units):
        for block, data in plan.blocks(unit, buffer):
            if stopped():
                return None
            values = block_floats(data, plan.dtype, plan.byteorder, left)
            found.add(values, plan.box(block))
            left -= len(values)
    return found.finish()


def block_floats(data: NDArray[np.generic], dtype: str, byteorder: str, left: int) -> NDArray[np.floating]:
    """The values of a block, raw or decoded, as float32 where that holds them exactly, else float64."""
    import numpy as np

    from wtui.codecs.plain import decode_values
    from wtui.model import DTYPE_BITS

    values = data
    if dtype.startswith("complex"):
        raise CodecError("complex values have no order, hence no statistics here")
    if data.dtype == np.uint8 and dtype != "uint8":
        values = decode_values(data.view(np.uint8), dtype, min(left, len(data) * 8 // DTYPE_BITS[dtype]), byteorder)
    wide = dtype in ("float64", "int32", "uint32", "int64", "uint64")
    return values.astype(np.float64 if wide else np.float32, copy=False)
