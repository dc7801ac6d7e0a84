"""An inert value as plain data that JSON can hold, for people who browse a file's metadata; cut where it is long."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite

from wtui.formats.inert.arrays import scalar_of
from wtui.formats.inert.values import Global, Items, Object, Placed, attributes, path_of

__all__ = ["plain"]

MAX_VALUES = 20_000
"""Numbers, texts and containers of one value that are kept."""

MAX_DEPTH = 12
"""Containers inside each other that are looked into."""

MAX_TEXT = 2_000
"""Characters of a text that are kept."""

MAX_LENGTH = 200
"""Values of one list that are kept."""

CUT = "..."
"""Stands for what was left out."""

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]


def plain(value: object, known: Callable[[object], str | None]) -> Plain:
    """`value` as plain data. `known` gives a short description of what has a meaning to the caller (a tensor)."""
    return _Writer(known).write(value, 0)


class _Writer:
    """Writes one value, within one bound for all that is in it."""

    def __init__(self, known: Callable[[object], str | None]) -> None:
        self._known = known
        self._left = MAX_VALUES

    def write(self, value: object, depth: int) -> Plain:
        """The value, or CUT where the bounds are reached."""
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH:
            return CUT
        if isinstance(value, str):
            return str(value[:MAX_TEXT]) + (CUT if len(value) > MAX_TEXT else "")
        if value is None or isinstance(value, bool | int | float):
            return _number(value)
        described = self._known(value)
        if described is not None:
            return described
        if isinstance(value, list | tuple):
            return self._list(value, depth)
        if isinstance(value, Items):
            return self._dict(value, depth)
        if isinstance(value, Global):
            return value.path[:MAX_TEXT]
        if isinstance(value, Placed):
            return f"<{value.length:,} bytes>"
        return self._object(value, depth) if isinstance(value, Object) else CUT

    def _list(self, values: list[object] | tuple[object, ...], depth: int) -> Plain:
        found = [self.write(v, depth + 1) for v in values[:MAX_LENGTH]]
        return [*found, CUT] if len(values) > MAX_LENGTH else found

    def _dict(self, items: Items, depth: int) -> dict[str, Plain]:
        found: dict[str, Plain] = {}
        for key, value in items.pairs():
            if self._left < 0:
                found[CUT] = CUT
                break
            found[_key(key)] = self.write(value, depth + 1)
        return found

    def _object(self, value: Object, depth: int) -> Plain:
        number = scalar_of(value)
        if number is not None:
            return _number(number)
        path, args = path_of(value), value.args
        if path.startswith("pathlib.") and isinstance(args, tuple) and all(isinstance(a, str) for a in args):
            return "/".join(str(a) for a in args)[:MAX_TEXT].replace("//", "/")
        found: dict[str, Plain] = {"class": path[:MAX_TEXT] or "?"}
        own = attributes(value)
        if own is not None:
            return found | self._dict(own, depth)
        for name, part in (("arguments", args), ("state", value.state), ("items", value.items)):
            if part:
                found[name] = self.write(part, depth + 1)
        if value.pairs:
            found |= self._dict(Items(value.pairs), depth)
        return found


def _number(value: bool | int | float | None) -> Plain:
    """JSON has no NaN, no infinity, and readers that do not take integers of any length."""
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 64:
        return hex(value)[:MAX_TEXT]
    return value


def _key(key: object) -> str:
    if isinstance(key, str):
        return str(key[:MAX_TEXT])
    if isinstance(key, int | float) or key is None:
        return str(_number(key))
    return path_of(key) or f"<{type(key).__name__.lower()}>"
