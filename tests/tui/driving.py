"""Helpers for tests that drive the browser: wait for what it shows, read its screen."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from wtui.tui.app import WtuiApp
from wtui.tui.browser import BrowserScreen
from wtui.tui.jobs import Opening
from wtui.tui.pair.opening import OpeningBoth
from wtui.tui.pair.screen import PairScreen

if TYPE_CHECKING:
    from pathlib import Path

    from textual.pilot import Pilot

__all__ = ["Browser", "PairBrowser", "browsing", "comparing"]

TIMEOUT = 60.0
"""Seconds after which a test gives up waiting: the machine may be busy compiling."""


class Browser:
    """A running browser."""

    def __init__(self, app: WtuiApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def screen(self) -> BrowserScreen:
        screen = self.app.screen_stack[0]
        assert isinstance(screen, BrowserScreen)
        return screen

    @property
    def text(self) -> str:
        """What the terminal shows."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip) for strip in strips)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def until(self, shown: str | Callable[[], bool]) -> None:
        """Wait until the text is on the screen or the condition holds; AssertionError if that never happens."""
        holds = shown if callable(shown) else lambda: shown in self.text
        end = time.monotonic() + TIMEOUT
        while not holds():
            assert time.monotonic() < end, f"waited for {shown!r}; the screen shows:\n{self.text}"
            await self.pilot.pause(0.01)

    async def scanned(self) -> None:
        """Wait until every tensor is read."""
        await self.until(lambda: self.screen.results.finished is not None)
        await self.pilot.pause()

    def select(self, name: str) -> None:
        """Put the cursor on a tensor."""
        assert self.screen.outline is not None
        self.screen.layer_tree.go_to(self.screen.outline.catalogue.index(name))


class PairBrowser(Browser):
    """A running browser of two models."""

    @property
    def screen(self) -> PairScreen:  # type: ignore[override]
        screen = self.app.screen_stack[0]
        assert isinstance(screen, PairScreen)
        return screen

    async def scanned(self) -> None:
        await self.until(lambda: self.screen.results is not None and self.screen.results.finished is not None)
        await self.pilot.pause()


@asynccontextmanager
async def comparing(a: Path | str, b: Path | str, width: int = 120, height: int = 40) -> AsyncIterator[PairBrowser]:
    """The browser opened on two paths, without a terminal."""
    app = WtuiApp(OpeningBoth(str(a), str(b)))
    async with app.run_test(size=(width, height), notifications=True) as pilot:
        await pilot.pause()
        yield PairBrowser(app, pilot)


@asynccontextmanager
async def browsing(path: Path | str, width: int = 120, height: int = 40) -> AsyncIterator[Browser]:
    """The browser opened on a path, without a terminal."""
    app = WtuiApp(Opening(str(path)))
    async with app.run_test(size=(width, height), notifications=True) as pilot:
        await pilot.pause()
        yield Browser(app, pilot)
