"""GGML's blocks decoded by wtui and by the gguf package, one thread each. `python -m tests.bench.gguf_blocks`"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

from tests.bench.report import heading, line
from wtui.codecs import codec
from wtui.model import BLOCK_DTYPES, Extent, Part, TensorEntry

__all__ = ["run"]

VALUES = 1 << 19
"""Values that are decoded at once, as in a scan."""

ROUNDS = 7


def best(work: Callable[[], object]) -> float:
    """Seconds of the quickest of some rounds, after one to warm up."""
    work()
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def run() -> None:
    """Millions of values a second for each type."""
    heading("GGML's blocks: millions of values a second, one thread, against the gguf package")
    for dtype, (values, size) in BLOCK_DTYPES.items():
        blocks = np.random.default_rng(0).integers(0, 100, (VALUES // values, size), np.uint8)
        entry = TensorEntry("w", "", "w", (VALUES,), dtype, None, "gguf-blocks")
        data, part = blocks.data.cast("B"), Part(Extent(0, 0, blocks.nbytes))
        ours = VALUES / best(lambda: codec("gguf-blocks").decode(data, entry, part)) / 1e6  # noqa: B023
        theirs = _by_package(dtype, blocks)
        beside = f"{ours:,.0f} / {theirs:,.0f}" if theirs else f"{ours:,.0f}"
        line(dtype, beside, f"{ours / theirs:.0f} times" if theirs else "")


def _by_package(dtype: str, blocks: np.ndarray) -> float:
    """The package's speed; 0 where it is not installed or does not know the type."""
    if find_spec("gguf") is None:
        return 0.0
    from gguf import GGMLQuantizationType
    from gguf.quants import dequantize

    kind = GGMLQuantizationType[dtype]
    try:
        return VALUES / best(lambda: dequantize(blocks, kind)) / 1e6
    except NotImplementedError:
        return 0.0


if __name__ == "__main__":
    run()
