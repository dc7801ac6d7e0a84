"""A forward pass through a Keras model, watched layer by layer. Runs in the process of `wtui.live.child` alone.

The model is run eagerly and every layer's output is described while it is there, so that no more is held than the
model itself holds. Nothing that the file brings as code is run: the caller has made sure of that.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from wtui.errors import FormatError, WtuiError
from wtui.formats import open_catalogue
from wtui.formats.keras.config import MAX_DEPTH
from wtui.live.arrays import describe
from wtui.live.configured import squashing_of
from wtui.live.inputs import given_inputs
from wtui.live.keras_model import named_variables
from wtui.live.outputs import Source, describe_output
from wtui.live.protocol import Done, Said, Unseen
from wtui.live.shapes import from_config
from wtui.storage import Files

if TYPE_CHECKING:
    from wtui.live.child import Say
    from wtui.live.protocol import Forward

__all__ = ["run"]

SUFFIX = {"keras": ".keras", "keras-h5": ".h5"}
"""How Keras tells its formats apart."""


def run(task: Forward, say: Say) -> None:
    """Load the model, run it once, and describe what its layers give."""
    import keras

    say(Said(f"Keras {keras.__version__} is loaded"))
    model = _loaded(task)
    given = given_inputs(model, task.input, task.batch, task.seed)
    for used in given.used:
        say(used)
    started = time.perf_counter()
    watch = _Watch(model, say)
    with watch.watching():
        model(_packed(model, given.arrays), training=False)
    say(Done(time.perf_counter() - started))


def _loaded(task: Forward) -> Any:
    """The model with its weights, as Keras loads it; built and filled here where Keras 3 has no loader."""
    import keras

    suffix = SUFFIX.get(task.format or "")
    if suffix is None or os.path.isdir(task.path):
        model = from_config(json.loads(task.config))
        _fill(model, task)
        return model
    if task.path.endswith((suffix, ".hdf5") if suffix == ".h5" else suffix):
        return keras.saving.load_model(task.path, compile=False, safe_mode=True)
    with tempfile.TemporaryDirectory() as folder:
        link = os.path.join(folder, f"model{suffix}")
        os.symlink(os.path.abspath(task.path), link)
        return keras.saving.load_model(link, compile=False, safe_mode=True)


def _fill(model: Any, task: Forward) -> None:
    """Give every variable the values of the tensor of its name; FormatError if one has none."""
    from wtui.engine.blocks import plan_blocks

    catalogue = open_catalogue(task.path, task.format)
    there = {t.name: t for t in catalogue.tensors}
    files = Files(catalogue.files)
    try:
        for name, variable in named_variables(model).items():
            entry = there.get(name)
            if entry is None or entry.shape != tuple(variable.shape):
                raise FormatError(f"holds no weights of shape {tuple(variable.shape)} for {name}", task.path)
            variable.assign(plan_blocks(entry, catalogue, files).array())
    finally:
        files.close()


def _packed(model: Any, arrays: list[Any]) -> Any:
    """The arrays in the structure in which the model takes them."""
    import keras

    structure = getattr(model, "_inputs_struct", None)
    if structure is not None:
        return keras.tree.pack_sequence_as(structure, arrays)
    return arrays[0] if len(arrays) == 1 else arrays


class _Watch:
    """Sees the layers of a model being called, and says what they give."""

    def __init__(self, model: Any, say: Say) -> None:
        self._say = say
        self._paths: dict[int, str] = {}
        self._calls: Counter[int] = Counter()
        self._find(model, "", 0)

    def _find(self, model: Any, above: str, depth: int) -> None:
        """The paths of a model's layers, and of those of models inside it."""
        for layer in model.layers:
            path = f"{above}/{layer.name}" if above else layer.name
            if hasattr(layer, "layers") and depth < MAX_DEPTH:
                self._find(layer, path, depth + 1)
            else:
                self._paths.setdefault(id(layer), path)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Calls of layers are seen inside."""
        import keras

        original: Callable[..., Any] = keras.layers.Layer.__call__

        def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
            outputs = original(layer, *args, **kwargs)
            if id(layer) in self._paths:
                self._seen(layer, outputs)
            return outputs

        keras.layers.Layer.__call__ = call
        try:
            yield
        finally:
            keras.layers.Layer.__call__ = original

    def _seen(self, layer: Any, outputs: Any) -> None:
        import keras

        path, number = self._paths[id(layer)], self._calls[id(layer)]
        self._calls[id(layer)] += 1
        for i, tensor in enumerate(keras.tree.flatten(outputs)):
            value = describe(tensor)
            if value is None:
                continue
            config = layer.get_config()
            squashing = squashing_of(type(layer).__name__, config)
            axis = _channel_axis(value.shape, config.get("data_format"))
            source = Source(path, type(layer).__name__, number, i, squashing, axis)
            try:
                values = keras.ops.convert_to_numpy(tensor)
                self._say(describe_output(source, describe(values) or value, values))
            except WtuiError as error:
                self._say(Unseen(path, error.what))


def _channel_axis(shape: tuple[int, ...], data_format: object) -> int | None:
    """Where channels lie in an output; None where there is nothing but a number for each sample."""
    if len(shape) < 2:
        return None
    return 1 if data_format == "channels_first" and len(shape) > 2 else len(shape) - 1
