"""The opcodes that torch.save writes for a tensor, read as one: a pattern matches all thirty, C code does the matching.

What the opcodes mean is not changed: whatever deviates in a byte is left to the machine, numbers in the memo are
compared with those that the machine would give, and what is recalled later is made then. Knows the call of
`torch._utils._rebuild_tensor_v2` (PyTorch 0.4 and later) by its bytes; nothing is imported or called here either.
"""

from __future__ import annotations

import re
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING

from wtui.formats.inert.values import Deferred, Form, Global, Object

if TYPE_CHECKING:
    from wtui.formats.inert.machine import Machine

__all__ = ["LEAST_MEMO", "Runs"]

LEAST_MEMO = 1 << 8
"""Entries of the memo from which on runs are looked for: numbers then have four bytes, and small files never pay."""

MAX_FORMS = 10_000
"""Different shapes, types and places of tensors that are remembered; more take the ordinary way."""

FORM_COST = 1_000
"""Bytes that a form takes, with its numbers."""

TENSOR_COST = 320
"""Bytes that a tensor takes until the tree is built: the record, its storage's key, entries of stack and memo."""

OPERATIONS = 32
"""Operations that a run counts for, as many as it has: what is listed behind it takes time and memory all the same."""

MAX_KEY = 1000
"""Bytes of a key that is pushed without being looked at closely."""

ZERO = b"K\0"
"""The opcode that pushes the offset of most tensors."""

FUNCTION, HOOKS = "torch._utils._rebuild_tensor_v2", "collections.OrderedDict"
"""What is called for a tensor, and for its hooks."""

_INT = rb"(?:K.|M..|J....|\x8a\x05.{5})"
_GET = rb"(h.|j....)"
_TEXTS = (rb"X(.)\0\0\0(%s)r(....)", rb"\x8c(.)(%s)(\x94)")
_WIDTHS = {0x4B: (1, 1, False), 0x4D: (1, 2, False), 0x4A: (1, 4, True), 0x8A: (2, 5, True)}
"""Where the integer of an opcode begins, its bytes, and whether it has a sign."""

_PUTS = (rb"r(....)", rb"(\x94)")


@cache
def _pattern(memoized: bool) -> re.Pattern[bytes]:
    """A call of _rebuild_tensor_v2 in protocols 2 and 3, or with `memoized` in 4 and 5, which do not number the entries
    of the memo."""
    put, text = _PUTS[memoized], _TEXTS[memoized]
    key, location = text % rb"[0-9]{1,20}", text % rb"[a-z]{2,12}(?::[0-9]{1,3})?"
    axes = rb"(?:\)|(%s{1,3}[\x85-\x87]|\(%s{4,8}t)%s)" % (_INT, _INT, put)
    parts = (
        _GET, rb"\(\(", _GET, _GET, rb"(?:", key, rb"|", _GET, rb")(?:", _GET, rb"|", location, rb")(", _INT, rb")t",
        put, rb"Q(", _INT, rb")", axes, axes, rb"([\x88\x89])", _GET, rb"\)R", put, rb"t", put, rb"R", put,
    )  # fmt: skip
    return re.compile(b"".join(parts), re.DOTALL)


_FORM = itemgetter(0, 1, 2, 7, 8, 9, 11, 14, 16, 18, 19)
"""The groups that are the same for all tensors of one shape and type: function, word, class, place, its length and
text, items of the storage, shape, strides, whether a gradient is wanted, class of the hooks."""

_NUMBERED = (5, 10, 12, 15, 17, 20, 21, 22)
_NUMBERS = itemgetter(*_NUMBERED)
"""The groups that are numbers of the memo: of key, place, id, shape, strides, hooks, arguments, tensor."""

_COUNTED = [(sum(1 << 32 * i for i in range(n)), sum(i << 32 * i for i in range(n))) for n in range(9)]
"""By n: (a, b) so that n numbers of four bytes, from m on, are `a * m + b` when they are read as one."""


