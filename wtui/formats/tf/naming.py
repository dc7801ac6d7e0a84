"""What the variables of an object graph are called, to which group they belong, and whether they are trained.

The key of a variable in the checkpoint is only the first path by which it was reached (`optimizer/_variables/7`); its
own name is the one that people know (`fc/kernel`). Names are made unique here. Knows no bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from wtui.formats.tf.slots import OPTIMIZER, SUFFIXES, slot_role
from wtui.formats.tf.survey import VARIABLE_VALUE, Place, Survey
from wtui.formats.unique import unique_names

__all__ = ["METRIC", "NEVER_TRAINED", "STATE", "Named", "NamedOptimizer", "name_model", "name_optimizers"]

NEVER_TRAINED = frozenset({"moving_mean", "moving_variance", "vector_u", "seed_generator_state"})
"""Names that no class of Keras gives to something it trains."""

STATE = frozenset({"save_counter", "global_step", "seed_generator_state"})
"""Variables that are no weights."""

METRIC = "_tf_keras_metric"
METRICS = frozenset({"metrics", "_metrics", "_compile_metrics"})
"""Attributes below which metrics keep their sums."""

_CLASSES = (
    "Adadelta", "Adafactor", "Adagrad", "Adam", "Adamax", "AdamW", "Ftrl", "Lamb", "Lion", "LossScaleOptimizer", "Muon",
    "Nadam", "RMSprop", "SGD",
)  # fmt: skip
CLASSES = {name.lower(): name for name in _CLASSES}
"""Classes of optimizers by the scope that they give to their variables (`adam_w_1/iteration`), without underscores."""


class Named(NamedTuple):
    """A variable with its name."""

    name: str
    key: str
    """Under which it stands in the checkpoint."""
    role: str
    group: str = "model"
    trainable: bool | None = None
    node: int = -1


class NamedOptimizer(NamedTuple):
    """An optimizer as a layer, and its variables."""

    path: str
    class_name: str
    variables: list[Named]


class _Found(NamedTuple):
    """A variable where the walk met it."""

    place: Place
    full_name: str
    key: str

    @property
    def parts(self) -> tuple[str, ...]:
        """The attributes that lead to it, without the underscores of private ones."""
        return tuple(part.lstrip("_") or part for part in self.place.path)


def name_model(survey: Survey) -> list[Named]:
    """The variables that are no optimizer's, in the model's order."""
    found = _in_order(survey, [*_found(survey, survey.root.walk()), *_found(survey, survey.unattached)])
    names = unique_names(_names(survey, found))
    flags = _flags(survey, found)
    return [_described(survey, f, name, flags.get(f.place.node)) for f, name in zip(found, names, strict=True)]


def name_optimizers(survey: Survey) -> list[NamedOptimizer]:
    """Optimizers in the order in which the model holds them; without a name of its own if there is only one."""
    groups = [(place, _as_listed(survey, place)) for place in survey.optimizers]
    groups = [(place, found) for place, found in groups if found]
    made: list[NamedOptimizer] = []
    for place, found in groups:
        path = OPTIMIZER if len(groups) == 1 else f"{OPTIMIZER}/{place.attribute}"
        scopes = {f.full_name.partition("/")[0] for f in found if "/" in f.full_name}
        scope = scopes.pop() if len(scopes) == 1 else ""
        names = unique_names(f"{path}/{_own_name(f, scope)}" for f in found)
        variables = [
            Named(name, f.key, slot_role(f.full_name or name), OPTIMIZER, None, f.place.node)
            for name, f in zip(names, found, strict=True)
        ]
        plain = scope.rstrip("0123456789").replace("_", "").lower()
        made.append(NamedOptimizer(path, CLASSES.get(plain, ""), variables))
    return made


def _found(survey: Survey, places: Iterable[Place]) -> list[_Found]:
    """The variables among the places."""
    return [
        _Found(place, attribute.full_name, attribute.key)
        for place in places
        for attribute in survey.nodes[place.node].attributes
        if attribute.name == VARIABLE_VALUE
    ]


def _as_listed(survey: Survey, optimizer: Place) -> list[_Found]:
    """The variables of an optimizer as it lists them itself: counters before slots."""
    lists = [node for name, node in survey.nodes[optimizer.node].children if name == "_variables"]
    rank = {child: i for node in lists for i, (_, child) in enumerate(survey.nodes[node].children)}
    return sorted(_found(survey, optimizer.walk()), key=lambda f: rank.get(f.place.node, -1))


def _in_order(survey: Survey, found: list[_Found]) -> list[_Found]:
    """As the walk met them; where it missed some (lists of layers in a subclassed model), in the optimizer's order,
    each weight with what came after it and is not trained."""
    if not survey.unattached:
        return found
    trained = [node for _, weights in survey.trained for node in weights]
    rank = {node: i for i, node in enumerate(trained)}
    last, keyed = -1, []
    for f in found:
        last = rank.get(f.place.node, last)
        keyed.append((last, f))
    return [f for _, f in sorted(keyed, key=lambda pair: pair[0])]


def _names(survey: Survey, found: Sequence[_Found]) -> list[str]:
    """A variable's own name where it is one (`Variable` and `w` are none) and no other has it, else its place.

    Subclassed models of Keras 3 give their own name to everything in them; their optimizer's slots know the layers.
    """
    times = Counter(f.full_name for f in found)
    layers = _layers_by_slots(survey)
    by_parent: dict[int, set[str]] = {}
    for f in found:
        if f.place.parent is not None and f.place.node in layers:
            by_parent.setdefault(f.place.parent.node, set()).add(layers[f.place.node])
    apart = _models_of_one_name(found) if survey.is_container else frozenset()
    names: list[str] = []
    for f in found:
        scope, _, label = f.full_name.rpartition("/")
        beside = by_parent.get(f.place.parent.node, set()) if f.place.parent else set()
        layer = layers.get(f.place.node) or (min(beside) if len(beside) == 1 else "")
        if not scope:
            names.append("/".join(f.parts) or f.full_name)
        elif layer:
            names.append(f"{layer}/{label}")
        elif f.parts and f.parts[0] in apart:
            names.append(f"{f.parts[0]}/{f.full_name}")
        elif times[f.full_name] > 1 and f.parts:
            names.append("/".join((scope, *f.parts[survey.is_container : -1], label)))
        else:
            names.append(f.full_name)
    return names


def _models_of_one_name(found: Sequence[_Found]) -> frozenset[str]:
    """The root's attributes below which the same names stand, each time once: models that were built alike."""
    heads: dict[str, list[str]] = {}
    for f in found:
        if "/" in f.full_name and f.parts:
            heads.setdefault(f.full_name, []).append(f.parts[0])
    alike = (names for names in heads.values() if len(names) > 1 and len(set(names)) == len(names))
    return frozenset(name for names in alike for name in names)


