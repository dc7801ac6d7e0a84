"""Helpers for tests of the browser of two models: small pairs of files, and what the panes say."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tests.builders import write_safetensors
from tests.tui.driving import PairBrowser, comparing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Models", "drive", "panel", "says", "tensors", "tree_rows", "write_models"]

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


def write_models(folder: Path) -> Models:
    """One block moved in one output channel, one scaled, one broken, one the same; more in A, in B, another shape."""
    a, b = tensors(), tensors()
    b["blocks.0.attn.weight"][5] += np.float32(0.3)
    b["blocks.1.attn.weight"] *= np.float32(1.5)
    b["blocks.2.attn.weight"][1, 2] = np.nan
    a["old.head.weight"] = np.ones((3, 2), np.float32)
    a["blocks.3.attn.scale"] = np.ones(2, np.float32)
    b["fresh.weight"] = np.full((2, 2), 0.5, np.float32)
    a["proj.weight"], b["proj.weight"] = np.ones((4, 4), np.float32), np.ones((4, 6), np.float32)
    return write_safetensors(folder / "a.safetensors", a), write_safetensors(folder / "b.safetensors", b)
