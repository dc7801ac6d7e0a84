"""The scan process's pipes: opens the model once more, scans it, and answers the browser's questions.

`wtui.scanning` runs this and adds what the engine may not know. The process ends when its input ends. It is niced, so
that the scan takes what the rest of the machine leaves, and it is the only process of the browser with numpy and numba.
"""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, BinaryIO

from wtui.engine.client import HEADER
from wtui.engine.protocol import AskHistogram, AskPicture, AskValues, GoneWrong, Look, Open, Opened, Stop
from wtui.errors import WtuiError

if TYPE_CHECKING:
    from wtui.engine.session import MoreDesks

__all__ = ["serve"]

NICE = 10
"""Added to the nice value: the screen, and a training run on the same machine, go first."""


def serve(desks: MoreDesks | None = None, needs: Sequence[str] = ()) -> None:
    """Answer until the input ends; `desks` is for `Session`, `needs` for `Memory`."""
    try:
        os.nice(NICE)
    except OSError:
        pass
    sys.modules["scipy"] = None  # type: ignore[assignment]  # numba would import it: 0.2 s and 15 MB for nothing
    pipe_in, pipe_out = sys.stdin.buffer, _own_stdout()
    first = _receive(pipe_in)
    if not isinstance(first, Open):
        return
    try:
        _serve(first, pipe_in, pipe_out, desks, needs)
    except WtuiError as error:
        _send(pipe_out, GoneWrong(str(error)))
    except BrokenPipeError:
        pass


def _serve(first: Open, pipe_in: BinaryIO, pipe_out: BinaryIO, desks: MoreDesks | None, needs: Sequence[str]) -> None:
    """Open the model, then answer questions and hand over results as they come."""
    from wtui.cache import open_shelf
    from wtui.engine.remembered import Memory
    from wtui.formats import open_catalogue

    catalogue = open_catalogue(first.path, first.format)
    _send(pipe_out, Opened(catalogue.files))
    memory = Memory(catalogue, open_shelf(catalogue), needs)
    recalled = memory.answer()
    if recalled is not None:
        _send(pipe_out, recalled)
    from wtui.engine.session import Session  # with numpy, which a screen that is opened again need not wait for

    session = Session(catalogue, desks=desks, memory=memory)
    questions: SimpleQueue[Any] = SimpleQueue()
    Thread(target=_listen, args=(pipe_in, questions, session.wake), daemon=True).start()
    session.start()
    try:
        while True:
            for question in _waiting(questions):
                if isinstance(question, Stop):
                    return
                session.ask(question)
            for answer in session.answers():
                _send(pipe_out, answer)
    finally:
        session.close()


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
        if isinstance(question, Look | AskHistogram | AskPicture | AskValues):
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
