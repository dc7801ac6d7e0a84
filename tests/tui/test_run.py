"""The screen of a run: the first fault marked, figures on top, plots over time, checkpoints opened, stepped through."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import wtui.demo
from tests.series.runs import settled, weights, write_checkpoint, write_run
from tests.tui.driving_run import RunBrowser, running
from wtui.series.protocol import Reading, Taken
from wtui.series.reading import Reader
from wtui.series.state import RunState
from wtui.series.timeline import CHANGE
from wtui.tui.member_screen import MemberScreen
from wtui.tui.step_screen import StepScreen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

DEMO = Path(wtui.demo.folder()) / "digits-run"


def drive(path: Path, test: Callable[[RunBrowser], Awaitable[None]], width: int = 120, height: int = 40) -> None:
    async def run() -> None:
        async with running(path, width, height) as browser:
            await test(browser)

    asyncio.run(run())


@pytest.mark.parametrize(("width", "height"), [(120, 40), (80, 24), (200, 50)])
def test_the_demos_run_opens_on_its_fault(width: int, height: int) -> None:
    async def look(b: RunBrowser) -> None:
        assert "6 checkpoints · ordered by the epoch in the names" in b.text
        await b.read()
        assert "✗ NaN in epoch 5, first at conv1/kernel [" in b.text
        assert "✓ last good: epoch 4, complete, finite, optimizer included" in b.text
        assert "best val_loss: 0.1349, epoch 4  (history.csv; weights cannot tell)" in b.text
        assert b.here == ("conv1/kernel", 5)
        await b.until("over time")
        await b.until("1 without a finite number")
        assert all(len(line) <= width for line in b.text.splitlines())
        loss = next(line for line in b.text.splitlines() if line.startswith("│val_loss"))
        assert "0.1349*" in loss
        kernel = next(line for line in b.text.splitlines() if line.startswith("│conv1/kernel"))
        assert kernel.count("✗ NaN") == 1
        assert re.search(r"conv1/kernel.*0\.4157 +✗ NaN", kernel)

    drive(DEMO, look, width, height)


def test_moving_metrics_and_layers() -> None:
    async def look(b: RunBrowser) -> None:
        await b.read()
        await b.press("left", "down", "down", "down")
        assert b.here == ("conv2/bias", 4)
        await b.press("m")
        assert "std by epoch" in b.text
        await b.press("M", "M")
        assert b.run.rows.metric.name == CHANGE
        await b.press("M", "M")
        assert "NaN + Inf by epoch" in b.text
        row = next(line for line in b.text.splitlines() if line.startswith("│conv2/bias"))
        assert row.split()[-2] == "16"
        await b.press("t")
        assert b.here == ("conv2", 4)
        assert [s.name for s in b.run.state.rows.layers()][:4] == ["conv1", "conv2", "hidden", "digits"]
        await b.until("· approximate")
        await b.press("t", "right_square_bracket")
        assert b.here == ("conv1/kernel", 5)
        await b.press("b")
        assert b.here == ("val_loss", 4)
        await b.until("val_loss over time")

    drive(DEMO, look)


def test_cells_are_the_numbers_of_the_checkpoints() -> None:
    async def look(b: RunBrowser) -> None:
        await b.read()
        for epoch, member in enumerate(b.run.state.members):
            record = Reader(cache=False).read(member.path)
            for position, t in enumerate(record.tensors):
                row = b.run.rows.rows[b.run.rows.place("subject", t.name)]
                value = b.run.rows.value(row, epoch)
                assert repr(value) == repr(record.numbers(position).abs_mean)

    drive(DEMO, look)


def test_change_per_step(tmp_path: Path) -> None:
    write_run(tmp_path, 3)

    async def look(b: RunBrowser) -> None:
        await b.read()
        await b.press("c")
        row = b.run.rows.rows[b.run.rows.place("subject", "fc.weight")]
        await b.until(lambda: b.run.rows.value(row, 1) == b.run.rows.value(row, 1))
        await b.until(lambda: b.run.rows.value(row, 2) == b.run.rows.value(row, 2))
        one, two = (weights(n)["fc.weight"].astype(float) for n in (1, 2))
        assert b.run.rows.value(row, 2) == pytest.approx(np.linalg.norm(two - one) / np.linalg.norm(one))
        await b.until("L2 of the difference")

    drive(tmp_path, look)


def test_a_checkpoint_is_opened_at_the_tensor_and_stepped_through() -> None:
    async def look(b: RunBrowser) -> None:
        await b.read()
        await b.press("left", "down", "down", "enter")
        await b.opened("epoch 4", "conv2/kernel")
        await b.until("values, all read")
        assert "epoch 4  5 of 6  epoch-4.keras" in b.text
        await b.press("less_than_sign")
        await b.opened("epoch 3", "conv2/kernel")
        b.member.layer_tree.go_to(b.member.outline.catalogue.index("hidden/bias"))
        await b.pilot.pause()
        await b.press("greater_than_sign")
        await b.opened("epoch 4", "hidden/bias")
        await b.press("greater_than_sign")
        await b.opened("epoch 5", "hidden/bias")
        await b.press("greater_than_sign")
        await b.until("this is the last checkpoint")
        await b.press("escape")
        assert b.app.screen is b.run
        assert b.here == ("conv2/kernel", 4)

    drive(DEMO, look)


def test_a_layer_is_opened_as_a_layer() -> None:
    async def look(b: RunBrowser) -> None:
        await b.read()
        await b.press("t", "left", "down", "enter")
        await b.until(lambda: isinstance(b.app.screen, MemberScreen) and b.app.screen.subject < -1)
        assert b.member.outline.layer(b.member.subject).path == "conv2"

    drive(DEMO, look)


def test_members_that_cannot_be_read_or_do_not_belong(tmp_path: Path) -> None:
    write_run(tmp_path, 6)
    (tmp_path / "epoch-1.safetensors").write_bytes(b"")
    write_checkpoint(tmp_path / "epoch-2.safetensors", {"other": np.zeros(3, np.float32)})

    async def look(b: RunBrowser) -> None:
        await b.read()
        assert "epoch 1: an empty file (0 bytes) (and 1 more)" in b.text
        state = next(line for line in b.text.splitlines() if line.startswith("│checkpoint"))
        assert re.search(r"✓ +⚠ damage +⚠ other +✓ +✓ +✓", state)
        await b.press("home", *["left"] * 4)
        assert b.here == ("checkpoint", 1)
        await b.press("enter")
        await b.until("not opened")
        await b.until(lambda: b.app.screen is b.run)

    drive(tmp_path, look)


def test_a_run_that_is_known_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WTUI_CACHE", "1")
    monkeypatch.setenv("WTUI_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "run"
    shutil.copytree(DEMO, folder)
    settled(folder)
    shown, heard = [], []
    take = RunState.take
    monkeypatch.setattr(RunState, "take", lambda state, answer: heard.append(type(answer)) or take(state, answer))

    async def look(b: RunBrowser) -> None:
        await b.read()
        await b.until("1 without a finite number")
        shown.append(b.text)

    drive(folder, look)
    assert Reading in heard
    heard.clear()
    drive(folder, look)
    assert Reading not in heard
    assert heard.count(Taken) == 6
    assert shown[0] == shown[1]


def test_a_run_that_grows_while_it_is_watched(tmp_path: Path) -> None:
    async def run() -> None:
        async with running(tmp_path, follow=True) as b:
            await b.until("0 checkpoints")
            write_checkpoint(tmp_path / "epoch-0.safetensors", weights(0))
            await b.until(lambda: len(b.run.state.rows.records) == 1)
            await b.until("watching")
            write_checkpoint(tmp_path / "epoch-1.safetensors", weights(1))
            await b.until(lambda: len(b.run.state.rows.records) == 2 and not b.run.news)
            assert b.run.table.column == 1
            write_checkpoint(tmp_path / "epoch-2.safetensors", weights(2, (2, 3)))
            await b.until("NaN in epoch 2, first at fc.weight [2,3]")
            await b.until(lambda: not b.run.news)
            assert b.here == ("fc.weight", 2)
            (tmp_path / "epoch-0.safetensors").unlink()
            await b.until("✓ gone")
            await b.press("left", "left", "enter")
            await b.until("it was deleted")

    asyncio.run(run())


def test_names_are_shown_escaped(tmp_path: Path) -> None:
    for n in range(2):
        tensors = {"w\x1b[31m": np.full((2, 2), n, np.float32)}
        write_checkpoint(tmp_path / f"e\x1b[32m-{n}.safetensors", tensors)
    (tmp_path / "log.csv").write_text("epoch,val\x1b[31m_loss\n0,1\n1,2\n")

    async def look(b: RunBrowser) -> None:
        await b.read()
        await b.until("w\\x1b[31m")
        await b.press("home", "down")
        await b.until("val\\x1b[31m_loss over time")
        assert "\x1b" not in b.text

    drive(tmp_path, look)


def test_a_checkpoint_against_the_one_before() -> None:
    async def look(b: RunBrowser) -> None:
        await b.read()
        await b.press("left", "v")
        await b.until(lambda: isinstance(b.app.screen, StepScreen) and b.app.screen.results is not None)
        await b.until("epoch-3.keras")
        assert "epoch-4.keras" in b.text
        await b.press("escape")
        await b.until(lambda: b.app.screen is b.run)
        await b.press(*["left"] * 6, "v")
        await b.until("needs a checkpoint, and one before it")

    drive(DEMO, look)


def test_rows_are_found_by_name() -> None:
    async def look(b: RunBrowser) -> None:
        await b.read()
        await b.press("slash", *"hid")
        await b.until(lambda: b.here == ("hidden/kernel", 5))
        await b.press(*"den", "space", *"bias", "enter")
        await b.until(lambda: b.here == ("hidden/bias", 5))
        await b.press("n")
        assert b.here == ("optimizer/hidden_bias_momentum", 5)
        await b.press("N", "m")
        assert b.here == ("hidden/bias", 5)
        assert "std by epoch" in b.text
        await b.press("slash", *"nothing", "escape", "n")
        assert b.here == ("hidden/bias", 5)

    drive(DEMO, look)


def test_help_lists_the_keys_of_the_run() -> None:
    async def look(b: RunBrowser) -> None:
        await b.press("question_mark")
        await b.until("To the first value that is not finite")
        assert "Fold runs" not in b.text
        await b.press("escape")

    drive(DEMO, look)


def test_the_first_frame_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from wtui.series.members import run_in\n"
        "from wtui.series.figures import figures_of\n"
        "import wtui.tui.app, wtui.tui.run_opening, wtui.tui.run_screen, wtui.tui.driver\n"
        f"figures_of(run_in({str(DEMO)!r}))\n"
        "heavy = {'numpy', 'plotext', 'numba', 'h5py', 'pyfive', 'tensorflow', 'sqlite3', 'scipy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
