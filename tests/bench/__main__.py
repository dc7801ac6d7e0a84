"""`python -m tests.bench [NAME ...]`: every measurement, or those of the named modules. Needs `pip install '.[bench]'`.

Figures are medians of runs in one session, and ratios against something that ran beside them: the machine's own speed
does not matter. Models are made once into a temporary folder (WTUI_BENCH_DIR).
"""

from __future__ import annotations

import importlib
import subprocess
import sys

from tests.bench import models
from tests.bench.report import heading

IN_PROCESS = (
    "commands", "screen", "reopen", "series", "weightlog", "diff", "listing", "open_tensorflow", "open_torch",
    "open_other", "open_many", "gguf_blocks", "spectrum", "live",
)  # fmt: skip
"""Modules with a `run()`. What another library has to measure against is left out where that is not installed."""


def main() -> None:
    """Run what is asked for."""
    wanted = sys.argv[1:] or ["fused_pass", *IN_PROCESS]
    models.vgg16()
    for name in wanted:
        if name in IN_PROCESS:
            importlib.import_module(f"tests.bench.{name}").run()
        else:
            heading(name.replace("_", " "))
            sys.stdout.flush()
            arguments = [str(models.vgg16())] if name == "fused_pass" else []
            subprocess.run([sys.executable, "-m", f"tests.bench.{name}", *arguments], check=False)


if __name__ == "__main__":
    main()
