"""Pairs read together from files in every layout, held against numpy on the same arrays in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import ml_dtypes
import numpy as np
import pytest
from numpy.testing import assert_allclose

from tests.builders import write_safetensors
from wtui.engine import compare_plan, compare_read
from wtui.engine.compare import ComparedPair, PairScanner, WantedPair
from wtui.engine.compare_all import AnyScanner, Wanted
from wtui.engine.compare_axes import CommonAxes
from wtui.engine.compare_probe import Fingerprints, likeliest_layout
from wtui.engine.compare_read import Stored
from wtui.errors import UsageError
from wtui.formats import open_catalogue
from wtui.stats.layout import Layout, inverse_layout, plain_layout, transposed_layout
from wtui.storage import Files

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from wtui.stats.summary import Summary

    Array = NDArray[Any]

GRU = Layout((10, 3, 7), (1, 2, 0), 1, (1, 0, 2))

LAYOUTS = {
    "dense": ((30, 41), transposed_layout((30, 41), (1, 0))),
    "convolution": ((3, 2, 17, 29), transposed_layout((3, 2, 17, 29), (3, 2, 0, 1))),
    "TFLite": ((3, 2, 17, 29), transposed_layout((3, 2, 17, 29), (3, 0, 1, 2))),
    "depthwise": ((3, 3, 23, 2), transposed_layout((3, 3, 23, 2), (2, 3, 0, 1))),
    "heads": ((24, 4, 6), transposed_layout((24, 4, 6), (1, 2, 0))),
    "gates": ((10, 21), GRU),
    "one axis": ((1, 31), transposed_layout((1, 31), (1, 0))),
}
SHAPES_B = {
    "dense": (41, 30), "convolution": (29, 17, 3, 2), "TFLite": (29, 3, 2, 17), "depthwise": (46, 1, 3, 3),
    "heads": (24, 24), "gates": (21, 10), "one axis": (31, 1),
}  # fmt: skip


def turned(a: Array, layout: Layout, shape: tuple[int, ...]) -> Array:
    """A in B's order, as the layout's own words say."""
    values = a.reshape(layout.factors)
    if layout.blocks:
        values = np.take(values, layout.blocks, layout.block_axis)
    return np.ascontiguousarray(values.transpose(layout.order).reshape(shape))


def stored(path: Path, name: str = "w") -> Stored:
    catalogue = open_catalogue(str(path))
    return Stored(catalogue[name], catalogue, Files(catalogue.files))


def saved(path: Path, array: Array) -> Stored:
    return stored(write_safetensors(path, {"first": np.zeros(3, np.int8), "w": array}))


def compared(a: Stored, b: Stored, *layouts: Layout, channels: tuple[int, int] | None = None) -> ComparedPair:
    [outcome] = PairScanner([WantedPair(a, b, layouts, channels)]).outcomes()
    assert outcome.problem == ""
    assert outcome.compared is not None
    return outcome.compared


def check(found: ComparedPair, a: Array, b: Array, back: Array) -> None:
    """`a` in B's order against `b`; `back`: the flat index in A of every value in B's order."""
    x, y = a.astype(np.float64), b.astype(np.float64)
    d = y - x
    row = found.row()
    assert (row.pairs, row.total, row.changed) == (x.size, x.size, np.count_nonzero(d))
    assert row.sign_flips == np.count_nonzero(x * y < 0)
    assert_allclose(row.mean_abs, np.abs(d).mean(), rtol=1e-12)
    assert_allclose(row.relative_l2, np.linalg.norm(d) / np.linalg.norm(x), rtol=1e-12)
    assert_allclose(row.cosine, (x * y).sum() / np.linalg.norm(x) / np.linalg.norm(y), rtol=1e-12)
    assert row.max_abs == np.abs(d).max()
    assert row.max_at is not None
    assert row.max_at_a is not None
    assert abs(d[row.max_at.index]) == row.max_abs
    assert (
        np.ravel_multi_index(row.max_at_a.index, back.shape_a)
        == back.flat[np.ravel_multi_index(row.max_at.index, d.shape)]
    )  # type: ignore[attr-defined]
    assert found.summary_a.seen == found.summary_b.seen == x.size
    assert_allclose(found.summary_b.mean, y.mean(), rtol=1e-9)


class Places(np.ndarray):
    """Flat indices in A, and A's shape."""

    shape_a: tuple[int, ...]


def places(shape: tuple[int, ...], layout: Layout, shape_b: tuple[int, ...]) -> Places:
    found = turned(np.arange(np.prod(shape)).reshape(shape), layout, shape_b).view(Places)
    found.shape_a = shape
    return found


