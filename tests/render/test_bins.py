"""The number of bins that nobody asked for: the Rice rule within what can be drawn."""

from __future__ import annotations

import pytest

from wtui.render.bins import bins_for


@pytest.mark.parametrize(
    ("values", "bins"), [(0, 10), (1, 10), (72, 10), (1000, 20), (27_000, 60), (10**6, 156), (10**12, 156)]
)
def test_few_values_have_few_bins(values: int, bins: int) -> None:
    assert bins_for(values, 156) == bins


def test_no_more_bins_than_can_be_drawn() -> None:
    assert bins_for(10**6, 8) == 8
