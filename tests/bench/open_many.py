"""Memory after opening files of 200,000 tensors. `python -m tests.bench open_many`; what is missing is left out."""

from __future__ import annotations

import pickle
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.bench import models
from tests.bench.open_other import MEMORY_BASE, MEMORY_PER_TENSOR, RESIDENT
from tests.bench.report import heading, line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["run"]

TENSORS = 200_000
MOST = 300
"""MB that opening any file may take."""

NAMES = [f"layers.{i // 10}.block{i % 10}.weight" for i in range(TENSORS)]


def write_safetensors(path: Path) -> None:
    """A value each."""
    from safetensors.numpy import save_file

    save_file({name: np.zeros(1, np.float32) for name in NAMES}, path)


def write_pickle(path: Path) -> None:
    """A dict of arrays."""
    path.write_bytes(pickle.dumps({name: np.zeros(1, np.float32) for name in NAMES}, 4))


def write_one_storage(path: Path) -> None:
    """Views of one tensor."""
    import torch

    values = torch.zeros(TENSORS)
    torch.save({name: values[i : i + 1] for i, name in enumerate(NAMES)}, path)


def write_own_storages(path: Path) -> None:
    """Tensors that share nothing."""
    import torch

    torch.save({name: torch.zeros(1) for name in NAMES}, path)


def write_flax(path: Path) -> None:
    """A tree of three levels."""
    from flax.serialization import to_bytes

    tree: dict[str, Any] = {}
    for i in range(TENSORS):
        tree.setdefault(f"layer{i // 10}", {})[f"block{i % 10}"] = {"kernel": np.zeros(1, np.float32)}
    path.write_bytes(to_bytes({"params": tree}))


def write_onnx(path: Path) -> None:
    """Initializers alone."""
    import onnx

    graph = onnx.GraphProto(name="g")
    for name in NAMES:
        graph.initializer.add(name=name, data_type=onnx.TensorProto.FLOAT, raw_data=bytes(4)).dims.append(1)
    model = onnx.ModelProto(ir_version=8, graph=graph)
    model.opset_import.add(version=17)
    path.write_bytes(model.SerializeToString())


CASES: tuple[tuple[str, str, Callable[[Path], None]], ...] = (
    ("safetensors", "many.safetensors", write_safetensors),
    ("numpy", "many.pkl", write_pickle),
    ("torch", "one-storage.pt", write_one_storage),
    ("torch", "own-storages.pt", write_own_storages),
    ("flax", "many.msgpack", write_flax),
    ("onnx", "many.onnx", write_onnx),
)


def run() -> None:
    """Every case whose library is installed."""
    heading(f"resident memory after opening files of {TENSORS:,} tensors")
    for library, name, write in CASES:
        if find_spec(library) is None:
            line(name, f"{library} not installed")
            continue
        path = models.folder() / name
        if not path.exists():
            write(path)
        done = subprocess.run([sys.executable, "-c", RESIDENT, str(path)], check=True, capture_output=True, text=True)
        kib, tensors, most = map(int, done.stdout.split())
        limit = MEMORY_BASE + MEMORY_PER_TENSOR * tensors
        text = f"{name}, {tensors:,} listed, MB"
        line(text, f"{kib / 1024:.0f}", f"under {limit / 1024:.0f}", kib < limit)
        line("  at most while it is opened, MB", f"{most / 1024:.0f}", f"under {MOST}", most / 1024 < MOST)


if __name__ == "__main__":
    run()
