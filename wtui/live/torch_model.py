"""A live PyTorch module as a tree: modules in the order in which they were registered, parameters, then buffers.

Names are those of `state_dict`. Imports no torch: the module brings its own.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from wtui.live.arrays import describe
from wtui.live.memory import Branch, InMemory, Leaf, plant

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["is_torch_module", "open_torch", "torch_title"]

MAX_DEPTH = 200
"""Modules inside modules."""


def is_torch_module(value: object) -> bool:
    """Whether a value is a torch.nn.Module."""
    return any((b.__module__, b.__name__) == ("torch.nn.modules.module", "Module") for b in type(value).__mro__)


def torch_title() -> str:
    """`PyTorch 2.13.0, in memory`."""
    return f"PyTorch {getattr(sys.modules.get('torch'), '__version__', '')}, in memory".replace(" ,", ",")


def open_torch(module: Any) -> InMemory:
    """The tree of a module; what is not initialised yet (lazy modules) is listed with the reason."""
    name = type(module).__name__
    return plant(f"{name} (in memory)", torch_title(), _branch(module, name, set(), 0), separator=".")


def _branch(module: Any, name: str, above: set[int], depth: int) -> Branch:
    branch = Branch(name, type(module).__name__, _settings(module))
    transient = getattr(module, "_non_persistent_buffers_set", ())
    for label, parameter in module._parameters.items():
        _add(branch, label, parameter, None, "model")
    for label, buffer in module._buffers.items():
        _add(branch, label, buffer, False, "state" if label in transient else "model")
    inside = above | {id(module)}
    if depth < MAX_DEPTH:
        children: Iterable[tuple[str, Any]] = module._modules.items()
        branch.children = [
            _branch(c, n, inside, depth + 1) for n, c in children if c is not None and id(c) not in inside
        ]
    return branch


def _add(branch: Branch, label: str, tensor: object, trainable: bool | None, group: str) -> None:
    value = describe(tensor) if tensor is not None else None
    if value is not None:
        branch.leaves.append(Leaf(label, value, trainable, group))


def _settings(module: Any) -> Mapping[str, Any]:
    """The plain values that a module keeps as attributes (in_features, stride, eps): its configuration."""
    kept = {k: v for k, v in vars(module).items() if not k.startswith("_") and _is_plain(v)}
    kept.pop("training", None)
    return kept


def _is_plain(value: object) -> bool:
    return isinstance(value, int | float | str) or (isinstance(value, tuple) and all(map(_is_plain, value)))
