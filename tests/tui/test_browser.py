"""The browser as its user sees it, driven by keys on small real files."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from textual import events

import wtui.demo
from tests.builders import write_safetensors
from tests.tui.driving import Browser, browsing
from wtui.engine.protocol import Failed, Sampled
from wtui.render import numbers
from wtui.render.bins import bins_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

DEMO = Path(wtui.demo.__file__).parent / "models"


def drive(path: Path | str, test: Callable[[Browser], Awaitable[None]], width: int = 120, height: int = 40) -> None:
    async def run() -> None:
        async with browsing(path, width, height) as browser:
            await test(browser)

    asyncio.run(run())


@pytest.fixture(scope="module")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve alike blocks with one of them broken, an embedding, and a tensor without values."""
    rng = np.random.default_rng(1)
    tensors: dict[str, np.ndarray] = {"embed.weight": rng.normal(0, 0.02, (50, 8)).astype(np.float32)}
    for i in range(12):
        tensors[f"blocks.{i}.attn.q_proj.weight"] = rng.normal(0, 0.1 * (i + 1), (8, 8)).astype(np.float32)
        tensors[f"blocks.{i}.attn.q_proj.bias"] = np.zeros(8, np.float32)
        tensors[f"blocks.{i}.norm.weight"] = np.ones(8, np.float32)
    tensors["blocks.3.attn.q_proj.weight"][2, 5] = np.nan
    tensors["head.weight"] = np.empty((0, 8), np.float32)
    return write_safetensors(tmp_path_factory.mktemp("tui") / "blocks.safetensors", tensors)


def test_first_screen_shows_tree_totals_and_status() -> None:
    async def test(b: Browser) -> None:
        for words in ("healthy.keras", "Sequential", "conv1", "Conv2D", "3,658", "trainable"):
            assert words in b.text
        await b.scanned()
        await b.until("all weights together")
        await b.until("nothing broken was found")
        assert "all read" in b.text

    drive(DEMO / "healthy.keras", test)


def test_numbers_of_a_tensor_are_numpys(blocks: Path) -> None:
    async def test(b: Browser) -> None:
        await b.scanned()
        b.select("blocks.5.attn.q_proj.weight")
        await b.until("float32 · trainable ?")
        values = np.fromfile(blocks, np.uint8)  # read through the catalogue's own extents
        entry = b.screen.outline.catalogue["blocks.5.attn.q_proj.weight"]
        offset = entry.parts[0].extent.offset
        w = values[offset : offset + 256].view(np.float32).astype(np.float64)
        for number in (w.mean(), w.std(), w.var(), w.min(), w.max(), np.abs(w).mean(), np.sqrt((w**2).sum())):
            assert numbers.value(float(number)) in b.text
        at = np.unravel_index(w.argmax(), (8, 8))
        assert f"at [{at[0]}, {at[1]}]" in b.text
        await b.until("outside")

    drive(blocks, test)


def test_nan_is_said_first_and_where(blocks: Path) -> None:
    async def test(b: Browser) -> None:
        await b.scanned()
        await b.until("blocks.3.attn.q_proj.weight: ")
        b.select("blocks.3.attn.q_proj.weight")
        await b.until("first at [2, 5]")

    drive(blocks, test)


def test_late_answers_stay_with_their_own_tensor(blocks: Path) -> None:
    async def test(b: Browser) -> None:
        await b.scanned()
        b.select("blocks.5.norm.weight")
        await b.until("blocks.5.norm.weight")
        before = b.screen.stats_pane.lines
        other = b.screen.outline.catalogue.index("blocks.6.attn.q_proj.weight")
        b.screen.post_message(b.screen.Answered(Sampled(other, b.screen.results.rows[other])))
        b.screen.post_message(b.screen.Answered(Failed(other, "made up for the test")))
        await b.pilot.pause()
        assert b.screen.stats_pane.lines == before
        b.select("blocks.6.attn.q_proj.weight")
        await b.until("made up for the test")

    drive(blocks, test)


