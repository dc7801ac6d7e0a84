"""A model that Keras builds before it can be opened: the screen is there at once, the model when it is built."""

from __future__ import annotations

from threading import Event, Thread
from typing import TYPE_CHECKING

from wtui.engine.client import ScanClient
from wtui.errors import WtuiError
from wtui.live.applications import Builder, BuiltFile, application_of
from wtui.tui.jobs import Opening

if TYPE_CHECKING:
    from wtui.tui.surveying import Surveys

__all__ = ["OpeningApplication"]


class OpeningApplication(Opening):
    """One of keras.applications: built in a process of its own, saved, then opened like any file."""

    def __init__(self, path: str) -> None:
        """UsageError for a path that names none."""
        application = application_of(path)
        self.path = f"{path}: Keras builds it in another process"
        self.format = None
        self.catalogue = None
        self.error = None
        self._name = path
        self._scan = ScanClient(path, start=False)
        self.client = self._scan
        self._builder = Builder(application)
        self._built: BuiltFile | None = None
        self._closed = False
        self._something = Event()
        self._thread = Thread(target=self._run, name="wtui-open", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End what runs, and remove what was built."""
        self._closed = True
        self._builder.kill()
        self._thread.join()
        super().close()
        if self._built is not None:
            self._built.close()

    def runnable(self) -> str:
        """The file that it was saved to; `""` before it is."""
        return self._built.path if self._built is not None else ""

    def surveys(self) -> Surveys:
        from wtui.live.survey import Surveyor

        return Surveyor.of_file(self.runnable())

    def _run(self) -> None:
        from wtui.formats import open_catalogue

        try:
            self._built = self._builder.build()
            if self._closed:
                return
            self._scan.begin(self._built.path)
            catalogue = open_catalogue(self._built.path)
            catalogue.path = self._name
            self.catalogue = catalogue
        except WtuiError as error:
            self.error = error
        finally:
            self._something.set()
