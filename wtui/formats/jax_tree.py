"""Trees of JAX arrays as layers, however they are stored: collections, modules, and the optimizer's state last.

Knows the names that Flax and Optax give (`params`, `batch_stats`, `opt_state`, `Conv_0`), and no format.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wtui.formats.names import tree_from_names
from wtui.model import LayerNode, Notice

if TYPE_CHECKING:
    from wtui.model import TensorEntry

__all__ = ["assemble", "group_of", "trainable"]

OPTIMIZER = ("opt_state", "opt_states", "optimizer", "optimizer_state", "opt")
"""Collections of a train state that belong to its optimizer."""

STATISTICS = ("batch_stats", "cache")
"""Collections that are not trained."""

COUNTERS = ("step", "steps", "global_step")
"""Single values of a train state."""

_AUTOMATIC = re.compile(r"^([A-Z][A-Za-z0-9]*)_\d+$")
"""Name of a module that got none: its class and a number."""


def group_of(path: tuple[str, ...]) -> str:
    """The group of a tensor: `optimizer`, `state` or `model`."""
    if path and path[0] in OPTIMIZER:
        return "optimizer"
    return "state" if len(path) == 1 and path[0] in COUNTERS else "model"


def trainable(path: tuple[str, ...]) -> bool | None:
    """False for statistics; None for parameters, of which an optimizer may leave some as they are."""
    return False if path and path[0] in STATISTICS else None


def assemble(
    tensors: list[TensorEntry], root: LayerNode, notices: list[Notice], *, keep_order: bool
) -> list[TensorEntry]:
    """Hang tensors named by paths (`params/Dense_0/kernel`) below the root; the entries come back in that order.

    A name that comes twice is listed once and told.
    """
    seen: dict[str, TensorEntry] = {}
    for tensor in tensors:
        if tensor.name in seen:
            notices.append(Notice(tensor.name, "stands in the file once more, which is not listed"))
        seen.setdefault(tensor.name, tensor)
    kept = [t for t in seen.values() if t.group != "optimizer"]
    slots = [t for t in seen.values() if t.group == "optimizer"]
    ordered = tree_from_names(kept, "/", root, keep_order=keep_order)
    if slots:
        ordered += _hang_slots(slots, root, len(ordered), keep_order)
    for node in root.walk():
        match = _AUTOMATIC.match(node.name)
        if match:
            node.class_name = match[1]
    return ordered


def _hang_slots(slots: list[TensorEntry], root: LayerNode, start: int, keep_order: bool) -> list[TensorEntry]:
    """The optimizer's tensors as the last children of the root; their entries come from number `start` on."""
    below = LayerNode("", "")
    ordered = tree_from_names(slots, "/", below, keep_order=keep_order)
    for node in below.walk():
        node.tensors = [start + i for i in node.tensors]
    for node in below.children:
        node.name = "optimizer"
    root.children += below.children
    root.tensors += below.tensors
    return ordered
