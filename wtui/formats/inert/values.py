"""What an inert pickle is made of, besides Python's own None, bool, int, float, str, list and tuple.

Dictionaries are lists of pairs and sets are lists: a hostile file could otherwise choose keys that collide, or keys
whose hash never ends (tuples nested in tuples). Classes and functions are names, calls are records of calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

__all__ = [
    "Deferred",
    "Form",
    "Global",
    "Items",
    "Object",
    "Persistent",
    "Placed",
    "PlacedText",
    "attributes",
    "path_of",
]


class Global:
    """The name of a class or function; never the thing itself. One object for each name in a pickle."""

    __slots__ = ("module", "name")

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.name = name

    @property
    def path(self) -> str:
        """Module and name, dotted."""
        return f"{self.module}.{self.name}"


class Items:
    """A dictionary in the order in which it was filled."""

    __slots__ = ("_strings", "flat", "state")

    def __init__(self, flat: list[object]) -> None:
        self.flat = flat
        """Keys and values in turn: `[k, v, k, v]`; a key may come twice."""
        self.state: object = None
        """Attributes that the pickle sets on the dictionary (`OrderedDict._metadata`)."""
        self._strings: dict[str, object] | None = None

    def __len__(self) -> int:
        return len(self.flat) // 2

    def pairs(self) -> Iterator[tuple[object, object]]:
        """(key, value) in order; of several values under one string key only the last one, in the place of the first,
        as in a dictionary."""
        strings = self.strings()
        if len(strings) == len(self):
            yield from strings.items()
            return
        seen: set[str] = set()
        for key, value in zip(self.flat[::2], self.flat[1::2], strict=False):
            if not isinstance(key, str):
                yield key, value
            elif key not in seen:
                seen.add(key)
                yield key, strings[key]

    def consumed(self) -> Iterator[tuple[object, object]]:
        """As `pairs`, letting go of each value before the next: the dictionary is empty afterwards."""
        left = list(self.pairs())
        self.clear()
        left.reverse()
        while left:
            yield left.pop()

    def clear(self) -> None:
        """Let go of everything that it holds."""
        self.flat, self._strings = [], None

    def strings(self) -> dict[str, object]:
        """The values under keys that are strings; not to be asked before the dictionary is complete."""
        if self._strings is None:
            flat = self.flat
            self._strings = {
                str(key): value for key, value in zip(flat[::2], flat[1::2], strict=False) if isinstance(key, str)
            }
        return self._strings

    def get(self, key: str, default: object = None) -> object:
        """The value under a string key."""
        return self.strings().get(key, default)


class Form(NamedTuple):
    """What the calls that rebuild tensors of one shape and type have in common."""

    callee: Global
    kind: Global
    """The class of the storage."""
    place: str
    numel: int
    """Items of the storage."""
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    grad: bool
    hooks: Global
    entries: int
    """Entries of the memo that a tensor takes: id, shape and strides if it has axes, hooks, arguments, tensor."""


class Deferred(NamedTuple):
    """The arguments of a call that rebuilds a tensor, before they are made: most are never asked for."""

    form: Form
    key: str
    """Of the storage."""
    offset: int
    """Values of the storage before the tensor's first."""
    first: int
    """Number in the memo of the first entry that is not made yet."""

    def entries(self) -> tuple[object, ...]:
        """What the memo holds of the call, but for the tensor itself; the arguments are last."""
        form = self.form
        id = ("storage", form.kind, self.key, form.place, form.numel)
        hooks = Items([])
        args = (Persistent(id), self.offset, form.shape, form.strides, form.grad, hooks)
        return (id, form.shape, form.strides, hooks, args) if form.shape else (id, hooks, args)


class Object:
    """A call that a pickle asks for and that was not made: an instance, or whatever the callee would return."""

    __slots__ = ("callee", "given", "items", "pairs", "state")

    def __init__(self, callee: object, given: object) -> None:
        self.callee = callee
        """A Global in honest files."""
        self.given = given
        """The arguments, or what they are made of when they are asked for."""
        self.state: object = None
        """What BUILD would have set."""
        self.items: list[object] | None = None
        """What would have been appended or added."""
        self.pairs: list[object] | None = None
        """Keys and values, in turn, that would have been set."""

    @property
    def args(self) -> object:
        """The arguments: a tuple in honest files."""
        if type(self.given) is Deferred:
            self.given = self.given.entries()[-1]
        return self.given


class Persistent:
    """A reference to something outside the pickle, by the id that the writer gave it."""

    __slots__ = ("id",)

    def __init__(self, id: object) -> None:
        self.id = id


class Placed:
    """A string of bytes, or a text too long to be kept, by its place in the pickle's source."""

    __slots__ = ("data", "length", "offset", "verbatim")

    def __init__(self, offset: int, length: int, data: bytes | None = None, verbatim: bool = True) -> None:
        self.offset = offset
        """In the source that the pickle was read from; -1 when the bytes are nowhere as they are."""
        self.length = length
        self.data = data
        """The bytes themselves if they are few."""
        self.verbatim = verbatim
        """Whether the source holds them as they are; False for text that encodes them."""


class PlacedText(str):
    """A text that may be bytes: a string of Python 2, read as Latin-1, or a text that no person would write."""

    __slots__ = ("placed",)

    placed: Placed
    """Where the source holds it."""


def path_of(value: object) -> str:
    """The dotted name behind a Global, or the callee of an Object; `""` for anything else."""
    if type(value) is Object:
        value = value.callee
    return value.path if type(value) is Global else ""


def attributes(value: object) -> Items | None:
    """The attributes that a pickle sets on an instance, None where it sets none by name."""
    state = value.state if isinstance(value, Object | Items) else None
    if type(state) is tuple and len(state) == 2 and type(state[1]) in (Items, type(None)):
        own = state[0].flat if type(state[0]) is Items else []
        slots = state[1].flat if type(state[1]) is Items else []
        return Items([*own, *slots])
    return state if type(state) is Items else None
