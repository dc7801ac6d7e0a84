"""How quick one fused pass is: `python -m tests.bench.fused_pass [model.keras]`.

The data is VGG16's fc1 kernel (25088 x 4096 float32, 411 MB) from the given file, or values like it in a temporary
one, warm in the page cache. Three things are timed in turn, several times over: numpy's mean, std, var, min, max and
histogram one after the other on an array that is already in memory; reading the bytes alone with two threads into
buffers of 512 KiB; and reading and summarising them with two threads. Medians of ratios within a round are printed,
since other work on the machine changes from round to round.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from statistics import median
from typing import NamedTuple

import numpy as np

from wtui.formats import open_catalogue
from wtui.stats import Accumulator, Summary, warm_up
from wtui.stats.accumulate import BLOCK

SHAPE = (25_088, 4_096)
THREADS = 2
ROUNDS = 15
NUMPY_EVERY = 3
"""Rounds for each run of numpy's calls, which take many times as long."""


class Data(NamedTuple):
    """Where the values lie."""

    descriptor: int
    offset: int
    size: int


class Times(NamedTuple):
    """Seconds of one round."""

    numpy: float | None
    read: float
    fused: float
    fused_four: float


@contextmanager
def opened(path: str | None) -> Iterator[Data]:
    """The kernel in the model at `path`, or made-up values in a temporary file."""
    if path is not None:
        extent = open_catalogue(path)["fc1/kernel"].parts[0].extent  # type: ignore[index]
        with open(path, "rb") as file:
            yield Data(file.fileno(), extent.offset, extent.length)
        return
    rng = np.random.default_rng(0)
    with tempfile.TemporaryFile() as file:
        for _ in range(SHAPE[0] // 64):
            file.write(rng.normal(0, 0.004, 64 * SHAPE[1]).astype(np.float32).tobytes())
        file.flush()
        yield Data(file.fileno(), 0, SHAPE[0] * SHAPE[1] * 4)


def on_threads(data: Data, blocks: int, use: Callable[[int, int, np.ndarray], None]) -> None:
    """Read everything, `blocks` blocks at a time, and hand (thread, first block, bytes) to `use`."""
    step = blocks * BLOCK * 4

    def work(thread: int) -> None:
        buffer = np.empty(step, np.uint8)
        for start in range(thread * step, data.size, THREADS * step):
            got = os.preadv(data.descriptor, [memoryview(buffer)[: data.size - start]], data.offset + start)
            use(thread, start // (BLOCK * 4), buffer[:got])

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))


def fused(data: Data, blocks: int) -> Summary:
    """The whole pass, from bytes to a summary."""
    accumulator = Accumulator("float32", data.size // 4)
    scratches = [accumulator.scratch() for _ in range(THREADS)]
    on_threads(data, blocks, lambda thread, first, part: accumulator.add(first, part, scratches[thread]))
    return accumulator.finish(scratches)


def numpy_calls(values: np.ndarray) -> None:
    """What a script would call."""
    for call in (np.mean, np.std, np.var, np.min, np.max):
        call(values)
    np.histogram(values, bins=60)


def seconds(call: Callable[[], object]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def one_round(data: Data, values: np.ndarray, with_numpy: bool) -> Times:
    """Everything once, one after the other."""
    by_numpy = seconds(lambda: numpy_calls(values)) if with_numpy else None
    read = seconds(lambda: on_threads(data, 1, lambda *_: None))
    return Times(by_numpy, read, seconds(lambda: fused(data, 1)), seconds(lambda: fused(data, 4)))


def report(name: str, size: float, rounds: list[Times], took: list[float]) -> None:
    """One line: speed, and medians of ratios within rounds."""
    of_numpy = median(r.numpy / t for r, t in zip(rounds, took, strict=True) if r.numpy)
    of_reading = median(r.read / t for r, t in zip(rounds, took, strict=True))
    ratios = f"{of_numpy:5.1f} x numpy (at least 16)  {of_reading:.2f} of pread (at least 0.22)"
    print(f"fused, {name:20} {size / median(took):6.2f} GB/s  {ratios}")


def main() -> None:
    """Measure and print."""
    warm_up("float32")
    with opened(sys.argv[1] if len(sys.argv) > 1 else None) as data:
        values = np.frombuffer(os.pread(data.descriptor, data.size, data.offset), np.float32)
        rounds = [one_round(data, values, i % NUMPY_EVERY == 0) for i in range(ROUNDS)]
    size = data.size / 1e9
    print(f"{data.size / 1e6:.0f} MB, {THREADS} threads, medians of {ROUNDS} rounds")
    print(f"numpy's calls               {size / median(r.numpy for r in rounds if r.numpy):6.2f} GB/s")
    print(f"pread alone                 {size / median(r.read for r in rounds):6.2f} GB/s")
    report("one block (512 KiB)", size, rounds, [r.fused for r in rounds])
    report("four blocks (2 MiB)", size, rounds, [r.fused_four for r in rounds])


if __name__ == "__main__":
    main()
