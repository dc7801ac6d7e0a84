"""What the browser says of a model's architecture: at once from the file, then from Keras, and never waiting for it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import wtui
from tests.tui.driving import browsing
from wtui.live.process import FrameworkProcess

if TYPE_CHECKING:
    import pytest

DEMO = Path(wtui.__file__).parent / "demo" / "models"


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_layers_say_where_they_stand_and_shapes_come_from_keras() -> None:
    async def run() -> None:
        async with browsing(DEMO / "healthy.keras", 120, 40) as browser:
            screen = browser.screen
            await browser.until(lambda: screen.plan is not None)
            assert screen.plan is not None
            assert not screen.plan.complete
            await browser.until("Keras is asked")
            assert "a outputs" in browser.text
            await browser.press("down")
            await browser.until("activation leaky_relu")
            assert "kernel initialiser" in browser.text
            screen.surveying.complete()
            await browser.until(lambda: screen.plan is not None and screen.plan.complete)
            await browser.until("output (None, 6, 6, 8)")
            await browser.press("1")
            await browser.until("(None, 4, 4, 16)")
            assert "(None, 10)" in browser.text
            assert "leaky_relu" in browser.text

    asyncio.run(run())


def test_what_is_refused_is_said_and_the_rest_is_shown() -> None:
    async def run() -> None:
        async with browsing(DEMO / "colleague.h5", 120, 40) as browser:
            screen = browser.screen
            await browser.until(lambda: screen.plan is not None)
            screen.surveying.complete()
            await browser.until("2 layers are not built here")
            assert "a outputs" not in browser.text
            await browser.press("down", "down")
            await browser.until("not built here: is a Lambda layer")
            await browser.press("down")
            await browser.until("activation tanh, sigmoid")

    asyncio.run(run())


def test_keras_is_ended_with_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[FrameworkProcess] = []
    original = FrameworkProcess.__init__

    def noted(self: FrameworkProcess, *args: object, **kwargs: object) -> None:
        original(self, *args, **kwargs)  # type: ignore[arg-type]
        started.append(self)

    monkeypatch.setattr(FrameworkProcess, "__init__", noted)

    async def run() -> None:
        async with browsing(DEMO / "healthy.keras") as browser:
            await browser.until(lambda: browser.screen.plan is not None)
            browser.screen.surveying.complete()
            await browser.until(lambda: bool(started))
            assert alive(started[0].pid)

    asyncio.run(run())
    assert not alive(started[0].pid)


def test_a_model_without_architecture_says_nothing_of_it(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", kernel=np.ones((3, 4), "float32"))

    async def run() -> None:
        async with browsing(tmp_path / "a.npz") as browser:
            await browser.until(lambda: browser.screen.plan is not None)
            assert browser.screen.plan is not None
            assert browser.screen.plan.complete
            assert "output" not in browser.text
            assert not browser.screen.plan.facts

    asyncio.run(run())


def test_a_missing_keras_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['tensorflow'] = sys.modules['keras'] = None\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))

    async def run() -> None:
        async with browsing(DEMO / "healthy.keras", 120, 40) as browser:
            await browser.until(lambda: browser.screen.plan is not None)
            browser.screen.surveying.complete()
            await browser.until("! output shapes: keras is not")
            await browser.press("down")
            await browser.until("activation leaky_relu")

    asyncio.run(run())
