"""Cheap looks at values that settle which tensors belong together: a fingerprint, and a sample of a pair.

Both read little. Neither is ever told as a result: they only choose what is compared then.
"""

from __future__ import annotations

from hashlib import blake2b
from math import inf
from typing import TYPE_CHECKING

import numpy as np

from wtui.engine.blocks import Buffer, plan_blocks
from wtui.engine.compare_axes import CommonAxes, c_strides
from wtui.engine.compare_plan import tile_shape
from wtui.engine.compare_read import Stored, box_reader
from wtui.errors import CodecError, WtuiError
from wtui.stats.difference_parts import floats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wtui.model import Catalogue
    from wtui.stats.layout import Layout
    from wtui.storage import Files

__all__ = ["Fingerprints", "likeliest_layout"]

MAX_VALUES = 1 << 16
"""Values of a tensor that is small enough for a fingerprint."""

MAX_BYTES = 64 << 20
"""Bytes of one model that are read for fingerprints."""

SAMPLE = 1 << 14
"""Values of a sample."""

CLEARLY = 0.5
"""A layout takes the place of a likelier one if it brings the sample this many times as near."""


class Fingerprints:
    """Of a model's small tensors: equal where they hold the same values, in whatever order; a `Content`."""

    def __init__(self, catalogue: Catalogue, files: Files) -> None:
        self._catalogue = catalogue
        self._files = files
        self._read = 0

    def __call__(self, tensor: int) -> bytes | None:
        """None for a tensor that is large, constant or not readable, and once enough was read."""
        entry = self._catalogue.tensors[tensor]
        if not 1 < entry.size <= MAX_VALUES or self._read + entry.nbytes > MAX_BYTES or entry.problem:
            return None
        self._read += entry.nbytes
        try:
            values = np.sort(plan_blocks(entry, self._catalogue, self._files).array().reshape(-1).astype(np.float64))
        except (WtuiError, TypeError, ValueError):
            return None
        return None if values[0] == values[-1] else blake2b(values.tobytes(), digest_size=16).digest()


def likeliest_layout(a: Stored, b: Stored, layouts: Sequence[Layout]) -> Layout:
    """The first layout, or one in which a sample of B comes clearly nearer to A; CodecError if there is none."""
    if not layouts:
        raise CodecError(f"shapes {list(a.entry.shape)} and {list(b.entry.shape)} do not fit", b.entry.name)
    if len(layouts) == 1:
        return layouts[0]
    distances = [_distance(a, b, layout) for layout in layouts]
    best = min(range(len(layouts)), key=distances.__getitem__)
    return layouts[best if distances[best] < CLEARLY * distances[0] else 0]


def _distance(a: Stored, b: Stored, layout: Layout) -> float:
    """Sum of squared differences of a box of both; infinite where it cannot be had."""
    try:
        common = CommonAxes(a.entry.shape, b.entry.shape, layout)
        readers = box_reader(a, common, 0), box_reader(b, common, 1)
        strides = [r.strides or c_strides(common.lengths) for r in readers]
        one_by_one = [layout.block_axis] if layout.blocks else []
        shape = tile_shape(common.lengths, strides, one_by_one, SAMPLE)
        start = [0] * len(shape)
        x, y = floats(*(r.read(start, shape, Buffer()).reshape(-1) for r in readers))
    except WtuiError:
        return inf
    with np.errstate(over="ignore", invalid="ignore"):
        d = y.astype(np.float64) - x
        found = float(np.nansum(d * d))
    return found if found == found else inf
