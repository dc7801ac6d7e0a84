"""Buckets by the leading 20 bits of a float32: numbers, places and ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wtui.stats.buckets import IDS, SIGN, SLOTS, ZERO, bounds, ids_of, slots_of, slots_of_ids, snapped


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_ids_are_the_leading_bits(x: float) -> None:
    bits = int(np.array([x], np.float32).view(np.uint32)[0])
    assert ids_of(np.array([x])).tolist() == [bits >> 12]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_value_lies_in_its_slot(x: float) -> None:
    slot = slots_of(np.array([x]))
    lower, upper = (float(e[0]) for e in bounds(slot))
    assert 0 <= slot[0] < SLOTS
    assert (lower <= x < upper) or (lower < x <= upper) or (x == lower == upper == 0)
    assert (slot[0] == ZERO) == (x == 0)


def test_slots_ascend_with_values_and_meet_each_other() -> None:
    slots = np.arange(SLOTS, dtype=np.int32)[2048 : SLOTS - 2048]
    lower, upper = bounds(slots)
    assert np.array_equal(lower[1:], upper[:-1])
    assert np.all(lower <= upper)
    assert np.all(lower[1:] >= lower[:-1])


def test_ids_and_slots_name_the_same_buckets() -> None:
    values = np.concatenate([s * np.geomspace(1e-44, 3e38, 500) for s in (1.0, -1.0)])
    ids = np.unique(ids_of(values))
    assert sorted(slots_of_ids(ids).tolist()) == np.unique(slots_of(values)).tolist()
    assert slots_of_ids(np.array([0, SIGN - 1, SIGN, IDS - 1])).tolist() == [ZERO + 1, SLOTS - 1, ZERO - 1, 0]


@given(st.floats(min_value=0, max_value=1e300))
def test_thresholds_are_ends_of_buckets(threshold: float) -> None:
    end = snapped(threshold)
    assert end <= threshold
    lower, _ = bounds(slots_of(np.array([end])))
    assert lower[0] == end
    if 1e-37 < threshold < 3e38:
        assert end > threshold * (1 - 2**-11)


@pytest.mark.parametrize("threshold", [0.0, -1.0, float("nan"), float("inf"), 1e-45])
def test_no_threshold(threshold: float) -> None:
    assert snapped(threshold) == 0.0
