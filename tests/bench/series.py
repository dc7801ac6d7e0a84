"""How soon a run of checkpoints that was browsed before is there again: `python -m tests.bench series`."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tests.bench.recording import Recording
from tests.bench.report import heading, line
from tests.builders import write_safetensors
from tests.terminal import Terminal

__all__ = ["run"]

CHECKPOINTS, TENSORS, SHAPE = 50, 200, (128, 128)
"""656 MB together."""

ROUNDS = 5
MOST = 1.5
"""Times the first frame."""


def run() -> None:
    """Browse a run once, then again and again."""
    heading(f"opening a run of {CHECKPOINTS} checkpoints of {TENSORS} tensors again, 120x40, from the cache")
    with tempfile.TemporaryDirectory() as folder:
        place = write_run(Path(folder) / "run")
        environment = {"WTUI_CACHE": "1", "WTUI_CACHE_DIR": f"{folder}/cache"}
        first = first_run(place, environment)
        rounds = [reopened(place, environment) for _ in range(ROUNDS)]
    frame, numbers = (statistics.median(r[i] for r in rounds) for i in (0, 1))
    ratio = statistics.median(b / a for a, b in rounds)
    line("read for the first time", f"{first:.2f} s")
    line("again: first frame, every number", f"{frame:.2f} s, {numbers:.2f} s")
    line("  ratio", f"{ratio:.2f}", f"at most {MOST}", ratio <= MOST)


def write_run(folder: Path) -> Path:
    """Checkpoints whose weights drift."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    weights = {f"layer.{i}.weight": rng.normal(0, 0.05, SHAPE).astype(np.float32) for i in range(TENSORS)}
    for epoch in range(CHECKPOINTS):
        for array in weights.values():
            array += np.float32(0.001)
        write_safetensors(folder / f"epoch-{epoch}.safetensors", weights)
    time.sleep(0.2)  # what was written just now is not kept: a change at once would not show in its times
    return folder


def first_run(path: Path, environment: dict[str, str]) -> float:
    """Seconds until everything is read and kept."""
    with Terminal([sys.executable, "-m", "wtui", str(path)], env=environment) as t:
        seconds = t.wait(lambda text: text.split("\n")[0].rstrip().endswith("all read"), 300)
        t.press("q")
        t.finish()
        return seconds


def reopened(path: Path, environment: dict[str, str]) -> tuple[float, float]:
    """Seconds to the first frame, and until every checkpoint's numbers stand."""
    with Recording([sys.executable, "-m", "wtui", str(path)], env=environment) as t:
        t.wait_bytes(b"all read")
        t.settle(0.5)
    frame = numbers = 0.0
    for moment, screen in t.replay():
        text = "\n".join(screen.display)
        if not frame and f"{CHECKPOINTS} checkpoints" in text:
            frame = moment
        if "all read" in text:
            numbers = moment
            break
    assert frame
    assert numbers
    return frame, numbers


if __name__ == "__main__":
    run()
