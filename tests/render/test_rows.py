"""Rows of the layer tree in narrow and wide panes."""

from __future__ import annotations

from tests.builders import catalogue_of
from wtui.render.rows import layer_row, tensor_row
from wtui.render.spans import line_width, plain

CATALOGUE = catalogue_of(
    [("conv", "Conv2D", [("kernel", (3, 3, 64, 64)), ("bias", (64,))]), ("flatten", "Flatten", [])]
)
CONV, FLATTEN = CATALOGUE.root.children


def test_a_wide_row_says_how_many_tensors_and_bytes() -> None:
    row = layer_row(CONV, CATALOGUE, 54)
    assert plain(row).split() == ["conv", "Conv2D", "2", "·", "147.7", "kB", "36.9", "K"]
    assert plain(tensor_row(CATALOGUE.tensors[0], 54, sparkline="▁█▁")).split() == [
        "kernel",
        "3×3×64×64",
        "147.5",
        "kB",
        "▁█▁",
    ]
    assert plain(layer_row(FLATTEN, CATALOGUE, 54)).split() == ["flatten", "Flatten", "–"]


def test_a_narrow_row_has_no_room_for_that() -> None:
    assert plain(layer_row(CONV, CATALOGUE, 40)).split() == ["conv", "Conv2D", "36.9", "K"]


def test_rows_of_one_width_end_below_each_other() -> None:
    for width in (20, 40, 49, 50, 54, 120):
        rows = [layer_row(node, CATALOGUE, width) for node in (CATALOGUE.root, CONV, FLATTEN)]
        rows += [tensor_row(t, width, sparkline="▁▂█▂▁") for t in CATALOGUE.tensors]
        assert {line_width(row) for row in rows} == {width}
