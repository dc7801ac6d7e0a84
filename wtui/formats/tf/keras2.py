"""Keras 2 inside a SavedModel: classes, names and configurations of layers, recorded as JSON beside the objects.

Since TensorFlow 2.5 in `keras_metadata.pb` (keras/protobuf/saved_metadata.proto), before that in the objects
themselves. Knows no bytes of tensors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.formats.protobuf import LEN, blob, fields, text
from wtui.formats.tf.naming import METRIC, NEVER_TRAINED, Named
from wtui.formats.tf.survey import VARIABLE_VALUE
from wtui.formats.unique import unique_name, unique_names
from wtui.model import LayerNode

if TYPE_CHECKING:
    from wtui.formats.tf.objects import ObjectNode
    from wtui.formats.tf.survey import Place, Survey
    from wtui.storage import Source

__all__ = ["KerasLayer", "KerasTree", "layers_of_file", "layers_of_objects", "plant"]

LAYERS = "_tf_keras_"
"""What the identifiers of Keras's objects begin with."""

MAX_JSON = 16 << 20
"""Bytes of the configuration of one object."""

MAX_ALL = 64 << 20
"""Bytes of all configurations together."""

CONTAINED = frozenset({"layers", "input_layers", "output_layers"})
"""What the configuration of a model repeats of its layers."""


class KerasLayer(NamedTuple):
    """What is recorded of a layer, model or metric."""

    identifier: str
    class_name: str
    name: str
    trainable: bool
    config: Mapping[str, Any]


class KerasTree(NamedTuple):
    """The layers of a model, and its variables in their order; `owners` says to which layer each belongs."""

    root: LayerNode
    variables: list[Named]
    owners: list[LayerNode]
    metrics: list[Named]


def layers_of_file(source: Source) -> dict[int, KerasLayer]:
    """The records of a `keras_metadata.pb`, by number of the object."""
    found: dict[int, KerasLayer] = {}
    left = MAX_ALL
    for field in fields(source, 0, source.size):
        if field.number != 1 or field.wire != LEN:
            continue
        parts = {f.number: f for f in fields(source, field.start, field.stop)}
        if 5 not in parts or parts[5].wire != LEN or 4 not in parts or parts[4].wire != LEN:
            continue
        left -= parts[5].stop - parts[5].start
        if left < 0:
            break
        number = parts[2].value if 2 in parts else 0
        layer = _layer(text(source, parts[4]), blob(source, parts[5], MAX_JSON))
        if layer is not None:
            found[number] = layer
    return found


def layers_of_objects(nodes: Sequence[ObjectNode]) -> dict[int, KerasLayer]:
    """The records that stand in the objects themselves, as before TensorFlow 2.5."""
    known = ((i, _layer(n.identifier, n.metadata.encode())) for i, n in enumerate(nodes) if n.metadata)
    return {i: layer for i, layer in known if layer is not None}


def _layer(identifier: str, document: bytes) -> KerasLayer | None:
    """A record as far as its JSON can be read."""
    if not identifier.startswith(LAYERS):
        return None
    try:
        found = json.loads(document)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    config = found.get("config")
    config = {k: v for k, v in config.items() if k not in CONTAINED} if isinstance(config, dict) else {}
    texts = [found.get(key) for key in ("class_name", "name")]
    class_name, name = (value if isinstance(value, str) else "" for value in texts)
    return KerasLayer(identifier, class_name.rpartition(">")[2], name, found.get("trainable") is not False, config)


def plant(survey: Survey, layers: Mapping[int, KerasLayer], name: str) -> KerasTree:
    """The tree of layers, with the variables of each; `name` is for a root that is no layer."""
    top = layers.get(0)
    root = LayerNode(top.name or name, "", top.class_name, top.config) if top else LayerNode(name, "")
    tree = KerasTree(root, [], [], [])
    found: list[tuple[Place, LayerNode, bool]] = []
    metrics: list[tuple[Place, str]] = []
    paths: dict[str, int] = {}
    stack: list[tuple[Place, LayerNode, bool, str]] = [(survey.root, root, top.trainable if top else True, "")]
    while stack:
        place, owner, trainable, metric = stack.pop()
        layer = layers.get(place.node) if place.parent else None
        if layer is not None and layer.identifier == METRIC:
            metric = layer.name or place.attribute
        elif layer is not None:
            owner, trainable = _child(owner, layer, place, paths), trainable and layer.trainable
        if any(a.name == VARIABLE_VALUE for a in survey.nodes[place.node].attributes):
            if metric:
                metrics.append((place, metric))
            else:
                found.append((place, owner, trainable))
        stack.extend((child, owner, trainable, metric) for child in reversed(place.children))
    _name_variables(survey, found, layers, tree)
    names = unique_names(f"metrics/{metric}/{place.attribute}" for place, metric in metrics)
    for (place, _), name in zip(metrics, names, strict=True):
        key = _value(survey, place)[1]
        tree.metrics.append(Named(name, key, place.attribute, "state", False, place.node))
    return tree


def _child(owner: LayerNode, layer: KerasLayer, place: Place, paths: dict[str, int]) -> LayerNode:
    """The node of a layer, hung below its owner."""
    name = layer.name or place.attribute.lstrip("_")
    path = unique_name(f"{owner.path}/{name}" if owner.path else name, paths)
    node = LayerNode(name, path, layer.class_name, layer.config)
    owner.children.append(node)
    return node


def _name_variables(
    survey: Survey, found: Sequence[tuple[Place, LayerNode, bool]], layers: Mapping[int, KerasLayer], tree: KerasTree
) -> None:
    """Names below the owner: the last part of a variable's own name; the attributes where two of a layer share it."""
    labels = [_value(survey, place)[0].rpartition("/")[2] or place.attribute for place, _, _ in found]
    times: dict[tuple[str, str], int] = {}
    for (_, owner, _), label in zip(found, labels, strict=True):
        times[owner.path, label] = times.get((owner.path, label), 0) + 1
    wanted = []
    for (place, owner, _), label in zip(found, labels, strict=True):
        if times[owner.path, label] > 1 or label == "Variable":
            label = _attributes(place, layers)
        wanted.append(f"{owner.path}/{label}" if owner.path else label)
    for (place, owner, trainable), name, label in zip(found, unique_names(wanted), labels, strict=True):
        saved = survey.nodes[place.node].variable
        trained = (None if saved is None else saved.trainable) if trainable else False
        role = label if label != "Variable" else name.rpartition("/")[2]
        key = _value(survey, place)[1]
        tree.variables.append(Named(name, key, role, "model", trained and role not in NEVER_TRAINED, place.node))
        tree.owners.append(owner)


def _attributes(place: Place, layers: Mapping[int, KerasLayer]) -> str:
    """The attributes that lead from the layer to its variable."""
    parts = [place.attribute.lstrip("_")]
    above = place.parent
    while above is not None and above.parent is not None and above.node not in layers:
        parts.append(above.attribute.lstrip("_"))
        above = above.parent
    return "/".join(reversed(parts))


def _value(survey: Survey, place: Place) -> tuple[str, str]:
    """Name and key of a variable."""
    attributes = survey.nodes[place.node].attributes
    return next((a.full_name, a.key) for a in attributes if a.name == VARIABLE_VALUE)
