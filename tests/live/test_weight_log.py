"""The Keras callback and its log: equal to checkpoints of the same step, whole files only, in nobody's way."""

from __future__ import annotations

import json
import os
import threading
import zlib
from pathlib import Path
from threading import current_thread
from typing import Any

import numpy as np
import pytest

import wtui
from wtui.cache.records import row_body
from wtui.errors import FormatError, StorageError
from wtui.series.weightlog import entries, is_weight_log, members, read_record

keras = pytest.importorskip("keras")

X = np.random.default_rng(0).normal(size=(64, 6)).astype("float32")
Y = X.sum(1, keepdims=True)


def network() -> Any:
    """A small model with a shared layer, a norm's statistics and a layer that is not trained."""
    keras.utils.set_random_seed(3)
    shared = keras.layers.Dense(6, activation="relu", name="shared")
    x = inputs = keras.Input((6,))
    x = shared(keras.layers.BatchNormalization(name="norm")(shared(x)))
    x = keras.layers.Dense(4, name="frozen", trainable=False)(x)
    model = keras.Model(inputs, keras.layers.Dense(1, name="out")(x), name="small")
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "mse", metrics=["mae"])
    return model


def fit(model: Any, *callbacks: Any, epochs: int = 3, first: int = 0, **more: Any) -> None:
    """Train a little."""
    model.fit(X, Y, batch_size=16, epochs=epochs, initial_epoch=first, verbose=0, callbacks=[*callbacks], **more)


def text(row: Any) -> str:
    """A row to the last digit; NaN equals NaN."""
    return json.dumps(row_body(row))


def test_records_equal_checkpoints_of_the_same_step(tmp_path: Path) -> None:
    saved = keras.callbacks.ModelCheckpoint(str(tmp_path / "ckpt-{epoch}.keras"))
    model = network()
    fit(model, wtui.keras.WeightLog(tmp_path / "log"), saved, validation_data=(X, Y))
    found, problems = members(str(tmp_path / "log"))
    assert problems == []
    assert [(m.epoch, m.step) for m in found] == [(0, 0), (1, 4), (2, 8), (3, 12)]
    for record in found[1:]:
        with wtui.open(tmp_path / f"ckpt-{record.epoch}.keras", cache=False) as checkpoint:
            rows = checkpoint.statistics().rows
            theirs = {t.name: text(rows[t.index]) for t in checkpoint.tensors}
            facts = {t.name: (t.shape, t.dtype, t.trainable, t.role) for t in checkpoint.tensors}
        assert {name: text(row) for name, row in record.rows.items()} == theirs
        assert {t.name: (t.shape, t.dtype, t.trainable, t.role) for t in record.tensors} == facts
        assert list(record.rows) == list(theirs)
    assert set(found[1].figures) == {"learning_rate", "loss", "mae", "val_loss", "val_mae"}
    assert found[1].figures["learning_rate"] == pytest.approx(0.01)
    assert found[0].rows != found[3].rows


def test_a_record_is_of_the_weights_as_they_were_however_late_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed, rows = threading.Event(), wtui.keras._rows

    def late(opened: Any) -> Any:
        assert changed.wait(60)
        return rows(opened)

    monkeypatch.setattr(wtui.keras, "_rows", late)
    model, log = network(), wtui.keras.WeightLog(tmp_path)
    log.set_model(model)
    log.on_epoch_begin(0)
    before = [w.copy() for w in model.get_weights()]
    for weight in model.weights:
        weight.assign(weight + 1)
    changed.set()
    log.on_train_end()
    [record], _ = members(str(tmp_path))
    assert [r.mean for r in record.rows.values()] == pytest.approx([w.mean() for w in before], abs=1e-6)


@pytest.mark.parametrize("limit", [0, 1 << 30])
def test_weights_that_are_not_copied_give_the_same_record(
    limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wtui.keras, "COPIED_UP_TO", limit)
    threads = set()
    monkeypatch.setattr(
        wtui.keras, "_rows", lambda o, rows=wtui.keras._rows: (threads.add(current_thread()), rows(o))[1]
    )
    model = network()
    fit(model, wtui.keras.WeightLog(tmp_path), epochs=1)
    found, problems = members(str(tmp_path))
    assert not problems
    assert [r.mean for r in found[-1].rows.values()] == pytest.approx([w.mean() for w in model.get_weights()], abs=1e-6)
    assert (threads == {current_thread()}) == (limit == 0)


