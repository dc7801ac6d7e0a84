"""How many stored integers of 8 bits lie at the ends of their range, where scales hide it: 127 times a row's own scale.

Reads the stored bytes as they are, without decoding. Knows no scale.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from wtui.model import Catalogue, TensorEntry
    from wtui.storage import Files

__all__ = ["count_at_ends"]

CHUNK = 4 << 20
"""Bytes that are read at once."""


def count_at_ends(
    entry: TensorEntry, catalogue: Catalogue, files: Files, stopped: Callable[[], bool] = lambda: False
) -> int | None:
    """Values of -128, -127 and 127 (int8), or 0 and 255 (uint8), of integers with scales.

    0 for what is not stored so; `stopped` is asked between chunks, None if it said so. StorageError if unreadable.
    """
    stored = _stored(entry)
    count = 0
    for part in catalogue.parts(entry) if stored else ():
        source, extent = files[part.extent.file], part.extent
        for start in range(0, extent.length, CHUNK):
            if stopped():
                return None
            data = source.read(extent.offset + start, min(CHUNK, extent.length - start))
            values = np.frombuffer(data, stored)
            low, high = (-127, 127) if stored == "int8" else (0, 255)
            count += int(np.count_nonzero((values <= low) | (values >= high)))
    return count


def _stored(entry: TensorEntry) -> str:
    """The dtype of one integer a byte that the tensor is stored as; `""` for anything else."""
    arguments = dict(entry.encoding_args)
    if entry.encoding == "affine":
        stored = entry.dtype
    elif entry.encoding == "scaled" and entry.shape and arguments.get("row_bytes") == entry.shape[-1]:
        stored = str(arguments.get("stored"))
    else:
        return ""
    return stored if stored in ("int8", "uint8") else ""
