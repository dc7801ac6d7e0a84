"""What outputs say of a model, on arrays in which it is known."""

from __future__ import annotations

import numpy as np
import pytest

from tests.live.rows import row
from wtui.live.protocol import InputUsed
from wtui.live.remarks import remarks
from wtui.live.seen import Seen
from wtui.render.outputs_table import empty_columns, output_header, output_line
from wtui.render.spans import line_width
from wtui.tui.output_view import VIEWS, Wanted, view_lines

RNG = np.random.default_rng(3)
NORMAL = RNG.normal(size=(8, 50))


def rules(*outputs: np.ndarray, squashing: str = "", rms: float | None = 1.0) -> set[tuple[str, str]]:
    rows = [row(f"layer{i}", a, squashing) for i, a in enumerate([*outputs, NORMAL])]
    return {(f.rule, f.layer) for f in remarks(rows, rms)}


def test_nothing_is_said_of_ordinary_outputs() -> None:
    assert rules(NORMAL, 2 * NORMAL) == set()
    assert remarks([], 1.0) == []


def test_the_first_output_that_is_not_finite() -> None:
    broken = NORMAL.copy()
    broken[0, 0], broken[1, 1] = np.nan, np.inf
    assert rules(NORMAL, broken, broken) == {("output-not-finite", "layer1")}
    [found] = remarks([row("a", broken), row("b", NORMAL)], 1.0)
    assert found.message == "the first output that is not finite: 1 NaN, 1 infinite, on this input"


def test_exploding_and_vanishing_signals() -> None:
    assert rules(NORMAL, 2000 * NORMAL) == {("exploding-signal", "layer1")}
    assert rules(NORMAL, 2000 * NORMAL, 1e6 * NORMAL) == {("exploding-signal", "layer1")}
    assert rules(NORMAL, 1e-4 * NORMAL) == {("vanishing-signal", "layer1")}
    assert rules(2000 * NORMAL, rms=None) == set()
    assert rules(2000 * NORMAL, rms=0.0) == set()


def test_numbers_of_words_are_no_signal() -> None:
    seen = Seen()
    seen.take(InputUsed("tokens", (8, 32), "int32", "random", 500.0))
    seen.take(row("embedding", 0.01 * NORMAL))
    seen.take(row("out", NORMAL))
    assert seen.inputs_rms is None
    assert seen.remarks() == []
    seen.take(InputUsed("image", (8, 32), "float32", "random", 1.0))
    assert seen.inputs_rms == 1.0


def test_outputs_that_are_the_same_for_every_sample() -> None:
    same = np.repeat(RNG.normal(size=(1, 50)), 8, 0)
    assert rules(NORMAL, same) == {("collapsed-output", "layer1")}
    assert rules(NORMAL, np.zeros((8, 50))) == {("collapsed-output", "layer1")}


@pytest.mark.parametrize(("dead", "severity"), [(1, None), (10, "info"), (30, "warning")])
def test_dead_units(dead: int, severity: str | None) -> None:
    outputs = np.maximum(NORMAL, 0)
    outputs[:, :dead] = 0
    found = [f for f in remarks([row("a", outputs, "relu"), row("b", NORMAL)], 1.0) if f.rule == "dead-units"]
    assert [f.severity for f in found] == ([severity] if severity else [])


def test_saturated_units_inside_and_not_at_the_end() -> None:
    flat = np.tanh(10 * NORMAL)
    assert rules(flat, squashing="tanh") == {("saturated-units", "layer0")}
    assert remarks([row("a", NORMAL), row("b", flat, "tanh")], 1.0) == []


def test_rows_of_the_table_fit_every_width() -> None:
    broken = NORMAL.copy()
    broken[0, 0] = np.nan
    rows = [row("a very long name of a layer inside another layer", np.maximum(NORMAL, 0), "relu"), row("b", broken)]
    empty = empty_columns(rows)
    assert empty == {"saturated"}
    for width in range(20, 200):
        lines = [output_header(width, empty), *(output_line(r, width, empty) for r in rows)]
        assert {line_width(line) for line in lines} <= {max(width, 16)}


@pytest.mark.parametrize("view", VIEWS)
def test_views_are_drawn_at_every_size(view: str) -> None:
    seen = Seen()
    for array in (NORMAL, np.ones((2, 1)), np.full((2, 2), np.nan), RNG.normal(size=(2, 9, 9, 3)), np.zeros((0, 3))):
        seen.take(row("a", array, "relu"))
    for width, height in ((120, 40), (58, 12), (30, 4), (10, 3)):
        for number in range(len(seen.outputs) + 1):
            for colour in (True, False):
                assert isinstance(view_lines(seen, Wanted(view, number, "std", width, height, colour)), list)
    assert view_lines(Seen(), Wanted(view, 0, "std", 58, 12, True))
    seen.close()


def test_numbers_of_one_value_and_of_none() -> None:
    for array in (np.ones((1, 1)), np.zeros((0, 3)), np.full((2, 2), np.nan), np.ones((3,))):
        made = row("a", array)
        assert line_width(output_line(made, 100)) == 100
        assert isinstance(remarks([made, made], 1.0), list)
