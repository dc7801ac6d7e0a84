"""Plots: bars where values are, the right numbers at the axes, widths that never overflow, ASCII on demand."""

from __future__ import annotations

import pytest

from wtui.render.plots import LABEL_WIDTH, DepthPoint, channel_plot, depth_plot, histogram_plot, overlay_plot, to_ascii
from wtui.render.spans import line_width, plain


def text(lines: tuple[list[tuple[str, str]], ...]) -> list[str]:
    return [plain(line) for line in lines]


@pytest.mark.parametrize(("width", "height"), [(30, 8), (44, 14), (120, 40)])
def test_every_plot_fits(width: int, height: int) -> None:
    counts = tuple(float(i % 7) for i in range(60))
    points = tuple(DepthPoint(i + 1, i * 0.5, -1.0, i + 1.0) for i in range(50))
    for lines in (
        histogram_plot(counts, -1.0, 1.0, width, height),
        histogram_plot(counts, -1.0, 1.0, width, height, True, counts),
        channel_plot(counts, width, height),
        depth_plot(points, 50, 3, width, height),
    ):
        assert len(lines) <= height
        assert max(map(line_width, lines)) <= width


def test_the_peak_of_a_histogram_is_its_largest_count() -> None:
    for bins in (8, 36, 72):
        counts = tuple([10.0] * (bins - 1) + [432.0])
        assert text(histogram_plot(counts, 0.0, 1.0, 44, 12))[0].split("┤")[0].strip() == "432"


def test_joined_bins_are_summed() -> None:
    assert text(histogram_plot((1.0,) * 144, 0.0, 1.0, 44, 12))[0].split("┤")[0].strip() == "2"


def test_empty_bins_stay_empty() -> None:
    counts = tuple(100.0 if i in (0, 35) else 0.0 for i in range(36))
    bottom = text(histogram_plot(counts, 0.0, 1.0, 44, 12))[-3].split("┤")[1]
    assert bottom.strip() != ""
    assert " " * 30 in bottom


def test_a_logarithmic_scale_shows_what_a_linear_one_hides() -> None:
    counts = tuple(1e6 if i == 18 else 5.0 for i in range(36))
    linear, log = (text(histogram_plot(counts, 0.0, 1.0, 44, 12, which)) for which in (False, True))
    assert sum("█" in line for line in log) >= 1
    assert sum(line.count("▐█") + line.count("█▌") for line in log) >= sum(line.count("█") > 5 for line in linear)


def test_channels_in_order_with_their_largest_norm() -> None:
    lines = text(channel_plot((1.0, 2.0, 3.0, 0.0), 44, 12))
    assert lines[0].split("┤")[0].strip() == "3.00"
    assert lines[-1].split() == ["0", "3"]


def test_the_current_tensor_is_marked_and_gaps_are_kept() -> None:
    points = (DepthPoint(1, 0.5), DepthPoint(5, 0.1))
    lines = text(depth_plot(points, 9, 5, 44, 12))
    assert sum(line.count("◉") for line in lines) == 1
    assert sum(line.count("•") for line in lines) == 1
    assert lines[-1].split() == ["1", "5", "9"]


def test_equal_and_broken_values_do_not_break_the_axis() -> None:
    assert depth_plot((DepthPoint(1, 0.0), DepthPoint(2, 0.0)), 2, 1, 40, 10)
    assert depth_plot((DepthPoint(1, 3.0),), 1, 1, 40, 10, False)
    assert depth_plot((DepthPoint(1, float("nan")),), 1, None, 40, 10) == ()


def test_ascii_has_nothing_else() -> None:
    counts = tuple(float(i) for i in range(60))
    for line in histogram_plot(counts, -1.0, 1.0, 44, 12, False, counts):
        assert plain(to_ascii(line)).isascii()


def test_an_overlay_tells_what_both_reach_from_what_one_does() -> None:
    a, b = (4.0, 4.0, 0.0, 0.0, 2.0, 8.0), (0.0, 4.0, 4.0, 0.0, 4.0, 8.0)
    lines = [plain(line) for line in overlay_plot(a, b, 0.0, 6.0, 8 + 6, 10)]
    columns = ["".join(line.ljust(14)[8 + i] for line in lines[:8]) for i in range(6)]
    assert [set(c) - {" "} for c in columns] == [{"░"}, {"█"}, {"▒"}, set(), {"▒", "█"}, {"█"}]
    assert columns[4].strip() == "▒▒██"
    assert len(columns[0].strip()) == 4
    assert "█" not in "".join(plain(line) for line in overlay_plot(a, (), 0.0, 6.0, 14, 10))
    styles = {text: style for line in overlay_plot(a, b, 0.0, 6.0, 14, 10) for text, style in line}
    assert styles["░"] != styles["▒"]
    assert to_ascii([("░▒█", "")]) != to_ascii([("███", "")])


def test_an_overlay_in_logarithms_and_of_nothing() -> None:
    few, many = (30.0, 1.0), (1000.0, 1.0)
    linear, log = (overlay_plot(few, many, 0.0, 1.0, 40, 12, log=x) for x in (False, True))
    height = [sum("█" in plain(line) for line in lines) for lines in (linear, log)]
    assert height[0] < height[1]
    assert overlay_plot((0.0,), (0.0,), 0.0, 1.0, 40, 12)


def test_a_course_joins_neighbours_and_leaves_gaps() -> None:
    points = tuple(DepthPoint(i, float(i)) for i in (1, 2, 3, 7, 8, 9))
    lines = [plain(line) for line in depth_plot(points, 9, 3, 67, 12, names=tuple("abcdefghi"))]
    assert lines[-1].split() == ["a", "e", "i"]
    assert sum(line.count("◉") for line in lines) == 1
    columns = [any(line[LABEL_WIDTH + 1 :][x : x + 1].strip() for line in lines[:-2]) for x in range(59)]
    assert all(columns[4:15])
    assert not any(columns[19:38])


def test_a_bar_of_next_to_nothing_is_half_a_row() -> None:
    lines = [plain(line) for line in histogram_plot((1.0, 1000.0, 1.0, 0.0), 0.0, 1.0, 40, 12)]
    bottom = lines[9]
    assert bottom.startswith("      0┤")
    assert set(bottom[8:14]) <= set("▗▄"), "one of a thousand"
    assert set(bottom[17:22]) <= set("█▌▙"), "a thousand"
