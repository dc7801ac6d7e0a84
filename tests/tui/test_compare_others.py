"""The browser of two models on pairs that are not so simple: renamed, unlike, rounded, replaced, at any size."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import wtui.demo
from tests.builders import write_safetensors
from tests.tui.pairs import Models, drive, says, tensors, write_models
from wtui.__main__ import main
from wtui.comparing.protocol import OpenedBoth

if TYPE_CHECKING:
    from tests.tui.driving import PairBrowser

RUN = Path(wtui.demo.__file__).parent / "models" / "digits-run"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return write_models(tmp_path_factory.mktemp("pair"))


def test_transposed_and_renamed_weights_are_seen_through(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    kernel = rng.normal(0, 1, (6, 4)).astype(np.float32)
    a = write_safetensors(tmp_path / "a.safetensors", {"fc.kernel": kernel, "fc.bias": np.arange(4, dtype=np.float32)})
    other = {"model.fc.weight": np.ascontiguousarray(kernel.T), "model.fc.bias": np.arange(4, dtype=np.float32)}
    b = write_safetensors(tmp_path / "b.safetensors", other)

    async def test(browser: PairBrowser) -> None:
        await browser.scanned()
        await says(browser, "the same: all 2 pairs hold equal values")
        browser.select("model.fc.weight")
        await says(browser, "in A: fc.kernel")
        await says(browser, "transposed")
        await says(browser, "identical, bit by bit")

    drive((a, b), test)


def test_rounded_weights_are_told_as_such(tmp_path: Path) -> None:
    half = {name: w.astype(np.float16) for name, w in tensors().items()}
    a, b = write_safetensors(tmp_path / "a", tensors()), write_safetensors(tmp_path / "b", half)

    async def test(browser: PairBrowser) -> None:
        await browser.scanned()
        await says(browser, "the same but for rounding: 8 of 8 pairs differ by no more than that")
        browser.select("blocks.2.attn.bias")
        await says(browser, "the same but for rounding: float32 in A, float16 in B")

    drive((a, b), test)


def test_folded_blocks_show_the_one_that_changed_most(tmp_path: Path) -> None:
    moved = tensors()
    moved["blocks.2.attn.weight"] *= np.float32(1.25)
    a, b = write_safetensors(tmp_path / "a", tensors()), write_safetensors(tmp_path / "b", moved)

    async def test(browser: PairBrowser) -> None:
        await browser.scanned()
        await browser.press("right", "right", "right", "F")
        await browser.until("4× 0")
        row = next(line for line in browser.text.split("\n") if "4× 0" in line)
        change = browser.screen.results.change(browser.screen.outline.subject_at("blocks.2"))
        assert 0.1 < change < 0.25
        assert f"{100 * change:.1f} %" in row

    drive((a, b), test)


def test_nothing_in_common_is_said_and_can_be_browsed(tmp_path: Path) -> None:
    a = write_safetensors(tmp_path / "a.safetensors", {"tower.weight": np.ones((3, 5), np.float32)})
    b = write_safetensors(tmp_path / "b.safetensors", {"roots.weight": np.ones((2, 7), np.float32)})

    async def test(browser: PairBrowser) -> None:
        await browser.scanned()
        await browser.until("nothing in common")
        browser.select("tower.weight")
        await browser.until("only in A")
        await browser.until("1.00000")
        await browser.press("v")
        await browser.until("tower.weight · A")
        await browser.press("escape", "right_square_bracket", "t", "escape")

    drive((a, b), test)


def test_a_file_that_is_replaced_meanwhile_is_told(models: Models, tmp_path: Path) -> None:
    a, b = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    a.write_bytes(models[0].read_bytes())
    b.write_bytes(models[1].read_bytes())

    async def test(browser: PairBrowser) -> None:
        await browser.scanned()
        browser.select("blocks.0.attn.weight")
        await browser.until("B - A")
        a.unlink()
        b.write_bytes(b.read_bytes()[:100])
        await browser.press("v")
        await browser.until("not readable")
        await browser.press("escape", "down")
        await browser.until("blocks.0.attn.bias")

    drive((a, b), test)


def test_one_that_cannot_be_opened_ends_it(models: Models, tmp_path: Path) -> None:
    from wtui.tui.app import WtuiApp
    from wtui.tui.pair.opening import OpeningBoth

    missing = tmp_path / "missing.keras"

    async def run() -> None:
        app = WtuiApp(OpeningBoth(str(models[0]), str(missing)))
        async with app.run_test() as pilot:
            while app.return_code is None:
                await pilot.pause(0.01)
        assert app.return_code == 2
        assert "missing.keras" in str(app.opening.error)

    asyncio.run(asyncio.wait_for(run(), 60))


def test_a_model_replaced_while_it_is_opened_stops_the_scan(models: Models) -> None:
    async def test(b: PairBrowser) -> None:
        await b.scanned()
        b.screen.post_message(b.screen.Answered(OpenedBoth((), ())))
        await b.until("it has changed since it was opened")
        await b.press("down", "right", "right_square_bracket")

    drive(models, test)


def test_without_a_terminal_one_line_says_what_is_wrong(models: Models, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(models[0]), "nowhere.keras"]) == 2
    assert capsys.readouterr().err == "wtui: nowhere.keras: no such file or folder\n"
    assert main([str(models[0]), str(models[1])]) == 2
    assert capsys.readouterr().err.endswith("there is no terminal to browse in (wtui diff A B)\n")


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
def test_untrained_against_trained_at_any_size(size: tuple[int, int]) -> None:
    async def test(b: PairBrowser) -> None:
        await b.scanned()
        await b.until("all 8 pairs differ")
        assert all(len(line) == size[0] for line in b.text.split("\n"))
        await b.press("tab", "tab")
        await b.until("██ both")

    drive((RUN / "epoch-0.keras", RUN / "epoch-3.keras"), test, *size)


def test_the_drawing_process_never_holds_numpy(models: Models) -> None:
    script = (
        "import asyncio, sys\n"
        "from wtui.tui.app import WtuiApp\n"
        "from wtui.tui.pair.opening import OpeningBoth\n"
        "async def run():\n"
        "    app = WtuiApp(OpeningBoth(*sys.argv[1:]))\n"
        "    async with app.run_test(size=(120, 40)) as pilot:\n"
        "        screen = app.screen_stack[0]\n"
        "        while screen.results is None or screen.results.finished is None:\n"
        "            await pilot.pause(0.01)\n"
        "        await pilot.press('right_square_bracket', 't', 'escape', 'p', 'escape', 'v', 'escape', 'i')\n"
        "asyncio.run(run())\n"
        "print(*({m.partition('.')[0] for m in sys.modules} & {'numpy', 'numba', 'h5py', 'tensorflow', 'ml_dtypes'}))"
    )
    command = [sys.executable, "-c", script, *map(str, models)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == ""
