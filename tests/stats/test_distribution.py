"""Quantiles, histograms, near zeros and shares against numpy on the values themselves."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.stats.helpers import MANY, count_steps, quantile_bounds, refined, summarise
from tests.stats.test_accuracy import SHAPES
from wtui.errors import UsageError
from wtui.stats.row import QUANTILES

if TYPE_CHECKING:
    from wtui.stats.summary import Summary

Array = NDArray[Any]

MORE: dict[str, Callable[[np.random.Generator, int], Array]] = {
    **SHAPES,
    "steps of float32 far from zero": lambda rng, n: (
        np.float32(1e5) + rng.integers(-40, 40, n).astype(np.float32) / 128
    ),
    "codebook": lambda rng, n: rng.normal(0, 1, 37)[rng.integers(0, 37, n)],
    "beyond float32": lambda rng, n: rng.normal(0, 1e200, n),
    "below float32": lambda rng, n: rng.normal(3e-200, 1e-200, n),
    "two clusters far out": lambda rng, n: rng.normal(0, 1e-6, n) + np.where(rng.random(n) < 0.5, 1.0, -1.0),
}


@cache
def case(shape: str, dtype: str) -> tuple[Array, Summary]:
    """Values and their summary, refined for quantiles."""
    values = MORE[shape](np.random.default_rng(11), MANY).astype(dtype)
    return values, refined(summarise(values), values)


CASES = [
    (shape, dtype) for shape in MORE for dtype in ("float32", "float64") if "float32" not in shape or dtype[5:] == "64"
]
CASES.append(("steps of float32 far from zero", "float32"))


@pytest.mark.parametrize(("shape", "dtype"), CASES)
def test_quantiles_lie_between_their_neighbours(shape: str, dtype: str) -> None:
    values, s = case(shape, dtype)
    assert not s.quantiles_need_refinement
    for q, found in zip(QUANTILES, s.quantiles(), strict=True):
        low, high, expected = quantile_bounds(values, q)
        slack = max(1e-3 * max(abs(low), abs(high)), 1e-4 * s.std)
        assert low - slack <= found <= high + slack, q
        assert abs(found - expected) <= 0.01 * s.std + (high - low), q


@pytest.mark.parametrize("bins", [60, 400])
@pytest.mark.parametrize("window", ["opening", "whole", "zoom", "deep zoom"])
@pytest.mark.parametrize(("shape", "dtype"), CASES)
def test_histograms_are_numpys(shape: str, dtype: str, window: str, bins: int) -> None:
    values, s = case(shape, dtype)
    x = values.astype(np.float64)
    low, high = (s.min, s.max) if window == "whole" else s.quantiles((0.001, 0.999))
    if "zoom" in window:
        middle, part = s.quantile(0.6), 20 if window == "zoom" else 2_000
        low, high = middle - (high - middle) / part, middle + (high - middle) / part
    if low >= high:
        low, high = low - 0.5, high + 0.5
    s = s.with_linear(None)
    if s.needs_refinement(bins, low, high):
        s = s.with_linear(count_steps(values, s.histogram_window(bins, low, high)))
    found = s.histogram(bins, low, high)
    with np.errstate(over="ignore"):
        expected, edges = np.histogram(x, bins, (low, high))
    assert np.allclose(found.edges, edges, rtol=1e-12, atol=0)
    assert np.abs(found.counts - expected).sum() <= 0.005 * len(x)
    assert found.counts.sum() + found.below + found.above == len(x)
    assert abs(found.below - np.count_nonzero(x < low)) <= 0.005 * len(x)


@pytest.mark.parametrize("shape", MORE)
@pytest.mark.parametrize("n", [3, 1_000, 65_536])
def test_few_values_are_exact(shape: str, n: int) -> None:
    values = MORE[shape](np.random.default_rng(5), n).astype(np.float64)
    s = summarise(values)
    assert s.quantile_window() is None
    np.testing.assert_allclose(s.quantiles(), np.quantile(values, QUANTILES), rtol=1e-14)
    assert s.distinct == len(np.unique(values))
    for window in ((s.min, s.max), s.quantiles((0.1, 0.9))):
        assert not s.needs_refinement(60, *window)
        if window[0] < window[1]:
            found, (expected, _) = s.histogram(60, *window), np.histogram(values, 60, window)
            assert found.counts.tolist() == expected.tolist()


def test_a_histogram_of_the_window_of_a_second_pass_is_exact() -> None:
    values, s = case("steps of float32 far from zero", "float32")
    low, high = s.quantiles((0.001, 0.999))
    counts = count_steps(values, s.histogram_window(60, low, high))
    found = s.with_linear(counts).histogram(60, low, high)
    expected, _ = np.histogram(values.astype(np.float64), 60, (low, high))
    assert found.counts.tolist() == expected.tolist()


@pytest.mark.parametrize("n", [20_000, MANY])
@pytest.mark.parametrize("shape", ["normal", "sparse", "cauchy", "lognormal", "two values", "outlier", "denormal"])
def test_near_zeros_are_counted_exactly(shape: str, n: int) -> None:
    values = MORE[shape](np.random.default_rng(2), n).astype(np.float32)
    s = summarise(values)
    threshold = s.near_zero_threshold
    assert 0.0005 * s.std <= threshold <= 0.001 * s.std or (threshold == 0 and s.std < 1e-38)
    near = (np.abs(values) < threshold) | (values == 0)
    assert s.near_zeros == np.count_nonzero(near)


def test_shares() -> None:
    values, s = case("normal", "float32")
    for x in (-0.02, 0.0, 1e-4, 0.013, 1.0):
        assert s.fraction_below(x) == pytest.approx(np.mean(values < x), abs=3e-5)
    xs = np.array([-1, -0.01, 0, 0.01, 1.0])
    np.testing.assert_allclose(s.cdf(xs), [np.mean(values <= x) for x in xs], atol=3e-5)
    sparse, t = case("sparse", "float32")
    assert t.fraction_below(0.0) == np.mean(sparse < 0)
    assert float(t.cdf([0.0])[0]) == np.mean(sparse <= 0)
    assert t.quantile(0.5) == 0.0


@pytest.mark.parametrize("top", [50, 3_000, 5_000_000])
@pytest.mark.parametrize("dtype", ["int32", "int64", "uint64"])
def test_integers_stay_integers(dtype: str, top: int) -> None:
    low = 0 if dtype[0] == "u" else -top
    values = np.random.default_rng(4).integers(low, top, MANY).astype(dtype)
    s = summarise(values)
    x = values.astype(np.float64)
    found, expected = s.quantiles(), np.quantile(x, QUANTILES)
    if top <= 3_000:
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=0.01 * s.std)
    counts, _ = np.histogram(x, 25, (low, top))
    assert np.abs(s.histogram(25, low, top).counts - counts).sum() <= (0 if top == 50 else 0.005) * len(x)
    assert (s.min, s.max, type(s.min)) == (values.min(), values.max(), int)


def test_impossible_histograms_are_refused() -> None:
    s = summarise(np.arange(9.0))
    for bins, low, high in ((0, 0, 1), (3, 2, 1)):
        with pytest.raises(UsageError):
            s.histogram(bins, low, high)
    with pytest.raises(UsageError):
        s.histogram_window(2_000_000)
    with pytest.raises(UsageError):
        s.without_counts().quantile(0.5)


def test_a_sketch_is_small_and_close() -> None:
    values, s = case("normal", "float32")
    sketch = s.sketch()
    assert sketch.nbytes <= 1024 < s.nbytes
    np.testing.assert_allclose(sketch.quantiles(), s.quantiles(), atol=0.01 * s.std)
    found, expected = sketch.histogram(20, -0.03, 0.03), s.histogram(20, -0.03, 0.03)
    assert np.abs(found.counts - expected.counts).sum() <= 0.05 * len(values)
    assert found.counts.sum() + found.below + found.above == len(values)
    assert (sketch.mean, sketch.std, sketch.zeros) == (s.mean, s.std, s.zeros)
