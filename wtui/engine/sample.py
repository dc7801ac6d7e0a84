"""A first look at a large tensor: a few of its blocks, summarised by plain numpy within milliseconds."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from wtui.engine.blocks import BLOCK, Buffer, plan_blocks
from wtui.stats.accumulate import Accumulator

if TYPE_CHECKING:
    from wtui.model import Catalogue, TensorEntry
    from wtui.stats.summary import Summary
    from wtui.storage import Files

__all__ = ["sample_tensor"]

SAMPLE_BLOCKS = 4
"""Blocks that are read, evenly spread over the tensor: half a million values, about 20 ms."""


def sample_tensor(entry: TensorEntry, catalogue: Catalogue, files: Files) -> Summary:
    """The summary of a few blocks; `seen < total` unless the tensor is no larger than they are. Raises WtuiError."""
    plan = plan_blocks(entry, catalogue, files)
    expected = min(entry.size, SAMPLE_BLOCKS * BLOCK)
    accumulator = Accumulator(plan.dtype, entry.size, plan.byteorder, expected=expected, kernels="numpy")
    scratch = accumulator.scratch()
    buffer = Buffer()
    if entry.size <= SAMPLE_BLOCKS * BLOCK:
        pieces: list[tuple[int, int | None]] = [(unit, None) for unit in range(plan.units)]
    else:
        wanted = min(SAMPLE_BLOCKS, plan.units)
        pieces = [(unit * plan.units // wanted, SAMPLE_BLOCKS // wanted) for unit in range(wanted)]
    for unit, blocks in pieces:
        for block, data in islice(plan.blocks(unit, buffer), blocks):
            accumulator.add(block, data, scratch)
    return accumulator.finish([scratch])
