"""A scan of a model in this process's memory, behind the same face as the scan process of a file.

The session and its threads run here, since the arrays are here; the browser cannot tell the difference. It takes what
`wtui.engine.client.ScanClient` takes and answers what that answers.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from wtui.engine.protocol import GoneWrong

if TYPE_CHECKING:
    from wtui.engine.session import MoreDesks, Session
    from wtui.model import Catalogue
    from wtui.storage import Files

__all__ = ["LocalClient"]

Answer = Callable[[Any], None]


class LocalClient:
    """Scans in threads of this process. Answers are kept until somebody listens."""

    def __init__(self, catalogue: Catalogue, files: Files, desks: MoreDesks | None = None) -> None:
        """Start to scan; returns at once. `desks` is for `Session`."""
        self._catalogue = catalogue
        self._files = files
        self._desks = desks
        self._lock = Lock()
        self._session: Session | None = None
        self._questions: dict[type, tuple[Any, ...]] = {}
        self._unheard: list[Any] = []
        self._on_answer: Answer | None = None
        self._closing = False
        self._thread = Thread(target=self._run, name="wtui-scan", daemon=True)
        self._thread.start()

    def listen(self, on_answer: Answer) -> None:
        """Hand over every answer from now on, those that came until now first."""
        with self._lock:
            self._on_answer = on_answer
            unheard, self._unheard = self._unheard, []
            for answer in unheard:
                on_answer(answer)

    def ask(self, message: tuple[Any, ...]) -> None:
        """Ask; a newer question of a kind replaces an older one that nobody has answered yet."""
        with self._lock:
            self._questions[type(message)] = message
            session = self._session
        if session is not None:
            session.wake()

    def close(self) -> None:
        """Stop, and wait until the arrays are let go of."""
        self._closing = True
        session = self._session
        if session is not None:
            session.wake()
        self._thread.join()

    def _run(self) -> None:
        from wtui.engine.session import Session

        session = Session(self._catalogue, self._files, desks=self._desks)
        with self._lock:
            self._session = session
        session.start()
        try:
            while not self._closing:
                for question in self._taken():
                    session.ask(question)
                for answer in session.answers():
                    self._hand_over(answer)
        except Exception as error:
            self._hand_over(GoneWrong(f"the scan cannot go on: {type(error).__name__}: {error}"))
        finally:
            session.close()

    def _taken(self) -> list[tuple[Any, ...]]:
        with self._lock:
            questions, self._questions = list(self._questions.values()), {}
        return questions

    def _hand_over(self, answer: Any) -> None:
        with self._lock:
            if self._on_answer is None:
                self._unheard.append(answer)
                return
            on_answer = self._on_answer
        if not self._closing:
            on_answer(answer)