def _layers_by_slots(survey: Survey) -> dict[int, str]:
    """The layers of weights, by node, from the names of their slots: `adam/net_dense_1_kernel_momentum` belongs to a
    weight called `net/kernel`, so that its layer is `net/dense_1`."""
    found: dict[int, str] = {}
    for optimizer, weights in survey.trained:
        for _, child in survey.nodes[optimizer.node].children:
            slots = [node for _, node in survey.nodes[child].children]
            if child in weights or slots == weights or len(slots) != len(weights):
                continue
            for weight, slot in zip(weights, slots, strict=True):
                layer = _layer_of(_full_name(survey, weight), _full_name(survey, slot))
                if layer:
                    found.setdefault(weight, layer)
    return found


def _full_name(survey: Survey, node: int) -> str:
    attributes = survey.nodes[node].attributes
    return next((a.full_name for a in attributes if a.name == VARIABLE_VALUE), "")


def _layer_of(weight: str, slot: str) -> str:
    body = slot.partition("/")[2]
    suffix = next((s for s in SUFFIXES if body.endswith(f"_{s}")), None)
    scope, _, label = weight.rpartition("/")
    prefix = scope.replace("/", "_") + "_"
    if suffix is None or not scope:
        return ""
    body = body.removesuffix(f"_{suffix}")
    if not body.startswith(prefix) or not body.endswith(f"_{label}"):
        return ""
    middle = body[len(prefix) : -len(label) - 1]
    return f"{scope}/{middle}" if middle else ""


def _flags(survey: Survey, found: Sequence[_Found]) -> dict[int, bool]:
    """What lists say of variables, by node: those of an exported model, else those of the optimizers.

    What no optimizer lists is not trained, if all of them list something, and something of the same model is listed.
    """
    for name, node in survey.nodes[0].children if survey.nodes else ():
        if name == "trainable_variables":
            listed = {child for _, child in survey.nodes[node].children}
            return {f.place.node: f.place.node in listed for f in found}
    trained = {node for _, weights in survey.trained for node in weights}
    heads = {_head(survey, f) for f in found if f.place.node in trained}
    sure = len(survey.trained) == len(survey.optimizers)
    return {
        f.place.node: f.place.node in trained
        for f in found
        if f.place.node in trained or (sure and _head(survey, f) in heads)
    }


def _head(survey: Survey, f: _Found) -> str:
    """The model that holds a variable: an attribute of the root where that is no model itself."""
    return f.parts[0] if survey.is_container and f.parts else ""


def _described(survey: Survey, f: _Found, name: str, listed: bool | None) -> Named:
    role = name.rpartition("/")[2].partition("#")[0]
    saved = survey.nodes[f.place.node].variable
    trainable = listed
    if role in NEVER_TRAINED or (saved is not None and not saved.trainable):
        trainable = False
    elif saved is not None and listed is None:
        trainable = saved.trainable
    group = "state" if role in STATE or _in_metric(survey, f.place) else "model"
    return Named(name, f.key, role, group, trainable, f.place.node)


def _in_metric(survey: Survey, place: Place) -> bool:
    above = place.parent
    while above is not None:
        if above.attribute in METRICS or survey.nodes[above.node].identifier == METRIC:
            return True
        above = above.parent
    return False


def _own_name(f: _Found, scope: str) -> str:
    """The name of an optimizer's variable within it: the scope says which optimizer it is, and nothing else."""
    if f.full_name in ("", "Variable"):
        return "/".join(f.parts[-2:])
    return f.full_name.removeprefix(f"{scope}/") if scope else f.full_name
