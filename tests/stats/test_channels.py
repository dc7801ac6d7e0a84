"""Channels against plain numpy on whole arrays: both kernels, any cut into blocks, boxes in any order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wtui.stats.box import Box
from wtui.stats.channels import ChannelAccumulator, Channels

KERNELS = ["numpy", "numba"]


def measure(
    array: np.ndarray, axes: tuple[int, int] | None, group_axis: int | None = None, *, kernels: Any, cut: int = 1 << 30
) -> Channels:
    """The channels of an array that comes in pieces of `cut` values."""
    found = ChannelAccumulator(array.shape, axes, group_axis, kernels=kernels)
    flat = array.reshape(-1)
    for start in range(0, len(flat), cut):
        box = Box(start, array.shape, tuple(range(array.ndim)), (0,) * array.ndim)
        found.add(flat[start : start + cut], box)
    return found.finish()


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("axes", [(0, 1), (1, 2), (2, 3), (1, 3), (0, 2), (0, 3)])
@pytest.mark.parametrize("cut", [7, 64, 1 << 20])
def test_sums_by_channel(kernels: str, axes: tuple[int, int], cut: int) -> None:
    array = np.random.default_rng(1).normal(size=(5, 6, 8)).astype(np.float32)
    array[1, 2, :] = 0
    found = measure(array, axes, kernels=kernels, cut=cut)
    inside = tuple(range(*axes))
    others = tuple(a for a in range(3) if a not in inside)
    values = array.astype(np.float64)
    np.testing.assert_allclose(found.l1, np.abs(values).sum(others).reshape(-1), rtol=1e-12)
    np.testing.assert_allclose(found.l2, np.sqrt((values**2).sum(others)).reshape(-1), rtol=1e-12)
    np.testing.assert_allclose(found.largest, np.abs(values).max(others).reshape(-1))
    np.testing.assert_array_equal(found.nonzero, np.count_nonzero(values, others).reshape(-1))


@pytest.mark.parametrize("kernels", KERNELS)
def test_what_is_not_finite_adds_nothing_and_is_no_zero(kernels: str) -> None:
    array = np.array([[1, np.nan], [-2, np.inf], [0, -np.inf]], np.float32)
    for axes in ((1, 2), (0, 1)):
        found = measure(array, axes, kernels=kernels)
        expected = [3, 0] if axes == (1, 2) else [1, 2, 0]
        assert found.l1.tolist() == expected
        assert found.nonzero.tolist() == ([2, 3] if axes == (1, 2) else [2, 2, 1])


@pytest.mark.parametrize("kernels", KERNELS)
def test_rows_name_dead_weak_and_largest_channels(kernels: str) -> None:
    array = np.random.default_rng(2).normal(size=(40, 20)).astype(np.float32)
    array[:, [3, 11]] = 0
    array[:, 7] *= 1e-5
    array[:, 5] *= 30
    row = measure(array, (1, 2), kernels=kernels).row()
    assert (row.channels, row.per_channel) == (20, 40)
    assert (row.dead, row.dead_at) == (2, (3, 11))
    assert (row.weak, row.weak_at) == (1, (7,))
    assert row.largest_at == 5
    assert row.largest_l2 > 10 * row.median_l2


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("cut", [1, 5, 1000, 4096])
def test_the_longest_run_is_found_across_blocks(kernels: str, cut: int) -> None:
    array = np.random.default_rng(3).normal(size=4096).astype(np.float32)
    array[100:103] = 7
    array[3000:] = 0
    row = measure(array, None, kernels=kernels, cut=cut).row()
    assert (row.longest_run, row.run_at, row.run_value, row.run_is_last) == (1096, 3000, 0.0, True)
    row = measure(array[:2999], None, kernels=kernels, cut=cut).row()
    assert (row.longest_run, row.run_at, row.run_value, row.run_is_last) == (3, 100, 7.0, False)


@given(
    st.lists(st.sampled_from([0.0, 1.0, -1.0, float("nan")]), max_size=60), st.integers(1, 9), st.sampled_from(KERNELS)
)
@settings(max_examples=60, deadline=None)
def test_runs_equal_a_plain_loop(values: list[float], cut: int, kernels: str) -> None:
    best, length, last = 0, 0, None
    for x in values:
        length = length + 1 if x == last else 1
        last, best = x, max(best, length)
    assert measure(np.array(values, np.float32), None, kernels=kernels, cut=cut).row().longest_run == best


def kept_of(array: np.ndarray, kept: int, of: int) -> np.ndarray:
    """The array with all but the `kept` largest of every `of` neighbours along its first axis cleared."""
    found = array.copy()
    groups = found[: len(found) // of * of].reshape(-1, of, *found.shape[1:])
    np.put_along_axis(groups, np.argsort(np.abs(groups), axis=1)[:, : of - kept], 0, axis=1)
    return found


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("pattern", [(1, 2), (2, 4), (1, 4), (3, 4), (4, 8), (2, 8), (8, 16), (5, 16)])
def test_patterns_of_n_in_m_inputs(kernels: str, pattern: tuple[int, int]) -> None:
    array = kept_of(np.random.default_rng(4).normal(size=(64, 40)).astype(np.float32), *pattern)

    def found(values: np.ndarray, axes: tuple[int, int], inputs: int, cut: int = 1 << 30) -> tuple[int, int]:
        row = measure(values, axes, inputs, kernels=kernels, cut=cut).row()
        return row.kept, row.of

    assert found(array, (1, 2), 0) == pattern
    assert found(array.T.copy(), (0, 1), 1) == pattern
    assert found(array.T.copy(), (0, 1), 1, cut=100) == pattern
    assert found(array, (0, 1), 1) == (0, 0)
    dead = array.copy()
    dead[:, [3, 11]] = 0
    assert found(dead, (1, 2), 0) == pattern
    unused = array.copy()
    unused[[2, 17, 35, 50]] = 0
    assert found(unused, (1, 2), 0) == pattern
    array[:16, 7] = 1.0
    assert found(array, (1, 2), 0) == (0, 0)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.75, 0.9, 0.98])
def test_zeros_at_random_places_are_no_pattern(share: float) -> None:
    rng = np.random.default_rng(5)
    array = rng.normal(size=(64, 40)).astype(np.float32)
    for cleared in (rng.random(array.shape) < share, (rng.random(64) < share)[:, None], rng.random(40) < share):
        row = measure(np.where(cleared, 0, array).astype(np.float32), (1, 2), 0, kernels="numba").row()
        assert (row.kept, row.of) == (0, 0)


@pytest.mark.parametrize("array", [np.zeros((32, 8)), np.zeros((0, 8)), np.ones((3, 1)), np.full((16, 8), np.nan)])
def test_no_pattern_in_odd_tensors(array: np.ndarray) -> None:
    for kernels in KERNELS:
        assert measure(array.astype(np.float32), (1, 2), 0, kernels=kernels).row().of == 0


@given(st.integers(1, 40), st.integers(1, 5), st.integers(1, 90), st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_compiled_groups_are_those_of_numpy(rows: int, columns: int, cut: int, seed: int) -> None:
    array = np.random.default_rng(seed).integers(0, 2, (rows, columns)).astype(np.float32)
    for axis in (0, 1):
        one, other = (measure(array, None, axis, kernels=k, cut=cut) for k in KERNELS)
        np.testing.assert_array_equal(one.groups, other.groups)
        np.testing.assert_array_equal(one.used, other.used)
        assert one.used.tolist() == np.count_nonzero(array, 1 - axis).tolist()


def test_fingerprints_are_of_values_and_places() -> None:
    rng = np.random.default_rng(5)
    array = rng.normal(size=3000).astype(np.float32)

    def print_of(values: np.ndarray, kernels: str = "numba", cut: int = 1 << 20) -> int:
        return measure(values, None, kernels=kernels, cut=cut).row().fingerprint

    assert print_of(array) == print_of(array, "numpy") == print_of(array, cut=7) == print_of(array, "numpy", 11)
    swapped = array.copy()
    swapped[[4, 5]] = swapped[[5, 4]]
    assert len({print_of(array), print_of(swapped), print_of(array[:-1]), print_of(array * np.float32(2))}) == 4
    wide = array.astype(np.float64)
    assert print_of(wide) == print_of(wide, "numpy")


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("axes", [(0, 1), (1, 2), (2, 3), (0, 2), (1, 3)])
def test_boxes_in_pieces_are_the_whole(kernels: str, axes: tuple[int, int]) -> None:
    array = np.random.default_rng(6).normal(size=(6, 7, 4)).astype(np.float32)
    whole = measure(array, axes, kernels=kernels)
    found = ChannelAccumulator(array.shape, axes, kernels=kernels)
    for i in range(0, 6, 4):
        for j in range(0, 7, 3):
            piece = np.ascontiguousarray(array[i : i + 4, j : j + 3])
            found.add(piece.reshape(-1), Box(0, piece.shape, (0, 1, 2), (i, j, 0)))
    np.testing.assert_allclose(found.finish().l2, whole.l2, rtol=1e-12)


def test_axes_in_another_order() -> None:
    """Values stored with the last axis first: channels are found where they lie."""
    array = np.random.default_rng(7).normal(size=(6, 9)).astype(np.float32)
    found = ChannelAccumulator(array.shape, (0, 1), kernels="numpy")
    found.add(np.ascontiguousarray(array.T).reshape(-1), Box(0, (9, 6), (1, 0), (0, 0)))
    np.testing.assert_allclose(found.finish().l1, np.abs(array.astype(np.float64)).sum(1), rtol=1e-12)


@given(st.integers(0, 200))
@settings(max_examples=40, deadline=None)
def test_a_box_knows_the_index_of_every_value(position: int) -> None:
    shape = (5, 7, 9)
    box = Box(0, shape, (0, 1, 2), (0, 0, 0))
    assert box.index_of(position) == tuple(int(i) for i in np.unravel_index(position, shape))
    moved = Box(3, (7, 5), (1, 0), (2, 1))
    expected = np.unravel_index((position + 3) % 35, (7, 5))
    if position + 3 < 35:
        assert moved.index_of(position) == (2 + expected[1], 1 + expected[0])


@pytest.mark.parametrize("kernels", KERNELS)
def test_nothing_is_measured_of_nothing(kernels: str) -> None:
    row = measure(np.zeros((0, 4), np.float32), (1, 2), kernels=kernels).row()
    assert (row.channels, row.dead, row.longest_run) == (4, 4, 0)
    row = measure(np.float32([[2.5]]), None, kernels=kernels).row()
    assert (row.channels, row.longest_run, row.run_is_last) == (0, 1, True)
