"""What is missing from a model, told before anything is read; packed weights and adapters in the browser."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import numpy as np

from tests.builders import write_safetensors
from tests.cli.conftest import DEMO
from tests.formats import packed_files as files
from tests.tui.driving import Browser, browsing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path


def drive(path: Path, test: Callable[[Browser], Awaitable[None]], width: int = 120, height: int = 40) -> None:
    async def run() -> None:
        async with browsing(path, width, height) as browser:
            await test(browser)

    asyncio.run(run())


def test_a_shard_that_was_cut_off_is_told_first() -> None:
    async def test(b: Browser) -> None:
        await b.until("67,804")
        await b.scanned()
        await b.until("6 tensors not readable")
        await b.until("32 of 38 read")
        assert b.text.index("note: ") < b.text.index("✗ shard") < b.text.index("parameters    135,600")

    drive(DEMO / "tiny-lm", test)
    drive(DEMO / "tiny-lm", test, 80, 40)


def test_what_to_do_about_the_whole_model_is_said_at_its_root(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", {"model.embed_tokens.weight": np.eye(8, dtype=np.float32)})
    config = {"architectures": ["LlamaForCausalLM"], "tie_word_embeddings": False}
    (tmp_path / "config.json").write_text(json.dumps(config))

    async def test(b: Browser) -> None:
        await b.scanned()
        await b.until("holds no head")
        await b.until("the head would")

    drive(tmp_path, test, 80, 24)


def test_an_adapter_says_of_what_model_it_is() -> None:
    async def test(b: Browser) -> None:
        await b.until("planted: every B is still zero")
        await b.until("LoRA adapter for tiny-lm")
        await b.scanned()
        await b.until("the adapter changes")
        await b.press("/", *"0.self_attn.q_proj.delta", "enter")
        await b.until("made of B·A of rank 4")
        await b.until("2,304 (100 %)")

    drive(DEMO / "adapter", test)


def test_packed_weights_are_shown_as_values(tmp_path: Path) -> None:
    packed = files.gptq()
    path = files.write(tmp_path, packed)

    async def test(b: Browser) -> None:
        await b.scanned()
        await b.press("/", *"up_proj.weight", "enter")
        await b.until("stored as GPTQ, 4 bits, groups of 64")
        await b.until(f"{packed.values.size:,} values, all read")
        await b.until(f"{packed.values.std():.4f}"[:6])

    drive(path, test)
