"""The tensors of a catalogue as rules see them: what each is for, and which belong together.

Made once for a model, from its metadata alone; rules then only look things up. Standard library only.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar, cast

from wtui.insight.initialisers import KERNELS, fans_of
from wtui.insight.roles import family

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wtui.model import Catalogue, LayerNode, TensorEntry

__all__ = ["Chart", "Part", "Subject", "Unit"]

Part = Literal[
    "kernel",
    "embedding",
    "bias",
    "scale",
    "shift",
    "mean",
    "variance",
    "adapter",
    "quantisation scale",
    "other",
    "slot",
]
"""What a tensor is in its layer: scale, shift, mean and variance are a norm's; an adapter starts at zero (LoRA's B);
a slot belongs to an optimizer."""

_NORM_PARTS: dict[str, Part] = {
    "gamma": "scale", "scale": "scale", "weight": "scale", "beta": "shift", "bias": "shift", "moving_mean": "mean",
    "running_mean": "mean", "moving_variance": "variance", "running_var": "variance",
}  # fmt: skip
_ADAPTER = re.compile(r"lora[._](kernel_|embeddings?_)?(b|up)($|[._])")
_KEYS = re.compile(r"(^|[._/])(k|key|wk)(_proj|_lin)?$")
"""Layers that make an attention layer's keys."""

_QUANTISATION_SCALE = re.compile(r"(^|_)(scales?|scale_inv|absmax|scb)$")

Made = TypeVar("Made")

NEARBY = 4
"""Layers with weights after a layer among which its batch norm stands, in models with parallel branches."""


class Subject(NamedTuple):
    """One tensor that has bytes of its own."""

    number: int
    """Its index in `Catalogue.tensors`."""
    tensor: TensorEntry
    layer: LayerNode
    family: str
    part: Part

    @property
    def frozen(self) -> bool:
        """Whether the file says that it is not trained."""
        return self.tensor.trainable is False


class Unit(NamedTuple):
    """A layer that owns tensors, and these."""

    layer: LayerNode
    subjects: tuple[Subject, ...]

    def part(self, part: Part) -> Subject | None:
        """The first tensor of that part."""
        return next((s for s in self.subjects if s.part == part), None)

    def parts(self, *parts: Part) -> Iterator[Subject]:
        """All tensors of these parts."""
        return (s for s in self.subjects if s.part in parts)


class Chart:
    """A catalogue's tensors by part, and its layers in depth order."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.units: list[Unit] = []
        self.by_part: dict[Part, list[Subject]] = {}
        self.subjects: dict[int, Subject] = {}
        self._roots: dict[int, float] = {}
        self._made: dict[str, object] = {}
        for node in catalogue.root.walk():
            if node.tensors:
                self._add(node)
        self._idle = self._idle_biases()

    def of(self, *parts: Part) -> Iterator[Subject]:
        """The tensors of these parts, part by part."""
        for part in parts:
            yield from self.by_part.get(part, ())

    def once(self, key: str, make: Callable[[], Made]) -> Made:
        """What `make` gives, made the first time that this key is asked for."""
        if key not in self._made:
            self._made[key] = make()
        return cast("Made", self._made[key])

    def is_idle(self, unit: Unit) -> bool:
        """Whether the layer's bias has no effect: a norm soon after the layer takes each channel's mean away.

        Those are batch norms, and norms behind convolutions; a layer norm takes one mean of all features away. The
        bias of an attention layer's keys is idle as well: it adds the same to all scores of a query, which softmax
        takes away.
        """
        return id(unit.layer) in self._idle

    def gain(self, subject: Subject, rms: float) -> float:
        """rms x sqrt(fan_in): how much a kernel amplifies independent inputs; about 1 as initialised, or NaN."""
        root = self._roots.get(subject.number)
        if root is None:
            fans = fans_of(subject.tensor, subject.layer, self.catalogue.format)
            root = self._roots[subject.number] = float(fans.fan_in) ** 0.5 if fans else float("nan")
        return rms * root

    def _add(self, node: LayerNode) -> None:
        tensors = [(i, self.catalogue.tensors[i]) for i in node.tensors]
        known = [(i, t, family(t, node)) for i, t in tensors if t.alias_of is None]
        is_norm = any(f == "norms" for _, _, f in known)
        subjects = tuple(Subject(i, t, node, f, _part(t, f, is_norm)) for i, t, f in known)
        if subjects:
            self.units.append(Unit(node, subjects))
        for subject in subjects:
            self.by_part.setdefault(subject.part, []).append(subject)
            self.subjects[subject.number] = subject

    def _idle_biases(self) -> set[int]:
        """Layers whose bias has no effect: keys, and those followed by a norm of as many channels as it has."""
        found = set()
        for i, unit in enumerate(self.units):
            bias = unit.part("bias")
            if bias is None:
                continue
            if _KEYS.search(unit.layer.path.lower()) and any(s.family == "attention kernels" for s in unit.subjects):
                found.add(id(unit.layer))
            convolves = any(s.family == "convolution kernels" for s in unit.parts("kernel"))
            for later in self.units[i + 1 : i + 1 + NEARBY]:
                if _is_depthwise(later, bias.tensor.size):
                    break  # the norms behind belong to that one
                norm = later.part("scale") or later.part("variance") or later.part("shift")
                by_channel = convolves or later.part("variance") is not None
                if norm is not None and by_channel and norm.tensor.shape == bias.tensor.shape:
                    found.add(id(unit.layer))
        return found


def _is_depthwise(unit: Unit, channels: int) -> bool:
    """Whether a layer filters each of so many channels alone."""
    named = "depthwise" in unit.layer.class_name.lower()
    return any((named or "depthwise" in s.tensor.role) and channels in s.tensor.shape for s in unit.parts("kernel"))


def _part(tensor: TensorEntry, family: str, is_norm: bool) -> Part:
    role = tensor.role.lower()
    if tensor.group not in ("model", "quantisation"):
        return "slot"
    if _ADAPTER.search(tensor.name.lower()):
        return "adapter"
    if family == "norms" or (is_norm and family == "biases"):
        return _NORM_PARTS.get(role, "other")
    if family == "embeddings":
        return "embedding"
    if family in KERNELS:
        return "kernel"
    if family == "biases":
        return "bias"
    return "quantisation scale" if _QUANTISATION_SCALE.search(role) else "other"
