"""Summaries of tensors, layers and models: numpy is the oracle, and every way to ask gives the same digits."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

import wtui
from tests.builders import write_safetensors
from wtui.engine.fold import LayerFolds, TensorFold
from wtui.engine.protocol import Finished, LayerSummary, Look
from wtui.engine.session import Session
from wtui.engine.store import SummaryStore
from wtui.errors import CodecError
from wtui.stats.row import QUANTILES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.api.conftest import Arrays
    from wtui.api import Model
    from wtui.stats.summary import Summary


def check(summary: Summary, values: np.ndarray) -> None:
    """The summary is numpy's of the same values."""
    flat = np.asarray(values, np.float64).reshape(-1)
    assert summary.seen == summary.total == flat.size
    assert summary.mean == pytest.approx(flat.mean(), rel=1e-9, abs=1e-15)
    assert summary.std == pytest.approx(flat.std(), rel=1e-9)
    assert (summary.min, summary.max) == (flat.min(), flat.max())
    assert summary.zeros == np.count_nonzero(flat == 0)


def test_summaries_of_tensors_are_numpys(model: Model, arrays: Arrays) -> None:
    for tensor in model.tensors:
        if tensor.size:
            check(tensor.summary(), arrays[tensor.name])
            assert tensor.summary().min_at.index == np.unravel_index(  # type: ignore[union-attr]
                np.argmin(arrays[tensor.name].astype(np.float64)), tensor.shape
            )
    assert model["c.empty"].summary().seen == 0


def test_small_tensors_have_exact_quantiles(model: Model, arrays: Arrays) -> None:
    found = model["a.weight"].summary().quantiles(QUANTILES)
    np.testing.assert_allclose(found, np.quantile(arrays["a.weight"].astype(np.float64), QUANTILES), rtol=1e-12)


def test_layers_and_model_are_their_tensors_together(model: Model, arrays: Arrays) -> None:
    def together(*names: str) -> np.ndarray:
        return np.concatenate([arrays[n].astype(np.float64).reshape(-1) for n in names])

    check(model.layer("a").summary(), together("a.weight", "a.bias"))
    check(model.layer("b").summary(), together("b.mask", "b.inner.weight", "b.inner.steps"))
    check(model.summary(), together(*arrays))
    check(model.summary(["c.codes", model["a.bias"]]), together("a.bias", "c.codes"))
    assert model.summary(["a.weight"]).min_at == model["a.weight"].summary().min_at


def test_summaries_are_made_once(model: Model) -> None:
    assert model["c.weight"].summary() is model["c.weight"].summary()
    assert model.summary() is model.summary()


def test_the_browser_and_the_api_print_the_same_digits(model: Model, path: Path) -> None:
    """Exactly: the same folds in the same order, whatever the threads and the order in which tensors were done."""
    list(model.scan(reversed(model.tensors)))
    session = Session(model.catalogue, threads=2)
    session.ask(Look(-1))
    session.start()
    answers: list[object] = []
    while not any(isinstance(a, Finished) for a in answers) or any(desk.due for desk in session.desks):
        answers += session.answers()
    session.close()
    last = [a for a in answers if isinstance(a, LayerSummary)][-1]
    assert last.row == model.summary().row()
    assert model.statistics().whole == last.row
    with wtui.open(path, threads=1) as other:
        assert other.summary(other.tensors).row() == last.row
        mine, theirs = model.statistics().rows, other.statistics().rows
        assert [mine[t.index] == theirs[t.index] for t in model.tensors if t.size] == [True] * 7


def test_scan_gives_everything_with_progress(model: Model, arrays: Arrays) -> None:
    calls: list[tuple[int, int]] = []
    results = list(model.scan(on_progress=lambda done, total: calls.append((done, total))))
    assert sorted(r.tensor.name for r in results) == sorted(arrays)
    assert all(r.error is None and r.summary is not None for r in results)
    size = sum(v.nbytes for v in arrays.values())
    assert {r.bytes_total for r in results} == {size} == {total for _, total in calls}
    done = [r.bytes_done for r in results]
    assert done == sorted(done)
    assert done[-1] == size
    assert calls[-1] == (size, size)
    again = list(model.scan(["a.bias", "a.weight"]))
    assert [(r.tensor.name, r.summary) for r in again] == [
        (n, model[n].summary()) for n in ("a.bias", "a.weight")
    ]  # fmt: skip


def test_closing_a_scan_ends_its_threads(tmp_path: Path) -> None:
    values = np.zeros(200_000, np.float32)
    path = write_safetensors(tmp_path / "many.safetensors", {f"t{i:03}": values for i in range(50)})
    with wtui.open(path, threads=3) as model:
        before = set(threading.enumerate())
        results = model.scan()
        next(results)
        results.close()  # type: ignore[attr-defined]
        assert set(threading.enumerate()) == before
        assert len(list(model.scan())) == 50