def test_a_tensor_without_values_says_so(blocks: Path) -> None:
    async def test(b: Browser) -> None:
        await b.scanned()
        b.select("head.weight")
        await b.until("no values: one of its axes is 0")

    drive(blocks, test)


def test_search_selects_while_typing_and_walks_on(blocks: Path) -> None:
    async def test(b: Browser) -> None:
        await b.press("slash", *"7.norm")
        await b.until("blocks.7.norm")
        assert b.screen.outline.layer(b.screen.subject).path == "blocks.7.norm"
        await b.press("enter")
        assert not b.screen.search_bar.display
        await b.press("n")
        assert b.screen.outline.catalogue.tensors[b.screen.subject].name == "blocks.7.norm.weight"
        await b.press("N")
        assert b.screen.subject < 0
        assert "match 1 of 2" in b.text

    drive(blocks, test)


def test_keys_typed_at_once_all_reach_the_search(blocks: Path) -> None:
    async def test(b: Browser) -> None:
        for key, character in (("slash", "/"), *((c, c) for c in "11.n"), ("slash", "/"), ("backspace", None)):
            b.app.post_message(events.Key(key, character))
        for key, character in (*((c, c) for c in "orm.w"), ("enter", "\r")):
            b.app.post_message(events.Key(key, character))
        await b.until("match 1 of 1")
        assert b.screen.outline.catalogue.tensors[b.screen.subject].name == "blocks.11.norm.weight"
        await b.press("slash", "x", "escape")
        assert "match" not in b.text

    drive(blocks, test)


def test_folding_and_the_next_block(blocks: Path) -> None:
    async def test(b: Browser) -> None:
        b.screen.layer_tree.go_to(b.screen.outline.subject(b.screen.outline.catalogue.root.children[1]))
        await b.press("right", "F")
        assert "12× 0" in b.text
        await b.press("F")
        b.select("blocks.4.norm.weight")
        await b.press("full_stop")
        assert b.screen.outline.catalogue.tensors[b.screen.subject].name == "blocks.5.norm.weight"
        await b.press("comma", "comma")
        assert b.screen.outline.catalogue.tensors[b.screen.subject].name == "blocks.3.norm.weight"

    drive(blocks, test)


def test_table_sorts_by_any_column_and_goes_to_the_tensor(blocks: Path) -> None:
    async def test(b: Browser) -> None:
        await b.scanned()
        await b.press("t")
        await b.until("38 tensors")
        for _ in range(6):
            await b.press("s")
        await b.until("by std")
        await b.press("enter")
        await b.pilot.pause()
        assert b.screen.outline.catalogue.tensors[b.screen.subject].name == "blocks.11.attn.q_proj.weight"

    drive(blocks, test)


def test_plots_follow_their_keys(blocks: Path) -> None:
    async def test(b: Browser) -> None:
        await b.scanned()
        b.select("blocks.5.attn.q_proj.weight")
        await b.until("attention query kernels")
        await b.until("linear (L)")
        await b.press("L")
        await b.until("log (L)")
        await b.press("z")
        await b.until("whole range (z), 0 outside")
        bins = b.screen.plots.histogram.auto_bins
        assert bins == bins_for(8 * 8, 60)
        await b.press("equals_sign")
        await b.until(f"{2 * bins} bins")
        await b.press("minus")
        await b.until(f"{bins} bins")
        await b.press("m")
        await b.until("std by depth")
        await b.until("12 of 12 read")
        while b.screen.plots.depth_data.choice != "norm scales":
            await b.press("f")
        await b.until("norm scales")
        await b.until("12 of 12 read")

    drive(blocks, test)


def test_small_terminal_has_one_pane_beside_the_tree(blocks: Path) -> None:
    async def test(b: Browser) -> None:
        await b.scanned()
        b.select("blocks.5.attn.q_proj.weight")
        await b.until("mean")
        assert "Distribution" not in b.text
        await b.press("tab", "tab")
        await b.until("outside")
        assert "path:" not in b.text
        await b.press("shift+tab")
        await b.until("path:")
        assert all(len(line) == 80 for line in b.text.split("\n"))

    drive(blocks, test, 80, 24)


