"""Differences of two tensors: against numpy in float64, by any parts in any order, with and without kernels."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from tests.stats.helpers import summarise
from wtui.dtypes import numpy_dtype
from wtui.stats.difference import Difference, ks_distance, merge_differences
from wtui.stats.difference_parts import DifferenceAccumulator
from wtui.stats.rows import BLOCK

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wtui.stats.accumulate import KernelChoice

KERNELS: tuple[KernelChoice, ...] = ("numba", "numpy")


def difference(
    a: NDArray[Any], b: NDArray[Any], kernels: KernelChoice = "numba", cuts: tuple[int, ...] = ()
) -> Difference:
    """Of flat arrays, in parts that end at `cuts`, taken in the reverse order."""
    accumulator = DifferenceAccumulator(len(a), str(a.dtype), str(b.dtype), kernels=kernels)
    edges = [0, *sorted(cuts), len(a)]
    parts = []
    for start, stop in pairwise(edges):
        part = accumulator.part()
        part.add(a[start:stop], b[start:stop], start)
        parts.append(part)
    for number in reversed(range(len(parts))):
        accumulator.take(number, parts[number])
    return accumulator.finish()[0]


def expected(a: NDArray[Any], b: NDArray[Any]) -> dict[str, float]:
    """The same numbers by numpy, in float64 (long double for the cosine)."""
    x, y = a.astype(np.float64), b.astype(np.float64)
    both = np.isfinite(x) & np.isfinite(y)
    same = (x == y) | (np.isnan(x) & np.isnan(y))
    fx, fy = x[both], y[both]
    d = fy - fx
    u, v = fx.astype(np.longdouble), fy.astype(np.longdouble)
    return {
        "changed": int((~same).sum()),
        "left_out": int((~both).sum()),
        "left_out_differ": int((~both & ~same).sum()),
        "broken": int((np.isfinite(x) & ~np.isfinite(y)).sum()),
        "mended": int((~np.isfinite(x) & np.isfinite(y)).sum()),
        "sign_flips": int((np.sign(fx) * np.sign(fy) < 0).sum()),
        "max_abs": float(np.abs(d).max()),
        "mean_abs": float(np.abs(d).mean()),
        "mean": math.fsum(d) / len(d),
        "relative_l2": float(np.linalg.norm(d) / np.linalg.norm(fx)),
        "cosine": float((u * v).sum() / np.sqrt((u * u).sum() * (v * v).sum())),
    }


def check(found: Difference, a: NDArray[Any], b: NDArray[Any]) -> None:
    wanted = expected(a, b)
    for name, value in wanted.items():
        got = getattr(found, name)
        if isinstance(value, int):
            assert got == value, name
        else:
            scale = max(abs(value), wanted["mean_abs"] if name == "mean" else 0)
            assert abs(got - value) <= 1e-12 * scale, (name, got, value)
    assert_allclose(1 - found.cosine, 1 - wanted["cosine"], rtol=1e-6, atol=1e-16)
    d = np.abs(b.astype(np.float64) - a.astype(np.float64))
    d[~np.isfinite(d)] = -1
    assert found.max_place == int(d.argmax())


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "int8", "uint16", "int32"])
def test_against_numpy(dtype: str, kernels: KernelChoice) -> None:
    rng = np.random.default_rng(5)
    scale = 30 if "int" in dtype else 1
    a = (
        np.abs(scale * rng.normal(size=3 * BLOCK + 77))
        if dtype.startswith("u")
        else scale * rng.normal(size=3 * BLOCK + 77)
    )
    b = np.where(rng.random(len(a)) < 0.3, a + scale * rng.normal(size=len(a)), a)
    kind = numpy_dtype(dtype)
    a, b = a.astype(kind), np.abs(b).astype(kind) if dtype.startswith("u") else b.astype(kind)
    check(difference(a, b, kernels, (BLOCK, 2 * BLOCK)), a, b)


@pytest.mark.parametrize("kernels", KERNELS)
def test_values_that_are_not_finite_are_counted_and_left_out(kernels: KernelChoice) -> None:
    rng = np.random.default_rng(6)
    a = rng.normal(size=2 * BLOCK + 5).astype(np.float32)
    b = a + np.float32(0.1)
    a[[3, 4, 5, 6, 7]] = np.nan, np.nan, np.inf, np.inf, 1
    b[[3, 4, 5, 6, 7]] = np.nan, 2, np.inf, -np.inf, np.nan
    b[BLOCK + 9] = 50
    found = difference(a, b, kernels)
    check(found, a, b)
    assert (found.left_out, found.left_out_differ, found.broken, found.mended) == (5, 3, 1, 1)
    assert found.max_place == BLOCK + 9
    assert found.finite == len(a) - 5


def test_nothing_finite_leaves_everything_undefined() -> None:
    a = np.full(10, np.nan, np.float32)
    found = difference(a, a)
    row = found.row()
    assert found.identical
    assert row.unchanged
    assert row.within(0)
    assert all(map(math.isnan, (row.max_abs, row.mean_abs, row.relative_l2, row.cosine)))
    assert not difference(a, np.zeros(10, np.float32)).row().within(1e9)


def test_equal_values_of_other_bits_have_not_changed() -> None:
    a, b = np.array([0.0, 1.0, 2.0], np.float32), np.array([-0.0, 1.0, 2.0], np.float32)
    found = difference(a, b)
    assert (found.different_bits, found.changed, found.identical) == (1, 0, False)
    assert found.row().unchanged
    quiet, other = np.array([0x7FC00000], np.uint32), np.array([0x7FC00001], np.uint32)
    found = difference(quiet.view(np.float32), other.view(np.float32))
    assert (found.different_bits, found.changed) == (1, 0)


def test_integers_beyond_float64_are_told_apart_by_their_bits() -> None:
    a = np.array([1 << 60, 5], np.int64)
    found = difference(a, a + np.array([1, 0]))
    assert (found.changed, found.identical) == (1, False)


def test_float16_against_float32_is_equal_after_rounding() -> None:
    rng = np.random.default_rng(7)
    wide = rng.normal(size=BLOCK + 100).astype(np.float32)
    wide[:2] = np.nan, 1e6
    for kind in (np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)):
        with np.errstate(over="ignore"):
            narrow = wide.astype(kind)
        found = difference(wide, narrow)
        assert found.rounded_equal == len(wide)
        assert 0 < found.changed < len(wide)
        assert not found.identical
        assert difference(narrow, wide).rounded_equal == len(wide)
        other = narrow.copy()
        other[50] = kind.type(3)
        assert difference(wide, other).rounded_equal == len(wide) - 1
        exact = narrow.astype(np.float32)
        assert difference(exact, narrow).identical
    assert difference(wide, wide).rounded_equal is None


def test_zero_tensors() -> None:
    zero, one = np.zeros(9, np.float32), np.ones(9, np.float32)
    assert difference(zero, zero).relative_l2 == 0
    assert difference(zero, one).relative_l2 == math.inf
    assert math.isnan(difference(zero, one).cosine)
    assert difference(one, zero).relative_l2 == 1
    assert difference(one, -one).cosine == -1
    assert difference(one, one).cosine == 1
    assert difference(zero[:0], zero[:0]).identical


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 400), st.lists(st.integers(0, 400), max_size=4), st.integers(0, 1 << 32), st.sampled_from(KERNELS)
)
def test_parts_make_the_whole(n: int, cuts: list[int], seed: int, kernels: KernelChoice) -> None:
    rng = np.random.default_rng(seed)
    a = rng.normal(size=n).round(2).astype(np.float32)
    b = np.where(rng.random(n) < 0.4, a, rng.normal(size=n)).astype(np.float32)
    b[rng.random(n) < 0.02] = np.nan
    whole = difference(a, b, kernels)
    parts = difference(a, b, kernels, tuple(c for c in cuts if c <= n))
    edges = sorted({0, n, *(c for c in cuts if c <= n)})
    merged = merge_differences(difference(a[i:j], b[i:j], kernels) for i, j in pairwise(edges))
    for name in ("pairs", "total", "different_bits", "changed", "left_out", "left_out_differ", "broken", "sign_flips"):
        assert getattr(whole, name) == getattr(parts, name) == getattr(merged, name)
    assert_allclose(parts.sums, whole.sums, rtol=1e-12, atol=1e-12)
    assert_allclose(merged.sums, whole.sums, rtol=1e-12, atol=1e-12)
    assert whole.max_place == parts.max_place
    assert str(whole.max_abs) == str(parts.max_abs) == str(merged.max_abs)


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("shape", [(40, 30), (7, 11, 13), (300, 1000)])
def test_channels_say_where_the_change_is(shape: tuple[int, ...], kernels: KernelChoice) -> None:
    rng = np.random.default_rng(8)
    a = rng.normal(size=shape).astype(np.float32)
    b = a.copy()
    b[..., 3] += 0.5
    b[..., 9] *= 1.01
    b.flat[5] = np.nan
    for axis in (len(shape) - 1, 0):
        n, inner = shape[axis], math.prod(shape[axis + 1 :])
        accumulator = DifferenceAccumulator(a.size, "float32", "float32", n, kernels=kernels)
        part = accumulator.part()
        for start in range(0, a.size, 1000):
            x, y = a.reshape(-1)[start : start + 1000], b.reshape(-1)[start : start + 1000]
            part.add(x, y, start)
            part.add_channels(x, y, start, inner)
        accumulator.take(0, part)
        found, sums = accumulator.finish()
        d = np.nan_to_num(b.astype(np.float64) - a)
        others = tuple(i for i in range(len(shape)) if i != axis)
        assert_allclose(sums[0], (d * d).sum(axis=others), rtol=1e-12)
        finite = np.where(np.isnan(b), 0, a).astype(np.float64)
        assert_allclose(sums[1], (finite**2).sum(axis=others), rtol=1e-12)
        row = found.row(channels=sums)
        assert row.channels == n
    assert row.channels_changed == shape[0]
    accumulator = DifferenceAccumulator(a.size, "float32", "float32", shape[-1], kernels=kernels)
    part = accumulator.part()
    part.add_channels(a.reshape(-1), np.nan_to_num(b, nan=float(a.flat[5])).reshape(-1), 0, 1)
    accumulator.take(0, part)
    row = difference(a.reshape(-1), b.reshape(-1)).row(channels=accumulator.finish()[1])
    assert (row.channels_changed, row.half_in, [t.channel for t in row.top]) == (2, 1, [3, 9])
    assert row.top[0].share > 0.9
    assert_allclose(row.top[1].relative, 0.01, rtol=1e-5)


def test_within_a_tolerance() -> None:
    a = np.array([1, 2, 3], np.float32)
    row = difference(a, a + np.float32(0.25)).row()
    assert row.within(0.25)
    assert not row.within(0.24)
    assert not Difference(pairs=2, total=3, max_abs=0.0).row().within(1)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 1 << 32))
def test_ks_distance_of_few_values_is_exact(n: int, m: int, seed: int) -> None:
    from scipy.stats import ks_2samp

    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=n).round(1).astype(np.float32), rng.normal(0.3, 1, m).round(1).astype(np.float32)
    assert_allclose(ks_distance(summarise(a), summarise(b)), cast("Any", ks_2samp(a, b)).statistic, atol=1e-12)


def test_ks_distance_of_many_values_is_at_most_a_bucket_off() -> None:
    from scipy.stats import ks_2samp

    rng = np.random.default_rng(9)
    a, b = rng.normal(0, 1, 200_000).astype(np.float32), rng.normal(0.02, 1.05, 210_000).astype(np.float32)
    exact = cast("Any", ks_2samp(a, b)).statistic
    found = ks_distance(summarise(a), summarise(b))
    assert exact - 0.0005 < found <= exact + 1e-12
    assert ks_distance(summarise(a), summarise(a)) == 0
    half = a.astype(np.float16)
    assert ks_distance(summarise(half), summarise(half.astype(np.float32))) == 0
    assert math.isnan(ks_distance(summarise(a), summarise(a[:0])))
    assert math.isnan(ks_distance(summarise(a), summarise(b).without_counts()))