def test_what_cannot_be_read_is_told_and_left_out(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    values = {name: rng.normal(size=(50, 40)).astype(np.float32) for name in ("first", "last")}
    path = write_safetensors(tmp_path / "cut.safetensors", values)
    path.write_bytes(path.read_bytes()[:-100])
    with wtui.open(path) as model:
        assert model["last"].problem
        (error,) = [r.error for r in model.scan() if r.tensor.name == "last"]
        assert isinstance(error, CodecError)
        assert "100 of its 8,000 bytes lie behind the end" in str(error)
        with pytest.raises(CodecError, match="behind the end"):
            model["last"].summary()
        whole = model.summary()
        assert (whole.seen, whole.total) == (2000, 4000)
        assert whole.mean == model["first"].summary().mean
        with pytest.raises(CodecError, match="behind the end"):
            model.summary(["last"])
        statistics = model.statistics()
        assert list(statistics.rows) == [model["first"].index]
        assert list(statistics.problems) == [model["last"].index]


def test_a_model_of_nothing_has_an_empty_summary(tmp_path: Path) -> None:
    path = write_safetensors(tmp_path / "empty.safetensors", {"t": np.zeros((0,), np.float32)})
    with wtui.open(path) as model:
        assert model.summary().seen == 0
        assert "0 values" in model.report() or "no values" in model.report()


def test_histograms_far_from_zero_are_exact(tmp_path: Path) -> None:
    """Where buckets of the first pass are wider than bins, the values are read once more."""
    rng = np.random.default_rng(8)
    values = rng.normal(1000, 0.001, (2, 100_000)).astype(np.float32)
    path = write_safetensors(tmp_path / "far.safetensors", {"a": values[0], "b": values[1]})
    with wtui.open(path) as model:
        for part, own in ((model["a"], values[0]), (model.root, values), (model, values)):
            drawn = part.histogram(30, 999.998, 1000.002)
            counts, edges = np.histogram(own.astype(np.float64), 30, (999.998, 1000.002))
            np.testing.assert_array_equal(drawn.counts, counts)
            np.testing.assert_allclose(drawn.edges, edges, rtol=1e-15)
            assert drawn.below + drawn.counts.sum() + drawn.above == own.size
        chosen = model.histogram(30, 999.998, 1000.002, tensors=["b"])
        np.testing.assert_array_equal(
            chosen.counts, np.histogram(values[1].astype(np.float64), 30, (999.998, 1000.002))[0]
        )


def test_many_threads_may_ask_at_once(path: Path, arrays: Arrays) -> None:
    with wtui.open(path, threads=2) as model, ThreadPoolExecutor(8) as pool:
        names = [*arrays] * 4
        means = list(pool.map(lambda name: model[name].summary().mean, names))
        wholes = list(pool.map(lambda _: model.summary().row(), range(4)))
        for name, mean in zip(names, means, strict=True):
            if arrays[name].size:
                assert mean == model[name].summary().mean
        assert all(row == wholes[0] for row in wholes)


def test_folds_do_not_need_all_counts_at_once(path: Path, arrays: Arrays) -> None:
    """A layer whose counts do not fit into the store together is put together all the same, reading each once more."""
    with wtui.open(path) as model:
        summaries = [t.summary() for t in model.tensors]
        order = [t.index for t in model.tensors]
        store = SummaryStore(max_counts=1)
        folds = LayerFolds(model.catalogue, store)
        for tensor, summary in zip(order, summaries, strict=True):
            folds.add(tensor, summary)
            store.put(tensor, summary)
        assert folds.together(0).lacking == ()
        assert folds.together(0).summary.row() == model.summary().row()
        b = [layer.path for layer in model.root.node.walk()].index("b")
        lacking = folds.together(b).lacking
        assert lacking
        for tensor in lacking:
            folds.add(tensor, summaries[order.index(tensor)])
            store.put(tensor, summaries[order.index(tensor)])
        assert folds.together(b).lacking == ()
        assert folds.together(b).summary.row() == model.layer("b").summary().row()


def test_a_fold_takes_each_tensor_once(model: Model) -> None:
    store = SummaryStore()
    tensor = model["a.weight"]
    fold = TensorFold([tensor.index], store)
    for _ in range(2):
        fold.add(tensor.index, tensor.summary())
    fold.add(model["a.bias"].index, model["a.bias"].summary())
    store.put(tensor.index, tensor.summary())
    assert fold.together().summary.row() == tensor.summary().row()


def test_the_report_tells_all_of_it(model: Model, arrays: Arrays) -> None:
    report = model.report()
    assert report.endswith("\n")
    for name in arrays:
        assert name in report
    assert "Total params: 121,882" in report
    assert "whole model" in report
    assert "\x1b" not in report
