"""Helpers for tests that drive the browser of a run."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tests.tui.driving import Browser
from wtui.series.members import run_in
from wtui.series.protocol import OpenRun
from wtui.tui.app import WtuiApp
from wtui.tui.member_screen import MemberScreen
from wtui.tui.run_opening import OpeningRun
from wtui.tui.run_screen import RunScreen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

__all__ = ["RunBrowser", "running"]


class RunBrowser(Browser):
    """A running browser of a run."""

    @property
    def run(self) -> RunScreen:
        screen = self.app.screen_stack[0]
        assert isinstance(screen, RunScreen)
        return screen

    async def read(self) -> None:
        await self.until(lambda: self.run.state.rested and not self.run.news)
        await self.pilot.pause()

    @property
    def here(self) -> tuple[str, int]:
        """Row and column of the cursor."""
        return self.run.table.row.name, self.run.table.column

    @property
    def member(self) -> MemberScreen:
        screen = self.app.screen
        assert isinstance(screen, MemberScreen)
        return screen

    async def opened(self, label: str, tensor: str) -> None:
        """Wait until a checkpoint is browsed at a tensor."""

        def holds() -> bool:
            s = self.app.screen
            if not isinstance(s, MemberScreen) or s.outline is None or s.subject < 0:
                return False
            return (s.member.label, s.outline.catalogue.tensors[s.subject].name) == (label, tensor)

        await self.until(holds)


@asynccontextmanager
async def running(path: Path, width: int = 120, height: int = 40, *, follow: bool = False) -> AsyncIterator[RunBrowser]:
    opened = OpenRun(None if follow else run_in(str(path)), str(path), follow, every=0.05)
    opening = OpeningRun(opened)
    try:
        app = WtuiApp(opening)
        async with app.run_test(size=(width, height), notifications=True) as pilot:
            await pilot.pause()
            yield RunBrowser(app, pilot)
    finally:
        opening.close()
