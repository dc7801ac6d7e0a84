"""Quantile bands over time: where the median lies, what is drawn between checkpoints, gaps, sizes."""

from __future__ import annotations

import math

import pytest

from wtui.render.bands import AXIS_ROWS, LABEL, Band, bands_plot
from wtui.render.plots import to_ascii
from wtui.render.spans import line_width, plain

NONE = Band((math.nan,) * 7)


def normal(middle: float, spread: float) -> Band:
    return Band(tuple(middle + spread * z for z in (-2.33, -1.64, -0.67, 0, 0.67, 1.64, 2.33)))


def canvas(bands: list[Band], width: int = 49, height: int = 22, current: int | None = 0) -> list[str]:
    names = tuple(str(i) for i in range(len(bands)))
    lines = bands_plot(tuple(bands), names, current, width, height)
    assert all(line_width(line) <= width for line in lines)
    assert len(lines) == height
    return ["".join(text for text, _ in line)[LABEL:] for line in lines]


def test_the_median_is_where_it_is() -> None:
    rows = canvas([normal(0, 1), normal(0, 1)])
    medians = [y for y, row in enumerate(rows) if "━" in row]
    assert len(medians) == 1
    assert abs(medians[0] - (22 - AXIS_ROWS) / 2) <= 1
    assert set(rows[medians[0]]) == {"━"}


def test_bands_are_nested() -> None:
    rows = canvas([normal(0, 1)] * 3)
    column = [row[20] for row in rows[: 22 - AXIS_ROWS]]
    text = "".join(column)
    above, below = text.split("━")
    assert above == "".join(sorted(above, key="░▒▓".index))
    assert below == "".join(sorted(below, key="▓▒░".index))
    assert set(text) == set("░▒▓━")


def test_a_widening_distribution_widens() -> None:
    rows = canvas([normal(0, 0.1), normal(0, 1)])[: 22 - AXIS_ROWS]
    heights = [sum(row[x] != " " for row in rows) for x in (0, 20, 39)]
    assert heights[0] < heights[1] < heights[2]


def test_a_checkpoint_without_numbers_is_a_gap() -> None:
    rows = canvas([normal(0, 1), normal(0, 1), NONE])[: 22 - AXIS_ROWS]
    assert all(row[30] == " " for row in rows)
    assert any(row[10] != " " for row in rows)


def test_one_checkpoint_constants_and_the_current_one() -> None:
    assert any("━" in row for row in canvas([normal(3, 1)]))
    assert any("━" in row for row in canvas([Band((2.5,) * 7)] * 2))
    assert canvas([normal(0, 1)] * 3, current=2)[20].rstrip().endswith("◉")
    assert "◉" not in canvas([normal(0, 1)] * 3, current=None)[20]


def test_names_do_not_run_into_each_other() -> None:
    names = tuple(f"checkpoint {i}" for i in range(40))
    lines = bands_plot((normal(0, 1),) * 40, names, 1, 40, 12)
    assert plain(lines[-1]).split() == ["checkpoint", "1", "checkpoint", "39"]


@pytest.mark.parametrize(("bands", "width", "height"), [([], 40, 12), ([NONE], 40, 12), ([normal(0, 1)], 8, 12),
                                                        ([normal(0, 1)], 40, 3)])  # fmt: skip
def test_nothing_to_draw_or_no_room(bands: list[Band], width: int, height: int) -> None:
    assert bands_plot(tuple(bands), ("0",) * len(bands), None, width, height) == ()


def test_it_can_be_written_in_ascii() -> None:
    lines = bands_plot((normal(0, 1), normal(1, 2)), ("0", "1"), 0, 40, 12)
    texts = [plain(to_ascii(line)) for line in lines]
    assert all(t.isascii() and "?" not in t for t in texts)
    assert any("=" in t for t in texts)
