"""Two models being opened, here and in the scan process that compares them."""

from __future__ import annotations

import os
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from wtui.comparing.protocol import OpenBoth
from wtui.engine.client import ScanClient
from wtui.errors import WtuiError
from wtui.tui.jobs import Opening

if TYPE_CHECKING:
    from textual.screen import Screen

    from wtui.comparing.joined import Joined
    from wtui.engine.client import Scan

__all__ = ["OpeningBoth"]


class _CompareClient(ScanClient):
    """The scan process of two models."""

    process = "wtui.comparing.child"


class OpeningBoth(Opening):
    """A and B: open when both are; `catalogue` is that of the joined tree, of which until they are paired B is all."""

    def __init__(self, a: str, b: str, format: str | None = None, scan: bool = True) -> None:
        self.paths = a, b
        self.path = f"{a} and {b}"
        self.format = format
        self.catalogue = None
        self.error = None
        self.joined: Joined | None = None
        client = _CompareClient(b, format, start=False)
        if scan:
            client.begin_with(OpenBoth(a, b, format))
        self.client: Scan = client
        self._something = Event()
        self._thread = Thread(target=self._run, name="wtui-open", daemon=True)
        self._thread.start()

    @property
    def names(self) -> tuple[str, str]:
        """What A and B are called, with as much of their folders as tells them apart."""
        parts = [os.path.abspath(p).split(os.sep) for p in self.paths]
        n = 1
        while parts[0][-n:] == parts[1][-n:] and n < max(map(len, parts)):
            n += 1
        return os.sep.join(parts[0][-n:]), os.sep.join(parts[1][-n:])

    def screen(self) -> Screen[Any]:
        """The screen that browses them."""
        from wtui.tui.pair.screen import PairScreen

        return PairScreen(self)

    def _run(self) -> None:
        from wtui.comparing.joined import Joined
        from wtui.formats import open_catalogue

        try:
            a, b = (open_catalogue(path, self.format) for path in self.paths)
            self.joined = Joined(a, b)
            self.catalogue = self.joined.catalogue
        except WtuiError as error:
            self.error = error
        finally:
            self._something.set()
