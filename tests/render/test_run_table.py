"""The table of a run: which checkpoints are in sight, names that are cut, cells that say it in letters."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wtui.render.run_table import (
    CELL,
    columns_for,
    figure_cell,
    fitted_name,
    headline,
    short_names,
    state_cell,
    titles,
    value_cell,
)
from wtui.render.spans import plain, text_width


@given(st.integers(30, 300), st.integers(0, 200), st.integers(1, 500), st.data())
def test_the_cursor_is_in_sight(width: int, names: int, members: int, data: st.DataObject) -> None:
    cursor, first = (data.draw(st.integers(0, members - 1)) for _ in range(2))
    found = columns_for(width, names, members, cursor, first)
    assert 0 <= found.first <= cursor < found.stop <= members
    assert found.stop - found.first == 1 or found.name + CELL * (found.stop - found.first) <= width
    assert columns_for(width, names, members, cursor, found.first) == found


@pytest.mark.parametrize(
    ("name", "width", "expected"),
    [
        ("conv1/kernel", 20, "conv1/kernel"),
        ("model.layers.7.self_attn.q_proj.weight", 25, "…7.self_attn.q_proj.weight"[:26]),
        ("model.layers.12.self_attn.q_proj.weight", 20, "…12.…n.q_proj.weight"),
        ("a_very_long_name_without_numbers", 12, "…out_numbers"),
    ],
)
def test_names_keep_the_number_of_their_block(name: str, width: int, expected: str) -> None:
    found = fitted_name(name, width)
    assert text_width(found) <= width
    assert found == expected or (len(expected) > width and found.startswith("…7."))


@given(st.text(alphabet="ab.1/", max_size=60), st.integers(8, 40))
def test_any_name_fits(name: str, width: int) -> None:
    assert text_width(fitted_name(name, width)) <= width


def test_short_names() -> None:
    assert short_names(["epoch 1", "epoch 12"]) == ("epoch", ("1", "12"))
    assert short_names(["epoch 1", "best.keras"]) == ("", ("epoch 1", "best.keras"))
    assert short_names([]) == ("", ())
    columns = columns_for(60, 10, 3, 0, 0)
    assert plain(titles(["step 500", "step 1000", "step 1500"], "std", columns)).split() == [
        "std", "by", "step", "500", "1000", "1500",
    ]  # fmt: skip


def test_cells() -> None:
    assert value_cell(0.25, 0, False, True).text == "0.2500"
    assert value_cell(0.25, 3, True, True) == ("✗ NaN", "error")
    assert value_cell(0.25, 3, False, True) == ("NaN", "error")
    assert value_cell(math.nan, 0, False, True).text == "–"
    assert value_cell(math.nan, 0, False, False).text == "·"
    assert figure_cell(0.5, True).text == "0.5000*"
    assert figure_cell(math.nan, False).text == "NaN"
    assert figure_cell(None, False).text == "·"
    assert state_cell("good", False, False, False).text == "✓"
    assert state_cell("good", True, False, False).text == "✓ gone"
    assert state_cell("fault", True, False, False).text == "✗ NaN"
    assert state_cell(None, False, True, False).text == "written…"
    for kind in ("good", "fault", "incomplete", "unreadable", "stranger", None):
        assert len(state_cell(kind, False, False, True).text) < CELL


def test_headlines_without_faults_and_figures() -> None:
    lines = [plain(line) for line in headline("", "last good: epoch 1, complete", True, None, 2, 2)]
    assert lines[0] == " ✓ no NaN and no infinity in 2 checkpoints"
    assert "no validation figures were found" in lines[2]
    assert plain(headline("", "reading …", False, None, 0, 3)[0]) == " reading …"
    assert [plain(line) for line in headline("", "", False, None, 0, 0)] == [
        " waiting for the first checkpoint",
        "",
        "",
    ]


@pytest.mark.parametrize("value", [0.006413, 0.7709, -0.012345, 1.2345e-12, 123456.7, 0.0])
def test_the_star_of_the_best_always_has_room(value: float) -> None:
    cell = figure_cell(value, True)
    assert cell.text.endswith("*")
    assert text_width(cell.text) < CELL
