"""A safetensors file of 200,000 tensors: listed, browsed, held in memory. `python -m tests.bench listing`"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.bench import models
from tests.bench.commands import PAIRS, seconds
from tests.bench.open_other import MEMORY_BASE, MEMORY_PER_TENSOR, RESIDENT
from tests.bench.recording import Recording
from tests.bench.report import heading, line

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["run"]

TENSORS = 200_000
EXPERTS = 256
"""In a layer, as models with many tensors have them."""

PARTS = (
    "gate_proj.weight",
    "gate_proj.scale",
    "up_proj.weight",
    "up_proj.scale",
    "down_proj.weight",
    "down_proj.scale",
)

LOAD = """
import json, sys
with open(sys.argv[1], "rb") as file:
    json.loads(file.read(int.from_bytes(file.read(8), "little")))
"""

FIRST_ROWS, COMPLETE = b"the first ", b"200,000 tensors"
"""What is on the screen with the first rows, and when the listing is complete."""


def many() -> Path:
    """Tensors of four bytes, named like a mixture of experts."""
    path = models.folder() / "many.safetensors"
    if not path.exists():
        header = {}
        for i in range(TENSORS):
            expert, part = divmod(i, len(PARTS))
            layer, expert = divmod(expert, EXPERTS)
            name = f"model.layers.{layer}.mlp.experts.{expert}.{PARTS[part]}"
            header[name] = {"dtype": "F32", "shape": [1], "data_offsets": [4 * i, 4 * i + 4]}
        raw = json.dumps(header).encode()
        path.write_bytes(len(raw).to_bytes(8, "little") + raw + bytes(4 * TENSORS))
    return path


def run() -> None:
    """`wtui ls` against `json.load` on the header, the browser's first and last rows, memory."""
    heading("200,000 tensors in one safetensors file: whole processes, medians of pairs in turn")
    path = many()
    ls, load = [sys.executable, "-m", "wtui", "ls", str(path)], [sys.executable, "-c", LOAD, str(path)]
    seconds(ls), seconds(load)
    pairs = [(seconds(ls), seconds(load)) for _ in range(PAIRS)]
    ratio = statistics.median(a / b for a, b in pairs)
    a, b = (statistics.median(p[i] for p in pairs) for i in (0, 1))
    line("wtui ls against json.load on the header", f"{a:.2f} s / {b:.2f} s")
    line("  times its time", f"{ratio:.1f}", "under 4", ratio < 4)
    screens = [browsed([sys.executable, "-m", "wtui", str(path)]) for _ in range(PAIRS)]
    first, complete = (statistics.median(s[i] for s in screens) for i in (0, 1))
    line("first rows in the browser, s", f"{first:.2f}", "within 2", first <= 2)
    line("complete listing in the browser, s", f"{complete:.2f}", "within 5", complete <= 5)
    command = [sys.executable, "-c", RESIDENT, str(path)]
    kib = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[0])
    limit = MEMORY_BASE + MEMORY_PER_TENSOR * TENSORS
    line("resident memory after opening, MB", f"{kib / 1024:.0f}", f"under {limit / 1024:.0f}", kib < limit)


def browsed(command: list[str]) -> tuple[float, float]:
    """Seconds until the first rows are on the screen, and until the listing is complete."""
    with Recording(command) as terminal:
        terminal.wait_bytes(COMPLETE)
    seen: dict[bytes, float] = {}
    for moment, screen in terminal.replay():
        shown = "\n".join(screen.display).encode()
        for words in (FIRST_ROWS, COMPLETE):
            if words in shown:
                seen.setdefault(words, moment)
    return seen.get(FIRST_ROWS, seen[COMPLETE]), seen[COMPLETE]


if __name__ == "__main__":
    run()
