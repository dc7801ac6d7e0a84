"""Whole processes of the command line against what people do today. `python -m tests.bench commands`"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

from tests.bench import models
from tests.bench.report import heading, line

__all__ = ["run"]

PAIRS = 5


def seconds(command: Sequence[str]) -> float:
    """Wall time of a process from start to end."""
    env = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    start = time.perf_counter()
    subprocess.run(command, check=True, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def run() -> None:
    """`wtui ls` against importing TensorFlow, in turn."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    heading("whole processes, medians of pairs in turn")
    ls = [sys.executable, "-m", "wtui", "ls", str(models.vgg16())]
    tensorflow = [sys.executable, "-c", "import tensorflow"]
    seconds(ls), seconds(tensorflow)
    pairs = [(seconds(ls), seconds(tensorflow)) for _ in range(PAIRS)]
    ratio = statistics.median(b / a for a, b in pairs)
    ours, theirs = (statistics.median(p[i] for p in pairs) for i in (0, 1))
    line("wtui ls vgg16.keras against import tensorflow", f"{ours:.2f} s / {theirs:.2f} s")
    line("  times faster", f"{ratio:.0f}", "at least 8", ratio >= 8)
