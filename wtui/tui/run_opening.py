"""A run being opened: its members are known by name, and its scan process is started, before Textual is there."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING

from wtui.engine.client import ScanClient
from wtui.series.figures import Figures
from wtui.series.members import Run
from wtui.series.state import RunState
from wtui.tui.jobs import Opening

if TYPE_CHECKING:
    from textual.screen import Screen

    from wtui.series.protocol import OpenRun

__all__ = ["OpeningRun"]


class RunClient(ScanClient):
    """The scan process of a run."""

    process = "wtui.series.process"

    def __init__(self, first: OpenRun) -> None:
        super().__init__("", start=False)
        self.begin_with(first)


class OpeningRun(Opening):
    """A run that is known, or a folder in which one grows."""

    def __init__(self, opened: OpenRun) -> None:
        self.path = opened.folder
        self.format = None
        self.catalogue = None
        self.error = None
        self.opened = opened
        self.state = RunState(opened.run or Run(opened.folder, (), ""), Figures())
        self.client = RunClient(opened)
        self._something = Event()
        self._something.set()

    def wait(self, seconds: float | None = None) -> bool:
        """It is open."""
        return True

    def screen(self) -> Screen[None]:
        """The table of the run."""
        from wtui.tui.run_screen import RunScreen

        return RunScreen(self)
