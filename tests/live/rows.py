"""Rows of layer outputs, made from arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.live.arrays import describe
from wtui.live.outputs import Source, describe_output

if TYPE_CHECKING:
    import numpy as np

    from wtui.live.protocol import OutputRow

__all__ = ["row"]


def row(layer: str, values: np.ndarray, squashing: str = "") -> OutputRow:
    """The description of an output of a layer; the last axis is that of channels, where there are two."""
    found = describe(values)
    assert found is not None
    axis = values.ndim - 1 if values.ndim > 1 else None
    return describe_output(Source(layer, "Dense", 0, 0, squashing, axis), found, values)