def test_what_was_handed_over_is_written_though_the_training_is_interrupted(tmp_path: Path) -> None:
    class Interrupts(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            if int(self.model.optimizer.iterations.numpy()) == 9:  # the second batch of the third epoch
                raise KeyboardInterrupt

    log = wtui.keras.WeightLog(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        fit(network(), log, Interrupts(), epochs=7)
    log._thread.shutdown()  # type: ignore[union-attr] # as the interpreter does at its end
    assert [e.epoch for e in entries(str(tmp_path))] == [0, 1, 2]


def test_every_and_the_last_epoch(tmp_path: Path) -> None:
    fit(network(), wtui.keras.WeightLog(tmp_path, every=2), epochs=5)
    assert [e.epoch for e in entries(str(tmp_path))] == [0, 2, 4, 5]
    with pytest.raises(ValueError, match="every=0"):
        wtui.keras.WeightLog(tmp_path, every=0)


def test_epochs_are_counted_on_through_several_fits(tmp_path: Path) -> None:
    model, log = network(), wtui.keras.WeightLog(tmp_path)
    fit(model, log, epochs=1)
    fit(model, log, epochs=1)
    fit(model, log, epochs=4, first=2)
    found, _ = members(str(tmp_path))
    assert [(m.epoch, m.step) for m in found] == [(0, 0), (1, 4), (2, 8), (3, 12), (4, 16)]


def test_a_training_that_goes_on_takes_the_place_of_later_records(tmp_path: Path) -> None:
    model = network()
    fit(model, wtui.keras.WeightLog(tmp_path), epochs=3)
    older = {e.path for e in entries(str(tmp_path))}
    fit(model, wtui.keras.WeightLog(tmp_path), epochs=4, first=2)
    now = entries(str(tmp_path))
    assert [e.epoch for e in now] == [0, 1, 2, 3, 4]
    assert [e.path in older for e in now] == [True, True, False, False, False]
    assert all(os.path.exists(path) for path in older)
    fit(network(), wtui.keras.WeightLog(tmp_path), epochs=1)
    assert [e.epoch for e in entries(str(tmp_path))] == [0, 1]


def test_models_that_are_built_by_the_first_batch(tmp_path: Path) -> None:
    model = keras.Sequential([keras.layers.Dense(3), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    fit(model, wtui.keras.WeightLog(tmp_path), epochs=2)
    assert [m.epoch for m in members(str(tmp_path))[0]] == [1, 2]


def test_layers_that_are_frozen_between_fits_are_seen_as_such(tmp_path: Path) -> None:
    model, log = network(), wtui.keras.WeightLog(tmp_path)
    fit(model, log, epochs=1)
    model.get_layer("out").trainable = False
    model.compile("sgd", "mse")
    fit(model, log, epochs=1)
    trained = [{t.name: t.trainable for t in m.tensors}["out/kernel"] for m in members(str(tmp_path))[0]]
    assert trained == [True, True, False]


def test_values_that_are_no_numbers_are_recorded_as_such(tmp_path: Path) -> None:
    model = network()
    kernel = np.full((4, 1), np.nan, "float32")
    model.get_layer("out").kernel.assign(kernel)
    fit(model, wtui.keras.WeightLog(tmp_path), epochs=1)
    found, problems = members(str(tmp_path))
    assert problems == []
    assert found[0].rows["out/kernel"].nan == 4
    assert found[1].figures["loss"] != found[1].figures["loss"]


def test_a_full_disk_ends_no_training(tmp_path: Path) -> None:
    log = wtui.keras.WeightLog(tmp_path / "log")
    (tmp_path / "log").rmdir()
    (tmp_path / "log").write_text("not a folder any more")
    model = network()
    before = model.get_weights()
    with pytest.warns(RuntimeWarning, match="WeightLog could not write epoch 1"):
        fit(model, log, epochs=1)
    assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))


def test_a_folder_that_cannot_be_made_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        wtui.keras.WeightLog(tmp_path / "file" / "log")


def test_nothing_but_whole_records_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fit(network(), wtui.keras.WeightLog(tmp_path), epochs=1)
    whole = sorted(os.listdir(tmp_path))
    assert all(name.endswith(".wlog") for name in whole)

    def failing(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", failing)
    with pytest.warns(RuntimeWarning, match="No space left"):
        fit(network(), wtui.keras.WeightLog(tmp_path), epochs=1)
    assert sorted(os.listdir(tmp_path)) == whole


def test_keras_2_takes_the_callback(tmp_path: Path) -> None:
    tf_keras = pytest.importorskip("tf_keras")
    model = tf_keras.Sequential([tf_keras.Input((6,)), tf_keras.layers.Dense(1, name="only")])
    model.compile("sgd", "mse")
    fit(model, wtui.keras.WeightLog(tmp_path), epochs=2)
    found, problems = members(str(tmp_path))
    assert (problems, [m.epoch for m in found]) == ([], [0, 1, 2])
    assert found[-1].rows["only/kernel"].mean == pytest.approx(float(model.layers[-1].kernel.numpy().mean()), rel=1e-6)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("log")
    fit(network(), wtui.keras.WeightLog(folder), epochs=1)
    return Path(entries(str(folder))[-1].path).read_bytes()


def packed(data: bytes) -> bytes:
    """As a record is packed."""
    packer = zlib.compressobj(wbits=31)
    return packer.compress(data) + packer.flush()


def changed(record: bytes, **fields: Any) -> bytes:
    """The record with other fields."""
    return packed(json.dumps({**json.loads(zlib.decompress(record, 31)), **fields}).encode())


def test_damaged_records_are_told_and_the_others_read(
    tmp_path: Path, record: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wtui.series.weightlog.MAX_RECORD", 1 << 20)
    bad = [
        b"", b"no record", record[:-100], record[:200], record + record[:9],
        packed(b" " * (8 << 20)), packed(b"[" * 100_000), packed(b"3"),
        changed(record, tensors=[[1]]), changed(record, epoch="x"),
        changed(record, wtui_weight_log=2), changed(record, fields=["seen"]), changed(record, figures=3),
    ]  # fmt: skip
    for i, data in enumerate(bad):
        (tmp_path / f"weights-20260101T000000000-{i:06d}.wlog").write_bytes(data)
    (tmp_path / "weights-20260101T000000000-000099.wlog").write_bytes(record)
    found, problems = members(str(tmp_path))
    assert [m.path[-11:] for m in found] == ["000099.wlog"]
    assert len(problems) == len(bad)
    assert all("is no record of a weight log" in problem for problem in problems)


def test_records_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file"):
        read_record(str(tmp_path / "weights-20260101T000000000-000000.wlog"))
    assert entries(str(tmp_path / "nowhere")) == []
    assert not is_weight_log(str(tmp_path))
    (tmp_path / "x.wlog").write_bytes(b"")
    assert not is_weight_log(str(tmp_path))
    with pytest.raises(FormatError):
        read_record(str(tmp_path / "x.wlog"))


def test_a_record_is_a_few_kilobytes(record: bytes) -> None:
    assert len(record) < 5000