def test_maximise_and_back(blocks: Path) -> None:
    async def test(b: Browser) -> None:
        await b.press("2")
        assert "blocks" not in b.text.split("\n")[3]
        assert b.screen.stats_pane.size.width > 110
        await b.press("escape")
        assert b.screen.stats_pane.size.width < 60

    drive(blocks, test)


def test_info_help_and_palette_open_and_close() -> None:
    async def test(b: Browser) -> None:
        await b.press("question_mark")
        await b.until("Search layers and tensors by name")
        await b.press("escape")
        await b.press("down", "i")
        await b.until("kernel_size")
        await b.press("escape")
        await b.until("Layers")

    drive(DEMO / "healthy.keras", test)


def test_a_file_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    path = tmp_path / "broken.keras"
    path.write_bytes((DEMO / "healthy.keras").read_bytes()[:20_000])

    async def test(b: Browser) -> None:
        await b.until("broken.keras")
        await b.press("down", "right", "slash", "t", "m", "question_mark", "escape")

    drive(path, test)


HOSTILE = "\x1b[31mred [bold]x[/bold]\n\u202eevil"


def test_names_from_the_file_are_never_interpreted(tmp_path: Path) -> None:
    path = write_safetensors(
        tmp_path / "hostile.safetensors",
        {f"a.{HOSTILE}.weight": np.ones((2, 2), np.float32), "[red]b": np.ones(3, np.float32)},
    )

    async def test(b: Browser) -> None:
        await b.scanned()
        b.select(f"a.{HOSTILE}.weight")
        await b.until("\\x1b[31mred [bold]x[/bold]\\x0a\\u202eevil")
        await b.press("y", "i", "escape", "t", "escape")
        assert "\x1b" not in b.text
        assert "[red]b" in b.text

    drive(path, test, 200, 50)


def test_values_scroll_and_jump_to_nan(blocks: Path) -> None:
    async def test(b: Browser) -> None:
        await b.scanned()
        b.select("blocks.3.attn.q_proj.weight")
        await b.until("first at [2, 5]")
        await b.press("v")
        await b.until("NaN")
        await b.until("out ↓ 0:8 · in → 0:8")
        await b.press("1")
        row = b.screen.results.rows[b.screen.subject]
        await b.until(numbers.value(float(row.min), 5))
        await b.press("x", "escape")
        await b.until("Layers")

    drive(blocks, test)


def test_pictures_of_a_convolution() -> None:
    async def test(b: Browser) -> None:
        await b.scanned()
        b.select("conv2/kernel")
        await b.press("p")
        await b.until("72 × 16 values")
        await b.press("m")
        await b.until("mean |w| of each cell")
        await b.press("tab")
        await b.until("input channel 0 of 8")
        await b.press("right")
        await b.until("input channel 1 of 8")
        await b.press("tab")
        await b.until("16 channels")
        await b.press("escape")
        await b.until("Layers")

    drive(DEMO / "healthy.keras", test)


def test_block_grid_moves_and_goes_to_the_tensor(blocks: Path) -> None:
    async def test(b: Browser) -> None:
        await b.scanned()
        await b.press("b")
        await b.until("12 blocks of blocks")
        await b.press("right", "right", "right")
        await b.until("blocks.3.attn.q_proj.weight")
        assert "✗" in b.text or "◉" in b.text
        await b.press("enter")
        assert b.screen.outline.catalogue.tensors[b.screen.subject].name == "blocks.3.attn.q_proj.weight"

    drive(blocks, test)


def test_findings_open_the_root_mark_the_tree_and_are_walked_through() -> None:
    async def test(b: Browser) -> None:
        await b.scanned()
        await b.until("3 findings")
        await b.until("variance is negative")
        assert "hidden ⚠" in b.text
        await b.press("right_square_bracket")
        assert b.screen.outline.catalogue.tensors[b.screen.subject].name == "norm/moving_variance"
        await b.press("right_square_bracket")
        assert b.screen.outline.catalogue.tensors[b.screen.subject].name == "hidden/kernel"
        await b.until("never trained")
        await b.until("as glorot_uniform would be (o)")
        await b.press("o")
        await b.until("∙∙∙")
        await b.press("left_square_bracket")
        assert b.screen.outline.catalogue.tensors[b.screen.subject].name == "norm/moving_variance"

    drive(DEMO / "faulty.keras", test)


