"""What each opcode of a pickle does to the machine: push, pop, remember, record; none imports, looks up or calls.

Follows protocols 0 to 5 as `pickletools` in Python's standard library documents them.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import TYPE_CHECKING, NoReturn

from wtui.formats.inert.values import Items, Object, Placed

if TYPE_CHECKING:
    from wtui.formats.inert.machine import Machine

__all__ = ["CONTAINER", "HANDLERS", "MAX_TEXT", "TEXT", "Handler", "Stopped"]

SMALL, TEXT, CONTAINER = 40, 64, 88
"""Bytes that a number, an empty text or a container takes, with its place on the stack or in the memo."""

MAX_TEXT = 1 << 16
"""Bytes of a text that is kept; a longer one is only placed."""

MAX_INTEGER = 1 << 10
"""Bytes, or decimal digits, of an integer."""

_U16, _I32, _F64 = Struct("<H"), Struct("<i"), Struct(">d")

Handler = Callable[["Machine"], None]


class Stopped(Exception):
    """The STOP opcode was met."""


def _global(m: Machine) -> None:
    module = m.stream.line().decode()
    m.stack.append(m.named(module, m.stream.line().decode()))


def _stack_global(m: Machine) -> None:
    name, module = m.stack.pop(), m.stack.pop()
    m.stack.append(m.named(module, name))


def _extension(size: int) -> Handler:
    def handler(m: Machine) -> None:
        code = int.from_bytes(m.stream.take(size), "little")
        m.stack.append(m.named("copyreg", f"extension_{code}"))

    return handler


def _reduce(m: Machine) -> None:
    args = m.stack.pop()
    m.call(m.stack.pop(), args)


def _new_object_ex(m: Machine) -> None:
    kwargs, args = m.stack.pop(), m.stack.pop()
    m.call(m.stack.pop(), args)
    made = m.stack[-1]
    if isinstance(made, Object) and isinstance(kwargs, Items):
        made.state = kwargs


def _inst(m: Machine) -> None:
    module = m.stream.line().decode()
    callee = m.named(module, m.stream.line().decode())
    m.call(callee, tuple(m.since_mark()))


def _obj(m: Machine) -> None:
    callee, *args = m.since_mark()
    m.call(callee, tuple(args))


def _build(m: Machine) -> None:
    state, target = m.stack.pop(), m.stack[-1]
    if isinstance(target, Object | Items):
        target.state = state


def _extend(m: Machine, values: list[object]) -> None:
    """Append to the list, or record on the object, that is on top of the stack."""
    target = m.stack[-1]
    m.room -= 8 * len(values)
    if isinstance(target, Object):
        target.items = target.items or []
        target = target.items
    if not isinstance(target, list):
        raise TypeError("append to what is no list")
    target += values


def _fill(m: Machine, flat: list[object]) -> None:
    """Set keys and values of the dictionary, or record them on the object, that is on top of the stack."""
    target = m.stack[-1]
    m.room -= 8 * len(flat)
    if isinstance(target, Object):
        target.pairs = target.pairs or []
        target.pairs += flat
    elif isinstance(target, Items):
        target.flat += flat
    else:
        raise TypeError("set an item of what is no dictionary")


def _append(m: Machine) -> None:
    value = m.stack.pop()
    _extend(m, [value])


def _appends(m: Machine) -> None:
    values = m.since_mark()
    _extend(m, values)


def _set_item(m: Machine) -> None:
    value, key = m.stack.pop(), m.stack.pop()
    _fill(m, [key, value])


def _set_items(m: Machine) -> None:
    flat = m.since_mark()
    _fill(m, flat)


def _tuple(size: int) -> Handler:
    def handler(m: Machine) -> None:
        m.room -= CONTAINER
        values = tuple(m.stack[-size:])
        if len(values) != size:
            raise IndexError("the stack is too short")
        m.stack[-size:] = (values,)

    return handler


def _push(value: object) -> Handler:
    """The handler that pushes a constant."""
    return lambda m: m.stack.append(value)


def _push_new(make: Callable[[Machine], object], cost: int = CONTAINER) -> Handler:
    """The handler that pushes what `make` reads from the stream or the stack."""

    def handler(m: Machine) -> None:
        m.room -= cost
        m.stack.append(make(m))

    return handler


def _number(struct: Struct) -> Callable[[Machine], object]:
    size, unpack = struct.size, struct.unpack
    return lambda m: unpack(m.stream.take(size))[0]


def _length(m: Machine, size: int) -> int:
    """An unsigned length of `size` bytes."""
    return int.from_bytes(m.stream.take(size), "little")


def _long(m: Machine, size: int) -> int:
    length = _length(m, size)
    if length > MAX_INTEGER:
        m.refuse(f"has an integer of {length:,} bytes")
    return int.from_bytes(m.stream.take(length), "little", signed=True)


def _int_line(m: Machine) -> object:
    """Protocol 0: an integer in decimal; `00` and `01` are False and True."""
    line = m.stream.line()
    if line in (b"00", b"01"):
        return line == b"01"
    if len(line) > MAX_INTEGER:
        m.refuse(f"has an integer of {len(line):,} digits")
    return int(line.rstrip(b"L"))


def _string_line(m: Machine) -> object:
    """Protocol 0: a string of Python 2 between quotes, with escapes."""
    import codecs

    line = m.stream.line().strip()
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in b"'\"":
        raise ValueError("a string without quotes")
    if len(line) > MAX_TEXT:
        return Placed(-1, len(line), verbatim=False)
    m.spend(2 * len(line))
    return codecs.escape_decode(line[1:-1])[0].decode("latin-1")


def _unicode_line(m: Machine) -> object:
    line = m.stream.line()
    if len(line) > MAX_TEXT:
        return Placed(-1, len(line), verbatim=False)
    m.spend(4 * len(line))
    return line.decode("raw-unicode-escape")


def _mark(m: Machine) -> None:
    m.room -= 8
    m.marks.append(len(m.stack))


def _pop(m: Machine) -> None:
    """Drop the top of the stack, which may be a mark."""
    if m.marks and m.marks[-1] == len(m.stack):
        m.marks.pop()
    else:
        m.stack.pop()


def _protocol(m: Machine) -> None:
    version = m.stream.take(1)[0]
    if version > 5:
        m.refuse(f"is of protocol {version}, which does not exist")
    m.protocol = version


def _stop(m: Machine) -> NoReturn:
    raise Stopped


def _unknown(m: Machine) -> NoReturn:
    m.refuse("has an opcode that does not exist")


_NAMED: dict[str, Handler] = {
    "I": _push_new(_int_line, SMALL),
    "J": _push_new(_number(_I32), SMALL),
    "K": lambda m: m.stack.append(m.stream.take(1)[0]),
    "M": _push_new(_number(_U16), SMALL),
    "L": _push_new(_int_line, SMALL),
    "\x8a": _push_new(lambda m: _long(m, 1), SMALL * 2),
    "\x8b": _push_new(lambda m: _long(m, 4), MAX_INTEGER),
    "F": _push_new(lambda m: float(m.stream.line()), SMALL),
    "G": _push_new(_number(_F64), SMALL),
    "N": _push(None),
    "\x88": _push(True),
    "\x89": _push(False),
    "S": _push_new(_string_line),
    "T": lambda m: m.stack.append(m.old_text(_length(m, 4))),
    "U": lambda m: m.stack.append(m.old_text(_length(m, 1))),
    "V": _push_new(_unicode_line),
    "\x8c": lambda m: m.stack.append(m.text(_length(m, 1))),
    "X": lambda m: m.stack.append(m.text(_length(m, 4))),
    "\x8d": lambda m: m.stack.append(m.text(_length(m, 8))),
    "C": lambda m: m.stack.append(m.placed(_length(m, 1))),
    "B": lambda m: m.stack.append(m.placed(_length(m, 4))),
    "\x8e": lambda m: m.stack.append(m.placed(_length(m, 8))),
    "\x96": lambda m: m.stack.append(m.placed(_length(m, 8))),
    "\x97": _push_new(lambda m: Placed(-1, 0, verbatim=False)),
    "\x98": lambda m: None,
    "]": _push_new(lambda m: []),
    "l": _push_new(lambda m: m.since_mark()),
    "a": _append,
    "e": _appends,
    ")": _push(()),
    "t": _push_new(lambda m: tuple(m.since_mark())),
    "\x85": _tuple(1),
    "\x86": _tuple(2),
    "\x87": _tuple(3),
    "}": _push_new(lambda m: Items([]), 2 * CONTAINER),
    "d": _push_new(lambda m: Items(m.since_mark()), 2 * CONTAINER),
    "s": _set_item,
    "u": _set_items,
    "\x8f": _push_new(lambda m: []),
    "\x90": _appends,
    "\x91": _push_new(lambda m: m.since_mark()),
    "0": _pop,
    "2": lambda m: m.stack.append(m.stack[-1]),
    "(": _mark,
    "1": lambda m: m.since_mark().clear(),
    "g": lambda m: m.recall(int(m.stream.line())),
    "h": lambda m: m.recall(m.stream.take(1)[0]),
    "j": lambda m: m.recall(_length(m, 4)),
    "p": lambda m: m.remember(int(m.stream.line())),
    "q": lambda m: m.remember(m.stream.take(1)[0]),
    "r": lambda m: m.remember(_length(m, 4)),
    "\x94": lambda m: m.remember(len(m.memo)),
    "\x82": _extension(1),
    "\x83": _extension(2),
    "\x84": _extension(4),
    "c": _global,
    "\x93": _stack_global,
    "R": _reduce,
    "b": _build,
    "i": _inst,
    "o": _obj,
    "\x81": _reduce,
    "\x92": _new_object_ex,
    "\x80": _protocol,
    ".": _stop,
    "\x95": lambda m: m.stream.check(_length(m, 8)),
    "P": lambda m: m.stack.append(m.refer(m.stream.line().decode())),
    "Q": lambda m: m.stack.append(m.refer(m.stack.pop())),
}
HANDLERS: tuple[Handler, ...] = tuple(_NAMED.get(chr(code), _unknown) for code in range(256))
