"""Configurations of Keras models: JSON written by Keras 1, 2 or 3, read as a tree of layers.

A configuration is data from a file: whatever does not have the expected form is left out, and nothing in it is run.
Knows no file and no variable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from wtui.formats.keras.structure import ATTENTION, ATTENTION_CLASSES, CELL_OF, WRAPPED

__all__ = ["MAX_DEPTH", "Held", "LayerConfig", "children_of", "layers_of", "parse", "summary"]

MAX_DEPTH = 64
"""Models inside models, or groups inside groups; Keras itself fails far below."""


class LayerConfig(NamedTuple):
    """A layer as its configuration describes it."""

    class_name: str
    name: str
    config: Mapping[str, Any]
    shared: bool = False
    """The configuration says that the same layer appears elsewhere, too."""
    operation: bool = False
    """An operation such as `x * 2` of a functional model: no layer, has no weights and no group in the file."""
    complete: bool = True
    """False when the layer has no configuration of its own, and `config` is what it inherits from its parent."""

    @property
    def trainable(self) -> bool:
        """Its own flag, which the layers above it can only take away."""
        return self.config.get("trainable", True) is not False

    @property
    def own(self) -> Mapping[str, Any]:
        """The configuration without the layers that it contains."""
        return {k: v for k, v in self.config.items() if k not in _CONTAINED}


_CONTAINED = frozenset({"layers", "input_layers", "output_layers"})


def parse(item: object) -> LayerConfig | None:
    """One serialised layer or model; None if it is not the form of one."""
    if not isinstance(item, Mapping):
        return None
    class_name, config = item.get("class_name"), item.get("config")
    if not isinstance(class_name, str):
        return None
    if isinstance(config, Sequence) and not isinstance(config, str):
        config = {"layers": config}
    if not isinstance(config, Mapping):
        config = {}
    name = config.get("name", item.get("name"))
    module = item.get("module")
    return LayerConfig(
        class_name.rpartition(">")[2],
        name if isinstance(name, str) else "",
        config,
        "shared_object_id" in item,
        isinstance(module, str) and module.startswith("keras.src.ops"),
    )


class Held(NamedTuple):
    """Layers that another layer holds in one of its attributes."""

    attribute: str
    layers: list[LayerConfig]
    container: bool
    """A list of layers, whose groups are numbered by class, and not a single layer."""


def layers_of(model: LayerConfig) -> list[LayerConfig] | None:
    """The layers of a model as `model.layers` has them; None if its configuration lists none."""
    items = model.config.get("layers")
    if not isinstance(items, Sequence) or isinstance(items, str):
        return None
    if model.class_name == "Sequential" and items and _is_merge(items[0]):
        items = [*_branches(items[0]), *items]
    found = [layer for layer in map(parse, items) if layer is not None and not layer.operation]
    if model.class_name == "Sequential":
        found = [layer for layer in found if layer.class_name != "InputLayer"]
    return found


def children_of(layer: LayerConfig) -> list[Held]:
    """What a model, wrapper, recurrent or attention layer holds, in Keras's order."""
    if layer.class_name in CELL_OF:
        class_name, name = CELL_OF[layer.class_name]
        return [Held("cell", [LayerConfig(class_name, name, layer.config, complete=layer.complete)], False)]
    if layer.class_name in ATTENTION_CLASSES:
        inherited = {k: layer.config[k] for k in _INHERITED if k in layer.config}
        parts = [(a, LayerConfig(c, n, inherited, complete=False)) for a, (c, n) in ATTENTION.items()]
        return [Held(attribute, [part], False) for attribute, part in parts]
    if layer.class_name == "Bidirectional":
        return _both_ways(layer)
    found = [_held(layer.config, attribute, key) for attribute, key in WRAPPED.get(layer.class_name, ())]
    layers = layers_of(layer)
    if layers is not None and not found:
        found.append(Held("layers", layers, True))
    return [held for held in found if held.layers]


_INHERITED = ("kernel_initializer", "bias_initializer", "kernel_regularizer", "trainable")
"""What an attention layer hands to the layers that it makes."""


def _held(config: Mapping[str, Any], attribute: str, key: str) -> Held:
    value = config.get(key)
    container = isinstance(value, Sequence) and not isinstance(value, str)
    items = value if container else [value]
    return Held(attribute, [layer for layer in map(parse, items or ()) if layer is not None], container)


def _both_ways(layer: LayerConfig) -> list[Held]:
    """The two layers of a Bidirectional wrapper; one configuration serves both where only one is given."""
    forward = parse(layer.config.get("layer"))
    if forward is None:
        unknown = LayerConfig("", "", {}, complete=False)
        return [Held(attribute, [unknown], False) for attribute in ("forward_layer", "backward_layer")]
    plain = forward.name.removeprefix("forward_")
    backward = parse(layer.config.get("backward_layer")) or forward._replace(name=f"backward_{plain}")
    return [
        Held("forward_layer", [forward._replace(name=f"forward_{plain}")], False),
        Held("backward_layer", [backward], False),
    ]


def _is_merge(item: object) -> bool:
    return isinstance(item, Mapping) and item.get("class_name") == "Merge"


def _branches(merge: Mapping[str, Any]) -> Iterator[object]:
    """Models that a Merge layer of Keras 1 joins: they stand inside its configuration."""
    config = merge.get("config")
    layers = config.get("layers") if isinstance(config, Mapping) else None
    return iter(layers if isinstance(layers, Sequence) else ())


def summary(model: LayerConfig | None) -> dict[str, Any]:
    """What is worth telling about a whole model: plain data, absent where the configuration does not say it."""
    if model is None:
        return {}
    items = model.config.get("layers")
    layers = [parse(item) for item in items] if isinstance(items, Sequence) else []
    inputs = {x.name: shape for x in layers if x is not None and (shape := _input_shape(x)) is not None}
    found: dict[str, Any] = {"inputs": inputs} if inputs else {}
    for key in ("input_layers", "output_layers"):
        if key in model.config:
            found[key] = model.config[key]
    return found


def _input_shape(layer: LayerConfig) -> Any:
    for key in ("batch_shape", "batch_input_shape"):
        if key in layer.config:
            return layer.config[key]
    return None