class _Likeness:
    """The bytes that come again in other tensors of one form that begin with storages of their own."""

    __slots__ = ("base", "following", "form", "head", "length", "step")

    def __init__(self, form: Form, head: bytes, tail: bytes, step: int, entries: int) -> None:
        self.form = form
        self.head = head
        """Up to the opcode of the storage's key."""
        self.length = len(tail)
        """Bytes behind the key."""
        self.base = int.from_bytes(tail, "little") - step * entries
        self.step = step
        """Read as one number they are `base + step * n`, of a memo of n entries."""
        self.following = self
        """What came behind such a tensor the last time: modules of a model repeat themselves."""


def _likeness(found: re.Match[bytes], form: Form, entries: int) -> _Likeness:
    """Of a tensor that was found when the memo had so many entries, in a protocol that numbers them."""
    start = found.end(5)
    tail = found.string[start : found.end()]
    step = sum(1 << 8 * (found.start(group + 1) - start) for group in _NUMBERED if found[group + 1])
    return _Likeness(form, found.string[found.start() : found.start(4)], tail, step, entries)


class Runs:
    """Reads the tensors of one pickle."""

    def __init__(self, machine: Machine) -> None:
        self._m = machine
        self._forms: dict[tuple[bytes, ...], Form | None] = {}
        self._likes: dict[tuple[bytes, ...], _Likeness] = {}
        self._last: _Likeness | None = None
        """Of the last tensor, where there is one."""

    def forget(self) -> None:
        """An entry of the memo was replaced: what the bytes stand for has to be looked up anew."""
        self._forms.clear()
        self._likes.clear()
        self._last = None

    def read(self) -> bool:
        """Push the tensor that begins at the stream's next byte, and keys and tensors behind it; False if none does."""
        m = self._m
        push, match = m.stack.append, _pattern(m.protocol > 3).match
        done = size = 0
        while True:
            made = self._alike()
            if made is None:
                found = match(m.stream.data, m.stream.at)
                made = self._tensor(found) if found else None
                if found is None or made is None:
                    break
                m.stream.at = found.end()
            push(made)
            done += 1
            length = self._key()
            if length < 0:
                break
            size += length
        m.count(OPERATIONS * done, TENSOR_COST * done + size)
        return done > 0

    def _key(self) -> int:
        """Push the text that comes next and put it into the memo; its length, -1 if anything else comes, or the window
        ends."""
        m = self._m
        stream, data, at = m.stream, m.stream.data, m.stream.at
        if at + 5 > len(data):
            return -1
        long, short = data[at] == 0x58, data[at] == 0x8C
        length = int.from_bytes(data[at + 1 : at + 5], "little") if long else data[at + 1]
        start = at + (5 if long else 2)
        end = start + length
        if not (long or short) or end + 5 > len(data):
            return -1
        stream.at = start
        text = data[start:end] if length <= MAX_KEY else b"\n"
        key = text.decode() if text.isascii() else "\n"
        m.stack.append(key if key.isprintable() else m.text(length))
        if data[end] == 0x72:
            stream.at = end + 5
            m.remember(int.from_bytes(data[end + 1 : end + 5], "little"))
        elif data[end] == 0x94:
            stream.at = end + 1
            m.remember(len(m.memo))
        else:
            stream.at = end
        return length

    def _alike(self) -> Object | None:
        """The record of the call that comes next if it differs from one that came before in its storage, and in the
        numbers that follow from the length of the memo."""
        m = self._m
        if self._last is None:
            return None
        like = self._last.following
        data, memo = m.stream.data, m.memo
        start = m.stream.at + len(like.head) + 4
        if start > len(data) or not data.startswith(like.head, m.stream.at):
            return None
        stop = start + data[start - 4]
        text, end = data[start:stop], stop + like.length
        if end > len(data) or data[start - 3 : start] != b"\0\0\0" or len(text) > 20 or not text.isdigit():
            return None
        if int.from_bytes(data[stop:end], "little") != like.base + like.step * len(memo):
            return None
        m.stream.at = end
        self._last = like
        key = text.decode()
        memo.append(key)
        return self._made(like.form, key, 0)

    def _made(self, form: Form, key: str, offset: int) -> Object:
        """The record of a call, with the entries of the memo that come behind those of its key and place."""
        memo = self._m.memo
        given = Deferred(form, key, offset, len(memo))
        made = Object(form.callee, given)
        memo += (made,) * form.entries
        self._m.persistent.append(given)
        return made

    def _tensor(self, found: re.Match[bytes]) -> Object | None:
        """The record of a call, with its entries in the memo; None if it is not what it looks like."""
        groups = found.groups(b"")
        wanted = _FORM(groups)
        form = self._forms.get(wanted) or self._form(wanted)
        if form is None:
            return None
        memo = self._m.memo
        before, numbered = len(memo), self._m.protocol < 4
        if numbered:
            numbers = b"".join(_NUMBERS(groups))
            a, b = _COUNTED[len(numbers) // 4]
            if int.from_bytes(numbers, "little") != a * before + b:
                return None
        text = groups[4]
        key: object = text.decode("ascii") if text else self._known(groups[6])
        if type(key) is not str or (text and groups[3][0] != len(text)):
            return None
        if text:
            memo.append(key)
        if wanted[5]:
            memo.append(form.place)
        offset = 0 if groups[13] == ZERO else _integers(groups[13])[0]
        last, self._last = self._last, None
        if numbered and text and not wanted[5] and not offset:
            like = self._likes.get(wanted) or self._likes.setdefault(wanted, _likeness(found, form, before))
            self._last = like
            if last is not None:
                last.following = like
        return self._made(form, key, offset)

    def _known(self, get: bytes) -> object:
        """The memo's entry that an opcode recalls, None where there is no such entry."""
        number, memo = int.from_bytes(get[1:], "little"), self._m.memo
        return memo[number] if get and number < len(memo) else None

    def _form(self, wanted: tuple[bytes, ...]) -> Form | None:
        """What the recurring bytes stand for, None if it is anything but a tensor; kept for the next one."""
        if wanted in self._forms or len(self._forms) >= MAX_FORMS:
            return None
        m = self._m
        m.spend(FORM_COST)
        made = self._forms[wanted] = self._understood(wanted)
        if made is not None:
            for called in (made.hooks, made.callee):
                m.called.setdefault(called)
        return made

    def _understood(self, wanted: tuple[bytes, ...]) -> Form | None:
        callee, word, kind, place, length, text, numel, shape, strides, grad, hooks = wanted
        function, storage, made_of = self._known(callee), self._known(kind), self._known(hooks)
        where = self._known(place) if place else text.decode("ascii")
        if type(function) is not Global or type(storage) is not Global or type(made_of) is not Global:
            return None
        if (function.path, made_of.path) != (FUNCTION, HOOKS) or self._known(word) != "storage":
            return None
        if type(where) is not str or (text and length[0] != len(text)) or bool(shape) != bool(strides):
            return None
        sizes, steps = _axes(shape), _axes(strides)
        if sizes is None or steps is None:
            return None
        items, entries = _integers(numel)[0], 6 if sizes else 4
        return Form(function, storage, where, items, sizes, steps, grad == b"\x88", made_of, entries)


def _axes(raw: bytes) -> tuple[int, ...] | None:
    """The tuple that the bytes make, None if it would not take all integers before it."""
    if not raw:
        return ()
    if raw[0] == 0x28:
        return _integers(raw[1:-1])
    found = _integers(raw[:-1])
    return found if len(found) == raw[-1] - 0x84 else None


def _integers(raw: bytes) -> tuple[int, ...]:
    """The integers that opcodes push: K, M, J and LONG1."""
    found, at = [], 0
    while at < len(raw):
        start, length, signed = _WIDTHS[raw[at]]
        found.append(int.from_bytes(raw[at + start : at + start + length], "little", signed=signed))
        at += start + length
    return tuple(found)
