"""What `model.summary()` shows, from a configuration alone: layers in order, what each takes, how it is set up.

Output shapes are those that the configuration happens to record (Keras 3 writes down what each layer takes); the others
wait for Keras, which works them out in a process of its own (`wtui.live.shapes`). Data in, data out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from wtui.formats.keras.config import MAX_DEPTH
from wtui.live.configured import activation_of, initialisers_of, regularisers_of
from wtui.live.links import Link, Shape, links_of, recorded_shapes, shape_of
from wtui.live.refusal import is_model, items_of, refusals

__all__ = ["Architecture", "LayerFacts", "architecture_of", "with_shapes"]


class LayerFacts(NamedTuple):
    """One layer or operation, as its model's summary would list it."""

    path: str
    """As in the catalogue: names from the model down, joined by `/`."""
    name: str
    class_name: str
    depth: int
    """Models around it, besides the outermost one."""
    takes: tuple[Link, ...] = ()
    """What it is connected to, of all its calls; empty in sequential models, where it is the layer before."""
    outputs: tuple[Shape, ...] = ()
    """The shapes of its last call's outputs; empty where they are not known."""
    recorded: bool = False
    """Whether `outputs` are the file's word, not Keras's."""
    activation: str = ""
    initialisers: tuple[tuple[str, str], ...] = ()
    regularisers: tuple[tuple[str, str], ...] = ()
    trainable: bool = True
    refused: str = ""
    """Why Keras may not build it here."""


class Architecture(NamedTuple):
    """The layers of a model in the order of its summary."""

    layers: tuple[LayerFacts, ...]
    linked: bool
    """Whether layers say what they take; a sequential model does not."""
    refused: Mapping[str, str]
    """By path, why layers may not be built; `""` stands for the whole model."""

    def by_path(self) -> dict[str, LayerFacts]:
        """The layers by their paths; of several of one path the first."""
        return {facts.path: facts for facts in reversed(self.layers)}


NOTHING = Architecture((), False, {})


def architecture_of(config: Mapping[str, Any]) -> Architecture:
    """The architecture that a serialised model describes; empty for what is none."""
    if not isinstance(config.get("class_name"), str):
        return NOTHING
    refused = refusals(config)
    layers = tuple(_walk(config, "", 0, refused))
    return Architecture(layers, any(facts.takes for facts in layers), refused)


def with_shapes(known: Architecture, shapes: Mapping[str, Iterable[Shape]]) -> Architecture:
    """The same with output shapes that Keras has worked out, by path; they replace what the file says."""
    layers = (
        facts._replace(outputs=tuple(shapes[facts.path]), recorded=False) if facts.path in shapes else facts
        for facts in known.layers
    )
    return known._replace(layers=tuple(layers))


def _walk(model: Mapping[str, Any], above: str, depth: int, refused: Mapping[str, str]) -> Iterator[LayerFacts]:
    """The layers of a model, those of inner models right after them."""
    if depth > MAX_DEPTH:
        return
    items = items_of(model)
    sequential = model.get("class_name") == "Sequential"
    shapes = recorded_shapes(items)
    for i, item in enumerate(items):
        if sequential and item["class_name"] == "InputLayer":
            continue
        config = item.get("config")
        settings: Mapping[str, Any] = config if isinstance(config, Mapping) else {}
        name = str(item.get("name") or settings.get("name") or "")
        path = f"{above}/{name}" if above else name
        calls = links_of(item)
        outputs = _outputs(shapes, name, len(calls) - 1) or _input_shape(item["class_name"], settings)
        if sequential:
            outputs = outputs or _next_input(items[i + 1 :])
        yield LayerFacts(
            path,
            name,
            item["class_name"].rpartition(">")[2],
            depth,
            tuple(one for call in calls for one in call),
            outputs,
            bool(outputs),
            activation_of(settings),
            initialisers_of(settings),
            regularisers_of(settings),
            settings.get("trainable") is not False,
            refused.get(path, ""),
        )
        if is_model(item):
            yield from _walk(item, path, depth + 1, refused)


def _outputs(shapes: Mapping[tuple[str, int, int], Shape], name: str, call: int) -> tuple[Shape, ...]:
    """The recorded outputs of a layer's last call, as far as they are recorded one after the other."""
    found: list[Shape] = []
    while (shape := shapes.get((name, max(call, 0), len(found)))) is not None:
        found.append(shape)
    return tuple(found)


def _input_shape(class_name: str, settings: Mapping[str, Any]) -> tuple[Shape, ...]:
    """The shape of an input, which its own configuration says."""
    if class_name != "InputLayer":
        return ()
    found = (shape_of(settings.get(key)) for key in ("batch_shape", "batch_input_shape"))
    return tuple(shape for shape in found if shape is not None)[:1]


def _next_input(rest: list[Mapping[str, Any]]) -> tuple[Shape, ...]:
    """What the next layer of a sequential model was built for."""
    build = rest[0].get("build_config") if rest else None
    shape = shape_of(build.get("input_shape")) if isinstance(build, Mapping) else None
    return (shape,) if shape is not None else ()
