"""Heat maps: the sign by colour, the size by its strength, and what to do without colours."""

from __future__ import annotations

import math

from wtui.render.heat import Matrix, enlarged, filter_lines, heat_lines, legend, scale_of
from wtui.render.spans import Paint, line_width, plain

MATRIX = Matrix(3, 4, [1.0, -1.0, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0, math.nan, 2.0, -2.0, 0.1])


def test_two_rows_share_a_line_of_colour() -> None:
    lines = heat_lines(MATRIX, 1.0, colour=True)
    assert len(lines) == 2
    assert [line_width(line) for line in lines] == [4, 4]
    first = lines[0][0][1]
    assert isinstance(first, Paint)
    upper, _, lower = first.partition("/")
    assert int(upper[1:3], 16) > int(upper[5:7], 16), "positive values are orange"
    assert lower == "#2c2e34", "zero is neutral"
    negative = lines[0][1][1].partition("/")[0]
    assert int(negative[5:7], 16) > int(negative[1:3], 16), "negative values are blue"


def test_what_is_not_finite_has_a_colour_of_its_own() -> None:
    assert heat_lines(MATRIX, 1.0, colour=True)[1][0][1].startswith("#e5534b")
    assert plain(heat_lines(MATRIX, 1.0, colour=False)[2])[0] == "✗"


def test_without_colour_size_is_darkness() -> None:
    lines = [plain(line) for line in heat_lines(MATRIX, 1.0, colour=False)]
    assert lines[0][:4] == "█@ ░", "below zero other characters"
    assert len(lines) == 3


def test_scale_ignores_one_outlier_and_never_is_zero() -> None:
    assert scale_of([0.1] * 999 + [50.0]) == 0.1
    assert scale_of([0.0, 0.0]) == 1.0
    assert scale_of([]) == 1.0
    assert scale_of([math.nan, 3.0]) == 3.0


def test_filters_stand_in_rows_under_their_numbers() -> None:
    images = [Matrix(3, 3, [float(n)] * 9) for n in range(20)]
    lines = filter_lines(images, range(40, 60), 1.0, 60, colour=True)
    assert plain(lines[0]).split() == ["40", "41", "42", "43"]
    assert max(map(line_width, lines)) <= 60
    assert max(map(line_width, filter_lines(images, range(20), 1.0, 60, colour=False))) <= 60


def test_the_legend_names_the_scale() -> None:
    assert plain(legend(0.25, colour=True)).startswith("-0.250")
    assert plain(legend(0.25, colour=False)) == "-0.250 '@Ooc;,' 0 '·:░▒▓█' +0.250"


def test_small_matrices_are_enlarged_to_what_there_is_room_for() -> None:
    lines = enlarged(MATRIX, 1.0, 40, 20, colour=True)
    assert len(lines) == 3 * 6 // 2
    assert {line_width(line) for line in lines} == {4 * 6}
    assert len(enlarged(MATRIX, 1.0, 8, 20, colour=True)) == 3
    assert {line_width(line) for line in enlarged(MATRIX, 1.0, 4, 20, colour=True)} == {4}
    dark = enlarged(MATRIX, 1.0, 40, 9, colour=False)
    assert len(dark) == 9
    assert plain(dark[0])[:12] == "█" * 6 + "@" * 6
    assert enlarged(Matrix(0, 4, []), 1.0, 40, 9, colour=True) == []
