"""A Textual driver that sends only the cells that changed: for slow and metered lines."""

from __future__ import annotations

import os
from typing import Any

from textual.drivers.linux_driver import LinuxDriver

from wtui.tui.cells import Cells
from wtui.tui.characters import table_for

__all__ = ["ChangedCellsDriver"]


class ChangedCellsDriver(LinuxDriver):
    """LinuxDriver with a memory of what the terminal shows."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._cells = Cells(0, 0)
        self._replacements = table_for(os.environ)

    def write(self, data: str) -> None:
        """Send what `data` changes on the screen."""
        width, height = self._app.size
        if (self._cells.width, self._cells.height) != (width, height):
            blank = not self._cells.width
            self._cells = Cells(width, height)
            if blank:
                self._cells.cleared()
        if self._replacements is not None:
            data = data.translate(self._replacements)
        super().write(self._cells.update(data))

    def forget(self) -> None:
        """The terminal may show anything (another program ran, the user asked to redraw): send the next frame whole."""
        self._cells.forget()
