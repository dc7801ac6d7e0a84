"""Layer outputs in the browser: streamed by a process that ends with the screen; one sentence where there are none."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import wtui
from tests.tui.driving import Browser, browsing
from tests.tui.test_architecture import alive
from wtui.live.process import FrameworkProcess
from wtui.live.protocol import Forward, Task
from wtui.tui.app import WtuiApp
from wtui.tui.guest import OpeningObject
from wtui.tui.outputs import OutputsScreen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

DEMO = Path(wtui.__file__).parent / "demo" / "models"


def drive(path: Path, test: Callable[[Browser], Awaitable[None]], width: int = 120, height: int = 40) -> None:
    async def run() -> None:
        async with browsing(path, width, height) as browser:
            await browser.until(lambda: browser.screen.plan is not None)
            await test(browser)

    asyncio.run(run())


def watch(monkeypatch: pytest.MonkeyPatch) -> list[FrameworkProcess]:
    """The processes that are started from now on to run a model."""
    started: list[FrameworkProcess] = []
    original = FrameworkProcess.__init__

    def noted(self: FrameworkProcess, task: Task, **kwargs: Any) -> None:
        original(self, task, **kwargs)
        if isinstance(task, Forward):
            started.append(self)

    monkeypatch.setattr(FrameworkProcess, "__init__", noted)
    return started


def test_outputs_by_layer_and_their_views() -> None:
    async def test(browser: Browser) -> None:
        await browser.press("a")
        await browser.until("6 outputs in")
        await browser.until("distribution · conv1")
        assert "random: standard normal" in browser.text
        assert "nothing bad stands out on this input" in browser.text
        await browser.until("8 of 8 maps of 6×6")
        for view in ("feature maps", "channels", "numbers"):
            await browser.press("tab")
            await browser.until(f"{view} · conv1")
        await browser.until("skewness")
        await browser.press("m")
        await browser.until("std of outputs in the order of layers")
        await browser.press("m")
        await browser.until("mean of outputs in the order of layers")
        await browser.press("tab")
        await browser.until("nothing stands out on this input")
        await browser.press("down", "down", "down", "down", "enter")
        await browser.until(lambda: not isinstance(browser.app.screen, OutputsScreen))
        assert browser.screen.layer_tree.outline is not None
        assert browser.screen.layer_tree.outline.layer(browser.screen.layer_tree.subject).path == "hidden"

    drive(DEMO / "healthy.keras", test)


def test_a_finished_pass_is_shown_again_and_run_again_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    started = watch(monkeypatch)

    async def test(browser: Browser) -> None:
        await browser.press("a")
        await browser.until("6 outputs in")
        first = browser.screen.outputs().seen.outputs[0].row.mean
        await browser.press("escape")
        await browser.press("a")
        await browser.until("6 outputs in")
        assert len(started) == 1
        await browser.press("r")
        await browser.until(lambda: len(started) == 2)
        await browser.until("6 outputs in")
        assert browser.screen.outputs().seen.outputs[0].row.mean != first

    drive(DEMO / "healthy.keras", test, 80, 24)


def test_faults_are_said_of_this_input() -> None:
    async def test(browser: Browser) -> None:
        await browser.press("a")
        await browser.until("✗ norm: the first output that is not finite")
        assert "on this input" in browser.text

    drive(DEMO / "faulty.keras", test)


def test_escape_ends_a_pass_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    started = watch(monkeypatch)

    async def test(browser: Browser) -> None:
        await browser.press("a")
        await browser.until(lambda: bool(started))
        await browser.press("escape")
        await browser.until(lambda: not alive(started[0].pid))
        await browser.until("conv1")
        assert not isinstance(browser.app.screen, OutputsScreen)

    drive(DEMO / "healthy.keras", test)


def test_a_pass_ends_with_the_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    started = watch(monkeypatch)

    async def test(browser: Browser) -> None:
        await browser.press("a")
        await browser.until(lambda: bool(started))

    drive(DEMO / "healthy.keras", test)
    assert not alive(started[0].pid)


def test_a_killed_process_is_one_sentence_and_browsing_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    started = watch(monkeypatch)

    async def test(browser: Browser) -> None:
        await browser.press("a")
        await browser.until(lambda: bool(started))
        os.kill(started[0].pid, signal.SIGKILL)
        await browser.until("its process was killed by the system")
        await browser.press("escape", "down")
        await browser.until("path: conv1")

    drive(DEMO / "healthy.keras", test)


def test_a_live_model_is_run_by_another_process_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    started = watch(monkeypatch)
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4, activation="relu", name="first")])

    async def run() -> None:
        app = WtuiApp(OpeningObject(model))
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            browser = Browser(app, pilot)
            await browser.until(lambda: browser.screen.plan is not None)
            await browser.press("a")
            await browser.until("1 output in")
            assert len(started) == 1
            assert len(os.listdir(tmp_path)) == 1
        app.opening.close()

    asyncio.run(run())
    assert os.listdir(tmp_path) == []


def test_models_that_cannot_be_run_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = watch(monkeypatch)
    np.savez(tmp_path / "a.npz", kernel=np.ones((3, 4), "float32"))

    async def arrays(browser: Browser) -> None:
        await browser.press("a")
        await browser.until("there is no record of a Keras model")

    async def code(browser: Browser) -> None:
        await browser.press("a")
        await browser.until("cannot be run, since")

    drive(tmp_path / "a.npz", arrays)
    drive(DEMO / "colleague.h5", code)
    assert not started
