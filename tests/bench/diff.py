"""How fast `wtui diff` is against numpy, and how little memory it takes: `python -m tests.bench diff`.

Two VGG16 files of 553 MB, warm. The other side loads both through h5py and computes the same numbers with numpy, tensor
by tensor, in one process. Measured from inside either process once everything is imported, in turn.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from threading import Event, Thread
from typing import Any

import psutil

from tests.bench import models
from tests.bench.report import heading, line

__all__ = ["run"]

ROUNDS = 3
FASTER = 10
MOST_MB = 120
"""More than the same process holds at rest: everything imported, both files open."""

SAMPLE_EVERY = 0.005
"""Seconds between two looks at the memory."""


def run() -> None:
    """Both in turn, each in a process of its own."""
    heading("wtui diff of two VGG16 files (2 x 553 MB, warm), against h5py and numpy")
    paths = [str(models.vgg16(".h5")), str(models.vgg16_tuned())]
    for path in paths:
        with open(path, "rb") as file:
            while file.read(1 << 24):
                pass
    rounds = [(measured("ours", paths), measured("numpy", paths)) for _ in range(ROUNDS)]
    ours, theirs = (statistics.median(r[i]["seconds"] for r in rounds) for i in (0, 1))
    ratio = statistics.median(b["seconds"] / a["seconds"] for a, b in rounds)
    line("wtui, numpy", f"{ours:.2f} s, {theirs:.1f} s")
    line("  times faster", f"{ratio:.0f}", f"at least {FASTER}", ratio >= FASTER)
    without = statistics.median((b["seconds"] - b["ks"]) / a["seconds"] for a, b in rounds)
    line("  the same without the distance of the distributions in numpy", f"{without:.1f}")
    whole = seconds([sys.executable, "-m", "wtui", "diff", *paths, "--json"])
    line("the whole command, start to end", f"{whole:.2f} s")
    more = max(a["peak"] - a["rest"] for a, _ in rounds)
    line("  memory more than at rest", f"{more / 1e6:.0f} MB", f"under {MOST_MB} MB", more < MOST_MB * 1e6)
    line("  (numpy)", f"{max(b['peak'] - b['rest'] for _, b in rounds) / 1e6:.0f} MB")
    apart = max(abs(a["relative_l2"] - b["relative_l2"]) for a, b in rounds)
    line("  relative L2 change of the model, difference of both", f"{apart:.1e}", "under 1e-9", apart < 1e-9)


def measured(side: str, paths: list[str]) -> dict[str, Any]:
    """What a process says of its own run."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.diff", side, *paths], check=True, stdout=subprocess.PIPE, text=True
    )
    return dict(json.loads(done.stdout))


def seconds(command: list[str]) -> float:
    """Wall time of a process from start to end; it may say that the models differ."""
    start = time.perf_counter()
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


class Held:
    """How many bytes this process holds in memory: when it begins, and the most until it ends."""

    def __enter__(self) -> Held:
        self._process = psutil.Process()
        self.rest = self.peak = self._process.memory_info().rss
        self._done = Event()
        self._thread = Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(SAMPLE_EVERY):
            self.peak = max(self.peak, self._process.memory_info().rss)


def ours(a: str, b: str) -> dict[str, float]:
    """`wtui.compare`; at rest is with everything imported and both files open."""
    import wtui
    from wtui.comparing.comparison import Comparison, Opened
    from wtui.stats import difference_loops, loops32  # noqa: F401  compiled kernels are loaded at rest

    with wtui.open(a, cache=False) as one, wtui.open(b, cache=False) as two:
        warm = Comparison(Opened(one.catalogue, one.files), Opened(two.catalogue, two.files), chosen=({0}, {0}))
        warm.run()
        with Held() as held:
            start = time.perf_counter()
            found = wtui.compare(one, two)
            took = time.perf_counter() - start
    assert found.whole is not None
    return {"seconds": took, "rest": held.rest, "peak": held.peak, "relative_l2": found.whole.relative_l2}


def numpy(a: str, b: str) -> dict[str, float]:
    """The same numbers of every tensor, by numpy on whole arrays."""
    import h5py
    import numpy as np

    def loaded(path: str) -> dict[str, Any]:
        arrays: dict[str, Any] = {}
        with h5py.File(path) as file:
            file.visititems(lambda n, o: arrays.update({n: o[...]}) if isinstance(o, h5py.Dataset) else None)
        return arrays

    def told(x: Any, y: Any) -> list[float]:
        u, v = x.astype(np.float64).ravel(), y.astype(np.float64).ravel()
        d = v - u
        found = [np.array_equal(x, y), np.count_nonzero(d), np.count_nonzero(np.sign(x) * np.sign(y) < 0)]
        size = np.abs(d)
        found += [size.max(), size.mean(), u @ v, v @ v]
        channels = np.square(d).reshape(-1, x.shape[-1] if x.ndim else 1).sum(axis=0)
        return [channels.sum(), u @ u, *found]

    def ks(x: Any, y: Any) -> float:
        each = np.sort(x, axis=None), np.sort(y, axis=None)
        both = np.concatenate(each)
        shares = [np.searchsorted(e, both, "right") / e.size for e in each]
        return float(np.abs(shares[0] - shares[1]).max())

    with Held() as held:
        start = time.perf_counter()
        one, two = loaded(a), loaded(b)
        found = [told(x, two[name]) for name, x in one.items()]
        took = time.perf_counter() - start
        for name, x in one.items():
            ks(x, two[name])
        spent = time.perf_counter() - start - took
    relative = float((sum(f[0] for f in found) / sum(f[1] for f in found)) ** 0.5)
    return {"seconds": took + spent, "ks": spent, "rest": held.rest, "peak": held.peak, "relative_l2": relative}


if __name__ == "__main__":
    if len(sys.argv) == 1:
        run()
    else:
        os.environ["WTUI_CACHE"] = "0"
        print(json.dumps({"ours": ours, "numpy": numpy}[sys.argv[1]](*sys.argv[2:])))
