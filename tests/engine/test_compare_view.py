"""What is looked at of a pair, in every layout: values and heat maps against numpy's own transposes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.engine.test_compare import LAYOUTS, SHAPES_B, saved, turned
from wtui.engine import compare_plan
from wtui.engine.compare import WantedPair
from wtui.engine.compare_view import box_of_a, box_of_difference, reduce_difference
from wtui.errors import UsageError
from wtui.stats.layout import inverse_layout, plain_layout

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from wtui.stats.layout import Layout

    Array = NDArray[np.float32]


def pair_of(kind: str, way: str, path: Path) -> tuple[WantedPair, Layout, Array, Array]:
    """A pair, its layout, A's values in B's places, and B's values."""
    rng = np.random.default_rng(5)
    shape, layout = LAYOUTS[kind]
    there = SHAPES_B[kind]
    first = rng.normal(0, 1, shape).astype(np.float32)
    second = turned(first, layout, there) + rng.normal(0, 0.1, there).astype(np.float32)
    if way == "back":  # A is what was B
        pair = WantedPair(saved(path / "a", second), saved(path / "b", first), ())
        back = np.empty(first.size, np.float32)
        places = turned(np.arange(first.size, dtype=np.float32).reshape(shape), layout, there).astype(np.int64)
        back[places.reshape(-1)] = second.reshape(-1)
        return pair, inverse_layout(layout), back.reshape(shape), first
    return (
        WantedPair(saved(path / "a", first), saved(path / "b", second), ()),
        layout,
        turned(first, layout, there),
        second,
    )


@pytest.mark.parametrize("way", ["forth", "back"])
@pytest.mark.parametrize("kind", list(LAYOUTS))
def test_boxes_are_in_the_places_of_b(kind: str, way: str, tmp_path: Path) -> None:
    pair, layout, a, b = pair_of(kind, way, tmp_path)
    rng = np.random.default_rng(1)
    for _ in range(6):
        ends = [sorted(rng.integers(0, n + 1, 2).tolist()) for n in b.shape]
        start, stop = tuple(e[0] for e in ends), tuple(e[1] for e in ends)
        box = tuple(slice(m, n) for m, n in zip(start, stop, strict=True))
        assert np.array_equal(box_of_a(pair, layout, start, stop), a[box])
        expected = b[box].astype(np.float64) - a[box].astype(np.float64)
        assert np.array_equal(box_of_difference(pair, layout, start, stop), expected)


@pytest.mark.parametrize("tile", [64, 1 << 19])
@pytest.mark.parametrize("way", ["forth", "back"])
@pytest.mark.parametrize("kind", list(LAYOUTS))
def test_heat_map_of_the_difference(
    kind: str, way: str, tile: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare_plan.tile_shape, "__defaults__", ((), tile))
    pair, layout, a, b = pair_of(kind, way, tmp_path)
    d = b.astype(np.float64) - a.astype(np.float64)
    for split in range(d.ndim + 1):
        rows = int(np.prod(d.shape[:split]))
        matrix = d.reshape(rows, -1)
        cells = reduce_difference(pair, layout, split, 5, 7)
        assert cells is not None
        assert (cells.rows, cells.columns) == matrix.shape
        edges = [np.arange(n + 1) * length // n for n, length in zip(cells.mean.shape, matrix.shape, strict=True)]
        for r in range(len(edges[0]) - 1):
            for c in range(len(edges[1]) - 1):
                cell = matrix[edges[0][r] : edges[0][r + 1], edges[1][c] : edges[1][c + 1]]
                assert cells.mean[r, c] == pytest.approx(cell.mean(), abs=1e-12)
                assert cells.abs_max[r, c] == np.abs(cell).max()


def test_scalars_empty_ones_and_values_that_are_not_finite(tmp_path: Path) -> None:
    def pair(name: str, a: Array, b: Array) -> WantedPair:
        return WantedPair(saved(tmp_path / f"{name}a", a), saved(tmp_path / f"{name}b", b), ())

    one = pair("s", np.float32(1.5).reshape(()), np.float32(2.0).reshape(()))
    assert box_of_difference(one, plain_layout(()), (), ()).tolist() == 0.5
    empty = pair("e", np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32))
    assert box_of_difference(empty, plain_layout((0, 3)), (0, 0), (0, 3)).shape == (0, 3)
    with pytest.raises(UsageError):
        reduce_difference(empty, plain_layout((0, 3)), 1, 4, 4)
    x = np.ones((2, 3), np.float32)
    y = x.copy()
    y[0, 0], y[1, 2] = np.nan, np.inf
    cells = reduce_difference(pair("n", x, y), plain_layout(x.shape), 1, 2, 3)
    assert cells is not None
    assert np.isnan(cells.mean[0, 0])
    assert np.isinf(cells.mean[1, 2])
    assert cells.mean[0, 1] == 0
    assert reduce_difference(pair("n", x, y), plain_layout(x.shape), 1, 2, 3, stopped=lambda: True) is None
