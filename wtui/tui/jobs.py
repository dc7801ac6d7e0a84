"""The work that runs beside the screen, each in a thread that only hands over its result."""

from __future__ import annotations

from threading import Event, Thread
from typing import TYPE_CHECKING

from wtui.engine.client import Scan, ScanClient
from wtui.errors import WtuiError

if TYPE_CHECKING:
    from textual.screen import Screen

    from wtui.live.passing import Settings
    from wtui.model import Catalogue
    from wtui.tui.surveying import Surveys

__all__ = ["Opening"]


FIRST_SHOWN = 0.6
"""Seconds that the rest of a long listing waits for its first rows to be on the screen."""


class Opening:
    """A model being opened, here and in the scan process: started at once, asked for later."""

    first: Catalogue | None = None
    """The first tensors of a model of very many, until `catalogue` is there."""

    first_is_shown: Event | None = None
    """To be set once `first` is on the screen: the rest is read after that, since both would only slow each other."""

    def __init__(self, path: str, format: str | None = None, scan: bool = True) -> None:
        self.path = path
        self.format = format
        self.catalogue: Catalogue | None = None
        self.error: WtuiError | None = None
        self.client: Scan = ScanClient(path, format, start=scan)
        """The scan process, which starts and opens the model on its own while this one gets its screen ready."""
        self._something = Event()
        self.first_is_shown = Event() if scan else None
        self._thread = Thread(target=self._run, name="wtui-open", daemon=True)
        self._thread.start()

    settings: Settings | None = None
    """What the model is given when its layers' outputs are asked for; None: random values."""

    @property
    def can_be_run(self) -> bool:
        """Whether there is, or can be made, a file that another process could run."""
        return True

    def runnable(self) -> str:
        """That file, made if need be; in a thread. WtuiError if it cannot be."""
        return self.path

    def wait(self, seconds: float | None = None) -> bool:
        """Whether it is done (one way or the other) after at most `seconds`."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def wait_for_rows(self, seconds: float | None = None) -> bool:
        """Whether, after at most `seconds`, there is something to show: the model, its first rows, or an error."""
        return self._something.wait(seconds)

    def close(self) -> None:
        """End the scan process."""
        self.client.close()

    def screen(self) -> Screen[None]:
        """The screen that browses it."""
        from wtui.tui.browser import BrowserScreen

        return BrowserScreen(self)

    def surveys(self) -> Surveys:
        """Finds out about its architecture; reads the file, in a thread."""
        from wtui.live.survey import Surveyor

        return Surveyor.of_file(self.path, self.format)

    def _run(self) -> None:
        from wtui.formats import open_catalogue

        try:
            self.catalogue = open_catalogue(self.path, self.format, self._show_first)
        except WtuiError as error:
            self.error = error
        finally:
            self.first = None
            self._something.set()

    def _show_first(self, first: Catalogue) -> None:
        self.first = first
        self._something.set()
        if self.first_is_shown is not None:
            self.first_is_shown.wait(FIRST_SHOWN)
