"""Published numbers of well-known networks, to stand beside measured ones: of the same model, or of one like it.

The numbers lie in `data/references.json` with their source. A reference always says which it is: the very tensor of
the same model, by layer names and shapes, or a tensor of the same kind at the same relative depth of another model.
Standard library only.
"""

from __future__ import annotations

import json
from functools import cache
from math import prod, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.insight.fans import keras_fans, torch_fans
from wtui.insight.roles import family, is_torch_layout

if TYPE_CHECKING:
    from wtui.model import Catalogue, LayerNode, TensorEntry

__all__ = ["Reference", "References", "source"]

NEAR = 0.1
"""Difference of relative depth (0: the first convolution, 1: the last) up to which tensors are compared."""

MIN_CONVOLUTIONS = 5
"""Convolutions that a model must have for relative depth to mean something."""


class Reference(NamedTuple):
    """Published numbers of one tensor."""

    model: str
    state: str
    """`untrained`, `trained on ImageNet`."""
    name: str
    shape: tuple[int, ...]
    depth: float | None
    """Of a convolution: 0 for the model's first, 1 for its last."""
    mean: float
    std: float
    min: float
    max: float
    same: bool = False
    """The very tensor of the same model; otherwise one that is like it."""

    @property
    def gain(self) -> float:
        """std x sqrt(fan_in), which compares across sizes."""
        fans = keras_fans(self.shape)
        return self.std * sqrt(fans.fan_in) if fans and len(self.shape) > 1 else 0.0


def source() -> str:
    """Where the numbers were published."""
    return str(_data()["source"])


class References:
    """What there is to compare the tensors of one catalogue with."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._torch = is_torch_layout(catalogue.format)
        shapes = {t.name: t.shape for t in catalogue.tensors}
        models = {m: [r for r in _references() if r.model == m] for m in {r.model for r in _references()}}
        # a model without its head is the same model: the convolutions decide
        deep = {m: [r for r in known if r.depth is not None] for m, known in models.items()}
        same = [m for m, known in deep.items() if all(shapes.get(r.name) == r.shape for r in known)]
        self._same = [r for m in same for r in models[m] if shapes.get(r.name) == r.shape]
        self._depth = {} if self._same else _depths(catalogue)

    def of(self, number: int, tensor: TensorEntry, layer: LayerNode) -> tuple[Reference, ...]:
        """References for a tensor (its index and entry) of a layer: all states of the same model, or the nearest."""
        if self._same:
            return tuple(r._replace(same=True) for r in self._same if r.name == tensor.name)
        depth = self._depth.get(number)
        if depth is None or family(tensor, layer) != "convolution kernels":
            return ()
        window = tensor.shape[2:] if self._torch else tensor.shape[:-2]
        alike = [r for r in _references() if r.depth is not None and r.shape[:-2] == window and r.state != "untrained"]
        near = [(abs(r.depth - depth), r) for r in alike if r.depth is not None and abs(r.depth - depth) <= NEAR]
        return (min(near, key=lambda pair: pair[0])[1],) if near else ()

    def gain(self, tensor: TensorEntry, std: float) -> float:
        """std x sqrt(fan_in) of a tensor of this catalogue."""
        fans = torch_fans(tensor.shape) if self._torch else keras_fans(tensor.shape)
        return std * sqrt(fans.fan_in) if fans else 0.0


def _depths(catalogue: Catalogue) -> dict[int, float]:
    """Relative depth of every two-dimensional convolution kernel, by its index."""
    found = [
        i
        for node in catalogue.root.walk()
        for i in node.tensors
        if len(catalogue.tensors[i].shape) == 4 and family(catalogue.tensors[i], node) == "convolution kernels"
    ]
    found = [i for i in found if prod(catalogue.tensors[i].shape)]
    if len(found) < MIN_CONVOLUTIONS:
        return {}
    return {number: place / (len(found) - 1) for place, number in enumerate(found)}


@cache
def _references() -> tuple[Reference, ...]:
    keys = ("name", "shape", "depth", "mean", "std", "min", "max")
    found = []
    for model in _data()["models"]:
        for tensor in model["tensors"]:
            name, shape, *numbers = (tensor[key] for key in keys)
            found.append(Reference(model["model"], model["state"], name, tuple(shape), *numbers))
    return tuple(found)


@cache
def _data() -> dict[str, Any]:
    text = (Path(__file__).parent / "data" / "references.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found
