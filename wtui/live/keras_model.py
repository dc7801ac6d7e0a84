"""A live Keras model (Keras 3 with any backend, tf.keras, Keras 2) as the same tree that its saved file shows.

Layers in the model's order, variables under the layer that owns them, trainable variables apart from all variables as
Keras itself counts them. Random seeds and metrics, which no file holds and Keras does not count, stand under `state`;
the optimizer's slots last. Imports no Keras: the model brings its own.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from wtui.live.arrays import describe, framework_of
from wtui.live.memory import Branch, InMemory, Leaf, plant
from wtui.model import Notice

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "is_keras",
    "is_keras_optimizer",
    "keras_branch",
    "keras_title",
    "named_variables",
    "open_keras",
    "optimizer_branches",
    "sublayers",
]

MAX_DEPTH = 64
"""Layers inside layers; Keras itself fails far below."""

NOT_BUILT = "not built yet: layers make their variables when they are called, or by build(input_shape)"

_CONTAINED = ("layers", "input_layers", "output_layers")
"""What the configuration of a model repeats of its layers."""


def is_keras(value: object) -> bool:
    """Whether a value is a layer or model of some Keras."""
    return any(base.__name__ == "Layer" and _is_of_keras(base.__module__) for base in type(value).__mro__)


def _is_of_keras(module: str) -> bool:
    return module.startswith(("keras.", "tf_keras.", "tensorflow.python.keras."))


def is_keras_optimizer(value: object) -> bool:
    """Whether a value is an optimizer of some Keras."""
    return any("Optimizer" in base.__name__ and _is_of_keras(base.__module__) for base in type(value).__mro__)


def open_keras(model: Any) -> InMemory:
    """The tree of a model; variables that were not created yet (before `build`) are not in it."""
    root = keras_branch(model)
    notices = () if getattr(model, "built", True) else (Notice("", NOT_BUILT),)
    return plant(f"{root.name} (in memory)", keras_title(model), root, metadata=_metadata(model), notices=notices)


def keras_branch(model: Any, name: str = "") -> Branch:
    """The tree of a model under its own name, or another."""
    root = _Walk(model).layer(model, 0)
    root.name = name or root.name
    counted = {id(v) for v in _each(model, "weights")}
    optimizer = getattr(model, "optimizer", None)
    slots = {id(v) for v in _each(optimizer, "variables")}
    state = [v for v in _each(model, "variables") if id(v) not in counted | slots]
    root.children += _state(state)
    root.children += optimizer_branches(optimizer, "optimizer")
    return root


def named_variables(model: Any) -> dict[str, Any]:
    """The variables that count among a model's weights by their names in the tree, shared ones once."""
    walk = _Walk(model)
    planted = plant("", "", walk.layer(model, 0)).catalogue.tensors
    return {t.name: v for t, v in zip(planted, walk.variables, strict=True) if t.alias_of is None}


def optimizer_branches(optimizer: object, name: str) -> list[Branch]:
    """An optimizer's slots and counters; nothing where there are none."""
    branch = Branch(name, type(optimizer).__name__)
    for variable in _each(optimizer, "variables"):
        value = describe(variable)
        if value is not None:  # Keras 2 calls a slot `Adam/m/dense/kernel:0`, Keras 3 `dense_kernel_momentum`
            parts = str(variable.name).partition(":")[0].split("/")
            branch.leaves.append(Leaf("_".join(parts[1:] or parts), value, False, "optimizer"))
    return [branch] if branch.leaves else []


def keras_title(model: object) -> str:
    """`Keras 3.15.1 with tensorflow, in memory`."""
    module = sys.modules.get("tf_keras" if framework_of(model) == "tf_keras" else "keras")
    version = getattr(module, "__version__", "")
    backend = getattr(getattr(module, "backend", None), "backend", None)
    with_backend = f" with {backend()}" if callable(backend) else ""
    return f"Keras {version}{with_backend}, in memory".replace("  ", " ")


def sublayers(layer: Any) -> list[Any]:
    """The layers directly inside a layer or model, in Keras's order."""
    if hasattr(layer, "layers") and isinstance(layer.layers, list | tuple):
        return [inner for inner in layer.layers if is_keras(inner)]
    inside = getattr(layer, "_layers", None)
    if inside is None and hasattr(layer, "_flatten_layers"):
        inside = layer._flatten_layers(recursive=False, include_self=False)
    return [inner for inner in inside or () if is_keras(inner)]


class _Walk:
    """One walk over a model's layers."""

    def __init__(self, model: Any) -> None:
        self._trained = {id(v) for v in _each(model, "trainable_variables")}
        self._counted = {id(v) for v in _each(model, "weights")}
        self._above: set[int] = set()
        self.variables: list[Any] = []
        """Of all leaves, in their order."""

    def layer(self, layer: Any, depth: int) -> Branch:
        """The branch of one layer and of all below it; a layer inside itself is left out."""
        branch = Branch(str(getattr(layer, "name", "") or "layer"), type(layer).__name__, _config(layer))
        inner = sublayers(layer) if depth < MAX_DEPTH else []
        for variable in self._own(layer, inner):
            value = describe(variable)
            if value is not None:
                label = _label(variable)
                branch.leaves.append(Leaf(label, value, id(variable) in self._trained))
                self.variables.append(variable)
        self._above.add(id(layer))
        branch.children = [self.layer(one, depth + 1) for one in inner if id(one) not in self._above]
        self._above.discard(id(layer))
        return branch

    def _own(self, layer: Any, inner: Iterable[Any]) -> list[Any]:
        """The variables that belong to the layer itself and count among the model's weights."""
        lists = [getattr(layer, f"_{kind}_variables", None) for kind in ("trainable", "non_trainable")]
        if all(isinstance(one, list) for one in lists):
            own = [v for one in lists for v in one or ()]
        else:
            below = {id(v) for one in inner for v in _each(one, "weights")}
            own = [v for v in _each(layer, "weights") if id(v) not in below]
        return [v for v in own if id(v) in self._counted]


def _state(variables: Iterable[Any]) -> list[Branch]:
    """Variables that Keras does not count among a model's weights; nothing where there are none."""
    branch = Branch("state")
    for variable in variables:
        value = describe(variable)
        if value is not None:
            branch.leaves.append(Leaf(_label(variable), value, False, "state"))
    return [branch] if branch.leaves else []


def _each(owner: Any, what: str) -> list[Any]:
    """A list of variables; empty where a model has none yet, or cannot say."""
    try:
        found = getattr(owner, what, ())
        return list(found() if callable(found) else found)
    except Exception:  # models that are not built say so in many ways
        return []


def _label(variable: Any) -> str:
    """`kernel` of `kernel` (Keras 3) or `dense/kernel:0` (Keras 2)."""
    name = str(getattr(variable, "name", "") or "variable")
    return name.partition(":")[0].rpartition("/")[2] or "variable"


def _config(layer: Any) -> Mapping[str, Any]:
    """Its configuration without the layers inside it; empty where it has none or cannot say."""
    try:
        config = layer.get_config()
    except Exception:  # the caller's own classes may not have one
        return {}
    return {k: v for k, v in config.items() if k not in _CONTAINED} if isinstance(config, dict) else {}


def _metadata(model: Any) -> dict[str, Any]:
    """Shapes of inputs and outputs, and the optimizer, as far as the model has them."""
    found: dict[str, Any] = {}
    for key in ("input_shape", "output_shape"):
        try:
            found[key] = getattr(model, key)
        except Exception:  # a subclassed model that was not called yet has none
            continue
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        found["optimizer"] = type(optimizer).__name__
    return found
