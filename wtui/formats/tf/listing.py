"""The tensors of a bundle with the names that an object graph or their own gives them, ready to be hung into a tree.

Two kinds of checkpoints: those with an object graph, and name-based ones as TensorFlow 1 writes them. Knows bundles
and names; folders, and what else a SavedModel records, are the formats' business.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from wtui.formats.names import natural_key
from wtui.formats.tf.naming import STATE, Named, name_model, name_optimizers
from wtui.formats.tf.slots import OPTIMIZER, owners_of_slots, slot_role
from wtui.formats.tf.survey import VARIABLE_VALUE
from wtui.formats.tf.tree import Branch
from wtui.formats.unique import unique_names
from wtui.model import Notice

if TYPE_CHECKING:
    from wtui.formats.tf.bundle import Bundle
    from wtui.formats.tf.survey import Survey
    from wtui.model import TensorEntry

__all__ = ["OBJECT_GRAPH", "Listing", "by_names", "by_objects", "entries_of", "missing_notices"]

OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
"""The key of the object graph in a checkpoint."""

VALUE_SUFFIX = f"/.ATTRIBUTES/{VARIABLE_VALUE}"
CONFIGS = "/.ATTRIBUTES/OBJECT_CONFIG_JSON"
"""Texts that Keras 2 wrote beside its layers for a while."""

NAMED_KEYS = 5
"""Missing keys that a notice names."""


class Listing(NamedTuple):
    """Tensors in the model's order, then those of optimizers."""

    tensors: list[TensorEntry]
    branches: list[Branch]
    notices: list[Notice]


def by_objects(bundle: Bundle, survey: Survey) -> Listing:
    """Names from the object graph; what it does not name keeps its key, so that nothing is lost."""
    missing: list[str] = []
    tensors = entries_of(bundle, name_model(survey), missing)
    optimizers = name_optimizers(survey)
    branches = [Branch(o.path, o.class_name, entries_of(bundle, o.variables, missing)) for o in optimizers]
    used = {a.key for node in survey.nodes for a in node.attributes if a.name == VARIABLE_VALUE}
    rest = [key for key in bundle.tensors if key not in used and key != OBJECT_GRAPH and not key.endswith(CONFIGS)]
    taken = [t.name for t in (*tensors, *(t for b in branches for t in b.tensors))]
    names = unique_names([*taken, *(_readable(key) for key in rest)])[len(taken) :]
    tensors += [_other(bundle, key, name) for key, name in zip(rest, names, strict=True)]
    return Listing(tensors, branches, missing_notices(missing))


def by_names(bundle: Bundle, order: Sequence[str] = (), trained: frozenset[str] | None = None) -> Listing:
    """Names as they stand, slots folded. `order`: the names as the program made them, where a graph tells; `trained`:
    those that it trains."""
    keys = [key for key in bundle.tensors if key != OBJECT_GRAPH]
    owners = owners_of_slots({key: bundle.tensors[key].shape for key in keys})
    rank = {name: i for i, name in enumerate(order)}
    if rank:
        keys.sort(key=lambda key: (rank.get(key, len(rank)), natural_key(key) if key not in rank else ()))
    tensors: list[TensorEntry] = []
    slots: list[TensorEntry] = []
    for key in keys:
        if key in owners:
            slots.append(bundle.tensor(key, f"{OPTIMIZER}/{key}", slot_role(key), OPTIMIZER))
        else:
            trainable = key in trained if trained is not None and key in rank else None
            tensors.append(_other(bundle, key, _readable(key), trainable))
    return Listing(tensors, [Branch(OPTIMIZER, "", slots)] if slots else [], [])


def entries_of(bundle: Bundle, variables: Sequence[Named], missing: list[str]) -> list[TensorEntry]:
    """The variables as tensors; the names of those that the bundle does not hold are added to `missing`."""
    found: list[TensorEntry] = []
    for named in variables:
        if named.key not in bundle.tensors:
            missing.append(named.name)
            continue
        found.append(bundle.tensor(named.key, named.name, named.role, named.group, named.trainable))
    return found


def _other(bundle: Bundle, key: str, name: str, trainable: bool | None = None) -> TensorEntry:
    """A tensor without an object: what tables hold, and counters, are no weights."""
    state = name in STATE or key.endswith(("/.ATTRIBUTES/table-keys", "/.ATTRIBUTES/table-values"))
    return bundle.tensor(key, name, group="state" if state else "model", trainable=trainable)


def _readable(key: str) -> str:
    """A key without what only TensorFlow needs."""
    return key.removesuffix(VALUE_SUFFIX).replace("/.ATTRIBUTES/", "/").replace("/.OPTIMIZER_SLOT/", "/")


def missing_notices(names: Sequence[str]) -> list[Notice]:
    """What to say of variables that the bundle does not hold."""
    if not names:
        return []
    named = ", ".join(names[:NAMED_KEYS]) + (", ..." if len(names) > NAMED_KEYS else "")
    message = f"the object graph names {len(names):,} variables that the checkpoint does not hold: {named}"
    return [Notice("", message, lost=True)]
