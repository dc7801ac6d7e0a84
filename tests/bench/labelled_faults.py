"""Plants one fault in a copy of a weight file, by writing other values at the places where a tensor's bytes lie.

Knows what a catalogue says of places, so that it serves every format; each fault says which rule must find it, where.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from wtui.formats import open_catalogue
from wtui.insight.anatomy import output_axes
from wtui.insight.chart import Chart, Subject, Unit

if TYPE_CHECKING:
    from pathlib import Path

    from wtui.model import TensorEntry

__all__ = ["FAULTS", "Fault", "Model", "Planted", "Site", "plant"]


class Planted(NamedTuple):
    """What was planted: any of these rules must name the tensor."""

    fault: str
    rules: tuple[str, ...]
    tensor: str
    layer: str = ""
    """The layer that was changed as a whole."""
    others: tuple[str, ...] = ()
    """Other tensors that were changed with it."""
    evidence: tuple[tuple[str, float], ...] = ()
    """Numbers that the finding must give as well."""
    healthy: bool = False
    """Nothing was planted: something that looks like a fault, of which these rules must not speak, or not with this
    evidence (a number of 0: with any)."""


class Model:
    """A file whose values can be read and written over."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.catalogue = open_catalogue(str(path))
        self.chart = Chart(self.catalogue)

    def read(self, tensor: TensorEntry) -> np.ndarray:
        """A copy of its values."""
        (part,) = self.catalogue.parts(tensor)
        with open(self.path, "rb") as file:
            file.seek(part.extent.offset)
            data = file.read(part.extent.length)
        return np.frombuffer(data, tensor.dtype).reshape(tensor.shape).copy()

    def write(self, tensor: TensorEntry, values: np.ndarray) -> None:
        """Other values in their place."""
        (part,) = self.catalogue.parts(tensor)
        data = np.ascontiguousarray(values, tensor.dtype).tobytes()
        assert len(data) == part.extent.length
        with open(self.path, "r+b") as file:
            file.seek(part.extent.offset)
            file.write(data)


class Site(NamedTuple):
    """Where a fault is to be planted."""

    model: Model
    twin: Model
    """The same architecture and initialisers from another seed, untrained."""
    rng: np.random.Generator

    def kernels(self, least: int = 256) -> list[Subject]:
        """Kernels of at least so many values."""
        return [s for s in self.model.chart.of("kernel") if s.tensor.size >= least]

    def pick(self, subjects: list[Subject]) -> Subject | None:
        """One of them."""
        return subjects[int(self.rng.integers(len(subjects)))] if subjects else None


def unit_of(model: Model, subject: Subject) -> Unit:
    """The layer that owns a tensor."""
    return next(u for u in model.chart.units if subject in u.subjects)


def initialised_again(site: Site) -> Planted | None:
    """A layer's kernel, or kernel and bias, from the untrained twin."""
    subject = site.pick(site.kernels())
    if subject is None:
        return None
    with_bias = bool(site.rng.integers(2))
    unit = unit_of(site.model, subject)
    for one in unit.subjects if with_bias else (subject,):
        site.model.write(one.tensor, site.twin.read(site.twin.catalogue[one.tensor.name]))
    name = "initialised again" + (" with bias" if with_bias else "")
    rules = ("never-trained", "untrained-model")  # of two layers, the other one of which cannot tell
    return Planted(name, rules, subject.tensor.name, subject.tensor.layer)


def dead_channels(site: Site) -> Planted | None:
    """One to three output channels of zeros."""
    fitting = [s for s in site.kernels() if _channels(site, s) is not None]
    subject = site.pick(fitting)
    axes = _channels(site, subject) if subject else None
    if subject is None or axes is None:
        return None
    values = site.model.read(subject.tensor)
    flat = np.moveaxis(values, axes[0], 0) if axes[1] - axes[0] == 1 else values.reshape(values.shape[0], -1).T
    chosen = site.rng.choice(len(flat), int(site.rng.integers(1, 4)), replace=False)
    flat[chosen] = 0
    site.model.write(subject.tensor, values)
    return Planted("dead channels", ("dead-channels",), subject.tensor.name)


def _channels(site: Site, subject: Subject) -> tuple[int, int] | None:
    """Its output axes if there are eight channels at least."""
    axes = output_axes(subject.tensor, subject.layer, site.model.catalogue.format)
    if axes is None or np.prod(subject.tensor.shape[slice(*axes)]) < 8:
        return None
    return axes if axes[1] - axes[0] == 1 or axes == (1, 3) else None


def _changed(name: str, rules: tuple[str, ...], least: int, change: Callable[[Site, np.ndarray], None]) -> Fault:
    """A fault that changes the values of one kernel."""

    def fault(site: Site) -> Planted | None:
        subject = site.pick(site.kernels(least))
        if subject is None:
            return None
        values = site.model.read(subject.tensor)
        change(site, values)
        site.model.write(subject.tensor, values)
        return Planted(name, rules, subject.tensor.name)

    return fault


def _one(value: float) -> Callable[[Site, np.ndarray], None]:
    def change(site: Site, values: np.ndarray) -> None:
        values.reshape(-1)[int(site.rng.integers(values.size))] = value

    return change


