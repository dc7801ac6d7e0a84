"""Spectra against WeightWatcher's on the same matrices: numbers and time. `python -m tests.bench spectrum`

WTUI_BENCH_WEIGHTWATCHER is a Python that has weightwatcher 0.7.7; without it only wtui's own time is told.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.bench.report import heading, line
from wtui.stats.spectrum import describe, from_matrix
from wtui.stats.symmetric import symmetric_eigenvalues

if TYPE_CHECKING:
    from wtui.stats.spectrum_row import SpectrumRow

__all__ = ["run"]

VARIABLE = "WTUI_BENCH_WEIGHTWATCHER"
FASTER = 5.0
SIDE = 4096
PAIRS = 5

THEIRS = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np, torch, weightwatcher
class Holder(torch.nn.Module):
    def __init__(self, matrix):
        super().__init__()
        self.fc = torch.nn.Linear(matrix.shape[1], matrix.shape[0], bias=False)
        self.fc.weight.data = torch.from_numpy(matrix)
found = {}
for name in json.loads(sys.argv[1]):
    model = Holder(np.load(name))
    start = time.perf_counter()
    details = weightwatcher.WeightWatcher(model=model, log_level="ERROR").analyze(
        max_evals=100000, max_N=100000, detX=False, randomize=False, mp_fit=False, plot=False)
    seconds = time.perf_counter() - start
    row = details.iloc[0]
    keys = "alpha", "stable_rank", "spectral_norm", "D", "xmin", "sigma", "num_pl_spikes"
    found[name] = {k: float(row[k]) for k in keys} | {"seconds": seconds}
print("FOUND" + json.dumps(found))
"""


def matrices(folder: Path) -> dict[str, np.ndarray]:
    """Random, trained-like and of low rank; the last one is the one that is timed."""
    rng = np.random.default_rng(1)

    def heavy(rows: int, columns: int, exponent: float) -> np.ndarray:
        left = np.linalg.qr(rng.standard_normal((rows, columns)))[0]
        right = np.linalg.qr(rng.standard_normal((columns, columns)))[0]
        return left * np.sqrt(rng.pareto(exponent, columns) + 1) @ right

    made = {
        "random": rng.standard_normal((1000, 600)),
        "small": rng.standard_normal((300, 120)) * 0.3,
        "heavy-tailed": heavy(900, 700, 1.5),
        "very heavy-tailed": heavy(600, 600, 0.8),
        "spiked": rng.standard_normal((800, 800)) + 4 * np.outer(rng.standard_normal(800), rng.standard_normal(800)),
        f"{SIDE} x {SIDE}": rng.standard_normal((SIDE, SIDE)),
    }
    for name, matrix in made.items():
        made[name] = matrix.astype(np.float32)
        np.save(folder / f"{name}.npy", made[name])
    return made


def run() -> None:
    """Both on the same matrices, in turn."""
    python = os.environ.get(VARIABLE)
    heading("spectra, against WeightWatcher 0.7.7 on the same matrices")
    symmetric_eigenvalues(np.eye(500))  # compiles, or loads what is compiled
    with tempfile.TemporaryDirectory() as folder:
        made = matrices(Path(folder))
        files = {name: str(Path(folder) / f"{name}.npy") for name in made}
        theirs = _theirs(python, list(files.values())) if python else {}
        for name, matrix in made.items():
            _compare(name, matrix, theirs.get(files[name]))
        if theirs and python:
            timed = list(made)[-1]
            _race(made[timed], lambda: _theirs(python, [files[timed]])[files[timed]]["seconds"])
    if not theirs:
        print(f"      not compared: {VARIABLE} names no Python that has weightwatcher")


def _race(matrix: np.ndarray, theirs: Callable[[], float]) -> None:
    """Both in turn, PAIRS times."""
    pairs = [(theirs(), _measured(matrix)[1]) for _ in range(PAIRS)]
    slow, quick = (median(column) for column in zip(*pairs, strict=True))
    ratio = median(a / b for a, b in pairs)
    text = (
        f"{len(matrix)} x {matrix.shape[1]}: theirs {slow:.1f} s, ours {quick:.2f} s; times faster, median of {PAIRS}"
    )
    line(text, f"{ratio:.1f}", f"at least {FASTER:g}", ratio >= FASTER)


def _measured(matrix: np.ndarray) -> tuple[SpectrumRow, float]:
    """The spectrum of a matrix, and the seconds that it takes."""
    start = time.perf_counter()
    found = from_matrix(matrix.astype(np.float64))
    assert found is not None
    row = describe([found], *matrix.shape, "float32")
    return row, time.perf_counter() - start


def _theirs(python: str, files: list[str]) -> dict[str, dict[str, float]]:
    done = subprocess.run([python, "-c", THEIRS, json.dumps(files)], capture_output=True, text=True, check=False)
    answer = next((text for text in done.stdout.splitlines() if text.startswith("FOUND")), None)
    if answer is None:
        print(f"      {python} has no weightwatcher that works: {done.stderr.strip().rpartition(chr(10))[2]}")
        return {}
    found: dict[str, dict[str, float]] = json.loads(answer.removeprefix("FOUND"))
    return found


def _compare(name: str, matrix: np.ndarray, other: dict[str, float] | None) -> None:
    row, seconds = _measured(matrix)
    law: Any = row.power_law
    line(f"{name}: alpha {law.alpha:.3f} ± {law.error:.3f}, KS {law.distance:.4f}", f"{seconds:.2f} s")
    if other is None:
        return
    apart = abs(law.alpha - other["alpha"])
    text = f"  theirs {other['alpha']:.3f} ± {other['sigma']:.3f}, KS {other['D']:.4f}; apart"
    line(text, f"{apart:.4f}", "within the fit's error", apart <= law.error)
    for key, own in (("stable_rank", row.stable_rank), ("spectral_norm", row.spectral_norm**2)):
        line(f"  {key.replace('_', ' ')}, relative difference", f"{abs(own / other[key] - 1):.1e}", "1e-5",
             abs(own / other[key] - 1) < 1e-5)  # fmt: skip


if __name__ == "__main__":
    sys.exit(run())
