"""Blocks in any order, from several threads, through compiled kernels or numpy: one answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.stats.helpers import MANY, blocks_of, count_steps, same, summarise
from tests.stats.test_merge import assert_close, same_counts
from wtui.errors import CodecError
from wtui.stats.accumulate import BLOCK, Accumulator, LinearAccumulator
from wtui.stats.linear import Window
from wtui.stats.places import locate

KINDS = ["float32", "float64", "float16", "int64", "uint8"]


def values_of(dtype: str, n: int = MANY, seed: int = 1) -> Any:
    """Plausible values with zeros of both signs and, for floats, a few that are not finite in one block."""
    rng = np.random.default_rng(seed)
    if "int" in dtype:
        return rng.integers(0, 200, n).astype(dtype)
    values = rng.normal(0.3, 1, n)
    values[::1000] = 0.0
    values[1::1000] = -0.0
    if n > BLOCK:
        values[BLOCK + 5 : BLOCK + 8] = np.nan, np.inf, -np.inf
    return values.astype(dtype)


@pytest.mark.parametrize("kernels", ["numpy", "numba"])
@pytest.mark.parametrize("dtype", KINDS)
def test_order_and_threads_do_not_change_a_bit(dtype: str, kernels: Any) -> None:
    values = values_of(dtype)
    expected = summarise(values, kernels=kernels)
    assert same(summarise(values, kernels=kernels, order=(2, 0, 1)), expected)
    assert same(summarise(values, kernels=kernels, threads=2), expected)
    assert same(summarise(values, kernels=kernels, threads=2, order=(1, 2, 0)), expected)


@pytest.mark.parametrize("dtype", [*KINDS, "uint64", "int32", "uint16", "int16", "bfloat16", "bool", "float8_e5m2"])
def test_kernels_and_numpy_agree(dtype: str) -> None:
    from wtui.dtypes import numpy_dtype

    values = values_of(dtype if "int" in dtype else "float64").astype(numpy_dtype(dtype))
    a, b = summarise(values, dtype, "numba"), summarise(values, dtype, "numpy")
    assert_close(a, b)
    assert (a.min, a.max) == (b.min, b.max)


def test_several_blocks_at_once_are_the_same() -> None:
    values = values_of("float32", 70 * BLOCK + 11)
    single = summarise(values)
    for step in (3, 70):
        accumulator = Accumulator("float32", len(values))
        scratch = accumulator.scratch()
        for first in range(0, 71, step):
            accumulator.add(first, values[first * BLOCK : (first + step) * BLOCK], scratch)
        assert same(accumulator.finish([scratch]), single)
        assert accumulator.places.nan is not None
        assert accumulator.places.nan.block == 1


def test_blocks_may_be_short_and_numbers_may_jump() -> None:
    """Chunks of a file make blocks of their own sizes."""
    values = values_of("float32")
    accumulator = Accumulator("float32", len(values), kernels="numba")
    scratch = accumulator.scratch()
    for i in reversed(range(0, len(values), 1_000)):
        accumulator.add(i * 7, values[i : i + 1_000], scratch)
    assert_close(accumulator.finish([scratch]), summarise(values))


def test_a_scratch_may_serve_many_accumulators_at_once() -> None:
    many = [values_of("float32", seed=s) for s in range(3)] + [values_of("float16"), values_of("uint8")]
    accumulators = [Accumulator(v.dtype.name, len(v)) for v in many]
    scratch = accumulators[0].scratch()
    for number in range(3):
        for accumulator, values in zip(accumulators, many, strict=True):
            accumulator.add(number, blocks_of(values)[number][1], scratch)
    for accumulator, values in zip(accumulators, many, strict=True):
        assert same(accumulator.finish([scratch]), summarise(values))


def test_a_sample_says_so() -> None:
    values = values_of("float32")
    s = summarise(values[:5000], total=10**9, expected=5000, kernels="numpy")
    assert (s.seen, s.total, s.distinct) == (5000, 10**9, len(np.unique(values[:5000])))
    t = summarise(values, order=(1,), total=len(values))
    assert (t.seen, t.total) == (BLOCK, len(values))


@pytest.mark.parametrize("n", [300, MANY])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "int32", "uint64"])
def test_byte_order_alignment_and_read_only_memory(dtype: str, n: int) -> None:
    from wtui.dtypes import numpy_dtype

    values = values_of(dtype if "int" in dtype else "float64", n).astype(numpy_dtype(dtype))
    width = values.dtype.itemsize
    little = values.view(f"u{width}").astype(f"<u{width}").tobytes()
    big = values.view(f"u{width}").astype(f">u{width}").tobytes()
    expected = summarise(values, dtype)
    for raw, order in ((little, "<"), (big, ">")):
        shifted = np.frombuffer(b"\0" + raw, np.uint8)[1:]
        accumulator = Accumulator(dtype, n, order)
        scratch = accumulator.scratch()
        for i in range(-(-n // BLOCK)):
            accumulator.add(i, shifted[i * BLOCK * width : (i + 1) * BLOCK * width], scratch)
        assert same(accumulator.finish([scratch]), expected)


@pytest.mark.parametrize("n", [1_000, MANY])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64", "int8", "bfloat16"])
def test_extremes_are_found_where_they_are_first(dtype: str, n: int) -> None:
    from wtui.dtypes import numpy_dtype

    rng = np.random.default_rng(3)
    numbers = rng.integers(-50, 50, n).astype(np.float64)
    numbers[[n // 2, n - 1]] = 99
    numbers[[n // 3, n - 2]] = -99
    if "int" not in dtype:
        numbers[n // 5] = np.inf
        numbers[n // 5 + 7] = np.nan
    values = numbers.astype(numpy_dtype(dtype))
    accumulator = Accumulator(dtype, n, "=")
    scratch = accumulator.scratch()
    for number, data in reversed(blocks_of(values)):
        accumulator.add(number, data, scratch)
    accumulator.finish([scratch])
    expected = {"min": n // 3, "max": n // 2, "inf": n // 5, "nan": n // 5 + 7}
    for what, place in accumulator.places._asdict().items():
        if "int" in dtype and what in ("nan", "inf"):
            assert place is None
            continue
        again = locate(blocks_of(values)[place.block][1], dtype, what, "=")
        assert place.position in (again, None)
        assert place.block * BLOCK + again == expected[what]


def test_locate_where_there_is_nothing() -> None:
    values = np.array([np.nan, np.inf], np.float32)
    assert locate(values, "float32", "min") is None
    assert locate(values[1:], "float32", "nan") is None
    assert locate(np.array([1.0, -0.0, 0.0]), "float64", "min") == 1


def test_zeros_of_both_signs_are_one_value() -> None:
    values = np.zeros(MANY, np.float32)
    values[1::2] = -0.0
    for s in (summarise(values), summarise(values[:100])):
        assert (s.zeros, s.near_zeros, s.std) == (s.total, s.total, 0.0)
        assert s.quantiles((0, 0.5, 1)) == (0.0, 0.0, 0.0)
    accumulator = Accumulator("float32", MANY)
    values[:BLOCK] = 0.0
    scratch = accumulator.scratch()
    for number, data in blocks_of(values):
        accumulator.add(number, data, scratch)
    accumulator.finish([scratch])
    assert accumulator.places.min == accumulator.places.max == (0, None)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("n", [500, MANY])
@pytest.mark.parametrize("kernels", ["numpy", "numba"])
def test_nothing_finite(dtype: str, n: int, kernels: Any) -> None:
    nans, infs = (
        summarise(np.full(n, np.nan, dtype), kernels=kernels),
        summarise(np.full(n, -np.inf, dtype), kernels=kernels),
    )
    assert (nans.nan, nans.finite, nans.seen) == (n, 0, n)
    assert (infs.neginf, infs.posinf, infs.finite, infs.seen) == (n, 0, 0, n)
    for s in (nans, infs):
        row = s.row()
        assert all(np.isnan(x) for x in (row.mean, row.std, row.min, row.max, row.l1, *row.quantiles))
        assert row.zeros == row.near_zeros == 0


def test_nan_with_any_payload_is_nan() -> None:
    patterns = np.full(MANY, 0x3F800000, np.uint32)
    patterns[[0, 5, 9]] = 0x7F800001, 0xFFC12345, 0xFFFFFFFF
    patterns[[1, 2]] = 0x7F800000, 0xFF800000
    for n in (20, MANY):
        s = summarise(patterns[:n].view(np.float32))
        assert (s.nan, s.posinf, s.neginf, s.finite) == (3, 1, 1, n - 5)
        assert (s.min, s.max, s.std) == (1.0, 1.0, 0.0)


@pytest.mark.parametrize("n", [10, MANY])
def test_extremes_of_64_bit_integers_are_not_rounded(n: int) -> None:
    values = np.zeros(n, np.int64)
    values[[1, 2, 3]] = -(2**63), 2**63 - 1, 2**53 + 1
    s = summarise(values)
    assert (s.min, s.max) == (-(2**63), 2**63 - 1)
    assert s.distinct is None
    u = summarise(np.where(np.arange(n) == 2, np.uint64(2**64 - 1), np.uint64(2**63)))
    assert (u.min, u.max) == (2**63, 2**64 - 1)
    assert u.std == pytest.approx(np.where(np.arange(n) == 2, 2.0**63, 0).std(), rel=1e-9)


def test_data_of_another_dtype_is_refused() -> None:
    accumulator = Accumulator("float32", 10)
    with pytest.raises(CodecError):
        accumulator.add(0, np.zeros(10, np.float64), accumulator.scratch())
    for dtype in ("complex64", "complex128", "float128", "string"):
        with pytest.raises(CodecError):
            Accumulator(dtype, 1)


@pytest.mark.parametrize("kernels", ["numpy", "numba"])
def test_second_pass_counts_every_finite_value(kernels: Any) -> None:
    values = values_of("float32")
    window = Window.over(-0.5, 1.0, 7)
    accumulator = LinearAccumulator("float32", window, "=", kernels=kernels)
    scratches = [accumulator.scratch(), accumulator.scratch()]
    for number, data in blocks_of(values):
        accumulator.add(number, data, scratches[number % 2])
    found = accumulator.finish(scratches)
    finite = values[np.isfinite(values)].astype(np.float64)
    assert (found.below, found.above, found.total) == ((finite < -0.5).sum(), (finite > 1).sum(), len(finite))
    per_bin = np.bincount(found.steps // window.per_bin, found.counts, 7)
    assert per_bin.tolist() == np.histogram(finite, 7, (-0.5, 1))[0].tolist()


@pytest.mark.parametrize("kernels", ["numpy", "numba"])
@pytest.mark.parametrize("top", [5e-324, 1e-323, 1e-310, 1e308])
def test_windows_at_the_ends_of_float64(top: float, kernels: Any) -> None:
    values = np.array([0.0, 0.0, top, -top, np.inf])
    found = count_steps(values, Window.over(0.0, top, 60), kernels)
    assert (found.below, found.above, found.total) == (1, 0, 4)
    wide = count_steps(values, Window.over(-top, top, 2), kernels)
    assert (wide.below, wide.above, wide.total) == (0, 0, 4)


def test_a_window_of_no_width_is_one_around_it() -> None:
    values = np.full(MANY, 3.0, np.float32)
    s = summarise(values)
    assert s.histogram_window(4, 3.0, 3.0)[:2] == (2.5, 3.5)
    found = s.with_linear(count_steps(values, s.histogram_window(4, 3.0, 3.0))).histogram(4, 3.0, 3.0)
    assert found.counts.tolist() == np.histogram(values, 4)[0].tolist()


def test_counts_of_both_kernels_are_equal() -> None:
    values = values_of("float64")
    assert same_counts(summarise(values, kernels="numba"), summarise(values, kernels="numpy"))
