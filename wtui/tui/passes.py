"""A forward pass beside the screen: run by a process of its own, heard by a thread, kept until another one is wanted.

Knows no widget; whoever shows it is told that there is news and looks by itself.
"""

from __future__ import annotations

from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from wtui.errors import WtuiError
from wtui.live.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Callable

    from wtui.live.passing import ForwardPass, Settings

__all__ = ["Pass"]


class Pass:
    """One pass through the model in a file. `begin` once; `stop` at any time."""

    def __init__(self, runnable: Callable[[], str], format: str | None, settings: Settings, weight_bytes: int) -> None:
        """`runnable` says which file, in a thread; it may have to be made first."""
        self._runnable = runnable
        self._arguments = format, settings, weight_bytes
        self.seen = Seen()
        self.problem = ""
        """Why it could not be finished."""
        self.running = False
        self._forward: ForwardPass | None = None
        self._stopped = Event()
        self._lock = Lock()
        self._tell: Callable[[], object] = lambda: None

    @property
    def whole(self) -> bool:
        """Whether it came to its end."""
        return self.seen.seconds is not None

    def begin(self, tell: Callable[[], object]) -> None:
        """Start it; `tell` is called from a thread whenever there is news. Returns at once."""
        self.listen(tell)
        self.running = True
        Thread(target=self._run, name="wtui-outputs", daemon=True).start()

    def listen(self, tell: Callable[[], object]) -> None:
        """Tell somebody else from now on."""
        self._tell = tell

    def stop(self) -> None:
        """End it; returns at once."""
        with self._lock:
            self._stopped.set()
            forward = self._forward
        if forward is not None:
            forward.kill()

    def close(self) -> None:
        """End it, and let go of what it has seen."""
        self.stop()
        self.seen.close()

    def _run(self) -> None:
        from wtui.live.passing import ForwardPass

        try:
            forward = ForwardPass(self._runnable(), *self._arguments)
            with self._lock:
                self._forward = forward
                if self._stopped.is_set():
                    return
            for message in forward:
                if self._stopped.is_set():
                    return
                self.seen.take(message)
                self._tell()
        except WtuiError as error:
            self.problem = f"{error.what} ({error.hint})" if error.hint else error.what
        finally:
            if self._stopped.is_set() and not self.whole:
                self.problem = "stopped"
            self.running = False
            self._tell()
