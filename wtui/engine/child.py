"""The scan process's pipes: opens once more what is browsed, scans it, and answers the browser's questions.

`wtui.scanning` runs this and adds what the engine may not know; `wtui.comparing.child` runs it for two models. The
process ends when its input ends. It is niced, so that the scan takes what the rest of the machine leaves, and it is the
only process of the browser with numpy and numba.
"""

from __future__ import annotations

import gc
import os
import pickle
import sys
from collections.abc import Callable, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from wtui.engine.client import HEADER
from wtui.engine.protocol import GoneWrong, Open, Opened, Stop
from wtui.errors import WtuiError

if TYPE_CHECKING:
    from wtui.engine.session import MoreDesks

__all__ = ["Begin", "Send", "Serving", "one_model", "serve"]

SWITCH = 0.0005
"""Seconds after which a thread that waits gets the interpreter: what is looked at is sampled by numpy, in many short
calls, while other threads import and compile; with Python's 5 ms each of these calls may have to wait as long."""

NICE = 10
"""Added to the nice value: the screen, and a training run on the same machine, go first."""


class Serving(Protocol):
    """What a scan process serves; one thread calls everything but `wake`."""

    patience: float
    """Seconds that the start waits for the screen's first question, which is answered before it."""

    def start(self) -> None:
        """Start to scan."""

    def ask(self, question: Any) -> None:
        """Take a question."""

    def wake(self) -> None:
        """Let `answers` return soon; may be called from any thread."""

    def answers(self, wait: bool = True) -> list[Any]:
        """What is new since the last call; with `wait`, waits for it."""

    def close(self) -> None:
        """Stop."""


Send = Callable[[tuple[Any, ...]], None]
Begin = Callable[[Any, Send], Serving]
"""Opens what the first message names, sends what is known at once, and makes the session."""


def one_model(desks: MoreDesks | None = None, needs: Sequence[str] = ()) -> Begin:
    """Opens one model; `desks` is for `Session`, `needs` for `Memory`."""

    def begin(first: Open, send: Send) -> Serving:
        from wtui.cache import open_shelf
        from wtui.engine.remembered import Memory
        from wtui.formats import open_catalogue

        gc.disable()  # what is opened and remembered stays: to look through it again and again takes as long as this
        catalogue = open_catalogue(first.path, first.format)
        send(Opened(catalogue.files))
        memory = Memory(catalogue, open_shelf(catalogue), needs)
        recalled = memory.answer()
        if recalled is not None:
            send(recalled)
            gc.freeze()
        gc.enable()
        from wtui.engine.session import Session  # with numpy, which a screen that is opened again need not wait for

        return Session(catalogue, desks=desks, memory=memory)

    return begin


def serve(begin: Begin) -> None:
    """Answer until the input ends."""
    try:
        os.nice(NICE)
    except OSError:
        pass
    sys.setswitchinterval(SWITCH)
    sys.modules["scipy"] = None  # type: ignore[assignment]  # numba would import it: 0.2 s and 15 MB for nothing
    pipe_in, pipe_out = sys.stdin.buffer, _own_stdout()
    first = _receive(pipe_in)
    if first is None:
        return
    try:
        _serve(begin(first, partial(_send, pipe_out)), pipe_in, pipe_out)
    except WtuiError as error:
        _send(pipe_out, GoneWrong(str(error)))
    except BrokenPipeError:
        pass


def _serve(session: Serving, pipe_in: BinaryIO, pipe_out: BinaryIO) -> None:
    """Answer questions and hand over results as they come."""
    questions: SimpleQueue[Any] = SimpleQueue()
    Thread(target=_listen, args=(pipe_in, questions, session.wake), daemon=True).start()
    try:
        early = _early(questions, session.patience)
        for question in early:
            session.ask(question)
        for answer in session.answers(wait=False) if early else ():
            _send(pipe_out, answer)
        session.start()
        while True:
            for question in _waiting(questions):
                if isinstance(question, Stop):
                    return
                session.ask(question)
            for answer in session.answers():
                _send(pipe_out, answer)
    finally:
        session.close()


def _early(questions: SimpleQueue[Any], patience: float) -> list[Any]:
    """The first question, which comes with the first frame, if it comes in time."""
    try:
        first = questions.get(timeout=patience) if patience else questions.get_nowait()
    except Empty:
        return []
    if isinstance(first, Stop):
        questions.put(first)
        return []
    return [first]


def _waiting(questions: SimpleQueue[Any]) -> list[Any]:
    """The questions that wait, without those that a later one of their kind replaces."""
    latest: dict[type, Any] = {}
    while True:
        try:
            question = questions.get_nowait()
        except Empty:
            break
        if isinstance(question, Stop):
            return [question]
        latest[type(question)] = question
    return list(latest.values())


def _listen(pipe: BinaryIO, questions: SimpleQueue[Any], wake: Callable[[], None]) -> None:
    """Queue questions as they come; the end of the input is a Stop."""
    while True:
        message = _receive(pipe)
        questions.put(Stop() if message is None else message)
        wake()
        if message is None:
            return


def _receive(pipe: BinaryIO) -> Any:
    """The next message, None at the end."""
    header = pipe.read(HEADER)
    if len(header) < HEADER:
        return None
    return pickle.loads(pipe.read(int.from_bytes(header, "little")))


def _send(pipe: BinaryIO, answer: tuple[Any, ...]) -> None:
    data = pickle.dumps(answer, pickle.HIGHEST_PROTOCOL)
    pipe.write(len(data).to_bytes(HEADER, "little") + data)
    pipe.flush()


def _own_stdout() -> BinaryIO:
    """The answers' pipe, moved away from file descriptor 1, so that nothing a library prints can get into it."""
    own = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return own
