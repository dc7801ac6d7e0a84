"""The slots of an optimizer: which of its numbered variables belongs to which weight, and what it is.

Keras 3 numbers an optimizer's variables: counters first, then slots in the order in which `build` makes them
(keras.optimizers), pass after pass over the trained weights. A reading is only taken when every shape agrees with it.
Knows no files; the model's own tensors must have their names already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.formats.keras.structure import COUNTER, snake_case
from wtui.formats.keras.table import SCALES_OF_FLOAT8
from wtui.formats.keras.tree import Draft, DraftTensor, Stored

if TYPE_CHECKING:
    from wtui.formats.keras.saved import SavedGroup

__all__ = ["OPTIMIZER", "optimizer_draft", "slot_name", "slot_role", "trained_weights"]

OPTIMIZER = "optimizer"
"""The group of an optimizer's tensors, and the name of the node that holds them."""


class _Recipe(NamedTuple):
    """What an optimizer's `build` makes."""

    passes: tuple[tuple[str, ...], ...]
    """Slots that each pass over the weights makes, one weight after the other."""
    optional: tuple[tuple[str, str], ...] = ()
    """(setting, slot) of further passes that are only made with a setting that is not zero."""
    scalars: tuple[str, ...] = ()
    """Variables behind all slots."""


_MOMENTS = _Recipe((("momentum", "velocity"),))
_RECIPES: Mapping[str, _Recipe] = {
    "Adam": _Recipe(_MOMENTS.passes, (("amsgrad", "velocity_hat"),)),
    "AdamW": _Recipe(_MOMENTS.passes, (("amsgrad", "velocity_hat"),)),
    "Nadam": _Recipe(_MOMENTS.passes, scalars=("u_product",)),
    "Lamb": _MOMENTS,
    "Adamax": _Recipe((("momentum", "norm"),)),
    "SGD": _Recipe((), (("momentum", "momentum"),)),
    "RMSprop": _Recipe((("velocity",),), (("momentum", "momentum"), ("centered", "average_gradient"))),
    "Adagrad": _Recipe((("accumulator",),)),
    "Adadelta": _Recipe((("accumulated_grad", "accumulated_delta_var"),)),
    "Ftrl": _Recipe((("accumulator", "linear"),)),
    "Lion": _Recipe((("momentum",),)),
}
_BEFORE = (("use_ema", "average"), ("gradient_accumulation_steps", "gradient_accumulator"))
"""Passes that every optimizer makes first, with these settings."""

_COUNTERS = ("iteration", "learning_rate")
_LOSS_SCALE = (*_COUNTERS, "step_counter", "dynamic_scale")

_ROLES = (
    "accumulated_delta_var", "accumulated_grad", "average_gradient", "gradient_accumulator", "velocity_hat", "velocity",
    "momentum", "accumulator", "average", "linear", "norm", "learning_rate", "iteration", "u_product", "vhat", "rms",
    "step_counter", "dynamic_scale", "iter", "m", "v",
)  # fmt: skip
"""What slots are called, the longest of those that end alike first; the short ones are Keras 2's."""


def slot_role(name: str) -> str:
    """The role of an optimizer variable that has a name (`adam/dense_kernel_momentum`, `Adam/m/dense/kernel:0`)."""
    parts = name.split(":")[0].split("/")
    for role in _ROLES:
        if parts[-1] == role or (len(role) > 2 and parts[-1].endswith(f"_{role}")) or role in parts[1:-1]:
            return {"iter": "iteration", "m": "momentum", "v": "velocity", "vhat": "velocity_hat"}.get(role, role)
    return "slot"


def trained_weights(tensors: Sequence[DraftTensor]) -> list[DraftTensor]:
    """The weights that have slots, in the order in which an optimizer is built for them."""
    return [
        t
        for t in tensors
        if t.group == "model" and t.alias_of is None and t.trainable is not False and t.role not in SCALES_OF_FLOAT8
    ]


