"""A model that is opened a second time: everything is there at once, and nothing is read."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import wtui.demo
from tests.tui.driving import Browser, browsing
from wtui.cache import usage
from wtui.cache.identity import TICK_NS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

DEMO = Path(wtui.demo.__file__).parent / "models"


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model of the demo with findings and a norm, and a cache that is switched on."""
    monkeypatch.setenv("WTUI_CACHE", "1")
    monkeypatch.setenv("WTUI_CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "model.keras"
    shutil.copyfile(DEMO / "faulty.keras", path)
    while time.time_ns() - os.stat(path).st_ctime_ns <= TICK_NS:
        pass
    return path


def drive(path: Path, test: Callable[[Browser], Awaitable[None]]) -> None:
    async def run() -> None:
        async with browsing(path) as browser:
            await test(browser)

    asyncio.run(run())


def same(a: object, b: object) -> bool:
    """Equal to the last bit, in whatever order, NaN being equal to itself."""
    return repr(sorted(a.items()) if isinstance(a, dict) else a) == repr(
        sorted(b.items()) if isinstance(b, dict) else b
    )


async def everything(b: Browser) -> str:
    """Wait until all is known, findings and histogram included; what the screen shows but for its first line."""
    await b.scanned()
    await b.until(lambda: b.screen.results.found is not None and b.screen.results.found.complete)
    await b.until(lambda: -1 in b.screen.results.layers)
    await b.until("outside")
    await b.pilot.pause()
    return b.text.partition("\n")[2]


def test_it_shows_the_same_and_says_where_from(model: Path) -> None:
    screens: list[str] = []
    statuses: list[str] = []
    results = []

    async def look(b: Browser) -> None:
        screens.append(await everything(b))
        statuses.append(b.text.split("\n")[0])
        b.screen.layer_tree.go_to(b.screen.outline.subject(b.screen.outline.catalogue.root.children[1]))
        await b.until("all weights together")
        b.select("conv2/kernel")
        await b.until("values, all read")
        await b.until(lambda: b.screen.subject in b.screen.results.distributions)
        results.append(b.screen.results)

    drive(model, look)
    records = usage().records
    assert records > 20
    drive(model, look)
    assert "all read" in statuses[0]
    assert "known from an earlier run" in statuses[1]
    assert screens[0] == screens[1]
    first, second = results
    second.layers = {subject: second.layers[subject] for subject in first.layers}
    for what in ("rows", "verdicts", "found", "layers", "distributions"):
        assert same(getattr(first, what), getattr(second, what)), what


def test_its_histograms_are_read_when_they_are_asked_for(model: Path) -> None:
    drive(model, everything)
    found = []

    async def look(b: Browser) -> None:
        await b.until("known from an earlier run")
        b.select("hidden/kernel")
        await b.until(lambda: b.screen.subject in b.screen.results.distributions)
        found.append(b.screen.results.distributions[b.screen.subject])

    drive(model, look)
    assert found[0].seen == found[0].total > 0
    assert sum(found[0].counts) + found[0].below + found[0].above == found[0].total


def test_numbers_without_verdicts_are_shown_at_once_and_completed(model: Path) -> None:
    with wtui.open(model) as opened:
        rows = opened.statistics().rows

    async def look(b: Browser) -> None:
        await b.until(lambda: len(b.screen.results.rows) == len(rows))
        await everything(b)
        assert same(b.screen.results.rows, rows)
        assert b.screen.results.found.findings

    drive(model, look)
