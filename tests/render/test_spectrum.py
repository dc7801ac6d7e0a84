"""Spectra as lines; the Marchenko-Pastur counts against a random matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from wtui.render.plots import rank_plot
from wtui.render.spans import plain
from wtui.render.spectrum import SPECTRUM_METRICS, by_chance, number_lines, spectrum_points, table_lines
from wtui.stats.spectrum import describe, from_matrix

if TYPE_CHECKING:
    from wtui.stats.spectrum_row import SpectrumRow


def spectrum(rows: int, columns: int, scale: float = 1.0) -> SpectrumRow:
    found = from_matrix(scale * np.random.default_rng(5).standard_normal((rows, columns)))
    assert found is not None
    return describe([found], rows, columns, "float32")


@pytest.mark.parametrize("shape", [(500, 300), (300, 500), (400, 400)])
def test_counts_by_chance_are_those_of_a_random_matrix(shape: tuple[int, int]) -> None:
    row = spectrum(*shape, 0.02)
    edges = np.linspace(0, 1.05 * row.edge, 41)
    expected = np.array(by_chance(row, tuple(edges)))
    counts = np.histogram(row.values, edges)[0]
    assert expected.sum() == pytest.approx(min(shape), rel=0.02)
    assert np.abs(np.cumsum(counts) - np.cumsum(expected)).max() < 0.02 * min(shape)


def test_numbers_fit_the_width_and_say_what_is_missing() -> None:
    row = spectrum(30, 20)
    for width in (36, 80):
        lines = [plain(line) for line in number_lines(row, "a matrix of 30 × 20", width)]
        assert all(len(line) <= width for line in lines)
        assert "50 are needed" in " ".join(" ".join(lines).split())


def test_table_escapes_names_and_keeps_to_the_width() -> None:
    lines = table_lines({"a\x1b[31m": spectrum(60, 60)}, {"b": "it holds \x07"}, 120)
    texts = [plain(line) for line in lines]
    assert not any("\x1b" in t or "\x07" in t for t in texts)
    assert all(len(t) <= 130 for t in texts)


def test_points_leave_gaps_where_nothing_is_known() -> None:
    rows = {3: spectrum(60, 60), 9: spectrum(4, 4)}
    alpha = next(m for m in SPECTRUM_METRICS if m.key == "alpha")
    assert [p.position for p in spectrum_points(alpha, (1, 3, 9), rows)] == [2]


@pytest.mark.parametrize("values", [(), (1.0,), (0.0, 0.0), (5.0, 4.0, 0.0), tuple(10.0**-i for i in range(300))])
@pytest.mark.parametrize("log", [False, True])
def test_rank_plot_of_anything(values: tuple[float, ...], log: bool) -> None:
    assert len(rank_plot(values, 60, 12, log)) >= 12 if values else True
