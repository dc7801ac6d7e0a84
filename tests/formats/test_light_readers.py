"""Opening GGUF, ONNX, NumPy, Flax, zarr and TensorFlow.js files imports nothing but the standard library."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np

from tests.formats import onnx_files
from tests.formats.gguf_files import Tensor, gguf_bytes
from tests.formats.test_flax import pack
from tests.formats.test_zarr import write_orbax, write_v2

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = (
    "numpy", "numba", "ml_dtypes", "h5py", "pyfive", "gguf", "onnx", "flax", "tensorstore", "tensorflow", "textual",
)  # fmt: skip

OPEN = """
import json, sys
from wtui.formats import open_catalogue
formats = [open_catalogue(path).format for path in sys.argv[1:]]
print(json.dumps([formats, sorted(sys.modules)]))
"""


def write_all(folder: Path) -> list[str]:
    """A small file of every format; their paths."""
    array = np.arange(64, dtype="<f4")
    blocks = Tensor("blk.0.q.weight", (64,), 8, bytes(68))
    (folder / "a.gguf").write_bytes(gguf_bytes({}, [blocks]))
    inner = onnx_files.graph([], [onnx_files.initializer("w", 2)[1]])
    (folder / "a.onnx").write_bytes(onnx_files.model(inner))
    np.save(folder / "a.npy", array)
    np.savez(folder / "b.npz", w=array)
    np.savez_compressed(folder / "c.npz", w=array)
    (folder / "a.msgpack").write_bytes(pack({"params": {"w": array}}))
    (folder / "group").mkdir()
    write_v2(folder / "group", array)
    write_orbax(folder / "orbax", {("w",): array})
    (folder / "js").mkdir()
    (folder / "js" / "w.bin").write_bytes(array.tobytes())
    manifest = [{"paths": ["w.bin"], "weights": [{"name": "w", "shape": [64], "dtype": "float32"}]}]
    (folder / "js" / "model.json").write_text(json.dumps({"weightsManifest": manifest}))
    return [str(path) for path in sorted(folder.iterdir())]


def test_readers_import_only_the_standard_library(tmp_path: Path) -> None:
    paths = write_all(tmp_path)
    command = [sys.executable, "-c", OPEN, *paths]
    formats, modules = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert len(formats) == len(paths) == 9
    assert not [m for m in modules if m.split(".")[0] in HEAVY]