def optimizer_draft(
    saved: SavedGroup, config: Mapping[str, Any] | None, weights: Sequence[DraftTensor] | None
) -> Draft:
    """The optimizer as a layer of its own; `weights` is None where their order is not known."""
    class_name = _text(config, "class_name").rpartition(">")[2] or class_of(saved.label or "")
    settings = config.get("config") if config else None
    draft = Draft(saved.name, class_name, settings if isinstance(settings, Mapping) else None)
    ordered = saved.ordered()
    inner = saved.children.get("inner_optimizer")
    outer = len(ordered) - len(inner.variables) if inner is not None else 0
    if inner is not None and outer > 0:
        draft.tensors = _tensors(ordered[:outer], _LOSS_SCALE)
        inner_config = draft.config.get("inner_optimizer") if draft.config else None
        made = optimizer_draft(inner, inner_config if isinstance(inner_config, Mapping) else None, weights)
        draft.children.append(made)
        draft.tensors += _copies(ordered[outer:], made.tensors)
    else:
        names = _names(class_name, draft.config, [s for _, s in ordered], weights)
        inferred = "by order and shape" if draft.config is None and len(names) > len(_COUNTERS) else ""
        draft.tensors = _tensors(ordered, names, inferred)
    return draft


def class_of(label: str) -> str:
    """The class behind the name that Keras gives an optimizer (`adam_2`), `""` for any other name."""
    plain = COUNTER.sub("", label)
    known = (*_RECIPES, "Adafactor", "Muon", "LossScaleOptimizer")
    return next((name for name in known if plain in (snake_case(name), name)), "")


def _tensors(ordered: Sequence[tuple[str, Stored]], names: Sequence[str], inferred: str = "") -> list[DraftTensor]:
    """Tensors with the names that are known, and with their numbers where there is none."""
    found = []
    for place, (key, stored) in enumerate(ordered):
        name = names[place] if place < len(names) else ""
        role = slot_role(name) if name else "slot"
        found.append(DraftTensor(name or key, role, stored, False, inferred, OPTIMIZER))
    return found


def _copies(ordered: Sequence[tuple[str, Stored]], originals: Sequence[DraftTensor]) -> list[DraftTensor]:
    """What a loss-scaling optimizer saves a second time: the variables of the optimizer inside it."""
    found = []
    for (_, stored), original in zip(ordered, originals, strict=False):
        label = f"inner_{original.label}"
        copy = DraftTensor(label, original.role, stored, False, original.inferred, OPTIMIZER)
        copy.alias_of = original
        found.append(copy)
    return found


def _names(
    class_name: str, settings: Mapping[str, Any] | None, stored: Sequence[Stored], weights: Sequence[DraftTensor] | None
) -> list[str]:
    """Names of the variables as far as they can be told: of all of them, or of the counters alone."""
    shapes = [s.dataset.shape for s in stored]
    if weights is not None and class_name in _RECIPES:
        for reading in _readings(_RECIPES[class_name], settings, weights):
            if [shape for _, shape in reading] == shapes:
                return [name for name, _ in reading]
    if not stored or shapes[0] != ():
        return []
    counters = 2 if len(shapes) > 1 and shapes[1] == () and "float" in stored[1].dataset.dtype else 1
    return list(_COUNTERS[:counters])


def _readings(
    recipe: _Recipe, settings: Mapping[str, Any] | None, weights: Sequence[DraftTensor]
) -> Iterator[list[tuple[str, tuple[int, ...]]]]:
    """Every list of (name, shape) that the optimizer may have made; only one if its settings are known."""
    optional = [*_BEFORE, *recipe.optional]
    rate = settings.get("learning_rate") if settings else None
    with_rate = [not isinstance(rate, Mapping)] if settings is not None else [True, False]
    made = [[bool(settings.get(key))] if settings is not None else [False, True] for key, _ in optional]
    for rate_is_variable, *present in product(with_rate, *made):
        passes: list[tuple[str, ...]] = [(s,) for (_, s), there in zip(_BEFORE, present, strict=False) if there]
        passes += recipe.passes
        passes += [(slot,) for (_, slot), there in zip(recipe.optional, present[len(_BEFORE) :], strict=True) if there]
        names = [(name, ()) for name in _COUNTERS[: 1 + rate_is_variable]]
        slots = [(slot_name(w.name, slot), w.stored.dataset.shape) for p in passes for w in weights for slot in p]
        yield [*names, *slots, *((name, ()) for name in recipe.scalars)]


def slot_name(weight: str, slot: str) -> str:
    """The name of a weight's slot, as Keras makes it: `dense/kernel` -> `dense_kernel_momentum`."""
    return f"{weight.replace('/', '_')}_{slot}"


def _text(config: Mapping[str, Any] | None, key: str) -> str:
    value = config.get(key) if config else None
    return value if isinstance(value, str) else ""
