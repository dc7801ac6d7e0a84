"""Opening GGUF, ONNX, Flax, NumPy and Orbax files against the libraries that wrote them.

`python -m tests.bench.open_other`. Whole processes: `wtui ls` against importing the library and loading the file, in
turn; and resident memory after opening. Needs `pip install '.[formats-test]'`; what is not installed is left out.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from tests.bench import models
from tests.bench.commands import PAIRS, seconds
from tests.bench.report import heading, line

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["compare", "faster", "run"]

RESIDENT = """
import sys
from wtui.formats import open_catalogue
catalogue = open_catalogue(sys.argv[1])
status = open("/proc/self/status").read()
memory = [int(status.split(f"Vm{kind}:")[1].split()[0]) for kind in ("RSS", "HWM")]
print(memory[0], len(catalogue.tensors), memory[1])
"""

MEMORY_BASE, MEMORY_PER_TENSOR = 60_000, 1
"""KiB that may be resident after opening: 60 MB and 1 KB for each tensor."""

TOKENS = 32_000
"""Strings of the vocabulary in the GGUF file."""


def arrays() -> dict[str, NDArray[np.float32]]:
    """138 million float32 values in 64 arrays, 553 MB: as many as VGG16 has."""
    rng = np.random.default_rng(0)
    return {f"blk.{i}.ffn_up.weight": rng.standard_normal((2112, 1024), np.float32) for i in range(64)}


def write_gguf(path: Path) -> None:
    """Q8_0, with a vocabulary."""
    import gguf

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_token_list([f"token {i}" for i in range(TOKENS)])
    kind = gguf.GGMLQuantizationType.Q8_0
    for name, array in arrays().items():
        writer.add_tensor(name, gguf.quants.quantize(array, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_onnx(path: Path) -> None:
    """A chain of MatMul."""
    import onnx

    tensors = [onnx.numpy_helper.from_array(a, n) for n, a in arrays().items()]
    nodes = [onnx.helper.make_node("MatMul", [f"x{i}", t.name], [f"x{i + 1}"]) for i, t in enumerate(tensors)]
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", [], [], tensors)), path)


def write_flax(path: Path) -> None:
    """A map of arrays."""
    from flax.serialization import to_bytes

    path.write_bytes(to_bytes({"params": {n: {"kernel": a} for n, a in arrays().items()}}))


def write_npz(path: Path) -> None:
    """A stored archive."""
    np.savez(path, **arrays())  # type: ignore[arg-type]


def write_orbax(path: Path) -> None:
    """OCDBT, as Orbax writes it unless told otherwise."""
    import orbax.checkpoint as ocp

    with ocp.PyTreeCheckpointer() as checkpointer:
        checkpointer.save(path, {n.replace(".", "_"): a for n, a in arrays().items()})


CASES: tuple[tuple[str, str, Callable[[Path], None], str, str, float], ...] = (
    ("gguf", "large.gguf", write_gguf, "GGUFReader", "from gguf import GGUFReader; GGUFReader(sys.argv[1])", 0),
    ("onnx", "large.onnx", write_onnx, "onnx.load", "import onnx; onnx.load(sys.argv[1])", 6),
    (
        "flax", "large.msgpack", write_flax, "msgpack_restore",
        "from flax.serialization import msgpack_restore; msgpack_restore(open(sys.argv[1], 'rb').read())", 0,
    ),
    (
        "numpy", "large.npz", write_npz, "np.load, all arrays",
        "import numpy; z = numpy.load(sys.argv[1]); [z[k] for k in z]", 0,
    ),
    (
        "orbax", "large_orbax", write_orbax, "orbax restore",
        "import orbax.checkpoint as o; o.PyTreeCheckpointer().restore(sys.argv[1])", 0,
    ),
)  # fmt: skip
"""Library, file, how it is made, what it is compared with, and how many times faster it must be (0: not said)."""


def run() -> None:
    """Every case whose library is installed."""
    heading("opening other formats: whole processes, medians of pairs in turn; resident memory after opening")
    for library, name, write, loader, code, target in CASES:
        if find_spec(library) is None:
            line(name, f"{library} not installed")
            continue
        path = models.folder() / name
        if not path.exists():
            write(path)
        compare(path, loader, code, target)


def compare(path: Path, loader: str, code: str, target: float) -> None:
    """`wtui ls` on a file against a program that loads it, and the memory that opening it takes."""
    ls = [sys.executable, "-m", "wtui", "ls", str(path)]
    faster(f"wtui ls {path.name} against {loader}", ls, path, code, target)
    command = [sys.executable, "-c", RESIDENT, str(path)]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    kib, tensors = int(found[0]), int(found[1])
    limit = MEMORY_BASE + MEMORY_PER_TENSOR * tensors
    line("  resident memory after opening, MB", f"{kib / 1024:.0f}", f"under {limit / 1024:.0f}", kib < limit)


def faster(label: str, ours: list[str], path: Path, code: str, target: float) -> None:
    """How many times faster a process of ours is than a program that loads a file, in turn."""
    theirs = [sys.executable, "-c", f"import sys; {code}", str(path)]
    seconds(ours), seconds(theirs)
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(PAIRS)]
    ratio = statistics.median(b / a for a, b in pairs)
    a, b = (statistics.median(p[i] for p in pairs) for i in (0, 1))
    line(label, f"{a:.2f} s / {b:.2f} s")
    wanted, reached = (f"at least {target:g}", ratio >= target) if target else ("", None)
    line("  times faster", f"{ratio:.1f}", wanted, reached)


if __name__ == "__main__":
    run()
