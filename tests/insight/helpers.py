"""Tensors, layers and summaries for tests, made in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.stats.helpers import summarise
from wtui.insight.verdicts import verdict
from wtui.model import LayerNode, TensorEntry

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wtui.insight.types import Verdict

__all__ = ["KERAS", "TORCH", "entry", "judged", "node"]

KERAS, TORCH = "Keras 3.15.1", "safetensors"


def entry(role: str, shape: tuple[int, ...], layer: str = "layer", **fields: Any) -> TensorEntry:
    """An entry without bytes, named by its layer and role."""
    values = {"dtype": "float32", "parts": None, **fields}
    return TensorEntry(f"{layer}/{role}", layer, role, shape, **values)


def node(class_name: str = "Dense", config: Mapping[str, Any] | None = None, layer: str = "layer") -> LayerNode:
    """A layer."""
    return LayerNode(layer.rpartition("/")[2], layer, class_name, config)


def judged(
    values: NDArray[Any],
    role: str = "kernel",
    layer: LayerNode | None = None,
    format: str = KERAS,
    **fields: Any,
) -> Verdict:
    """The verdict on an array."""
    values = np.asarray(values)
    layer = layer or node()
    siblings = fields.pop("siblings", ())
    tensor = entry(role, values.shape, layer.path, **{"dtype": values.dtype.name, **fields})
    return verdict(summarise(values.reshape(-1), values.dtype.name), tensor, layer, format, siblings)
