"""How soon a model that was browsed before shows every statistic again: `python -m tests.bench reopen`."""

from __future__ import annotations

import statistics
import sys
import tempfile
from typing import TYPE_CHECKING

from tests.bench import models
from tests.bench.recording import Recording
from tests.bench.report import heading, line
from tests.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["run"]

ROUNDS = 9
MOST = 1.5
"""Times the first frame."""


def run() -> None:
    """Browse VGG16 once, then again and again."""
    heading("opening a model again, 120x40, from the cache")
    with tempfile.TemporaryDirectory() as folder:
        environment = {"WTUI_CACHE": "1", "WTUI_CACHE_DIR": folder}
        for name, path in (("vgg16.keras, 553 MB", models.vgg16()), ("10,000 tensors", models.ten_thousand())):
            first_run(path, environment)
            rounds = [reopened(path, environment) for _ in range(ROUNDS)]
            frame, numbers = (statistics.median(r[i] for r in rounds) for i in (0, 1))
            ratio = statistics.median(b / a for a, b in rounds)
            line(f"{name}: first frame, every statistic", f"{frame:.2f} s, {numbers:.2f} s")
            line("  ratio", f"{ratio:.2f}", f"at most {MOST}", ratio <= MOST)


def first_run(path: Path, environment: dict[str, str]) -> None:
    """Browse until everything is read, measured and kept."""
    with Terminal([sys.executable, "-m", "wtui", str(path)], env=environment) as t:
        t.wait(lambda text: text.split("\n")[0].rstrip().endswith("all read"), 300)
        t.settle(5.0, 120)
        t.press("q")
        t.finish()


def reopened(path: Path, environment: dict[str, str]) -> tuple[float, float]:
    """Seconds to the first frame, and until the numbers of the whole model and the word that all are known stand."""
    with Recording([sys.executable, "-m", "wtui", str(path)], env=environment) as t:
        t.wait_bytes(b"earlier run")
        t.settle(0.5)
    frame = numbers = 0.0
    for moment, screen in t.replay():
        text = "\n".join(screen.display)
        if not frame and "▸" in text:
            frame = moment
        if "skewness" in text and "earlier run" in text:
            numbers = moment
            break
    assert frame
    assert numbers
    return frame, numbers


if __name__ == "__main__":
    run()
