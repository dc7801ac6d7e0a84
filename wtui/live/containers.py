"""Nested containers of arrays as a tree: state dicts, JAX's pytrees, TensorFlow's modules and checkpoints.

Mappings, sequences, named tuples and dataclasses are walked as they are; other objects by what JAX has registered for
them, or by their attributes. What is no array is left out. Imports no framework.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

from wtui.errors import UsageError
from wtui.formats.jax_tree import group_of, trainable
from wtui.live.arrays import describe, framework_of
from wtui.live.keras_model import is_keras, is_keras_optimizer, keras_branch, optimizer_branches
from wtui.live.memory import Branch, InMemory, Leaf, plant
from wtui.live.torch_model import torch_title

__all__ = ["open_container"]

MAX_DEPTH = 64
"""Containers inside containers."""

MAX_ITEMS = 1_000_000
"""Things that are looked at: an object may hold a whole program."""

_BOOKKEEPING = ("__", "_self_", "_tf_api", "_kwargs", "_checkpoint")
"""What attributes begin with in which TensorFlow's and Python's objects keep other objects once more."""

_NEVER_TRAINED = ("running_mean", "running_var", "num_batches_tracked", "moving_mean", "moving_variance")
"""Tensors of state dicts that no optimizer touches."""


_FRAMEWORKS = {
    "tensorflow": "TensorFlow", "torch": "PyTorch", "jax": "JAX", "flax": "Flax", "keras": "Keras", "numpy": "NumPy",
}  # fmt: skip


def open_container(value: object) -> InMemory:
    """The tree of a container; UsageError if there is no array in it."""
    found = _Walk(framework_of(value))
    name = "" if isinstance(value, dict | list | tuple) else type(value).__name__
    root = Branch(name or "arrays", name)
    alone = describe(value)
    if alone is not None:
        root.leaves.append(Leaf("array", alone))
    else:
        found.walk(value, root, ())
    if not root.prune():
        what = f"holds no array that wtui can see: {type(value).__module__}.{type(value).__qualname__}"
        raise UsageError(what, hint="a Keras model, a torch module, a tf.Module, or arrays in dicts and lists")
    separator = "." if found.framework == "torch" or found.dotted else "/"
    return plant(f"{root.name} (in memory)", _title(found.framework), root, separator=separator)


def _title(framework: str) -> str:
    if framework == "torch":
        return torch_title()
    version = getattr(sys.modules.get(framework), "__version__", "")
    return f"{_FRAMEWORKS.get(framework, framework)} {version}, in memory".replace(" ,", ",")


class _Walk:
    """One walk over containers, with what has been met."""

    def __init__(self, framework: str) -> None:
        self.framework = framework if framework in _FRAMEWORKS else ""
        """Of the outermost object, or of the first array."""
        self.dotted = False
        """Whether names are written with dots (`layer1.0.weight`)."""
        self._above: set[int] = set()
        self._left = MAX_ITEMS

    def walk(self, value: object, branch: Branch, path: tuple[str, ...]) -> None:
        """Hang everything below a container into its branch; cycles are cut where they close."""
        if len(path) >= MAX_DEPTH or id(value) in self._above:
            return
        self._above.add(id(value))
        for key, inner in _items(value):
            self._left -= 1
            if self._left < 0:
                break
            self._take(key, inner, branch, path)
        self._above.discard(id(value))

    def _take(self, key: str, value: object, branch: Branch, path: tuple[str, ...]) -> None:
        if is_keras(value) or is_keras_optimizer(value):
            self.framework = self.framework or "keras"
            found = [keras_branch(value, key)] if is_keras(value) else optimizer_branches(value, key)
            branch.children += found
            return
        array = describe(value)
        if array is None:
            if not _is_walkable(value):
                return
            child = Branch(key, "" if type(value) in (dict, list, tuple) else _class_name(value))
            branch.children.append(child)
            self.walk(value, child, (*path, key))
            return
        self.framework = self.framework or framework_of(value)
        *layers, label = self._parts(key)
        for layer in layers:
            branch = branch.child(layer)
        whole = (*path, *layers, label)
        known = trainable(whole)
        trained = False if label in _NEVER_TRAINED else known if array.trainable is None else array.trainable
        branch.leaves.append(Leaf(label, array, trained, group_of(whole)))

    def _parts(self, key: str) -> list[str]:
        """The parts of a name that stands for a path."""
        separator = "/" if "/" in key else "."
        parts = key.split(separator, MAX_DEPTH)
        if len(parts) == 1 or not all(parts):
            return [key]
        self.dotted = self.dotted or separator == "."
        return parts


def _items(value: object) -> Iterator[tuple[str, object]]:
    """What a container holds, by name."""
    if isinstance(value, Mapping):
        yield from ((str(k), v) for k, v in value.items())
    elif isinstance(value, list | tuple):
        names = getattr(value, "_fields", None) or map(str, range(len(value)))
        yield from zip(names, value, strict=False)
    elif is_dataclass(value) and not isinstance(value, type):
        yield from ((f.name, getattr(value, f.name, None)) for f in fields(value))
    else:
        registered = _pytree_items(value)
        yield from registered if registered is not None else _attributes(value)


def _pytree_items(value: object) -> list[tuple[str, object]] | None:
    """What JAX holds to be inside an object; None where JAX is not used, or knows nothing of the object."""
    jax = sys.modules.get("jax")
    if jax is None:
        return None
    try:
        found = jax.tree_util.tree_flatten_with_path(value, is_leaf=lambda inner: inner is not value)[0]
    except Exception:  # objects whose registration fails are walked by their attributes
        return None
    if len(found) == 1 and found[0][1] is value:
        return None
    return [(_key_name(path[0]), inner) for path, inner in found if path]


def _key_name(key: object) -> str:
    """The name, key or index in one step of a JAX path."""
    for attribute in ("name", "key", "idx"):
        if hasattr(key, attribute):
            return str(getattr(key, attribute))
    return str(key)


def _attributes(value: object) -> Iterator[tuple[str, object]]:
    """The attributes of an object, its bookkeeping left out."""
    try:
        attributes = list(vars(value).items())
    except TypeError:
        return
    yield from ((name, inner) for name, inner in attributes if not name.startswith(_BOOKKEEPING))


def _is_walkable(value: object) -> bool:
    """Whether there may be arrays inside: no plain data, no code, nothing of the standard library's."""
    if isinstance(value, Mapping | list | tuple):
        return True
    if isinstance(value, type) or hasattr(value, "__code__") or not hasattr(value, "__dict__"):
        return False
    module = type(value).__module__.partition(".")[0]
    return module not in sys.stdlib_module_names or module == "__main__" or module == "builtins"


def _class_name(value: object) -> str:
    """The class of an object that is more than a container."""
    name = type(value).__name__
    wrappers = ("OrderedDict", "FrozenDict", "ListWrapper", "_DictWrapper", "_TupleWrapper", "List", "Dict")
    return "" if name in wrappers else name
