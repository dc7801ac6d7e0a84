"""Which layers of a configuration Keras may build here, and what is left of the model without the others.

A configuration comes from a file, and some of what Keras reads in one is code, or leads to other files. Such layers are
refused before Keras sees them, by a list of what is allowed, so that nothing depends on Keras's own refusal. Data in,
data out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from wtui.formats.keras.config import MAX_DEPTH
from wtui.formats.keras.structure import ATTENTION_CLASSES, is_keras_class
from wtui.live.links import Link, link, links_of

__all__ = ["MODELS", "Piece", "is_model", "items_of", "pieces", "refusals", "why_refused"]

MODELS = frozenset({"Functional", "Sequential", "Model"})
"""Classes whose configuration lists their layers."""

_CODE: Mapping[str, str] = {
    "Lambda": "is a Lambda layer, which is Python code in the file",
    "__lambda__": "holds Python code",
    "TFSMLayer": "runs the graph of another file",
    "TorchModuleWrapper": "holds a pickled torch module",
    "FlaxLayer": "runs a module of the program that saved it",
    "JaxLayer": "runs a function of the program that saved it",
    "TFOpLambda": "is a function of TensorFlow, for which Keras 3 has no layer",
    "SlicingOpLambda": "is a function of TensorFlow, for which Keras 3 has no layer",
    "FeatureSpace": "may run functions of the program that saved it",
}
"""Classes of Keras that run what the file brings, or cannot be run without it."""

_OURS = ("keras", "keras.", "builtins")
"""Modules in which a configuration may name objects."""

_FILES = ("vocabulary", "filepath", "file_path", "idf_weights")
"""Settings that may be paths of files on this machine, which a model has no business to read."""

_NAMED_ELSEWHERE = ("class_name", "config", "registered_name", "module")


class Piece(NamedTuple):
    """A model, or a part of one, that Keras may build."""

    path: str
    """Of the model that it is a part of; `""` for the whole one."""
    config: dict[str, Any]
    """As Keras would load it."""
    complete: bool
    """Whether no layer of it was left out."""


def is_model(item: Mapping[str, Any]) -> bool:
    """Whether a serialised object lists layers: a model of Keras's own classes, or of one derived from them."""
    config = item.get("config")
    derived = isinstance(config, Mapping) and "input_layers" in config and "output_layers" in config
    return (item.get("class_name") in MODELS or derived) and bool(items_of(item))


