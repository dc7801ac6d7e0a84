"""A large dictionary of plain tensors by dotted names, as most state dicts are: straight to a tree and its tensors.

The way through drafts gives the same (tests hold it to that) and takes half as long again, for it knows containers in
containers, names that come twice, and tensors that are not what they seem. Whatever has any of these goes that way.
"""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Any

from wtui.formats.inert.values import Deferred, Items, Object
from wtui.formats.names import tree_from_names
from wtui.formats.torch.draft import Finished, ties
from wtui.formats.torch.tensors import Found
from wtui.model import LayerNode, Part, TensorEntry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wtui.formats.torch.tensors import Tensors
    from wtui.model import Extent

__all__ = ["flat_model"]

LEAST = 1000
"""Tensors below which it is not worth asking."""

MOST = 500_000
"""Tensors above which some are not listed."""

MAX_NAMES = 64 << 20
"""Characters of all names together."""

MAX_LENGTH, MAX_DOTS = 200, 50
"""Of a name, below what a part of it may have and a tree is deep."""


def flat_model(value: object, name: str, tensors: Tensors) -> Finished | None:
    """The tree, called `name`, of a dictionary whose every value is a plain tensor; None for anything else.

    The dictionary is empty afterwards.
    """
    if type(value) is not Items or not LEAST <= len(value) <= MOST:
        return None
    keys, values = value.flat[::2], value.flat[1::2]
    if not _are_names(keys):
        return None
    found: list[Extent | Found] = []
    for inner in values:
        plain = _plain(inner, tensors)
        if plain is None:
            return None
        found.append(plain)
    value.clear()
    root = LayerNode(name, "")
    entries = _entries(keys, values, found, tensors)  # type: ignore[arg-type]
    ordered = tree_from_names(entries, ".", root, keep_order=True)
    return Finished(root, ordered, ties(ordered))


def _are_names(keys: Sequence[Any]) -> bool:
    """Whether all keys are different names of parameters in modules: texts of parts with dots between them."""
    if set(map(type, keys)) != {str} or max(map(len, keys)) > MAX_LENGTH or len(set(keys)) < len(keys):
        return False
    text = "\n".join(("", *keys, ""))
    empty_part = ".." in text or "\n." in text or ".\n" in text or "\n\n" in text
    if empty_part or len(text) > MAX_NAMES:
        return False
    return text.count("\n") == len(keys) + 1 and max(map(str.count, keys, repeat("."))) <= MAX_DOTS


def _plain(value: Any, tensors: Tensors) -> Extent | Found | None:
    """The bytes of a plain tensor, or what else is known of a view or of one of the file's first tensors; else None."""
    if type(value) is not Object or value.state or value.items or value.pairs:
        return None
    extent = tensors.extent_of(value.given) if type(value.given) is Deferred else None
    if extent is not None:
        return extent
    found = tensors.find(value)
    if found is None or not found.parts or found.encoding != "raw" or found.parameter or found.class_name:
        return None
    return None if found.problem else found


def _entries(
    keys: Sequence[str], values: list[Any], found: Sequence[Extent | Found], tensors: Tensors
) -> list[TensorEntry]:
    """The tensors in the dictionary's order; the values are let go of one by one, since there may be very many."""
    words: dict[str, str] = {}
    entries: list[TensorEntry] = []
    values.reverse()
    for key, what in zip(keys, found, strict=True):
        value = values.pop()
        layer, _, role = key.rpartition(".")
        layer, role = words.setdefault(layer, layer), words.setdefault(role, role)
        if isinstance(what, Found):
            dtype, shape, parts, strides, byteorder, _, grad, *_ = what
        else:
            form = value.given.form
            shape, grad, strides, byteorder = form.shape, form.grad, None, tensors.places.byteorder
            dtype, parts = tensors.dtype_of(form), (Part(what),)
        entries.append(TensorEntry(key, layer, role, shape, dtype, parts, "raw", (), byteorder, strides, grad or None))
    return entries