def test_nothing_is_found_in_a_healthy_model() -> None:
    async def test(b: Browser) -> None:
        await b.scanned()
        await b.until(lambda: b.screen.results.found is not None and b.screen.results.found.complete)
        assert not b.screen.results.findings
        await b.press("right_square_bracket")
        assert b.screen.subject == -1

    drive(DEMO / "healthy.keras", test)


def test_export_writes_the_numbers_of_what_is_selected(
    blocks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written = tmp_path / "wtui-blocks-blocks.3.attn.q_proj.weight.json"

    async def test(b: Browser) -> None:
        await b.scanned()
        b.select("blocks.3.attn.q_proj.weight")
        chosen = b.screen.outline.catalogue.index("blocks.3.attn.q_proj.weight")
        await b.until(lambda: chosen in b.screen.results.distributions)
        await b.press("e")
        await b.until(lambda: written.exists() and written.read_text().endswith("\n}"))

    drive(blocks, test)
    document = json.loads(written.read_text())
    assert document["statistics"]["nan"] == 1
    assert document["statistics"]["nan_at"]["index"] == [2, 5]
    assert document["shape"] == [8, 8]
    assert sum(document["histogram"]["counts"]) > 50
    assert document["findings"][0]["rule"] == "nan"


def test_every_key_is_a_command_of_the_palette() -> None:
    async def test(b: Browser) -> None:
        await b.press("colon")
        await b.pilot.pause()
        await b.press(*"block grid"[:5])
        await b.until("The same tensor across all blocks")
        await b.press("escape")

    drive(DEMO / "healthy.keras", test)


def test_keys_at_the_bottom_are_whole_or_not_there(blocks: Path) -> None:
    async def test(b: Browser) -> None:
        await b.scanned()
        last = b.text.split("\n")[-1]
        assert last.endswith("? keys  q quit ")
        assert last.split("  ")[0].strip() == "↑↓ move"
        pairs = [word.strip() for word in last.split("  ") if word.strip()]
        assert all(" " in pair for pair in pairs)

    for width in (60, 80, 100, 120):
        drive(blocks, test, width, 24)


def test_a_marked_layer_says_what_of(blocks: Path) -> None:
    async def test(b: Browser) -> None:
        await b.scanned()
        b.screen.layer_tree.go_to(b.screen.outline.subject_at("blocks.3"))  # type: ignore[union-attr]
        await b.until("✗ blocks.3.attn.q_proj.weight: 1 of 64")

    drive(blocks, test)


def test_rows_that_there_is_room_for_are_shown(blocks: Path) -> None:
    async def test(b: Browser) -> None:
        await b.scanned()
        b.select("blocks.11.norm.weight")
        await b.until("blocks.11.norm.weight")
        assert b.screen.layer_tree.top > 0
        await b.pilot.resize_terminal(120, 50)
        await b.until("▾ blocks.safetensors")
        assert b.screen.layer_tree.top == 0

    drive(blocks, test, 80, 14)


def test_keys_typed_right_behind_a_search_are_not_lost(blocks: Path) -> None:
    async def test(b: Browser) -> None:
        await b.scanned()
        for key in ("slash", *"11.norm", "enter", "t"):
            b.app.post_message(events.Key(key, key if len(key) == 1 else None))
        await b.until("38 tensors by")

    drive(blocks, test)


def test_numbers_come_before_details_where_there_is_little_room() -> None:
    async def test(b: Browser) -> None:
        await b.scanned()
        b.select("hidden/kernel")
        await b.until("std  ")
        assert "fan_in" not in b.text
        await b.press("tab", "end")
        await b.until("fan_in")

    drive(DEMO / "healthy.keras", test, 80, 24)
