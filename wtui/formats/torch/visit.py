"""A walk through the inert values of a checkpoint: dictionaries, lists, modules and other objects, down to tensors.

Modules (`torch.nn.Module`, TorchScript) keep their classes and their plain attributes. Whatever refers to itself, is
shared a million times or lies too deep is survived: every container is looked into once, modules a few times more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from wtui.formats.inert import Global, Items, Object, attributes, path_of, plain
from wtui.formats.torch.draft import MODEL, OPTIMIZER, STATE, Draft, DraftTensor
from wtui.formats.torch.tensors import is_named_pair

if TYPE_CHECKING:
    from wtui.formats.torch.tensors import Found, Tensors

__all__ = ["Visitor", "class_of", "is_module", "is_optimizer"]

MAX_DEPTH = 64
"""Layers inside each other."""

MAX_TENSORS = 500_000
"""Tensors that are listed."""

MAX_CONTAINERS = 2_000_000
"""Containers that are looked into."""

MAX_OPTIMIZERS = 50
"""Optimizers whose slots are mapped to parameters; others are listed as they are."""

MAX_REVISITS = 5_000
"""Containers that are looked into although they were met before: modules that are shared."""

MAX_LAYERS = 256
"""Layers that are found by their whole paths; tensors of one layer stand together."""

MAX_LABELS = 10_000
"""Different names of tensors and layers of which one copy is kept."""

MAX_NAMES = 64 << 20
"""Characters of all names and paths together."""

_HOLDERS = (Items, Object, list, tuple)

_OWN = ("_parameters", "_buffers", "_modules")
_SKIPPED = frozenset((*_OWN, "_flat_weights", "_flat_weight_refs", "_non_persistent_buffers_set"))
"""Attributes of a module that hold what is listed elsewhere."""


class Visitor:
    """Fills drafts from the values of one or several files, within one bound for all."""

    def __init__(self) -> None:
        self.optimizers: list[tuple[str, Items, Tensors]] = []
        """States of optimizers that were met: name, state, and what finds its tensors."""
        self.notices: dict[str, None] = {}
        """What was left out, and why."""
        self.placeholders = 0
        """Tensors of shape [0]."""
        self._tensors = MAX_TENSORS
        self._containers = MAX_CONTAINERS
        self._revisits = MAX_REVISITS
        self._names = MAX_NAMES
        self._seen: set[int] = set()
        self._labels: dict[str, str] = {}
        """Names that recur, each in one copy for all."""
        self._layers: dict[tuple[Draft, str], Draft] = {}
        """The last layers by the dotted path that leads to them."""

    @property
    def listed(self) -> int:
        """Tensors that were listed."""
        return MAX_TENSORS - self._tensors

    def visit(self, value: object, draft: Draft, group: str, tensors: Tensors) -> None:
        """List whatever `value` holds below `draft`."""
        stack = [(value, draft, group)]
        while stack:
            value, draft, group = stack.pop()
            if self._may_enter(value, draft):
                below = self._enter(value, draft, group, tensors)
                stack.extend(below)

    def add(self, draft: Draft, label: str, found: Found, group: str) -> DraftTensor | None:
        """A tensor below `draft`; the parts of a dotted label are layers. None when there are too many."""
        path, _, last = label.rpartition(".") if len(label) < 4096 else ("", "", label)
        if path or last != label:
            layer = self._layers.get((draft, path)) or self._layer(draft, path)
            draft, last = (layer, last) if layer else (draft, label)
        self._tensors -= 1
        self._names -= draft.length + len(last)
        if self._tensors < 0 or self._names < 0:
            self.notices["there are more tensors, or longer names, than wtui lists"] = None
            return None
        self.placeholders += found.shape == (0,)
        trainable = found.requires_grad if found.parameter else (found.requires_grad or None)
        tensor = DraftTensor(self._shared(last), found, group, trainable)
        draft.add(tensor)
        return tensor

    def _layer(self, draft: Draft, path: str) -> Draft | None:
        """The layer at a dotted path below `draft`, None if that is too deep."""
        if draft.depth + path.count(".") >= MAX_DEPTH:
            return None
        above, dot, name = path.rpartition(".")
        parent = (self._layers.get((draft, above)) or self._layer(draft, above)) if dot else draft
        if parent is None:
            return None
        if len(self._layers) >= MAX_LAYERS:
            self._layers.clear()
        layer = self._layers[draft, path] = parent.child(self._shared(name))
        return layer

    def _shared(self, label: str) -> str:
        """The one copy of a name that recurs; numbers do not recur often enough to be kept."""
        if len(self._labels) < MAX_LABELS and not label.isdecimal():
            return self._labels.setdefault(label, label)
        return self._labels.get(label, label)

    def keep_optimizer(self, name: str, value: object, tensors: Tensors) -> bool:
        """Whether a value is the state of an optimizer, which is then kept for later."""
        if not is_optimizer(value) or len(self.optimizers) >= MAX_OPTIMIZERS:
            return False
        assert isinstance(value, Items)
        self.optimizers.append((name, value, tensors))
        return True

    def _may_enter(self, value: object, draft: Draft) -> bool:
        """Whether a container is looked into: it is new, or shared among modules, and the bounds allow it."""
        if draft.depth > MAX_DEPTH:
            self.notices[f"what lies deeper than {MAX_DEPTH} levels is not listed"] = None
            return False
        self._containers -= 1
        self._names -= draft.length
        if self._containers < 0 or self._names < 0:
            self.notices["there are more containers, or longer names, than wtui lists"] = None
            return False
        if id(value) not in self._seen:
            self._seen.add(id(value))
            return True
        self._revisits -= is_module(value)
        return is_module(value) and self._revisits >= 0

    def _enter(self, value: object, draft: Draft, group: str, tensors: Tensors) -> list[tuple[object, Draft, str]]:
        """List the tensors of one container; the containers in it come back."""
        state = _module_state(value)
        if state is not None:
            return self._module(value, state, draft, group, tensors)
        if self.keep_optimizer(draft.name if draft.depth else OPTIMIZER, value, tensors):
            return []
        if isinstance(value, Object):
            draft.class_name = class_of(value)
            own = attributes(value)
            if own is not None:
                draft.config = draft.config or _settings(own)
                draft.keep = draft.keep or _is_script(value)
        members = _children(value) if not isinstance(value, Items) else _consumed(value)
        return self._members(members, draft, group, tensors, _is_script(value))

    def _members(
        self,
        members: Iterator[tuple[str, object]],
        draft: Draft,
        group: str,
        tensors: Tensors,
        recorded: bool = False,
    ) -> list[tuple[object, Draft, str]]:
        """List the tensors among `members`; `recorded`: that one needs no gradient means that it is not trained."""
        below: list[tuple[object, Draft, str]] = []
        for label, value in members:
            if type(value) is not Object and not isinstance(value, _HOLDERS) and not tensors.looks_like(value):
                continue
            found = tensors.find(value)
            if found is not None:
                added = self.add(draft, label, found, group)
                if added is not None and recorded:
                    added.trainable = found.requires_grad
            elif _holds(value):
                below.append((value, draft.child(label), group))
        below.reverse()
        return below

    def _module(
        self, value: object, state: Items, draft: Draft, group: str, tensors: Tensors
    ) -> list[tuple[object, Draft, str]]:
        """A torch.nn.Module: its parameters, its buffers, tensors among its attributes, the modules in it."""
        draft.class_name = class_of(value)
        draft.config = _settings(state)
        draft.keep = True
        parameters, buffers, modules = (state.get(name) for name in _OWN)
        for kind, held in (("parameter", parameters), ("buffer", buffers)):
            for label, inner in _children(held):
                found = tensors.find(inner)
                if found is not None:
                    added = self.add(draft, label.replace(".", "_"), found, group)
                    if added is not None:
                        added.trainable = found.requires_grad if kind == "parameter" else False
        others = ((k, v) for k, v in _children(state) if k not in _SKIPPED)
        below = self._members(others, draft, group if group != MODEL else STATE, tensors)
        inside = [(inner, draft.child(label), group) for label, inner in _children(modules) if inner is not None]
        for _, child, _ in inside:
            child.keep = True
        return [*below, *reversed(inside)]


def is_optimizer(value: object) -> bool:
    """Whether a value is what `torch.optim.Optimizer.state_dict` returns."""
    if not isinstance(value, Items) or not isinstance(value.get("param_groups"), list):
        return False
    return isinstance(value.get("state"), Items)


def is_module(value: object) -> bool:
    """Whether a value is a pickled torch.nn.Module."""
    return _module_state(value) is not None


def class_of(value: object) -> str:
    """The last part of the class's name, `""` where there is none."""
    return path_of(value).rpartition(".")[2][:200]


