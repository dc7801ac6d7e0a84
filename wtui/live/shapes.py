"""Output shapes of Keras models, worked out without their weights. Runs in the process of `wtui.live.child` alone.

Layers are built inside a scope in which variables get no values, so that the largest model takes no memory: a shape is
all that Keras needs to go on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from wtui.formats.keras.config import MAX_DEPTH
from wtui.live.protocol import Shapes

if TYPE_CHECKING:
    from wtui.live.child import Say
    from wtui.live.links import Shape
    from wtui.live.protocol import ShapesOf

__all__ = ["collect", "from_config", "work_out"]

MAX_REASON = 200
"""Characters of a reason: Keras likes to repeat the whole configuration in its own."""


def work_out(task: ShapesOf, say: Say) -> None:
    """Build each piece and say what its layers give."""
    shapes: dict[str, tuple[Shape, ...]] = {}
    problems: list[tuple[str, str]] = []
    with _without_values():
        for path, text in task.pieces:
            try:
                collect(from_config(json.loads(text)), path, shapes, 0)
            except Exception as error:
                problems.append((path, _reason(error)))
    say(Shapes(tuple(shapes.items()), tuple(problems)))


def from_config(config: dict[str, Any]) -> Any:
    """A model from its configuration, whichever Keras wrote it."""
    import keras

    if "module" in config:
        return keras.saving.deserialize_keras_object(config, safe_mode=True)
    kind = keras.Sequential if config["class_name"] == "Sequential" else keras.Model
    settings = dict(config["config"])
    settings.setdefault("name", "model")
    return kind.from_config(settings)


def collect(model: Any, path: str, shapes: dict[str, tuple[Shape, ...]], depth: int) -> None:
    """The output shapes of a model's layers and operations, and of those of models in it."""
    for layer in getattr(model, "operations", None) or model.layers:
        below = f"{path}/{layer.name}" if path else layer.name
        found = _outputs(layer)
        if found:
            shapes.setdefault(below, found)
        if hasattr(layer, "layers") and depth < MAX_DEPTH:
            collect(layer, below, shapes, depth + 1)


def _outputs(layer: Any) -> tuple[Shape, ...]:
    """The shapes of a layer's last call, as `model.summary()` shows them; empty where it says `?`."""
    import keras

    nodes = layer._inbound_nodes
    if nodes:
        return tuple(_plain(tensor.shape) for tensor in keras.tree.flatten(nodes[-1].output_tensors))
    built_for = getattr(layer, "_build_shapes_dict", None)
    if not built_for:
        return ()
    try:
        found = layer.compute_output_shape(**built_for)
    except NotImplementedError:
        return ()
    return tuple(_shapes_in(found))


def _shapes_in(value: Any) -> Iterator[Shape]:
    """The shapes inside a structure: tuples of integers and None."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from _shapes_in(inner)
    elif isinstance(value, list | tuple):
        if all(n is None or isinstance(n, int) for n in value):
            yield _plain(value)
        else:
            for inner in value:
                yield from _shapes_in(inner)


def _plain(shape: Any) -> Shape:
    return tuple(None if n is None else int(n) for n in shape)


@contextmanager
def _without_values() -> Iterator[None]:
    """A scope in which variables have a shape and no values."""
    import keras
    from keras.src.backend.common import variables

    original = variables.Variable.__init__

    def init(self: Any, initializer: Any, *args: Any, **kwargs: Any) -> None:
        """The scope takes functions only: the few initial values that are arrays become functions of them."""
        if callable(initializer) or kwargs.get("shape") is not None:
            original(self, initializer, *args, **kwargs)
            return
        value = keras.ops.convert_to_tensor(initializer, dtype=kwargs.get("dtype"))
        dtype = keras.backend.standardize_dtype(value.dtype)
        kwargs = {**kwargs, "shape": tuple(value.shape), "dtype": dtype}
        original(self, lambda shape, dtype=None: value, *args, **kwargs)

    variables.Variable.__init__ = init
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        variables.Variable.__init__ = original


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:MAX_REASON]
