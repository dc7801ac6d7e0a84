"""A long listing arrives: its first rows can be walked through at once, and nothing is lost when the rest is there."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING

from tests.tui.driving import Browser, browsing
from wtui.formats import safetensors
from wtui.tui.app import WtuiApp
from wtui.tui.jobs import Opening

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

LAYERS = 5_000
"""Five tensors each: a header of 2.3 MB, of which the first half megabyte is shown early."""


def write_listing(path: Path) -> Path:
    """Tensors without values, the last layers first: the header's order is not that of the model."""
    info = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    parts = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "mlp.up_proj", "mlp.down_proj")
    header = {f"model.layers.{i}.{p}.weight": info for i in reversed(range(LAYERS)) for p in parts}
    raw = json.dumps(header).encode()
    path.write_bytes(len(raw).to_bytes(8, "little") + raw)
    return path


def test_first_rows_come_early_and_the_cursor_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_listing(tmp_path / "many.safetensors")
    go_on = threading.Event()
    whole = safetensors.catalogue

    def held_up(probe: object) -> object:
        assert go_on.wait(60)
        return whole(probe)  # type: ignore[arg-type]

    monkeypatch.setattr(safetensors, "catalogue", held_up)

    async def run() -> None:
        async with browsing(path) as b:
            try:
                await first_rows(b)
            finally:
                go_on.set()
            await the_rest(b)

    asyncio.run(run())


async def first_rows(b: Browser) -> None:
    await b.until("the first")
    tree = b.screen.layer_tree
    assert tree.outline is not None
    assert 0 < len(tree.outline.catalogue.tensors) < 5 * LAYERS
    for word in ("opening", "reading the listing", "all numbers follow", "model"):
        assert word in b.text
    await b.press("down", "right", "down", "right", "down", "down", "right", "down")
    for key in ("slash", "t", "v", "m", "y", "right_square_bracket"):
        await b.press(key)
    assert b.screen.outline is None, "what needs the whole model waits for it"
    assert len(b.app.screen_stack) == 1


async def the_rest(b: Browser) -> None:
    tree = b.screen.layer_tree
    early = tree.outline
    assert early is not None
    path, opened = early.layer(tree.subject).path, {early.layer(s).path for s in early.opened}
    assert path
    await b.until(lambda: b.screen.outline is not None)
    outline = b.screen.outline
    assert outline is not None
    assert tree.outline is outline
    assert outline.layer(tree.subject).path == path
    assert {outline.layer(s).path for s in outline.opened} >= opened
    assert b.screen.subject == tree.subject
    assert len(outline.catalogue.tensors) == 5 * LAYERS
    await b.until("25,000 tensors")
    assert "reading the listing" not in b.text


def test_a_short_listing_has_no_preview(tmp_path: Path) -> None:
    from wtui.formats import open_catalogue

    path = tmp_path / "few.safetensors"
    raw = json.dumps({"a.weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(len(raw).to_bytes(8, "little") + raw + bytes(4))
    early: list[object] = []
    assert len(open_catalogue(str(path), on_first=early.append).tensors) == 1
    assert early == []


def test_what_cannot_be_opened_leaves_the_screen(tmp_path: Path) -> None:
    """`launch` then raises the error, which is told in one line; first rows of what is cut off are not shown."""
    path = write_listing(tmp_path / "many.safetensors")
    path.write_bytes(path.read_bytes()[:-1000])

    async def run() -> None:
        app = WtuiApp(Opening(str(path)))
        async with app.run_test() as pilot:
            while app.return_code is None:
                await pilot.pause(0.01)
        assert app.return_code == 2
        assert "ends inside its header" in str(app.opening.error)
        assert app.opening.first is None

    asyncio.run(asyncio.wait_for(run(), 60))
