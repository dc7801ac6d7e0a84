"""The block grid: which tensors stand in which cell, and what stands out."""

from __future__ import annotations

import math

from tests.builders import catalogue_of
from wtui.render.grid import block_grid, cell_width, oddness

KERNEL = [("kernel", (4, 4)), ("bias", (4,))]


def test_blocks_of_a_transformer_are_columns() -> None:
    layers = [("embed", "", [("weight", (9, 4))])]
    for i in range(5):
        layers += [(f"h{i}", "", []), (f"h{i}/attn", "", KERNEL), (f"h{i}/mlp", "", KERNEL[:1])]
    grid = block_grid(catalogue_of(layers))
    assert grid.rows == ("attn/kernel", "attn/bias", "mlp/kernel")
    assert grid.columns == ("0", "1", "2", "3", "4")
    catalogue = catalogue_of(layers)
    assert catalogue.tensors[grid.cells[1][3]].name == "h3/attn/bias"


def test_a_block_without_a_tensor_leaves_its_cell_empty() -> None:
    layers = []
    for i in range(4):
        layers += [(f"h{i}", "", []), (f"h{i}/attn", "", KERNEL if i != 2 else KERNEL[:1])]
    grid = block_grid(catalogue_of(layers))
    assert grid.cells[1][2] is None
    assert None not in grid.cells[0]


def test_a_plain_chain_is_shown_by_family() -> None:
    layers = [(f"conv{i}", "Conv2D", [("kernel", (3, 3, 2, 2)), ("bias", (2,))]) for i in range(6)]
    layers.append(("top", "Dense", KERNEL))
    grid = block_grid(catalogue_of(layers))
    assert grid.rows == ("convolution kernels", "dense kernels", "biases")
    assert grid.cells[0] == (0, 2, 4, 6, 8, 10, None)
    assert grid.cells[2][6] == 13


def test_eighty_blocks_fit_one_screen() -> None:
    layers = []
    for i in range(80):
        layers += [(f"h{i}", "", []), (f"h{i}/attn", "", KERNEL)]
    assert cell_width(block_grid(catalogue_of(layers)), 118) * 80 + 27 <= 118


def test_one_that_differs_is_odd_and_the_others_are_not() -> None:
    values = [1.0, 1.01, 0.99, 1.02, 0.98, 5.0, None, math.nan]
    odd = oddness(values)
    assert odd[5] is not None
    assert odd[5] > 50
    assert all(abs(x) < 3 for x in odd[:5] if x is not None)
    assert odd[6] is None
    assert odd[7] == math.inf


def test_equal_values_are_not_odd() -> None:
    assert oddness([2.0] * 5) == [0.0] * 5
    assert oddness([]) == []
    assert oddness([None, None]) == [None, None]
