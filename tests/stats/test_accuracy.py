"""Moments and extremes against correctly rounded sums, for the distributions that break naive formulas."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.stats.helpers import MANY, Truth, summarise, truth

Array = NDArray[Any]


def outlier(rng: np.random.Generator, n: int) -> Array:
    values = rng.normal(0, 1, n)
    values[n // 3] = 1e6
    return values


SHAPES: dict[str, Callable[[np.random.Generator, int], Array]] = {
    "normal": lambda rng, n: rng.normal(0, 0.01, n),
    "uniform": lambda rng, n: rng.uniform(-0.1, 0.2, n),
    "lognormal": lambda rng, n: rng.lognormal(0, 2, n),
    "cauchy": lambda rng, n: rng.standard_cauchy(n),
    "far": lambda rng, n: rng.normal(1e4, 1, n),
    "far below": lambda rng, n: rng.normal(-1e4, 1, n),
    "outlier": outlier,
    "outlier first": lambda rng, n: np.concatenate(([1e6], rng.normal(0, 1, n - 1))),
    "sparse": lambda rng, n: np.where(rng.random(n) < 0.9, 0.0, rng.normal(0, 1, n)),
    "two values": lambda rng, n: rng.choice([-1.0, 1.0], n),
    "nearly constant": lambda rng, n: np.where(np.arange(n) == n // 2, 1.5, 1.0),
    "denormal": lambda rng, n: rng.normal(0, 1e-40, n),
    "largest": lambda rng, n: rng.uniform(-3e38, 3e38, n),
}


@cache
def case(shape: str, dtype: str, n: int) -> tuple[Array, Truth]:
    """Values and what is true of them; the same for all kernels."""
    values = SHAPES[shape](np.random.default_rng(7), n).astype(dtype)
    return values, truth(values)


@pytest.mark.parametrize("kernels", ["numpy", "numba"])
@pytest.mark.parametrize("n", [5_000, MANY])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
def test_moments_are_those_of_exact_sums(shape: str, dtype: str, n: int, kernels: Any) -> None:
    values, t = case(shape, dtype, n)
    s = summarise(values, kernels=kernels)
    assert s.mean == pytest.approx(t.mean, rel=1e-9)
    assert s.std == pytest.approx(t.std, rel=1e-9)
    assert s.variance == pytest.approx(t.variance, rel=1e-9)
    assert abs(s.skewness - t.skewness) <= 1e-9 * max(1, abs(t.skewness))
    assert abs(s.kurtosis - t.kurtosis) <= 1e-9 * max(1, abs(t.kurtosis))
    assert s.l1 == pytest.approx(t.abs_sum, rel=1e-12)
    assert s.abs_mean == pytest.approx(t.abs_sum / n, rel=1e-12)
    assert s.l2 == pytest.approx(np.sqrt(t.square_sum), rel=1e-12)
    assert s.rms == pytest.approx(np.sqrt(t.square_sum / n), rel=1e-12)
    assert (s.min, s.max) == (values.min(), values.max())
    assert s.zeros == np.count_nonzero(values == 0)
    assert (s.seen, s.total, s.finite) == (n, n, n)


@pytest.mark.parametrize("n", [1_000, MANY])
@pytest.mark.parametrize("exponent", [-1060, -700, -250, 250, 700, 1020])
@pytest.mark.parametrize("kernels", ["numpy", "numba"])
def test_float64_far_outside_of_float32(exponent: int, n: int, kernels: Any) -> None:
    """Fourth powers of these do not fit float64; a power of two changes no shape."""
    plain = np.random.default_rng(3).normal(0.5, 1, n).clip(-4, 4)
    values = np.ldexp(plain, exponent)
    plain = np.ldexp(values, -exponent)
    s, t = summarise(values, kernels=kernels), truth(plain)
    assert s.std == pytest.approx(np.ldexp(t.std, exponent), rel=1e-9)
    assert s.mean == pytest.approx(np.ldexp(t.mean, exponent), rel=1e-9)
    assert s.rms == pytest.approx(np.ldexp(np.sqrt(t.square_sum / n), exponent), rel=1e-9)
    assert s.skewness == pytest.approx(t.skewness, abs=1e-9)
    assert s.kurtosis == pytest.approx(t.kurtosis, abs=1e-9)
    assert (s.min, s.max) == (values.min(), values.max())


def test_float64_of_many_magnitudes() -> None:
    values = np.random.default_rng(3).normal(0, 1, MANY) * np.exp2(np.arange(MANY) % 2000 - 1000)
    s = summarise(values)
    plain = truth(np.ldexp(values, -1000))
    assert s.std == pytest.approx(np.ldexp(plain.std, 1000), rel=1e-9)
    assert s.kurtosis == pytest.approx(plain.kurtosis, rel=1e-9)
    assert s.variance == np.inf


@pytest.mark.parametrize("value", [0.0, -0.0, 1.5, -3e38, 1e-45])
@pytest.mark.parametrize("n", [2, 1_000, MANY])
@pytest.mark.parametrize("kernels", ["numpy", "numba"])
def test_constant(value: float, n: int, kernels: Any) -> None:
    values = np.full(n, value, np.float32)
    s = summarise(values, kernels=kernels)
    assert (s.min, s.max, s.mean, s.std) == (values[0], values[0], values[0], 0.0)
    assert np.isnan(s.skewness)
    assert np.isnan(s.kurtosis)
    assert s.quantiles((0, 0.3, 1)) == (values[0],) * 3
    assert s.zeros == (n if value == 0 else 0)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64", "uint8", "bool"])
def test_one_value(dtype: str) -> None:
    s = summarise(np.array([1], dtype))
    assert (s.min, s.max, s.mean, s.std, s.variance, s.l1, s.l2, s.rms) == (1, 1, 1, 0, 0, 1, 1, 1)
    assert np.isnan(s.skewness)
    assert np.isnan(s.kurtosis)
    assert s.row().quantiles == (1.0,) * 9


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int32", "float8_e5m2", "int4"])
def test_no_value(dtype: str) -> None:
    s = summarise(np.empty(0, np.uint8), dtype)
    row = s.row()
    undefined = (row.mean, row.std, row.variance, row.min, row.max, row.l1, row.l2, row.rms, row.abs_mean)
    assert all(np.isnan(x) for x in (*undefined, row.skewness, row.kurtosis, *row.quantiles, row.near_zero_threshold))
    assert (row.seen, row.total, row.zeros, row.near_zeros, row.sketch.counts) == (0, 0, 0, 0, ())
    assert s.histogram(4).counts.tolist() == [0, 0, 0, 0]
    assert np.isnan(s.fraction_below(1.0))


def test_a_scalar_is_one_value() -> None:
    s = summarise(np.asarray(2.5, np.float32).reshape(-1))
    assert (s.total, s.min, s.mean) == (1, 2.5, 2.5)
