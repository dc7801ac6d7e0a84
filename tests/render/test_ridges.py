"""Distributions side by side: one axis, one line each, whatever the numbers are."""

from __future__ import annotations

import numpy as np
import pytest

from tests.stats.helpers import summarise
from wtui.render.ridges import ASCII, ridge_lines
from wtui.render.spans import plain, text_width

RNG = np.random.default_rng(6)


def lines(arrays: list[np.ndarray], width: int = 80, **options: bool) -> list[str]:
    rows = {i: summarise(a).row() for i, a in enumerate(arrays)}
    return [plain(line) for line in ridge_lines({i: f"layer{i}" for i in range(9)}, rows, width, **options)]  # type: ignore[arg-type]


def test_a_narrow_distribution_takes_fewer_columns_on_the_common_axis() -> None:
    wide, narrow = (RNG.uniform(-s, s, 5000).astype(np.float32) for s in (1.0, 0.25))
    found = lines([wide, narrow])
    drawn = [len(text[10:-11].strip()) for text in found[1:3]]
    assert drawn[1] == pytest.approx(drawn[0] / 4, abs=2)
    own = [len(text[10:-11].strip()) for text in lines([wide, narrow], own_scale=True)[1:3]]
    assert own[0] == own[1]
    assert "not read yet" in found[3]


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize(
    "array",
    [np.zeros(5), np.array([3.0]), np.full(4, np.nan), np.array([np.inf, 1.0]), np.array([1e300, -1e300]), np.zeros(0)],
)
def test_odd_numbers_keep_to_the_width(array: np.ndarray, width: int) -> None:
    for own_scale in (False, True):
        for text in lines([array, RNG.standard_normal(100)], width, own_scale=own_scale):
            assert text_width(text) <= width


def test_more_lines_for_each_draw_the_same_distribution_higher() -> None:
    rows = {0: summarise(RNG.standard_normal(5000)).row()}
    one, three = ([plain(line)[9:60] for line in ridge_lines({0: "layer0"}, rows, 80, height=h)][1:] for h in (1, 3))
    assert len(three) == 3
    assert [c != " " for c in three[-1]] == [c != " " for c in one[0]]
    assert sum(c != " " for c in three[0]) < sum(c != " " for c in three[-1])


def test_ascii_draws_with_ascii() -> None:
    found = lines([RNG.standard_normal(1000)], ascii=True)
    assert all(text.isascii() for text in found)
    assert set(found[1][10:-11]) & set(ASCII[1:])
