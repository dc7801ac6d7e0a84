"""Spectra in the browser: measured on request, by rank, as a distribution, along the depth, and given up on leaving."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import wtui
from tests.builders import write_safetensors
from tests.tui.driving import Browser, browsing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

DEMO = Path(wtui.__file__).parent / "demo" / "models"


def drive(path: Path, test: Callable[[Browser], Awaitable[None]], width: int = 120, height: int = 40) -> None:
    async def run() -> None:
        async with browsing(path, width, height) as browser:
            await browser.scanned()
            await test(browser)

    asyncio.run(run())


def test_a_kernel_by_rank_as_distribution_and_by_depth() -> None:
    async def test(b: Browser) -> None:
        b.select("conv2/kernel")
        await b.press("x")
        await b.until("Frobenius norm")
        assert "seen as 9 matrices of" in b.text
        assert "logarithmic (L)" in b.text
        await b.press("L")
        await b.until("linear (L)")
        await b.press("tab")
        await b.until("Marchenko-Pastur")
        await b.press("tab")
        await b.until(lambda: "spectral norm by depth" in b.text and "measuring" not in b.text)
        await b.press("m")
        await b.until("stable rank by depth")
        await b.press("escape")
        await b.until("Layers")
        known = {b.screen.outline.catalogue.tensors[i].name for i in b.screen.results.spectra}
        assert {"conv1/kernel", "conv2/kernel"} <= known

    drive(DEMO / "healthy.keras", test)


def test_a_layer_shows_its_kernel_and_a_bias_says_that_it_is_a_vector() -> None:
    async def test(b: Browser) -> None:
        b.select("conv2/bias")
        await b.press("x")
        await b.until("a vector, not a matrix")
        await b.press("left", "x")
        await b.until("conv2/kernel · spectrum")

    drive(DEMO / "healthy.keras", test, 80, 24)


def test_what_cannot_be_measured_says_why(tmp_path: Path) -> None:
    path = tmp_path / "broken.safetensors"
    broken = np.ones((6, 5), np.float32)
    broken[2, 3] = np.nan
    write_safetensors(path, {"fc.weight": broken})

    async def test(b: Browser) -> None:
        b.select("fc.weight")
        await b.press("x")
        await b.until("1 of its values is NaN")
        await b.press("tab", "tab")
        await b.until("1 not measured")

    drive(path, test, 80, 24)


def test_leaving_ends_the_work(tmp_path: Path) -> None:
    path = tmp_path / "large.safetensors"
    write_safetensors(path, {"fc.weight": np.random.default_rng(0).standard_normal((2500, 2500)).astype(np.float32)})

    async def test(b: Browser) -> None:
        b.select("fc.weight")
        await b.press("x")
        await b.until("measuring fc.weight")
        await b.press("escape")
        await b.until("Layers")
        await b.press("v")
        await b.until("0:")  # the scan process answers other questions
        assert b.screen.results.spectra == {}

    drive(path, test)


def test_gates_have_numbers_of_their_own_and_roles_say_how_they_are_known() -> None:
    async def test(b: Browser) -> None:
        b.select("rows/forward_lstm/lstm_cell/recurrent_kernel")
        await b.until("LSTM recurrent kernel")
        await b.until("gate         mean")
        assert b.text.index("│i ") < b.text.index("│f ") < b.text.index("│c ") < b.text.index("│o ")
        assert "recorded" in b.text or "inferred" in b.text

    drive(DEMO / "colleague.h5", test)


def test_distributions_side_by_side() -> None:
    async def test(b: Browser) -> None:
        b.select("conv2/kernel")
        await b.press("d")
        await b.until("distributions of 2 convolution kernels")
        assert "▸ conv2/kernel" in b.text
        await b.press("z")
        await b.until("each over its own")
        await b.press("escape")
        await b.until("Layers")

    drive(DEMO / "healthy.keras", test)
