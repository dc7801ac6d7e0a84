"""Small models in memory for the rules: layers as arrays, a healthy one to plant faults in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tests.insight.helpers import KERAS
from tests.stats.helpers import summarise
from wtui.insight.anatomy import output_axes
from wtui.insight.case import Extra
from wtui.insight.embeddings import untouched_rows
from wtui.insight.health import findings
from wtui.insight.verdicts import verdict
from wtui.model import Catalogue, LayerNode, Notice, TensorEntry
from wtui.stats.box import Box
from wtui.stats.channels import ChannelAccumulator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wtui.insight.types import Finding

    Arrays = Mapping[str, np.ndarray]

__all__ = ["GLOROT", "Layer", "catalogue_of", "changed", "examined", "healthy", "only", "torch_like"]

GLOROT = {"kernel_initializer": {"class_name": "GlorotUniform", "config": {}}, "bias_initializer": "zeros"}


class Layer(NamedTuple):
    """A layer: its class, configuration and arrays."""

    class_name: str
    arrays: dict[str, np.ndarray]
    config: dict[str, Any] = {}
    trainable: bool | None = True
    group: str = "model"


def healthy(seed: int = 0) -> dict[str, Layer]:
    """Three trained convolutions with batch norms, two dense layers, all with trained biases and statistics."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int, std: float = 0.1, mean: float = 0.0) -> np.ndarray:
        return rng.normal(mean, std, shape).astype(np.float32)

    layers = {}
    channels = 1
    for i, width in enumerate((8, 16, 32)):
        layers[f"conv{i}"] = Layer("Conv2D", {"kernel": normal(3, 3, channels, width), "bias": normal(width)}, GLOROT)
        norm = {
            "gamma": normal(width, mean=1.0),
            "beta": normal(width),
            "moving_mean": normal(width),
            "moving_variance": np.abs(normal(width, mean=1.0)) + np.float32(0.1),
        }
        layers[f"bn{i}"] = Layer("BatchNormalization", norm)
        channels = width
    for name, shape in (("hidden", (128, 64)), ("middle", (64, 64)), ("head", (64, 10))):
        layers[name] = Layer("Dense", {"kernel": normal(*shape, std=0.15), "bias": normal(shape[1])}, GLOROT)
    return layers


def torch_like(seed: int = 0) -> dict[str, Layer]:
    """An embedding, two blocks of attention and a perceptron, as a torch file names them."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int, std: float = 0.05, mean: float = 0.0) -> np.ndarray:
        return (rng.normal(mean, std, shape) * rng.gamma(8, 1 / 8, shape)).astype(np.float32)

    layers = {"embed_tokens": Layer("", {"weight": normal(300, 32)}, trainable=None)}
    for i in range(2):
        for part in ("q_proj", "k_proj", "v_proj", "o_proj"):
            arrays = {"weight": normal(32, 32), "bias": normal(32)}
            layers[f"layers.{i}.self_attn.{part}"] = Layer("", arrays, trainable=None)
        layers[f"layers.{i}.norm"] = Layer("", {"weight": normal(32, mean=1.0), "bias": normal(32)}, trainable=None)
        layers[f"layers.{i}.up"] = Layer("", {"weight": normal(64, 32), "bias": normal(64)}, trainable=None)
    return layers


def catalogue_of(
    layers: Mapping[str, Layer],
    format: str = KERAS,
    metadata: Mapping[str, Any] | None = None,
    notices: Sequence[Notice] = (),
) -> Catalogue:
    """The catalogue of these layers, without files."""
    root = LayerNode("model", "")
    tensors: list[TensorEntry] = []
    separator = "/" if format == KERAS else "."
    for path, layer in layers.items():
        node = LayerNode(path.rpartition(separator)[2], path, layer.class_name, layer.config)
        root.children.append(node)
        for role, array in layer.arrays.items():
            trained = layer.trainable and not role.startswith("moving_")
            node.tensors.append(len(tensors))
            entry = TensorEntry(
                f"{path}{separator}{role}", path, role, array.shape, array.dtype.name, None, trainable=trained,
                group=layer.group,
            )  # fmt: skip
            tensors.append(entry)
    return Catalogue("model", format, (), tensors, root, metadata, notices)


def examined(
    layers: Mapping[str, Layer],
    format: str = KERAS,
    *,
    rows_only: bool = False,
    tokens: Sequence[str] = (),
    **about: Any,
) -> list[Finding]:
    """What the rules find, from rows alone or with all further evidence."""
    catalogue = catalogue_of(layers, format, **about)
    rows, verdicts, channels, untouched = {}, {}, {}, {}
    for node in catalogue.root.walk():
        for i in node.tensors:
            tensor = catalogue.tensors[i]
            array = layers[node.path].arrays[tensor.role]
            summary = summarise(array.reshape(-1), array.dtype.name)
            rows[i] = summary.row()
            verdicts[i] = verdict(summary, tensor, node, format, [catalogue.tensors[j] for j in node.tensors])
            along = output_axes(tensor, node, format)
            if array.ndim < 2 or along is None:
                continue
            found = ChannelAccumulator(array.shape, along, array.ndim - 2 if format == KERAS else 1, kernels="numpy")
            found.add(
                array.reshape(-1).astype(np.float64), Box(0, array.shape, tuple(range(array.ndim)), (0,) * array.ndim)
            )
            channels[i] = found.finish().row()
            expected = verdicts[i].expected
            rows_found = untouched_rows(found.finish(), expected) if expected is not None else None
            if rows_found is not None and "embed" in tensor.name:
                untouched[i] = rows_found
    return findings(catalogue, rows, Extra() if rows_only else Extra(verdicts, channels, {}, untouched, tokens))


def changed(name: str, role: str, array: Any, base: dict[str, Layer] | None = None) -> dict[str, Layer]:
    """A healthy model with one array replaced."""
    layers = base or healthy()
    layers[name].arrays[role] = np.asarray(array)
    return layers


def only(found: list[Finding], rule: str) -> Finding:
    """The one finding of that rule; nothing else may be worse than info."""
    (one,) = [f for f in found if f.rule == rule]
    others = [f for f in found if f.rule != rule and f.severity != "info"]
    assert not others, others
    assert one.message
    assert all(v is None or isinstance(v, int | float | str) for v in one.evidence.values())
    return one
