"""The pickle machine: a stack, a memo, and bounds on operations, on memory and on what is kept of a string.

What each opcode does is in `wtui.formats.inert.opcodes`. Nothing here imports, looks up or calls what a pickle names.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, NoReturn

from wtui.errors import FormatError
from wtui.formats.inert.harmless import construct
from wtui.formats.inert.opcodes import CONTAINER, HANDLERS, MAX_TEXT, TEXT, Stopped
from wtui.formats.inert.runs import LEAST_MEMO, Runs
from wtui.formats.inert.values import Deferred, Global, Object, Persistent, Placed, PlacedText

if TYPE_CHECKING:
    from collections.abc import Callable

    from wtui.formats.inert.stream import Stream

__all__ = ["Machine"]

MAX_OPERATIONS = 8_000_000
"""Opcodes of one pickle: a checkpoint takes 32 for a tensor, so this is room for 250,000."""

MAX_MEMORY = 200 << 20
"""Bytes that all values of a pickle may take, as estimated below."""

MAX_BYTES = 1 << 10
"""Bytes of a byte string that are kept beside its place."""

MAX_MEMO = 1 << 32
"""Numbers in the memo are smaller: they are unsigned integers of four bytes."""

CHECK_EVERY = 4096
"""Operations between two looks at the memory."""

LONG_BINPUT, BININT1, BINGET, MARK, TUPLE, TUPLE2, EMPTY_TUPLE = b"rKh(t\x86)"
"""The opcodes that are met most often."""

WIDEST = 5
"""Bytes of the longest of these with its argument."""

AT_END = 256
"""Stands for the opcode where fewer bytes than that are left in the window."""

_U32 = Struct("<I")


class Machine:
    """Reads one pickle after the other from a stream, each with a memo of its own, all within the same bounds."""

    stream: Stream
    stack: list[object]

    __slots__ = (
        "_globals",
        "_left",
        "_resolve",
        "_runs",
        "called",
        "far",
        "marks",
        "memo",
        "persistent",
        "protocol",
        "room",
        "stack",
        "stream",
    )

    def __init__(self, stream: Stream, resolve: Callable[[object], object] | None = None) -> None:
        """`resolve` may give what a persistent id stands for, None for those that stay references, as storages do."""
        self.stream = stream
        self._resolve = resolve
        self.room = MAX_MEMORY
        self._left = MAX_OPERATIONS
        self.stack = []
        self.marks: list[int] = []
        """Heights of the stack at which MARK was met."""
        self.memo: list[object] = []
        self.far: dict[int, object] = {}
        """Memo entries that do not follow on those before."""
        self._globals: dict[tuple[str, str], Global] = {}
        self.persistent: list[Persistent | Deferred] = []
        """References to what lies outside, in the order in which they were met."""
        self.called: dict[Global, None] = {}
        """What loading the pickle would call, in the order in which it would be called first."""

    def load(self) -> object:
        """The next pickle's value; FormatError if it is none, is cut off or takes too much."""
        self.stack, self.marks, self.memo, self.far = [], [], [], {}
        self.protocol, self._runs = 0, Runs(self)
        start = self.stream.position
        try:
            self._run()
        except Stopped:
            if len(self.stack) != 1 or self.marks:
                self.refuse("ends with a stack that is not empty")
            self.memo, self.far = [], {}
            return self.stack.pop()
        except (IndexError, KeyError, ValueError, TypeError, OverflowError) as error:
            what = f"the pickle at byte {start:,} is damaged near byte {self.stream.position:,}"
            raise FormatError(what, self.stream.name) from error

    def _run(self) -> NoReturn:
        """Do operations until STOP raises or a bound is reached."""
        while self._left > 0:
            self._left -= CHECK_EVERY
            self._some(CHECK_EVERY)
            self.spend(0)
        self.refuse(f"has more than {MAX_OPERATIONS:,} operations")

    def _some(self, count: int) -> None:
        """Do `count` operations: the seven that checkpoints are made of here (calling their handlers would take four
        times as long), all others by their handlers."""
        stream, stack, memo, marks, others = self.stream, self.stack, self.memo, self.marks, _OTHERS
        data, at = stream.data, stream.at
        safe = len(data) - WIDEST
        for _ in range(count):
            code = data[at] if at <= safe else AT_END
            handler = others[code]
            if handler is not None:
                stream.at = at + 1
                handler(self)
                data, at = stream.data, stream.at
                safe = len(data) - WIDEST
            elif code == LONG_BINPUT:
                number = _U32.unpack_from(data, at + 1)[0]
                memo.append(stack[-1]) if number == len(memo) else self.remember(number)
                at += 5
            elif code == BININT1:
                stack.append(data[at + 1])
                at += 2
            elif code == BINGET:
                number = data[at + 1]
                if data[at + 2] == MARK and self._tensors(at):
                    data, at = stream.data, stream.at
                    safe = len(data) - WIDEST
                    continue
                stack.append(memo[number]) if number < len(memo) else self.recall(number)
                at += 2
            elif code == MARK:
                marks.append(len(stack))
                at += 1
            elif code == TUPLE:
                stack.append(tuple(self.since_mark()))
                at += 1
            elif code == TUPLE2:
                self.room -= CONTAINER
                stack[-2:] = ((stack[-2], stack[-1]),)
                at += 1
            else:
                stack.append(())
                at += 1
        stream.at = at

    def _tensors(self, at: int) -> bool:
        """Read the tensors that begin at `at` of the window in one go, if that is what begins there."""
        if len(self.memo) < LEAST_MEMO:
            return False
        self.stream.at = at
        return self._runs.read()

    def refuse(self, what: str) -> NoReturn:
        """Raise a FormatError about the pickle at this place."""
        raise FormatError(f"the pickle before byte {self.stream.position:,} {what}", self.stream.name)

    def spend(self, size: int) -> None:
        """Count `size` bytes; FormatError when the bound is reached."""
        self.room -= size
        if self.room < 0:
            self.refuse(f"takes more than {MAX_MEMORY:,} bytes of memory")

    def count(self, operations: int, size: int) -> None:
        """Count operations that were done elsewhere, and the bytes that they took."""
        self._left -= operations
        self.spend(size)

    def since_mark(self) -> list[object]:
        """What was pushed after the last MARK, popped."""
        mark = self.marks.pop()
        values = self.stack[mark:]
        del self.stack[mark:]
        self.room -= CONTAINER + 8 * len(values)
        return values

    def remember(self, number: int) -> None:
        """Put the top of the stack into the memo."""
        memo = self.memo
        if number == len(memo):
            memo.append(self.stack[-1])
        elif 0 <= number < len(memo):
            self._runs.forget()
            for held in (memo[number], self.stack[-1]):
                self._make(held)
            memo[number] = self.stack[-1]
        elif 0 <= number < MAX_MEMO:
            self.room -= CONTAINER
            self.far[number] = self.stack[-1]
        else:
            self.refuse("has a memo without bounds")

    def recall(self, number: int) -> None:
        """Push the memo's entry."""
        found = self.memo[number] if 0 <= number < len(self.memo) else self.far[number]
        if type(found) is Object and type(found.given) is Deferred:
            first = found.given.first
            if first <= number < first + found.given.form.entries - 1:
                self._make(found)
                found = self.memo[number]
        self.stack.append(found)

    def _make(self, held: object) -> None:
        """Put what a tensor's call consists of into the memo, if that was deferred."""
        if type(held) is Object and type(held.given) is Deferred:
            self.spend(4 * CONTAINER)
            first, made = held.given.first, held.given.entries()
            self.memo[first : first + len(made)] = made
            held.given = made[-1]

    def named(self, module: object, name: object) -> Global:
        """The Global of that name, always the same one."""
        if not isinstance(module, str) or not isinstance(name, str):
            raise TypeError("the name of a global is no text")
        key = (module, name)
        found = self._globals.get(key)
        if found is None:
            self.spend(2 * CONTAINER)
            found = self._globals[key] = Global(module, name)
        return found

    def refer(self, found: object) -> object:
        """What a persistent id stands for: a Persistent, or what `resolve` makes of it."""
        self.room -= CONTAINER
        made = self._resolve(found) if self._resolve else None
        if made is None:
            made = Persistent(found)
            self.persistent.append(made)
        return made

    def call(self, callee: object, args: object) -> None:
        """Push the record of a call."""
        self.room -= CONTAINER
        made = construct(callee, args)
        for known in (callee, made.callee if type(made) is Object else None):
            if type(known) is Global and known not in self.called:
                self.room -= CONTAINER
                self.called[known] = None
        self.stack.append(made)

    def text(self, length: int) -> object:
        """The next `length` bytes as text, or their place if they are too many."""
        if length > MAX_TEXT:
            return Placed(self.stream.skip(length), length, verbatim=False)
        self.spend(TEXT + length)
        position = self.stream.position
        found = self.stream.take(length).decode("utf-8", "surrogatepass")
        return found if found.isprintable() else self._with_place(found, Placed(position, length, verbatim=False))

    def old_text(self, length: int) -> object:
        """The same for strings of Python 2."""
        if length > MAX_TEXT:
            return self.placed(length)
        self.spend(length)
        position = self.stream.position
        return self._with_place(self.stream.take(length).decode("latin-1"), Placed(position, length))

    def _with_place(self, text: str, placed: Placed) -> PlacedText:
        self.spend(CONTAINER + TEXT + len(text))
        found = PlacedText(text)
        found.placed = placed
        return found

    def placed(self, length: int) -> Placed:
        """The next `length` bytes as a byte string."""
        self.room -= CONTAINER
        if length > MAX_BYTES:
            return Placed(self.stream.skip(length), length)
        self.spend(length)
        return Placed(self.stream.position, length, self.stream.take(length))


def _next(m: Machine) -> None:
    """The handler for AT_END: the next opcode, once the window has been moved."""
    stream = m.stream
    stream.at -= 1
    if stream.at >= len(stream.data):
        stream.fill()
    stream.at += 1
    HANDLERS[stream.data[stream.at - 1]](m)


_FAST = (LONG_BINPUT, BININT1, BINGET, MARK, TUPLE, TUPLE2, EMPTY_TUPLE)
_OTHERS = (*(None if code in _FAST else handler for code, handler in enumerate(HANDLERS)), _next)
"""Handlers by opcode, None for those that `Machine` does itself."""
