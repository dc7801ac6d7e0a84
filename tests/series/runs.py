"""Runs of checkpoints for tests: small safetensors files with stated values, and folders of them."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import numpy as np

from tests.builders import write_safetensors
from wtui.cache.identity import TICK_NS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["settled", "weights", "write_checkpoint", "write_run"]


def weights(epoch: int, nan_at: tuple[int, int] | None = None) -> dict[str, NDArray[np.generic]]:
    """Three tensors of one step of a run, drawn anew for every epoch."""
    rng = np.random.default_rng(100 + epoch)
    kernel = rng.normal(0.01 * epoch, 0.1, (12, 8)).astype(np.float32)
    if nan_at is not None:
        kernel[nan_at] = np.nan
    return {
        "conv.weight": rng.normal(0, 0.5, (4, 3, 2)).astype(np.float32),
        "fc.weight": kernel,
        "fc.bias": np.full(8, float(epoch), np.float32),
    }


def write_checkpoint(path: Path, tensors: Mapping[str, NDArray[np.generic]], *, at: int | None = None) -> Path:
    """Write a checkpoint; `at`: its time of writing, in seconds since 1970."""
    write_safetensors(path, tensors)
    if at is not None:
        os.utime(path, (at, at))
    return path


def write_run(folder: Path, epochs: int = 4, nan_from: int | None = None) -> Path:
    """`epoch-N.safetensors` for `epochs` epochs from 0 on; from `nan_from` on with a NaN at fc.weight[2, 3]."""
    folder.mkdir(parents=True, exist_ok=True)
    for epoch in range(epochs):
        broken = nan_from is not None and epoch >= nan_from
        write_checkpoint(folder / f"epoch-{epoch}.safetensors", weights(epoch, (2, 3) if broken else None))
    return folder


def settled(folder: Path) -> Path:
    """Wait until a further change of a file would show in its times."""
    newest = max(os.stat(p).st_ctime_ns for p in folder.rglob("*"))
    while time.time_ns() - newest <= TICK_NS:
        pass
    return folder
