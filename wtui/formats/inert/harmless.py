"""What well-known constructors of Python's own containers would make, made by wtui's own code.

The only calls of a pickle that have a meaning here; every other one stays a record. Nothing is looked up by name.
"""

from __future__ import annotations

from collections.abc import Callable

from wtui.formats.inert.values import Global, Items, Object, Placed, PlacedText

__all__ = ["construct"]


def construct(callee: object, args: object) -> object:
    """What the call stands for: a container of ours where it is harmless and understood, else the record of it."""
    if type(callee) is Global:
        make = _HARMLESS.get(callee.name)
        if make is not None and type(args) is tuple and callee.module in _MODULES:
            made = make(args)
            if made is not None:
                return made
        if callee.module in _COPYREG and callee.name in _NEW and type(args) is tuple and args:
            return Object(args[0], args[1:])
    return Object(callee, args)


def _dictionary(args: tuple[object, ...]) -> object:
    """dict, OrderedDict: nothing, another dictionary, or pairs."""
    if not args:
        return Items([])
    given = args[0]
    if isinstance(given, Items):
        return Items(list(given.flat))
    if isinstance(given, list) and all(isinstance(p, tuple | list) and len(p) == 2 for p in given):
        return Items([part for pair in given for part in pair])
    return None


def _default_dictionary(args: tuple[object, ...]) -> object:
    """defaultdict: its first argument makes missing values."""
    return _dictionary(args[1:])


def _list(args: tuple[object, ...]) -> object:
    """list, set, frozenset, deque: nothing or values."""
    if not args:
        return []
    return list(args[0]) if isinstance(args[0], list | tuple) else None


def _tuple(args: tuple[object, ...]) -> object:
    """tuple, torch.Size: nothing or values."""
    if not args:
        return ()
    return tuple(args[0]) if isinstance(args[0], list | tuple) else None


def _encoded(args: tuple[object, ...]) -> object:
    """_codecs.encode: how protocol 2 writes bytes, as text in Latin-1."""
    if len(args) == 2 and args[1] in ("latin1", "latin-1"):
        if isinstance(args[0], str):
            data = args[0].encode("latin-1", "replace")
            place = args[0].placed if isinstance(args[0], PlacedText) else Placed(-1, len(data))
            return Placed(place.offset, place.length, data, verbatim=False)
        if isinstance(args[0], Placed) and not args[0].verbatim:
            return args[0]
    return None


def _bytes(args: tuple[object, ...]) -> object:
    """bytes, bytearray: nothing, bytes, or a text with its encoding."""
    if not args:
        return Placed(-1, 0, b"", verbatim=False)
    return args[0] if isinstance(args[0], Placed) else _encoded(args)


_COPYREG = frozenset(("copyreg", "copy_reg"))
_NEW = frozenset(("__newobj__", "__newobj_ex__", "_reconstructor"))
"""Functions that make an instance of the class that is their first argument."""

_MODULES = frozenset(("builtins", "__builtin__", "collections", "_codecs", "torch", "copy_reg", "copyreg"))
_HARMLESS: dict[str, Callable[[tuple[object, ...]], object]] = {
    "OrderedDict": _dictionary,
    "dict": _dictionary,
    "defaultdict": _default_dictionary,
    "list": _list,
    "set": _list,
    "frozenset": _list,
    "deque": _list,
    "tuple": _tuple,
    "Size": _tuple,
    "encode": _encoded,
    "bytes": _bytes,
    "bytearray": _bytes,
}