@pytest.fixture(params=[1 << 19, 600, 37])
def tile(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Values of a tile: everything at once, some, a few."""
    monkeypatch.setattr(compare_plan, "TILE", request.param)
    monkeypatch.setattr(compare_plan.tile_shape, "__defaults__", ((), request.param))
    return int(request.param)


@pytest.mark.parametrize("way", ["forth", "back"])
@pytest.mark.parametrize("kind", LAYOUTS)
def test_layouts(kind: str, way: str, tile: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    (shape_a, layout), shape_b = LAYOUTS[kind], SHAPES_B[kind]
    a = rng.normal(size=shape_a).astype(np.float32)
    in_order = turned(a, layout, shape_b)
    b = np.where(rng.random(shape_b) < 0.5, in_order, in_order + rng.normal(size=shape_b)).astype(np.float32)
    side_a, side_b = saved(tmp_path / "a.safetensors", a), saved(tmp_path / "b.safetensors", b)
    assert layout.fits(shape_a, shape_b)
    if way == "forth":
        check(compared(side_a, side_b, layout, channels=(0, 1)), in_order, b, places(shape_a, layout, shape_b))
    else:
        other = inverse_layout(layout)
        assert inverse_layout(other) == layout
        back = places(shape_b, other, shape_a)
        check(compared(side_b, side_a, other), turned(b, other, shape_a), a, back)
        assert compared(side_b, saved(tmp_path / "c.safetensors", turned(b, other, shape_a)), other).row().identical


def extremes(a: Stored, b: Stored, layout: Layout) -> ComparedPair:
    """As a screen gets it: with the places of extremes."""
    [outcome] = AnyScanner([0], lambda number: Wanted(WantedPair(a, b, (layout,)))).outcomes()
    assert outcome.pair is not None, outcome.problem
    assert (outcome.a, outcome.b) == (outcome.pair.summary_a, outcome.pair.summary_b)
    return outcome.pair


def check_extremes(summary: Summary, values: Array) -> None:
    """The places of one tensor's extremes, none of which is there twice."""
    x = values.astype(np.float64)
    finite = np.where(np.isfinite(x), x, np.nan)
    expected = {
        "min_at": np.nanargmin(finite), "max_at": np.nanargmax(finite),
        "nan_at": np.isnan(x).argmax() if np.isnan(x).any() else None,
        "inf_at": np.isinf(x).argmax() if np.isinf(x).any() else None,
    }  # fmt: skip
    for name, flat in expected.items():
        at = getattr(summary, name)
        assert (at and at.index) == (None if flat is None else np.unravel_index(flat, x.shape)), name
        assert at is None or at.tensor == "w"


@pytest.mark.parametrize("kind", LAYOUTS)
def test_extremes_are_where_they_are_in_either_model(kind: str, tile: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(17)
    (shape_a, layout), shape_b = LAYOUTS[kind], SHAPES_B[kind]
    a = rng.permutation(np.prod(shape_a)).reshape(shape_a).astype(np.float32)
    b = rng.permutation(np.prod(shape_a)).reshape(shape_b).astype(np.float32) - 7
    b.flat[5], b.flat[b.size - 3] = np.nan, -np.inf
    side_a, side_b = saved(tmp_path / "a.safetensors", a), saved(tmp_path / "b.safetensors", b)
    for sides, arrays, way in (
        ((side_a, side_b), (a, b), layout),
        ((side_b, side_a), (b, a), inverse_layout(layout)),
    ):
        found = extremes(*sides, way)
        check_extremes(found.summary_a, arrays[0])
        check_extremes(found.summary_b, arrays[1])


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int16"])
def test_extremes_of_many_blocks(dtype: str, tmp_path: Path) -> None:
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    a, b = (np.ones((900, 1100), kind) for _ in range(2))
    for array, low, high in ((a, (3, 5), (899, 1098)), (b, (700, 1), (1, 0))):
        array[low], array[high] = -8, 9
    plain, turned_layout = plain_layout(a.shape), transposed_layout(a.shape, (1, 0))
    sides = saved(tmp_path / "a.safetensors", a), saved(tmp_path / "b.safetensors", b)
    turned_b = saved(tmp_path / "t.safetensors", np.ascontiguousarray(b.T))
    for other, array, layout in ((sides[1], b, plain), (turned_b, b.T, turned_layout)):
        found = extremes(sides[0], other, layout)
        check_extremes(found.summary_a, a)
        check_extremes(found.summary_b, array)


def test_extremes_of_scalars_and_empty_ones(tmp_path: Path) -> None:
    for shape in ((), (0, 3), (1,)):
        a = np.zeros(shape, np.float32)
        side = saved(tmp_path / "a.safetensors", a)
        found = extremes(side, side, plain_layout(shape))
        assert (found.summary_a.min_at is None) == (not a.size)


@pytest.mark.parametrize("kind", LAYOUTS)
def test_channels_in_any_layout(kind: str, tile: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(12)
    (shape_a, layout), shape_b = LAYOUTS[kind], SHAPES_B[kind]
    a = rng.normal(size=shape_a).astype(np.float32)
    in_order = turned(a, layout, shape_b)
    b = (in_order + rng.normal(size=shape_b)).astype(np.float32)
    side_a, side_b = saved(tmp_path / "a.safetensors", a), saved(tmp_path / "b.safetensors", b)
    found = compared(side_a, side_b, layout, channels=(0, 1))
    d = (b.astype(np.float64) - in_order).reshape(shape_b[0], -1)
    assert_allclose(found.channels[0], (d * d).sum(axis=1), rtol=1e-12)
    last = compared(side_b, saved(tmp_path / "c.safetensors", b * 2), plain_layout(shape_b), channels=(1, 2)).channels
    moved = np.moveaxis(b.astype(np.float64), 1, 0).reshape(shape_b[1], -1)
    assert_allclose(last[0], (moved**2).sum(axis=1) if shape_b[1] > 1 else [], rtol=1e-12)


@pytest.mark.parametrize(
    "dtypes", [("float32", "float16"), ("bfloat16", "float32"), ("float64", "float32"), ("int8", "float32")]
)
def test_different_dtypes_are_compared_as_values(dtypes: tuple[str, str], tmp_path: Path) -> None:
    rng = np.random.default_rng(13)
    kinds = [np.dtype(getattr(ml_dtypes, d, d)) for d in dtypes]
    values = (20 * rng.normal(size=(300, 500))).astype(kinds[0])
    other = values.astype(np.float64).astype(kinds[1])
    found = compared(
        saved(tmp_path / "a.safetensors", values), saved(tmp_path / "b.safetensors", other), plain_layout(values.shape)
    )
    d = other.astype(np.float64) - values.astype(np.float64)
    assert found.row().changed == np.count_nonzero(d)
    assert_allclose(found.row().relative_l2, np.linalg.norm(d) / np.linalg.norm(values.astype(np.float64)), rtol=1e-12)
    assert found.row().rounded_equal == (None if "int8" in dtypes else values.size)
    assert found.row().identical == (dtypes[0] in ("bfloat16", "int8"))


def test_many_blocks_give_the_same_bits_with_any_number_of_threads(tmp_path: Path) -> None:
    rng = np.random.default_rng(14)
    a = rng.normal(size=(4500, 1000)).astype(np.float32)
    b = a + (0.01 * rng.normal(size=a.shape)).astype(np.float32)
    sides = saved(tmp_path / "a.safetensors", a), saved(tmp_path / "b.safetensors", b)
    turned_b = saved(tmp_path / "t.safetensors", np.ascontiguousarray(b.T))
    rows = []
    for threads in (1, 2, 5):
        pairs = [
            WantedPair(*sides, (plain_layout(a.shape),), (1, 2)),
            WantedPair(sides[0], turned_b, (transposed_layout(a.shape, (1, 0)),), (0, 1)),
        ]
        outcomes = sorted(PairScanner(pairs, threads=threads).outcomes(), key=lambda o: o.pair)
        rows.append([o.compared.row() for o in outcomes if o.compared])
    assert rows[0] == rows[1] == rows[2]
    straight, transposed = rows[0]
    assert transposed.max_at is not None
    assert straight.max_at is not None
    assert transposed.max_at.index[::-1] == straight.max_at.index == transposed.max_at_a.index  # type: ignore[union-attr]
    assert (transposed.changed, transposed.ks, transposed.max_abs) == (straight.changed, straight.ks, straight.max_abs)
    assert_allclose(transposed.relative_l2, straight.relative_l2, rtol=1e-13)
    assert [t.channel for t in transposed.top] == [t.channel for t in straight.top]


def test_fortran_order_and_chunks_against_raw_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(15)
    a = rng.normal(size=(70, 45, 6)).astype(np.float32)
    b = a + np.float32(0.5)
    np.save(tmp_path / "f.npy", np.asfortranarray(b))
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file.create_dataset("w", data=b, chunks=(16, 16, 6), compression="gzip")
        file.create_dataset("other", data=a, chunks=(7, 45, 2), compression="gzip")
    raw = saved(tmp_path / "a.safetensors", a)
    fortran = open_catalogue(str(tmp_path / "f.npy"))
    others = [Stored(fortran.tensors[0], fortran, Files(fortran.files)), stored(tmp_path / "c.h5")]
    plain = plain_layout(a.shape)
    back = places(a.shape, plain, a.shape)
    for whole in (compare_read.MAX_WHOLE, 0):
        monkeypatch.setattr(compare_read, "MAX_WHOLE", whole)
        for other in others:
            check(compared(raw, other, plain, channels=(2, 3)), a, b, back)
            check(compared(other, raw, plain), b, a, back)
        check(compared(stored(tmp_path / "c.h5", "other"), others[1], plain), a, b, back)
    turned_layout = transposed_layout(a.shape, (2, 1, 0))
    kept = saved(tmp_path / "t.safetensors", np.ascontiguousarray(a.transpose(2, 1, 0)))
    found = compared(others[1], kept, turned_layout)
    assert_allclose(found.row().mean, -0.5, rtol=1e-6)


def test_memory_is_bounded_by_tiles(tmp_path: Path) -> None:
    import tracemalloc

    a = np.zeros((3000, 2000), np.float32)
    sides = saved(tmp_path / "a.safetensors", a), saved(tmp_path / "t.safetensors", a.T.copy())
    layout = transposed_layout(a.shape, (1, 0))
    compared(*sides, layout)
    tracemalloc.start()
    compared(*sides, layout)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60_000_000
    assert a.nbytes * 2 > 40_000_000


def test_a_pair_that_cannot_be_read_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    a = np.ones((4, 5), np.float32)
    good = saved(tmp_path / "a.safetensors", a)
    cut = tmp_path / "cut.safetensors"
    saved(cut, a)
    cut.write_bytes(cut.read_bytes()[:-10])
    pairs = [
        WantedPair(good, stored(cut), (plain_layout(a.shape),)),
        WantedPair(good, good, ()),
        WantedPair(good, good, (Layout((3, 7), (0, 1)),)),
        WantedPair(good, good, (plain_layout(a.shape),)),
        WantedPair(
            saved(tmp_path / "e.safetensors", a[:0]), saved(tmp_path / "f.safetensors", a[:0]), (plain_layout((0, 5)),)
        ),
    ]
    outcomes = sorted(PairScanner(pairs).outcomes(), key=lambda o: o.pair)
    assert [
        "lie behind the end" in outcomes[0].problem,
        "do not fit" in outcomes[1].problem,
        "do not fit" in outcomes[2].problem,
    ] == [True] * 3
    assert [o.compared is None for o in outcomes] == [True, True, True, False, False]
    empty = outcomes[4].compared
    assert empty is not None
    assert empty.row().identical


def test_a_sample_decides_between_layouts(tmp_path: Path) -> None:
    rng = np.random.default_rng(16)
    a = rng.normal(size=(64, 64)).astype(np.float32)
    side = saved(tmp_path / "a.safetensors", a)
    same, turned_b = (
        saved(tmp_path / "b.safetensors", a + np.float32(0.01)),
        saved(tmp_path / "t.safetensors", a.T.copy()),
    )
    unlike = saved(tmp_path / "u.safetensors", rng.normal(size=(64, 64)).astype(np.float32))
    plain, transposed = plain_layout(a.shape), transposed_layout(a.shape, (1, 0))
    for first, second in ((plain, transposed), (transposed, plain)):
        assert likeliest_layout(side, same, (first, second)) == plain
        assert likeliest_layout(side, turned_b, (first, second)) == transposed
        assert likeliest_layout(side, unlike, (first, second)) == first


def test_fingerprints_know_small_tensors_whatever_their_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(17)
    a = rng.normal(size=(30, 20)).astype(np.float32)
    arrays = {"a": a, "t": a.T.copy(), "b": a + 1, "zero": np.zeros(5, np.float32), "big": np.zeros(70_000, np.float32)}
    catalogue = open_catalogue(str(write_safetensors(tmp_path / "f.safetensors", arrays)))
    fingerprints = Fingerprints(catalogue, Files(catalogue.files))
    of = {name: fingerprints(catalogue.index(name)) for name in arrays}
    assert of["a"] == of["t"] != of["b"]
    assert (of["zero"], of["big"]) == (None, None)


def test_common_axes_refuse_what_does_not_fit() -> None:
    with pytest.raises(UsageError, match="do not fit"):
        CommonAxes((2, 3), (3, 3), plain_layout((2, 3)))
    common = CommonAxes((10, 21), (21, 10), GRU)
    assert common.index((4, 0, 5), 0) == (4, 5)
    assert common.index((4, 0, 5), 1) == (7 + 5, 4)
    assert common.box((0, 1, 0), (10, 1, 7), 1) == ((0, 0), (7, 10))
