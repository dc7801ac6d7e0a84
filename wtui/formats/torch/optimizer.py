"""States of `torch.optim` optimizers: which slot belongs to which parameter of the model.

An optimizer numbers parameters in the order of its groups, and knows no names (since 2.6 a group may have
`param_names`). The numbers are taken for the model's parameters in order only if every shape agrees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from wtui.formats.inert import Items, plain
from wtui.formats.torch.draft import MODEL, OPTIMIZER, Draft, DraftTensor
from wtui.model import DTYPE_BITS

if TYPE_CHECKING:
    from wtui.formats.torch.tensors import Found, Tensors
    from wtui.formats.torch.visit import Visitor

__all__ = ["fold_optimizer"]

_BUFFERS = frozenset(("running_mean", "running_var", "num_batches_tracked", "position_ids", "inv_freq"))
"""Last parts of the names of what a state dict holds beside parameters."""

_SHAPED = frozenset((
    "exp_avg", "exp_avg_sq", "max_exp_avg_sq", "momentum_buffer", "square_avg", "grad_avg", "sum", "acc_delta",
    "exp_inf", "prev", "step_size", "ax", "d", "state1", "state2",
))  # fmt: skip
"""Slots that have the shape of their parameter."""

INFERRED = "by order and shape"


def fold_optimizer(
    state: Items, draft: Draft, root: Draft, visitor: Visitor, tensors: Tensors
) -> dict[str, DraftTensor]:
    """List the slots below `draft`, by parameter. The parameters that are known to be trained come back, by number.

    `root` is the model, complete and named.
    """
    groups = state.get("param_groups")
    slots = _slots(state, tensors)
    numbers, names = _numbering(groups if isinstance(groups, list) else [])
    owners = _by_name(root, numbers, names) or _by_order(root, numbers, slots)
    for number, found in slots.items():
        owner = owners.get(number)
        title = owner.name if owner else names.get(number, f"parameter {number}" if number.isdecimal() else number)
        below = draft.child(title)
        for label, slot in found.items():
            added = visitor.add(below, label.replace(".", "_"), slot, OPTIMIZER)
            if added is not None:
                added.inferred = INFERRED if owner and number not in names else ""
                added.trainable = None
    shown = plain(Items([part for pair in state.pairs() if pair[0] != "state" for part in pair]), tensors.describe)
    draft.config = shown if isinstance(shown, Mapping) else None
    return owners


def _slots(state: Items, tensors: Tensors) -> dict[str, dict[str, Found]]:
    """Tensors by number (or name) of the parameter and by slot."""
    held = state.get("state")
    found: dict[str, dict[str, Found]] = {}
    for key, slots in held.pairs() if isinstance(held, Items) else ():
        if isinstance(slots, Items) and isinstance(key, int | str):
            own = {str(label): tensors.find(value) for label, value in slots.pairs() if isinstance(label, str)}
            found[str(key)[:200]] = {label: tensor for label, tensor in own.items() if tensor is not None}
        else:
            tensor = tensors.find(slots)
            if tensor is not None:
                found.setdefault("shared", {})[str(key)[:200]] = tensor
    return found


def _numbering(groups: Sequence[object]) -> tuple[list[list[str]], dict[str, str]]:
    """The numbers of each group's parameters, and the names of those that have one."""
    numbers: list[list[str]] = []
    names: dict[str, str] = {}
    for group in groups:
        members = group.get("params") if isinstance(group, Items) else None
        own = [str(n)[:200] for n in members if isinstance(n, int | str)] if isinstance(members, list) else []
        named = group.get("param_names") if isinstance(group, Items) else None
        if isinstance(named, list) and len(named) == len(own):
            names.update((n, str(name)[:200]) for n, name in zip(own, named, strict=True) if isinstance(name, str))
        numbers.append(own)
    return numbers, names


def _by_name(root: Draft, numbers: Sequence[Sequence[str]], names: Mapping[str, str]) -> dict[str, DraftTensor]:
    """Owners by the names that the file gives, as names or instead of numbers."""
    known = {t.name: t for d in root.walk() for t in d.tensors if t.group == MODEL}
    found = {n: known.get(names.get(n, n)) for group in numbers for n in group}
    return {n: owner for n, owner in found.items() if owner is not None}


def _by_order(
    root: Draft, numbers: Sequence[Sequence[str]], slots: Mapping[str, Mapping[str, Found]]
) -> dict[str, DraftTensor]:
    """Owners by the one order in which every shape agrees, nothing if there is none."""
    flat = [n for group in numbers for n in group]
    for candidates in _candidates(root):
        if len(candidates) != len(flat):
            continue
        for ordered in _orders(candidates, numbers):
            owners = dict(zip(flat, ordered, strict=True))
            if _agree(owners, slots):
                return owners
    return {}


def _candidates(root: Draft) -> list[list[DraftTensor]]:
    """What `model.parameters()` may have given: what the file calls parameters, or every float but known buffers."""
    unique: dict[object, DraftTensor] = {}
    for draft in root.walk():
        for t in draft.tensors:
            if t.group == MODEL:
                unique.setdefault((t.found.parts, t.found.strides, t.found.shape) if t.found.parts else t.name, t)
    parameters = [t for t in unique.values() if t.found.parameter]
    floats = [t for t in unique.values() if "float" in t.found.dtype and t.label not in _BUFFERS]
    trained = [t for t in parameters if t.found.requires_grad]
    unknown = [t for t in floats if t.found.dtype not in DTYPE_BITS]
    return [c for c in (parameters, trained, floats) if c and not unknown]


def _orders(candidates: Sequence[DraftTensor], numbers: Sequence[Sequence[str]]) -> list[list[DraftTensor]]:
    """The parameters in order; and with two groups, matrices first or vectors first (weight decay, or none)."""
    orders = [list(candidates)]
    if len(numbers) == 2:
        matrices = [t for t in candidates if len(t.found.shape) > 1]
        vectors = [t for t in candidates if len(t.found.shape) < 2]
        if len(matrices) == len(numbers[0]):
            orders.append([*matrices, *vectors])
        if len(vectors) == len(numbers[0]):
            orders.append([*vectors, *matrices])
    return orders


def _agree(owners: Mapping[str, DraftTensor], slots: Mapping[str, Mapping[str, Found]]) -> bool:
    """Whether every slot has its owner's shape, and at least one says so."""
    checked = 0
    for number, found in slots.items():
        for label, slot in found.items():
            if label in _SHAPED and slot.shape:
                owner = owners.get(number)
                if owner is None or owner.found.shape != slot.shape:
                    return False
                checked += 1
    return checked > 0