def _explode(site: Site, values: np.ndarray) -> None:
    values *= 1000.0


def _shrink(site: Site, values: np.ndarray) -> None:
    values *= 1e-39 / np.abs(values).mean()


def _clear(site: Site, values: np.ndarray) -> None:
    values[...] = 0.0


def _prune(site: Site, values: np.ndarray) -> None:
    values[np.abs(values) < np.quantile(np.abs(values), site.rng.uniform(0.4, 0.9))] = 0.0


def _quantise(site: Site, values: np.ndarray) -> None:
    levels = int(site.rng.choice([3, 7, 15]))
    step = np.abs(values).max() / levels
    values[...] = np.round(values / step) * step


def _cut(site: Site, values: np.ndarray) -> None:
    values.reshape(-1)[-int(values.size * site.rng.uniform(0.3, 0.6)) :] = 0.0


def _flatten(site: Site, values: np.ndarray) -> None:
    values[...] = float(values.mean()) or 0.1


def _times(factor: float) -> Callable[[Site, np.ndarray], None]:
    """One output channel multiplied."""

    def change(site: Site, values: np.ndarray) -> None:
        axis = -1 if site.model.catalogue.format.startswith("Keras") else 0
        axis -= values.ndim == 4 and values.shape[axis] == 1  # a depthwise kernel, of one output for each input
        np.moveaxis(values, axis, 0)[int(site.rng.integers(values.shape[axis]))] *= factor

    return change


def collapsed(site: Site) -> Planted | None:
    """A kernel replaced by its nearest matrix of rank four, rounded as it is stored."""
    wide = [s for s in site.kernels() if len(s.tensor.shape) == 2 and min(s.tensor.shape) >= 48]
    subject = site.pick(wide)
    if subject is None:
        return None
    u, s, v = np.linalg.svd(site.model.read(subject.tensor).astype(np.float64), full_matrices=False)
    site.model.write(subject.tensor, (u[:, :4] * s[:4]) @ v[:4])
    return Planted("rank collapsed", ("collapsed-rank",), subject.tensor.name)


def cleared_bias(site: Site) -> Planted | None:
    """A bias of zeros in a layer without a norm behind it, where the others are not."""
    units = [
        u for u in site.model.chart.units
        if (bias := u.part("bias")) is not None and u.part("kernel") is not None and not site.model.chart.is_idle(u)
        and bias.tensor.size > 1 and len(list(u.parts("bias"))) == 1 and np.any(site.model.read(bias.tensor))
    ]  # fmt: skip
    if len(units) < 2:
        return None
    bias = units[int(site.rng.integers(len(units)))].part("bias")
    assert bias is not None
    site.model.write(bias.tensor, np.zeros(bias.tensor.shape))
    return Planted("cleared bias", ("zero-bias", "never-trained"), bias.tensor.layer)


def copied_layer(site: Site) -> Planted | None:
    """One kernel with the values of another one of the same shape."""
    kernels = site.kernels(1024)
    pairs = [(a, b) for a in kernels for b in kernels if a.number < b.number and a.tensor.shape == b.tensor.shape]
    if not pairs:
        return None
    first, second = pairs[int(site.rng.integers(len(pairs)))]
    site.model.write(second.tensor, site.model.read(first.tensor))
    return Planted("copied layer", ("duplicate",), second.tensor.name)


Fault = Callable[[Site], "Planted | None"]

FAULTS: tuple[Fault, ...] = (
    initialised_again,
    initialised_again,
    dead_channels,
    cleared_bias,
    copied_layer,
    collapsed,
    _changed("flattened", ("constant-kernel",), 16, _flatten),
    _changed("one channel louder", ("outlier-channel",), 256, _times(100.0)),
    _changed("one channel silenced", ("weak-channels",), 256, _times(1e-5)),
    _changed("beyond float16", ("float16-range",), 16, _one(1e5)),
    _changed("denormal", ("denormal",), 16, _shrink),
    _changed("NaN", ("nan",), 1, _one(np.nan)),
    _changed("infinity", ("inf",), 1, _one(-np.inf)),
    _changed("flipped bit", ("stray-value", "exploded"), 1, _one(2.0**100)),
    _changed("exploded", ("exploded",), 16, _explode),
    _changed("cleared kernel", ("zero-kernel",), 16, _clear),
    _changed("pruned", ("sparse",), 256, _prune),
    _changed("quantised", ("few-values",), 1024, _quantise),
    _changed("cut off", ("constant-block", "dead-channels"), 1024, _cut),
)


def plant(trained: Path, twin: Path, copy: Path, seed: int, faults: Sequence[Fault] = FAULTS) -> Iterator[Planted]:
    """Each fault in turn in `copy`, which holds that fault alone when it is yielded; those that do not apply are left
    out."""
    untouched = Model(twin)
    for number, fault in enumerate(faults):
        shutil.copyfile(trained, copy)
        planted = fault(Site(Model(copy), untouched, np.random.default_rng((seed, number))))
        if planted is not None:
            yield planted
