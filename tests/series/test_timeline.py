"""Numbers over time: of tensors, of layers as numpy has them, and the change from one checkpoint to the next."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from tests.series.runs import settled, weights, write_checkpoint, write_run
from wtui.errors import WtuiError
from wtui.series.changes import Changes, relative
from wtui.series.reading import Reader
from wtui.series.timeline import METRICS, Rows, pooled, pooled_quantiles


@pytest.fixture
def rows(tmp_path: Path) -> tuple[Rows, list[str]]:
    write_run(tmp_path, 3)
    found, paths = Rows(), [str(tmp_path / f"epoch-{n}.safetensors") for n in range(3)]
    for path in reversed(paths):
        found.take(path, Reader(cache=False).read(path))
    return found, paths


def test_tensors_and_layers(rows: tuple[Rows, list[str]]) -> None:
    found, _ = rows
    assert [s.name for s in found.tensors()] == ["conv.weight", "fc.weight", "fc.bias"]
    assert [(s.name, s.tensors) for s in found.layers()] == [
        ("conv", ("conv.weight",)),
        ("fc", ("fc.weight", "fc.bias")),
    ]


def test_a_layers_numbers_are_those_of_its_values(rows: tuple[Rows, list[str]]) -> None:
    found, paths = rows
    layer = found.layers()[1]
    for epoch, path in enumerate(paths):
        values = np.concatenate([a.ravel() for n, a in weights(epoch).items() if n.startswith("fc.")]).astype(float)
        numbers = found.numbers(layer, path)
        assert numbers is not None
        assert numbers.total == values.size
        assert numbers.mean == pytest.approx(values.mean(), rel=1e-12)
        assert numbers.std == pytest.approx(values.std(), rel=1e-12)
        assert numbers.abs_mean == pytest.approx(np.abs(values).mean(), rel=1e-12)
        assert numbers.l2 == pytest.approx(np.linalg.norm(values), rel=1e-12)
        assert (numbers.min, numbers.max) == (values.min(), values.max())


def test_equal_lists_of_tensors_are_kept_once(rows: tuple[Rows, list[str]]) -> None:
    found, paths = rows
    assert len({id(found.records[p].tensors) for p in paths}) == 1


def test_what_is_not_there(rows: tuple[Rows, list[str]]) -> None:
    found, paths = rows
    assert found.numbers(found.tensors()[0], "elsewhere") is None
    found.forget(paths[0])
    assert found.numbers(found.tensors()[0], paths[0]) is None
    assert pooled([]) is None


def test_metrics_of_values_that_are_not_finite(tmp_path: Path) -> None:
    tensors = {"a": np.array([np.nan, np.inf, 1, 0], np.float32), "b": np.full(3, np.nan, np.float32)}
    path = str(write_checkpoint(tmp_path / "x-1.safetensors", tensors))
    found = Rows()
    found.take(path, Reader(cache=False).read(path))
    a, b = (found.numbers(s, path) for s in found.tensors())
    assert a is not None
    assert b is not None
    values = {m.name: m.value(a) for m in METRICS}
    assert (values["NaN + Inf"], values["zeros %"], values["mean"]) == (2, 25, 0.5)
    assert math.isnan({m.name: m.value(b) for m in METRICS}["mean"])
    together = pooled([a, b])
    assert together is not None
    assert (together.nan, together.infinite, together.mean) == (4, 1, 0.5)


def test_change_per_step_is_that_of_numpy(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_run(tmp_path, 2)
    before, after = (str(tmp_path / f"epoch-{n}.safetensors") for n in range(2))
    change = Changes().read(before, after) if settled(tmp_path) else None
    assert change is not None
    a, b = ({n: v.astype(float) for n, v in weights(e).items()} for e in range(2))
    for name in ("conv.weight", "fc.weight"):
        expected = np.linalg.norm(b[name] - a[name]) / np.linalg.norm(a[name])
        assert relative(change, [name]) == pytest.approx(expected, rel=1e-9)
    assert relative(change, ["fc.bias"]) == math.inf
    layer = ["fc.weight", "fc.bias"]
    flat = [np.concatenate([x[n].ravel() for n in layer]) for x in (a, b)]
    expected = np.linalg.norm(flat[1] - flat[0]) / np.linalg.norm(flat[0])
    assert relative(change, layer) == pytest.approx(expected, rel=1e-9)
    assert math.isnan(relative(change, ["nothing"]))
    monkeypatch.setattr(Changes, "_compare", lambda *_: pytest.fail("read again"))
    assert Changes().recall(before, after) == change
    write_checkpoint(Path(after), weights(7))
    assert Changes().recall(before, after) is None


def test_change_of_what_cannot_be_opened(tmp_path: Path) -> None:
    write_run(tmp_path, 1)
    with pytest.raises(WtuiError):
        Changes(cache=False).read(str(tmp_path / "epoch-0.safetensors"), str(tmp_path / "gone.safetensors"))


SHARES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


def parts_of(tmp_path: Path, arrays: dict[str, np.ndarray]) -> tuple[Rows, str]:
    path = str(write_checkpoint(tmp_path / "a.safetensors", arrays))
    found = Rows()
    found.take(path, Reader(cache=False).read(path))
    return found, path


@pytest.mark.parametrize(
    ("draws", "off"),
    [
        ((lambda r: r.uniform(-1, 1, 5000), lambda r: r.uniform(0, 4, 3000)), 0.01),
        ((lambda r: r.normal(0, 1, 20000), lambda r: r.normal(3, 0.1, 100)), 0.03),
        ((lambda r: r.normal(0, 1, 4000), lambda r: r.normal(0, 0.01, 4000), lambda r: r.normal(0, 9, 4000)), 0.05),
    ],
)
def test_quantiles_of_several_tensors_come_near_those_of_all_values(tmp_path: Path, draws, off: float) -> None:
    rng = np.random.default_rng(1)
    arrays = {f"layer.{i}": draw(rng).astype(np.float32) for i, draw in enumerate(draws)}
    rows, path = parts_of(tmp_path, arrays)
    values = np.concatenate(list(arrays.values()))
    found = pooled_quantiles(rows.parts(rows.layers()[0], path), SHARES)
    assert list(found) == sorted(found)
    for share, at in zip(SHARES, found, strict=True):
        assert np.mean(values <= at) == pytest.approx(share, abs=off)


def test_equal_values_faults_and_nothing_among_the_tensors(tmp_path: Path) -> None:
    broken = np.linspace(-1, 1, 101, dtype=np.float32)
    broken[3] = np.nan
    arrays = {
        "a.ones": np.ones(300, np.float32),
        "a.zeros": np.zeros(100, np.float32),
        "b.weight": broken,
        "c.weight": np.full(4, np.inf, np.float32),
        "c.empty": np.zeros((0, 2), np.float32),
        "d.scalar": np.array(7, np.float32),
    }
    rows, path = parts_of(tmp_path, arrays)
    ones, b, c, d = (rows.parts(s, path) for s in rows.layers())
    assert pooled_quantiles(ones, SHARES) == (0, 0, pytest.approx(0, abs=1), 1, 1, 1, 1)
    assert pooled_quantiles((*ones, *c), SHARES)[3] == 1
    assert all(map(math.isnan, pooled_quantiles(c, SHARES)))
    assert all(map(math.isnan, pooled_quantiles((), SHARES)))
    assert pooled_quantiles(d, SHARES) == (7,) * 7
    finite = broken[np.isfinite(broken)]
    assert pooled_quantiles(b, SHARES) == pytest.approx(tuple(np.quantile(finite, SHARES)), abs=0.02)
    assert pooled_quantiles((*d, *d), SHARES) == (7,) * 7
