"""Opening PyTorch files against `torch.load`. `python -m tests.bench.open_torch`; needs PyTorch.

Whole processes: `wtui ls` against importing torch and loading the file, in turn; and resident memory after opening.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from tests.bench import models
from tests.bench.open_other import compare, faster
from tests.bench.report import heading, line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["run"]

LOAD = "import torch; torch.load(sys.argv[1], weights_only=False)"
MAPPED = "import torch; torch.load(sys.argv[1], weights_only=False, mmap=True)"
SCRIPT = "import torch; torch.jit.load(sys.argv[1])"
DCP = (
    "import torch; from torch.distributed.checkpoint.format_utils import dcp_to_torch_save;"
    "dcp_to_torch_save(sys.argv[1], '/dev/null')"
)

AT_LEAST = 6
"""Times that `wtui ls` must be faster."""


def state() -> dict[str, Any]:
    """138 million float32 values in 64 tensors, 553 MB: as many as VGG16 has."""
    import torch

    torch.manual_seed(0)
    return {f"layers.{i}.weight": torch.randn(2112, 1024) for i in range(64)}


def save_zip(path: Path) -> None:
    """What torch.save writes."""
    import torch

    torch.save(state(), path)


def save_legacy(path: Path) -> None:
    """What it wrote before 1.6."""
    import torch

    torch.save(state(), path, _use_new_zipfile_serialization=False)


def save_checkpoint(path: Path) -> None:
    """A model of 12 transformer blocks, whole, with the state of its optimizer."""
    import torch

    blocks = [torch.nn.TransformerEncoderLayer(512, 8, 2048) for _ in range(12)]
    model = torch.nn.Sequential(*blocks)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.randn(4, 2, 512)).sum().backward()
    optimizer.step()
    torch.save({"epoch": 1, "model": model, "optimizer": optimizer.state_dict()}, path)


def save_script(path: Path) -> None:
    """TorchScript of the same blocks."""
    import torch

    model = torch.nn.Sequential(*(torch.nn.Linear(2048, 2048) for _ in range(32)))
    torch.jit.save(torch.jit.script(model), str(path))


def save_distributed(path: Path) -> None:
    """A distributed checkpoint of one process."""
    import torch.distributed.checkpoint as dcp

    dcp.save({"model": state()}, checkpoint_id=str(path))


def save_many(path: Path) -> None:
    """20,000 small tensors."""
    import torch

    torch.save({f"layers.{i // 10}.block{i % 10}.weight": torch.zeros(3, 4) for i in range(20_000)}, path)


CASES: tuple[tuple[str, Callable[[Path], None], str, str], ...] = (
    ("large.pt", save_zip, "torch.load", LOAD),
    ("large.pt", save_zip, "torch.load, mmap", MAPPED),
    ("legacy.pt", save_legacy, "torch.load", LOAD),
    ("checkpoint.ckpt", save_checkpoint, "torch.load", LOAD),
    ("script.jit", save_script, "torch.jit.load", SCRIPT),
    ("distributed", save_distributed, "conversion by torch", DCP),
    ("many.pt", save_many, "torch.load", LOAD),
)
"""File, how it is made, what it is compared with."""


def run() -> None:
    """Every case, if PyTorch is installed."""
    heading("opening PyTorch files: whole processes, medians of pairs in turn; resident memory after opening")
    if find_spec("torch") is None:
        line("torch", "not installed")
        return
    for name, save, loader, code in CASES:
        path = models.folder() / name
        if not path.exists():
            save(path)
        compare(path, loader, code, AT_LEAST)
    path = models.folder() / "many.pt"  # of which `wtui ls` writes 42,000 lines besides
    opening = [sys.executable, "-c", "import sys, wtui; wtui.open(sys.argv[1])", str(path)]
    faster("wtui.open of many.pt against torch.load", opening, path, LOAD, AT_LEAST)


if __name__ == "__main__":
    run()
