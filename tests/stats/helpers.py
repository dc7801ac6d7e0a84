"""Summaries made the way the engine makes them, and plain numpy answers to hold them against."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import fsum, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from wtui.stats.accumulate import BLOCK, Accumulator, KernelChoice, LinearAccumulator, Scratch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wtui.stats.linear import Window
    from wtui.stats.summary import Summary

MANY = 2 * BLOCK + 37_857
"""Values of a tensor that takes three blocks, the last of them short and odd."""


def blocks_of(values: NDArray[Any]) -> list[tuple[int, NDArray[Any]]]:
    """Numbered blocks of a 1-D array."""
    return [(i, values[i * BLOCK : (i + 1) * BLOCK]) for i in range(-(-len(values) // BLOCK))]


def summarise(
    values: NDArray[Any],
    dtype: str | None = None,
    kernels: KernelChoice = "auto",
    *,
    order: Sequence[int] | None = None,
    threads: int = 1,
    total: int | None = None,
    expected: int | None = None,
) -> Summary:
    """The summary of a 1-D array, with its blocks added in this order by this many threads."""
    total = len(values) if total is None else total
    accumulator = Accumulator(dtype or values.dtype.name, total, "=", expected=expected, kernels=kernels)
    _add(accumulator, values, order, scratches := [accumulator.scratch() for _ in range(threads)])
    return accumulator.finish(scratches)


def count_steps(values: NDArray[Any], window: Window, kernels: KernelChoice = "auto", threads: int = 1) -> Any:
    """The second pass over a 1-D array."""
    accumulator = LinearAccumulator(values.dtype.name, window, "=", kernels=kernels)
    _add(accumulator, values, None, scratches := [accumulator.scratch() for _ in range(threads)])
    return accumulator.finish(scratches)


def refined(summary: Summary, values: NDArray[Any]) -> Summary:
    """The summary after as many second passes as its quantiles ask for."""
    for _ in range(4):
        window = summary.quantile_window()
        if window is None:
            break
        summary = summary.with_linear(count_steps(values, window))
    return summary


def _add(accumulator: Any, values: NDArray[Any], order: Iterable[int] | None, scratches: list[Scratch]) -> None:
    blocks = blocks_of(values)
    chosen = [blocks[i] for i in (range(len(blocks)) if order is None else order)]
    if len(scratches) == 1:
        for number, data in chosen:
            accumulator.add(number, data, scratches[0])
        return

    def work(thread: int) -> None:
        for number, data in chosen[thread :: len(scratches)]:
            accumulator.add(number, data, scratches[thread])

    with ThreadPoolExecutor(len(scratches)) as pool:
        list(pool.map(work, range(len(scratches))))


class Truth(NamedTuple):
    """Statistics of finite float64 values with correctly rounded sums."""

    mean: float
    std: float
    variance: float
    skewness: float
    kurtosis: float
    abs_sum: float
    square_sum: float


def truth(values: NDArray[Any]) -> Truth:
    """By math.fsum, about a mean that is itself corrected."""
    x = values.astype(np.float64)
    n = len(x)
    mean = fsum(x) / n
    rest = fsum(x - mean) / n
    d = (x - mean) - rest
    m2, m3, m4 = (fsum(d**k) / n for k in (2, 3, 4))
    with np.errstate(over="ignore"):
        squares = fsum(x * x)
    skewness, kurtosis = (m3 / m2**1.5, m4 / m2**2 - 3) if m2 else (float("nan"),) * 2
    return Truth(mean + rest, sqrt(m2), m2, skewness, kurtosis, fsum(np.abs(x)), squares)


def quantile_bounds(values: NDArray[Any], q: float) -> tuple[float, float, float]:
    """The order statistics on both sides of a quantile, and the quantile by numpy's default definition."""
    x = np.sort(values.astype(np.float64))
    at = q * (len(x) - 1)
    low, high = x[int(np.floor(at))], x[int(np.ceil(at))]
    return float(low), float(high), float(np.quantile(x, q))


def same(a: Summary, b: Summary) -> bool:
    """Whether two summaries have the same bits in every number, places left out."""
    return _plain(a) == _plain(b)


def _plain(s: Summary) -> tuple[object, ...]:
    counts = s.counts
    keys = getattr(counts, "values", getattr(counts, "slots", None))
    arrays = () if counts is None else (type(counts), np.asarray(keys).tobytes(), np.asarray(counts.counts).tobytes())  # type: ignore[union-attr]
    numbers = (s.seen, s.total, s.nan, s.posinf, s.neginf, s.zeros, s.min, s.max, *s.moments)
    return (*(repr(x) for x in numbers), *arrays)
