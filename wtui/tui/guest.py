"""The browser as a guest in somebody else's process: a script, an IPython session, a debugger.

What it changes of the process is put back when it leaves: signal handlers, the garbage collector, and the event loop
that may be running when a debugger has stopped inside a coroutine.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from wtui.errors import UsageError
from wtui.live.applications import BuiltFile
from wtui.live.arrays import framework_of
from wtui.live.keras_model import is_keras
from wtui.live.process import FrameworkError
from wtui.live.session import LocalClient
from wtui.tui.jobs import Opening

if TYPE_CHECKING:
    from wtui.tui.surveying import Surveys

__all__ = ["OpeningObject", "as_guest"]

_SIGNALS = ("SIGTSTP", "SIGCONT", "SIGWINCH", "SIGINT", "SIGTERM", "SIGTTIN", "SIGTTOU")
"""What Textual, or the event loop, sets handlers for."""


class OpeningObject(Opening):
    """A model in memory: open at once, scanned by threads of this process."""

    def __init__(self, model: object) -> None:
        """UsageError for an object that holds no array."""
        from wtui.live.objects import open_object
        from wtui.scanning import desks

        self._model: Any = model
        self._saved: BuiltFile | None = None
        opened = open_object(model)
        self.path = opened.catalogue.path
        self.format = None
        self.catalogue = opened.catalogue
        self.error = None
        self.client = LocalClient(opened.catalogue, opened.files(), desks)

    def wait(self, seconds: float | None = None) -> bool:
        """It is open."""
        return True

    wait_for_rows = wait

    @property
    def can_be_run(self) -> bool:
        return is_keras(self._model) and framework_of(self._model) != "tf_keras"

    def runnable(self) -> str:
        """The model saved into a temporary file, as it is now."""
        folder = tempfile.mkdtemp(prefix=f"wtui-built-{os.getpid()}-")
        self._saved = BuiltFile(folder, "model")
        try:
            self._model.save(self._saved.path, include_optimizer=False)
        except Exception as error:  # layers of the caller's own may not be made for it
            raise FrameworkError(f"the model cannot be saved for another process: {error}") from error
        return self._saved.path

    def close(self) -> None:
        """Stop the scan, and remove what was saved."""
        super().close()
        if self._saved is not None:
            self._saved.close()

    def surveys(self) -> Surveys:
        from wtui.live.running import RunningSurveyor

        return RunningSurveyor(self._model)


@contextmanager
def as_guest() -> Iterator[None]:
    """Run a browser inside; UsageError outside of the main thread, where no terminal can be taken over."""
    if threading.current_thread() is not threading.main_thread():
        raise UsageError("the browser runs in a program's main thread only", hint="print(wtui.open(model).report())")
    handlers = {name: signal.getsignal(number) for name in _SIGNALS if (number := getattr(signal, name, None))}
    collecting, frozen = gc.isenabled(), gc.get_freeze_count()
    loop = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(loop)
        if not frozen:  # the browser freezes what there is when its first frame is drawn
            gc.unfreeze()
        (gc.enable if collecting else gc.disable)()
        _restore(handlers)


def _restore(handlers: dict[str, Any]) -> None:
    for name, handler in handlers.items():
        if handler is not None:  # None: set by code that is not Python's, and cannot be set from here
            with suppress(OSError, ValueError):
                signal.signal(getattr(signal, name), handler)
