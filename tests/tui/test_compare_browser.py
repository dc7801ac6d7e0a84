"""The browser of two models as its user sees it, driven by keys on small real files."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import wtui.demo
from tests.builders import write_safetensors
from tests.tui.driving import PairBrowser, comparing
from wtui.__main__ import main
from wtui.comparing.protocol import BothCounted, Compared, OpenedBoth, PairRow
from wtui.render import numbers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

RUN = Path(wtui.demo.__file__).parent / "models" / "digits-run"

Models = tuple[Path, Path]


def drive(paths: Models, test: Callable[[PairBrowser], Awaitable[None]], width: int = 120, height: int = 40) -> None:
    async def run() -> None:
        async with comparing(*paths, width, height) as browser:
            await test(browser)

    asyncio.run(run())


def tree_rows(b: PairBrowser) -> dict[str, str]:
    """The rows of the tree as text, by the name of the tensor or the path of the layer."""
    tree, outline = b.screen.layer_tree, b.screen.outline
    assert outline is not None
    found = {}
    for i, row in enumerate(outline.rows):
        tensor = row.subject >= 0
        name = outline.catalogue.tensors[row.subject].name if tensor else outline.layer(row.subject).path
        found[name] = "".join(text for text, _ in tree.line_at(i, 60))
    return found


def panel(b: PairBrowser) -> str:
    """The words of the middle pane, as if it were endlessly wide."""
    return " ".join(" ".join("".join(t for t, _ in line) for line in b.screen.stats_pane.lines).split())


async def says(b: PairBrowser, words: str) -> None:
    """Wait for words in the middle pane."""
    await b.until(lambda: words in panel(b))


def tensors() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    found: dict[str, np.ndarray] = {}
    for i in range(4):
        found[f"blocks.{i}.attn.weight"] = rng.normal(0, 0.1, (8, 6)).astype(np.float32)
        found[f"blocks.{i}.attn.bias"] = rng.normal(0, 0.1, 8).astype(np.float32)
    return found


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """One block moved in one output channel, one scaled, one broken, one the same; more in A, in B, another shape."""
    folder = tmp_path_factory.mktemp("pair")
    a, b = tensors(), tensors()
    b["blocks.0.attn.weight"][5] += np.float32(0.3)
    b["blocks.1.attn.weight"] *= np.float32(1.5)
    b["blocks.2.attn.weight"][1, 2] = np.nan
    a["old.head.weight"] = np.ones((3, 2), np.float32)
    a["blocks.3.attn.scale"] = np.ones(2, np.float32)
    b["fresh.weight"] = np.full((2, 2), 0.5, np.float32)
    a["proj.weight"], b["proj.weight"] = np.ones((4, 4), np.float32), np.ones((4, 6), np.float32)
    return write_safetensors(folder / "a.safetensors", a), write_safetensors(folder / "b.safetensors", b)


def test_the_tree_is_one_and_says_what_became_of_everything(models: Models) -> None:
    async def test(b: PairBrowser) -> None:
        await b.scanned()
        await b.press("asterisk")
        rows = tree_rows(b)
        assert "=   same" in rows["blocks.3.attn.weight"]
        assert "NaN" in rows["blocks.2.attn.weight"]
        assert "NaN" in rows["blocks.2"]
        assert "50.0 %" in rows["blocks.1.attn.weight"]
        assert "B   only" in rows["fresh.weight"]
        assert "A   only" in rows["old.head.weight"]
        assert "A   only" in rows["blocks.3.attn.scale"], "hung into the layer whose other tensors have partners"
        assert "shape" in rows["proj.weight"]
        outline = b.screen.outline
        assert outline is not None
        names = [outline.catalogue.tensors[i].name for i in outline.catalogue.root.all_tensors()]
        assert names.index("blocks.3.attn.scale") < names.index("fresh.weight") < names.index("old.head.weight")

    drive(models, test)


def test_the_root_says_what_differs_first(models: Models) -> None:
    async def test(b: PairBrowser) -> None:
        await b.scanned()
        await says(b, "all weights together")
        text = panel(b)
        for words in (
            "1 tensor NaN or infinite in one only: blocks.2.attn.weight", "1 tensor with other shapes: proj.weight",
            "2 tensors only in A: blocks.3.attn.scale, old.head.weight", "1 tensor only in B: fresh.weight",
            "3 of 8 pairs differ, 5 are the same", "moved most: blocks.0.attn (", "9 by same name",
        ):  # fmt: skip
            assert words in text, (words, text)
        assert text.index("NaN or infinite") < text.index("moved most")

    drive(models, test, 120, 60)


def test_numbers_of_a_pair_are_numpys(models: Models) -> None:
    async def test(b: PairBrowser) -> None:
        await b.scanned()
        b.select("blocks.0.attn.weight")
        await b.until("output channels that moved most")
        x = tensors()["blocks.0.attn.weight"].astype(np.float64)
        y = x.copy()
        y[5] = (tensors()["blocks.0.attn.weight"][5] + np.float32(0.3)).astype(np.float64)
        d = y - x
        cosine = (x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum())
        v = numbers.value
        expected = [
            v(float(np.abs(d).max())), v(float(np.abs(d).mean())), v(float(d.mean())),
            v(float(np.linalg.norm(d) / np.linalg.norm(x))), numbers.cosine(float(cosine), 6),
            f"6 ({numbers.percent(6, 48)})", "7 of 8 output channels did not move", "1 of 8 moved, half of it in 1",
            *(v(float(w.mean())) for w in (x, y)), *(v(float(w.std())) for w in (x, y)),
            *(v(float(w.min())) for w in (x, y)), *(v(float(np.linalg.norm(w))) for w in (x, y)),
        ]  # fmt: skip
        text = panel(b)
        for number in expected:
            assert number in text, (number, text)
        at = np.unravel_index(np.abs(d).argmax(), d.shape)
        assert at[0] == 5
        assert "at [5, " in text

    drive(models, test)


def test_what_cannot_be_subtracted_says_why(models: Models) -> None:
    async def test(b: PairBrowser) -> None:
        await b.scanned()
        b.select("proj.weight")
        await says(b, "shapes do not fit: 4×4 in A, 4×6 in B")
        b.select("old.head.weight")
        await says(b, "only in A: nothing in B stands for it")
        b.select("blocks.1.attn.weight")
        await says(b, "scaled rather than changed: B is about 1.5 times")
        b.select("blocks.3.attn.weight")
        await says(b, "identical, bit by bit")
        b.select("blocks.2.attn.weight")
        await says(b, "1 value that is finite in A is NaN or infinite in B")

    drive(models, test)


def test_keys_walk_in_the_order_of_change(models: Models) -> None:
    async def test(b: PairBrowser) -> None:
        await b.scanned()
        seen = []
        for _ in range(3):
            await b.press("right_square_bracket")
            seen.append(b.screen.outline.catalogue.tensors[b.screen.subject].name)
        x = tensors()["blocks.0.attn.weight"]
        assert np.linalg.norm(np.full(6, 0.3)) / np.linalg.norm(x) > 0.5
        assert seen == ["blocks.2.attn.weight", "blocks.0.attn.weight", "blocks.1.attn.weight"]
        await b.press("left_square_bracket")
        assert b.screen.outline.catalogue.tensors[b.screen.subject].name == "blocks.0.attn.weight"
        await b.press("slash", *"fresh", "enter")
        assert b.screen.outline.layer(b.screen.subject).path == "fresh"

    drive(models, test)


def test_both_histograms_are_in_the_same_bins(models: Models) -> None:
    async def test(b: PairBrowser) -> None:
        counted: list[BothCounted] = []
        take = b.screen.plots.take
        b.screen.plots.take = lambda answer: (counted.append(answer), take(answer))[1]  # type: ignore[method-assign]
        await b.scanned()
        b.select("blocks.1.attn.weight")
        await says(b, "path: blocks.1.attn.weight")
        number = b.screen.subject
        await b.press("z")
        await b.until("whole range (z), 0/0 outside")
        last = [c for c in counted if c.subject == number][-1]
        x = tensors()["blocks.1.attn.weight"]
        y = x * np.float32(1.5)
        assert last.a is not None
        assert last.b is not None
        ends = min(x.min(), y.min()), max(x.max(), y.max())
        for d, values in ((last.a, x), (last.b, y)):
            assert (d.low, d.high) == tuple(float(e) for e in ends)
            counts, _ = np.histogram(values.astype(np.float64), len(d.counts), ends)
            assert list(d.counts) == counts.tolist()
        for sign in ("░░ A", "▒▒ B", "██ both"):
            assert sign in b.text
        await b.press("L")
        await b.until("log (L)")
        bins = len(last.a.counts)
        await b.press("equals_sign")
        await b.until(f"{2 * bins} bins")
        b.select("fresh.weight")
        await b.until("the other has no such tensor")

    drive(models, test)


def test_change_against_depth(models: Models) -> None:
    async def test(b: PairBrowser) -> None:
        await b.scanned()
        b.select("blocks.1.attn.weight")
        await says(b, "path: blocks.1.attn.weight")
        await b.until("relative L2 change by depth")
        await b.until("8 of 8 read")
        view = b.screen.plots.depth_data.view(b.screen.subject, b.screen.results)
        assert view.points[view.current - 1].value == pytest.approx(0.5, rel=1e-6)
        assert [p.value for p in view.points][-1] == 0
        for name in ("mean |d|", "cosine of A and B", "KS distance", "changed %"):
            await b.press("m")
            await b.until(f"{name} by depth")
        await b.press("f")
        await b.until("attention kernels")
        await b.until("4 of 4 read")

    drive(models, test)


def test_values_and_pictures_of_the_difference(models: Models) -> None:
    async def test(b: PairBrowser) -> None:
        await b.scanned()
        b.select("blocks.0.attn.weight")
        await b.press("v")
        x = tensors()["blocks.0.attn.weight"]
        await b.until("blocks.0.attn.weight · B - A")
        await b.until("0.30000")
        await b.press("s")
        await b.until(f"{x[5, 0]:.5f}"[:7])
        assert "· A" in b.text
        await b.press("escape", "p")
        await b.until("mean d of each cell")
        await b.press("tab")
        await b.until("7 did not move")
        await b.press("escape")
        b.select("old.head.weight")
        await b.press("p")
        await b.until("old.head.weight · A")
        await b.until("mean of each cell")

    drive(models, test)


def test_table_export_info_and_help(models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def test(b: PairBrowser) -> None:
        await b.scanned()
        await b.press("t")
        await b.until("12 tensors by rel. L2")
        await b.press("down", "enter")
        await b.pilot.pause()
        assert b.screen.outline.catalogue.tensors[b.screen.subject].name == "blocks.0.attn.weight"
        await b.press("e")
        await b.until(lambda: any(tmp_path.iterdir()))
        await b.until("written to")
        [path] = tmp_path.iterdir()
        document = json.loads(path.read_text())
        assert document["paired_by"] == "name"
        assert document["difference"]["changed"] == 6
        assert document["statistics_a"]["total"] == 48
        await b.press("i")
        await b.until("Recorded about")
        await b.press("escape", "question_mark")
        await b.until("the most changed first")
        assert "as it was initialised" not in b.text
        assert "across all blocks" not in b.text

    drive(models, test)


def test_late_answers_stay_with_their_own_tensor(models: Models) -> None:
    async def test(b: PairBrowser) -> None:
        await b.scanned()
        b.select("blocks.0.attn.bias")
        await b.until("blocks.0.attn.bias")
        before = b.screen.stats_pane.lines
        other = b.screen.outline.catalogue.index("blocks.1.attn.weight")
        late = PairRow(other, None, None, None, problem="made up for the test")
        b.screen.post_message(b.screen.Answered(Compared((late,))))
        await b.pilot.pause()
        assert b.screen.stats_pane.lines == before
        b.select("blocks.1.attn.weight")
        await b.until("made up for the test")

    drive(models, test)


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
