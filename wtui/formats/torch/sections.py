"""What the parts of a checkpoint are: the model, copies of it, the optimizer, the state of a training run, facts.

Judged by structure first (a module, an optimizer's state, tensors by name) and by the names that training frameworks
use. The one model of a checkpoint loses the name of the key that it stands under; everything else keeps it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.formats.inert import Items, Object, Persistent, plain
from wtui.formats.torch.draft import MODEL, OPTIMIZER, STATE, Draft
from wtui.formats.torch.optimizer import fold_optimizer
from wtui.formats.torch.visit import Visitor, is_module, is_optimizer

if TYPE_CHECKING:
    from wtui.formats.torch.draft import DraftTensor
    from wtui.formats.torch.tensors import Tensors

__all__ = ["Sections", "fold_optimizers", "read_sections"]

_WRAPPER = re.compile(
    r"^(model|module|net|network|weights|params|parameters|state_?dict|(model|net|network|module)_"
    r"(state(_dict)?|dict|weights|params))$",
    re.IGNORECASE,
)
"""Keys that say no more than that the model stands under them."""

_AVERAGE = re.compile(r"(^|_)(ema|swa|averaged?)(_|$)", re.IGNORECASE)
_OPTIMIZER = re.compile(r"optim(izer)?(s|_|$)", re.IGNORECASE)
_STATE = re.compile(
    r"(^|_)(rng|sched|scheduler|scaler|loops|callbacks|random|sampler|dataloader|amp|loss|losses|metrics?|history)"
    r"(s|_|$)|^lr_",
    re.IGNORECASE,
)
_CHECKPOINT_KEYS = frozenset((
    "epoch", "global_step", "step", "iteration", "iter", "state_dict", "model_state_dict", "optimizer",
    "optimizer_state_dict", "optimizer_states", "hyper_parameters", "pytorch-lightning_version", "config", "args",
))  # fmt: skip
"""Keys of which one is enough to tell a checkpoint from a plain dictionary of tensors."""

SEARCHED = 3_000
"""Values of one part that are searched for a tensor."""

SEARCHED_IN_ALL = 100_000
"""Values of all parts that are searched; what comes later is taken for something that holds tensors."""


class _Section(NamedTuple):
    """A part of a checkpoint that holds tensors."""

    key: str
    value: object
    group: str


class Sections(NamedTuple):
    """What a checkpoint was found to be."""

    facts: Mapping[str, Any]
    """Everything in it that is no tensor."""
    model_key: str = ""
    """The key that the model stands under, if it is not the whole."""


def read_sections(value: object, root: Draft, visitor: Visitor, tensors: Tensors) -> Sections:
    """List everything that one file holds below `root`; optimizers are left for `fold_optimizers`."""
    found = tensors.find(value)
    if found is not None:
        visitor.add(root, "tensor", found, MODEL)
        return Sections({})
    if not isinstance(value, Items) or is_module(value) or is_optimizer(value):
        visitor.visit(value, root, MODEL, tensors)
        return Sections({} if isinstance(value, Items | Object) else _facts(value, tensors))
    others = [(key, inner) for key, inner in value.pairs() if not tensors.looks_like(inner)]
    sections = _sections(others, tensors)
    loose = len(others) < len(value)
    keys = {s.key for s in sections}
    facts = _facts(Items([part for pair in others if _is_fact(pair[0], keys) for part in pair]), tensors)
    if not _is_checkpoint(value, sections) and not _is_wrapped(sections, loose):
        visitor.visit(value, root, MODEL, tensors)
        return Sections(facts)
    return Sections(facts, _checkpoint(value, sections, root, visitor, tensors))


def fold_optimizers(root: Draft, visitor: Visitor) -> None:
    """Hang the optimizers that were met below one last node; what they hold slots for is trained."""
    own = root.child(OPTIMIZER) if visitor.optimizers else None
    trained: list[DraftTensor] = []
    for name, state, tensors in visitor.optimizers:
        single = len(visitor.optimizers) == 1
        draft = own if single or own is None else own.child(name)
        assert draft is not None
        trained += fold_optimizer(state, draft, root, visitor, tensors).values()
    for tensor in trained:
        if tensor.trainable is None:
            tensor.trainable = True
    last = [c for c in root.children if c.name == OPTIMIZER]
    root.children = [c for c in root.children if c.name != OPTIMIZER] + last


def _checkpoint(value: Items, sections: list[_Section], root: Draft, visitor: Visitor, tensors: Tensors) -> str:
    """A dictionary of parts; the key of its one model. Tensors that stand beside a model are no part of it."""
    models = [s for s in sections if s.group == MODEL]
    if not models:
        sections = [s._replace(group=MODEL) if s.group == STATE and _AVERAGE.search(s.key) else s for s in sections]
        models = [s for s in sections if s.group == MODEL]
    single = models[0].key if len(models) == 1 and (_is_wrapped(models, False) or is_module(models[0].value)) else ""
    for section in sections:
        if section.key == single:
            visitor.visit(section.value, root, MODEL, tensors)
    for label, inner in value.pairs():
        found = tensors.find(inner)
        if found is not None:
            visitor.add(root if not models else root.child("state"), str(label), found, STATE if models else MODEL)
    for section in sections:
        if section.key != single:
            _part(section, root, visitor, tensors)
    return single


def _part(section: _Section, root: Draft, visitor: Visitor, tensors: Tensors) -> None:
    """One of several parts, below a node of its own."""
    if section.group == STATE and _AVERAGE.search(section.key):
        visitor.notices[f"{section.key} holds averages of the weights, by its name; they are not in the totals"] = None
    draft = root.child(OPTIMIZER if section.group == OPTIMIZER else section.key)
    if section.group == OPTIMIZER and visitor.keep_optimizer(section.key, section.value, tensors):
        return
    visitor.visit(section.value, draft, section.group, tensors)


def _sections(members: list[tuple[object, object]], tensors: Tensors) -> list[_Section]:
    """The parts that hold tensors, in order."""
    found = []
    search = _Search(tensors)
    for key, inner in members:
        if isinstance(key, str) and search.finds_tensors(inner):
            found.append(_Section(str(key), inner, _group(key, inner)))
    return found


def _is_fact(key: object, sections: set[str]) -> bool:
    return not isinstance(key, str) or key not in sections


def _group(key: str, value: object) -> str:
    if is_optimizer(value) or _OPTIMIZER.search(key):
        return OPTIMIZER
    if _AVERAGE.search(key) or (_STATE.search(key) and not is_module(value)):
        return STATE
    return MODEL


def _is_checkpoint(value: Items, sections: list[_Section]) -> bool:
    """Whether a dictionary is more than a model: known keys, a module, an optimizer."""
    keys = _CHECKPOINT_KEYS & value.strings().keys()
    return bool(keys) or any(s.group != MODEL or is_module(s.value) for s in sections)


def _is_wrapped(sections: list[_Section], loose: bool) -> bool:
    """Whether a dictionary holds nothing but one model under a name that says nothing."""
    return (
        len(sections) == 1 and not loose and bool(_WRAPPER.match(sections[0].key) or _AVERAGE.search(sections[0].key))
    )


class _Search:
    """A search for tensors in the parts of a checkpoint, within one bound for all."""

    def __init__(self, tensors: Tensors) -> None:
        self._tensors = tensors
        self._left = SEARCHED_IN_ALL

    def finds_tensors(self, value: object) -> bool:
        """Whether a tensor lies somewhere in a container, or may do so: its first values are searched."""
        if not isinstance(value, Items | Object | list | tuple):
            return False
        seen: set[int] = set()
        stack: list[object] = [value]
        for _ in range(SEARCHED):
            if not stack:
                return False
            inner = stack.pop()
            if self._left < 0 or self._tensors.looks_like(inner):
                return True
            if id(inner) not in seen:
                seen.add(id(inner))
                held = _inside(inner)
                self._left -= len(held) + 1
                stack += (v for v in held if isinstance(v, Items | Object | Persistent | list | tuple))
        return False


def _inside(value: object) -> list[object]:
    """The first values in a container."""
    if isinstance(value, Items):
        return value.flat[1 : 2 * SEARCHED : 2]
    if isinstance(value, list | tuple):
        return list(value[:SEARCHED])
    return [value.args, value.state, value.items, value.pairs] if isinstance(value, Object) else []


def _facts(value: object, tensors: Tensors) -> Mapping[str, Any]:
    """What is no tensor, as plain data."""
    found = plain(value, tensors.describe)
    return found if isinstance(found, dict) else {"values": found}