def items_of(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The serialised layers of a model, in its order."""
    config = item.get("config")
    layers = config if isinstance(config, list) else config.get("layers") if isinstance(config, Mapping) else None
    if not isinstance(layers, list):
        return []
    return [one for one in layers if isinstance(one, Mapping) and isinstance(one.get("class_name"), str)]


def refusals(item: Mapping[str, Any], path: str = "", depth: int = 0) -> dict[str, str]:
    """Why layers may not be built, by their paths; `""` is the whole model."""
    if not is_model(item) or depth > MAX_DEPTH:
        reason = "lies too deep" if depth > MAX_DEPTH else why_refused(item)
        return {path: reason} if reason else {}
    found: dict[str, str] = {}
    for one in items_of(item):
        name = _name(one)
        found |= refusals(one, f"{path}/{name}" if path else name, depth + 1)
    return found


def why_refused(item: Mapping[str, Any]) -> str:
    """Why a serialised layer may not be built, `""` if it may."""
    class_name = str(item.get("class_name", ""))
    plain = class_name.rpartition(">")[2]
    if plain in _CODE:
        return _CODE[plain]
    module = item.get("module")
    operation = isinstance(module, str) and module.startswith("keras.src.ops")
    known = operation or is_keras_class(plain) or plain in ATTENTION_CLASSES
    if class_name != plain or not known or not _is_ours(module):
        return f"its class {plain} is not one of Keras's, and its code is not in the file"
    return next(_inside(item.get("config"), 0), "")


def _is_ours(module: object) -> bool:
    return module is None or (isinstance(module, str) and (module in _OURS or module.startswith(_OURS[1])))


def _inside(value: object, depth: int) -> Iterator[str]:
    """Reasons in a layer's settings, and in the objects and layers that it holds."""
    if depth > 4 * MAX_DEPTH:
        yield "has settings that are nested too deep"
    elif isinstance(value, Mapping):
        if isinstance(value.get("class_name"), str) and set(value) & set(_NAMED_ELSEWHERE[1:]):
            yield from _object(value)
        for key, inner in value.items():
            if key in _FILES and isinstance(inner, str) and inner:
                yield f"reads a file of this machine ({key})"
            yield from _inside(inner, depth + 1)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for inner in value:
            yield from _inside(inner, depth + 1)


def _object(value: Mapping[str, Any]) -> Iterator[str]:
    """Reasons not to make an object that a setting names."""
    name = str(value["class_name"]).rpartition(">")[2]
    if name in _CODE:
        yield _CODE[name]
    elif not _is_ours(value.get("module")) or ">" in str(value["class_name"]):
        yield f"uses the custom object {name}, which is not in the file"
    elif ">" in str(value.get("registered_name") or ""):
        yield f"uses the custom object {value['registered_name']}, which is not in the file"


def pieces(item: Mapping[str, Any], refused: Mapping[str, str], path: str = "", depth: int = 0) -> list[Piece]:
    """What of a model may be built: the whole, or its layers that take nothing from a refused one, inner models apart.

    Nothing if the model itself is refused.
    """
    if path in refused or not is_model(item) or depth > MAX_DEPTH:
        return []
    below = [(_name(one), one) for one in items_of(item)]
    paths = {name: f"{path}/{name}" if path else name for name, _ in below}
    bad = {name for name, _ in below if _is_touched(paths[name], refused)}
    found: list[Piece] = []
    for name, one in below:
        if name in bad and is_model(one):
            found += pieces(one, refused, paths[name], depth + 1)
    kept = _without(item, bad) if bad else _settled(item)
    return [Piece(path, kept, not bad), *found] if kept is not None else found


def _is_touched(path: str, refused: Mapping[str, str]) -> bool:
    """Whether a layer, or something inside it, is refused."""
    return any(one == path or one.startswith(f"{path}/") for one in refused)


def _without(item: Mapping[str, Any], bad: set[str]) -> dict[str, Any] | None:
    """The model without the layers called `bad` and all that depend on them; None if nothing is left."""
    if item.get("class_name") == "Sequential" or "inbound_nodes" not in items_of(item)[0]:
        return _shortened(item, bad)
    kept = _independent(items_of(item), bad)
    if not kept:
        return None
    consumed = {one[:3] for each in kept for call in links_of(each) for one in call}
    made = [(_name(each), i) for each in kept for i in range(max(1, len(links_of(each))))]
    outputs = [[name, i, 0] for name, i in made if not any(c[:2] == (name, i) for c in consumed)]
    names = {_name(each) for each in kept}
    config = {
        **_config(item),
        "layers": kept,
        "input_layers": [list(one[:3]) for one in _flat(_config(item).get("input_layers")) if one.layer in names],
        "output_layers": outputs,
    }
    return {**_settled(item), "config": config}


def _independent(items: Sequence[Mapping[str, Any]], bad: set[str]) -> list[Mapping[str, Any]]:
    """The layers that take nothing, directly or through others, from a bad one."""
    lost = set(bad)
    while True:
        more = {_name(one) for one in items if any(t.layer in lost for call in links_of(one) for t in call)} - lost
        if not more:
            return [one for one in items if _name(one) not in lost]
        lost |= more


def _shortened(item: Mapping[str, Any], bad: set[str]) -> dict[str, Any] | None:
    """A sequential model up to its first bad layer."""
    layers: list[Mapping[str, Any]] = []
    for one in items_of(item):
        if _name(one) in bad:
            break
        layers.append(one)
    return {**_settled(item), "config": {**_config(item), "layers": layers}} if layers else None


def _settled(item: Mapping[str, Any]) -> dict[str, Any]:
    """The model as one of Keras's own classes, and without what it was compiled with."""
    settled = {k: v for k, v in item.items() if k not in ("compile_config", "build_config")}
    settled["config"] = _config(item)
    if item.get("class_name") not in MODELS:
        settled |= {"class_name": "Functional", "registered_name": None}
        if "module" in item:
            settled["module"] = "keras.src.models.functional"
    return settled


def _config(item: Mapping[str, Any]) -> dict[str, Any]:
    """The model's settings; those of Keras 1 are a bare list of layers."""
    config = item["config"]
    return {"name": "model", "layers": config} if isinstance(config, list) else dict(config)


def _name(item: Mapping[str, Any]) -> str:
    config = item.get("config")
    inner = config.get("name") if isinstance(config, Mapping) else None
    name = item.get("name", inner)
    return name if isinstance(name, str) else ""


def _flat(value: object) -> Iterator[Link]:
    """All references in a structure of inputs or outputs."""
    found = link(value)
    if found is not None:
        yield found
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _flat(inner)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for inner in value:
            yield from _flat(inner)