def _module_state(value: object) -> Items | None:
    """The attributes of a pickled module, None for anything else."""
    state = attributes(value) if isinstance(value, Object) else value
    if isinstance(state, Items) and isinstance(state.get("_parameters"), Items):
        return state if isinstance(state.get("_modules"), Items) else None
    return None


def _is_script(value: object) -> bool:
    """Whether a value is an instance of a TorchScript class."""
    return (
        isinstance(value, Object) and isinstance(value.callee, Global) and value.callee.module.startswith("__torch__")
    )


def _holds(value: object) -> bool:
    """Whether a container holds anything."""
    if isinstance(value, Object):
        return bool(value.args or value.state or value.items or value.pairs)
    return isinstance(value, Items | list | tuple) and len(value) > 0


def _children(value: object) -> Iterator[tuple[str, object]]:
    """(label, value) of everything that a container holds."""
    if isinstance(value, Items):
        for key, inner in value.pairs():
            yield _label(key), inner
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            if is_named_pair(inner):
                yield inner[0], inner[1]
            else:
                yield str(i), inner
    elif isinstance(value, Object):
        own = attributes(value)
        yield from _children(own if own is not None else value.state)
        yield from _children(value.items)
        yield from _children(Items(value.pairs) if value.pairs else None)
        if own is None:
            yield from _children(value.args)


def _consumed(value: Items) -> Iterator[tuple[str, object]]:
    """As `_children` of a dictionary that is not looked at again."""
    return ((_label(key), inner) for key, inner in value.consumed())


def _label(key: object) -> str:
    if isinstance(key, str):
        return str(key)
    if isinstance(key, int | float) or key is None:
        return str(key)[:40]
    if isinstance(key, tuple) and all(isinstance(part, str | int) for part in key):
        return ".".join(str(part)[:40] for part in key)[:200]
    return class_of(key) or "key"


def _settings(state: Items) -> Mapping[str, Any]:
    """Plain attributes of a module: sizes, strides, flags."""
    kept = Items([part for pair in state.pairs() if _is_setting(*pair) for part in pair])
    found = plain(kept, lambda _: None)
    return found if isinstance(found, dict) else {}


def _is_setting(key: object, value: object) -> bool:
    if not isinstance(key, str) or key.startswith("_"):
        return False
    if isinstance(value, list | tuple):
        return len(value) < 20 and all(isinstance(v, bool | int | float | str) for v in value)
    return value is None or isinstance(value, bool | int | float | str)
