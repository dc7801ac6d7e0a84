"""The law of summaries: parts put together are the whole, in whatever steps."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from tests.stats.helpers import MANY, count_steps, same, summarise
from wtui.stats import Fold, Summary, merge, merge_all
from wtui.stats.counts import MAX_DISTINCT, BucketCounts, ExactCounts
from wtui.stats.linear import Window
from wtui.stats.moments import merge_moments, moments_of, moments_of_rows
from wtui.stats.row import At

Array = NDArray[Any]

FLOATS = st.floats(width=32, allow_nan=True, allow_infinity=True)
PIECES = st.lists(arrays(np.float32, st.integers(0, 40), elements=FLOATS), min_size=1, max_size=5)


def assert_close(a: Summary, b: Summary) -> None:
    """Equal counts; moments equal up to rounding, measured against the spread and size of the values."""
    assert same_counts(a, b)
    assert (repr(a.min), repr(a.max)) == (repr(b.min), repr(b.max))
    if not a.finite:
        return
    size = max(abs(a.min), abs(a.max)) or 1.0
    for x, y, power in zip(a.moments[1:5], b.moments[1:5], (1, 2, 3, 4), strict=True):
        assert abs(x - y) <= 1e-12 * a.finite * size**power
    assert a.moments.abs_sum == pytest.approx(b.moments.abs_sum, rel=1e-12)


def same_counts(a: Summary, b: Summary) -> bool:
    """Whether all numbers but moments are equal."""
    plain = Summary().moments
    strip = [
        Summary(s.seen, s.total, s.nan, s.posinf, s.neginf, s.zeros, moments=plain, counts=s.counts) for s in (a, b)
    ]
    return same(*strip)


@given(PIECES)
@settings(deadline=None, max_examples=150)
def test_parts_put_together_are_the_whole(pieces: list[Array]) -> None:
    whole = summarise(np.concatenate(pieces))
    assert_close(merge_all(summarise(p) for p in pieces), whole)


@given(PIECES, st.integers(0, 4))
@settings(deadline=None, max_examples=100)
def test_merging_is_associative(pieces: list[Array], cut: int) -> None:
    parts = [summarise(p) for p in pieces]
    assert_close(merge(merge_all(parts[:cut]), merge_all(parts[cut:])), merge_all(parts))


@given(PIECES)
@settings(deadline=None, max_examples=50)
def test_the_empty_summary_changes_nothing(pieces: list[Array]) -> None:
    s = summarise(pieces[0])
    assert same(merge(Summary.empty(), s), s)
    assert same(merge(s, Summary.empty()), s)


@pytest.mark.parametrize("sizes", [(50_000, 40_000), (MANY, 10), (70_000, MANY), (3, 65_536, 2)])
def test_large_parts_put_together_are_the_whole(sizes: tuple[int, ...]) -> None:
    values = np.random.default_rng(6).normal(0, 1, sum(sizes)).astype(np.float32)
    values[::11] = 0
    values[::13] = -0.0
    merged = merge_all(summarise(v) for v in np.split(values, np.cumsum(sizes)[:-1]))
    assert merged.counts is not None
    assert isinstance(merged.counts, ExactCounts) == (len(np.unique(values)) <= MAX_DISTINCT and max(sizes) <= 65_536)
    assert_close(replace(merged, counts=merged.counts.coarsened()), summarise(values))


def test_exact_counts_stay_exact_as_long_as_they_can() -> None:
    rng = np.random.default_rng(8)
    halves = [rng.normal(0, 1, 30_000).astype(np.float32) for _ in range(2)]
    merged = merge_all(summarise(h) for h in halves)
    assert isinstance(merged.counts, ExactCounts)
    np.testing.assert_allclose(merged.quantiles((0.1, 0.5)), np.quantile(np.concatenate(halves), (0.1, 0.5)), rtol=1e-6)
    short = [rng.normal(0, 1, MANY).astype(np.float16) for _ in range(3)]
    merged = merge_all(summarise(h) for h in short)
    assert isinstance(merged.counts, ExactCounts)
    assert merged.distinct == len(np.unique(np.concatenate(short)))


def test_unlike_counts_become_buckets() -> None:
    rng = np.random.default_rng(9)
    parts = [rng.normal(0, 1, n).astype(d) for n, d in ((MANY, "float32"), (MANY, "float16"), (500, "float64"))]
    values = np.concatenate([p.astype(np.float64) for p in parts])
    merged = merge_all(summarise(p) for p in parts)
    assert isinstance(merged.counts, BucketCounts)
    assert merged.counts.total == len(values)
    np.testing.assert_allclose(merged.quantiles((0.01, 0.5, 0.9)), np.quantile(values, (0.01, 0.5, 0.9)), atol=1e-3)
    assert merged.near_zeros == np.count_nonzero((np.abs(values) < merged.near_zero_threshold) | (values == 0))


def test_integers_and_floats_put_together() -> None:
    merged = merge(summarise(np.array([2**62, -3], np.int64)), summarise(np.array([0.5, 9e18], np.float64)))
    assert (merged.min, merged.max) == (-3, 9e18)
    assert merged.quantile(0.0) == -3
    assert merged.histogram(2, -10, 10).counts.tolist() == [1, 1]


def test_ten_thousand_small_ones() -> None:
    rng = np.random.default_rng(10)
    values = rng.normal(0, 1, 400 * 500).astype(np.float32)
    fold = Fold(summarise(v) for v in values.reshape(-1, 500))
    assert_close(fold.summary(), summarise(values))
    fold.add(summarise(values[:1000]))
    assert fold.summary().total == 201_000


def test_the_first_of_equal_extremes_keeps_its_place() -> None:
    a = summarise(np.array([1.0, 3.0, np.nan])).with_places(At("a", (0,)), At("a", (1,)), At("a", (2,)))
    b = summarise(np.array([3.0, 1.0, np.inf])).with_places(At("b", (1,)), At("b", (0,)), inf_at=At("b", (2,)))
    c = summarise(np.array([0.0])).with_places(At("c", (0,)), At("c", (0,)))
    merged = merge_all((summarise(np.array([np.nan])), a, b))
    assert (merged.min_at, merged.max_at) == (At("a", (0,)), At("a", (1,)))
    assert (merged.nan_at, merged.inf_at) == (At("a", (2,)), At("b", (2,)))
    assert merge(merged, c).min_at == At("c", (0,))


def test_what_was_dropped_is_missed() -> None:
    a, b = summarise(np.arange(9.0)), summarise(np.arange(200_000.0))
    merged = merge(a, b.without_counts())
    assert merged.counts is None
    assert merged.mean == pytest.approx((36 + 199_999 * 100_000) / 200_009)
    assert merge(a, b.sketch()).counts is None


def test_second_passes_over_one_window_add_up() -> None:
    rng = np.random.default_rng(12)
    parts = [rng.normal(1e4, 1, MANY).astype(np.float32) for _ in range(2)]
    window = Window.over(9_990.0, 10_010.0, 60)
    summaries = [summarise(p).with_linear(count_steps(p, window)) for p in parts]
    found = merge_all(summaries).histogram(60, 9_990, 10_010)
    expected, _ = np.histogram(np.concatenate(parts).astype(np.float64), 60, (9_990, 10_010))
    assert found.counts.tolist() == expected.tolist()
    other = summarise(parts[1]).with_linear(count_steps(parts[1], Window.over(9_990.0, 10_011.0, 60)))
    assert merge(summaries[0], other).linear is None


def test_summaries_survive_pickling() -> None:
    values = np.random.default_rng(1).normal(0, 1, MANY).astype(np.float32)
    s = summarise(values).with_linear(count_steps(values, Window.over(-1.0, 1.0, 10)))
    copy = pickle.loads(pickle.dumps(s))
    assert same(copy, s)
    assert copy.row() == s.row()
    assert pickle.loads(pickle.dumps(s.sketch())).quantile(0.3) == s.sketch().quantile(0.3)


@given(st.lists(arrays(np.float64, st.integers(0, 30), elements=st.floats(-1e6, 1e6)), min_size=1, max_size=6))
@settings(deadline=None, max_examples=100)
def test_moments_of_many_parts_at_once(pieces: list[Array]) -> None:
    """The formula for many sets, the formula for two, and the values themselves agree."""
    parts = [moments_of(p) for p in pieces]
    at_once, whole = moments_of_rows(parts), moments_of(np.concatenate(pieces))
    pairwise = parts[0]
    for part in parts[1:]:
        pairwise = merge_moments(pairwise, part)
    for found in (at_once, pairwise):
        assert found.n == whole.n
        for x, y, power in zip(found[1:5], whole[1:5], (1, 2, 3, 4), strict=True):
            assert abs(x - y) <= 1e-12 * max(whole.n, 1) * 1e6**power


def test_moments_in_different_units() -> None:
    values = np.random.default_rng(5).normal(1, 1, 100)
    for low, high in ((-900, -880), (-900, 5), (3, 900)):
        parts = np.ldexp(values, low), np.ldexp(values, high)
        whole = moments_of(np.ldexp(np.concatenate(parts), -high))
        merged = merge_moments(*(moments_of(p) for p in parts))
        assert merged.kurtosis == pytest.approx(whole.kurtosis, rel=1e-12)
        assert merged.std == pytest.approx(np.ldexp(whole.std, high), rel=1e-12)
