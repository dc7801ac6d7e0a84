"""What is told of layer outputs equals numpy over `keras.Model(inputs, outputs).predict`."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from wtui.errors import WtuiError  # noqa: E402
from wtui.live.forward import run  # noqa: E402
from wtui.live.outputs import FLAT_SIGMOID, FLAT_TANH  # noqa: E402
from wtui.live.passing import ForwardPass, Settings  # noqa: E402
from wtui.live.process import FrameworkError  # noqa: E402
from wtui.live.protocol import Done, Forward, InputUsed, Maps, OutputRow, Said, Unseen  # noqa: E402
from wtui.live.recorded import recorded_config  # noqa: E402
from wtui.live.remarks import remarks  # noqa: E402
from wtui.live.seen import Seen  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

X = np.random.default_rng(5).normal(size=(6, 12, 12, 3)).astype("float32")


def network() -> Any:
    """Convolutions, a norm, a shared layer, an inner model, every kind of activation, a dead unit."""
    keras.utils.set_random_seed(2)
    L = keras.layers
    inner = keras.Sequential([keras.Input((12, 12, 4)), L.Conv2D(4, 3, padding="same", name="deep")], name="inner")
    shared = L.Dense(5, activation="tanh", name="shared")
    inputs = keras.Input((12, 12, 3), name="image")
    x = L.Conv2D(8, 3, activation="relu", name="conv")(inputs)
    x = L.Conv2D(4, 3, padding="same", name="plain")(x)
    x = L.BatchNormalization(name="norm")(x)
    x = L.ZeroPadding2D(1, name="pad")(x)
    x = L.ReLU(name="rectified")(inner(x))
    x = L.Dense(6, activation="sigmoid", name="gate")(L.Flatten(name="flat")(x))
    x = L.Add(name="sum")([shared(L.Dense(4, name="a")(x)), shared(L.Dense(4, name="b")(x))])
    model = keras.Model(inputs, L.Dense(3, activation="softmax", name="out")(x), name="net")
    model.get_layer("conv").bias.assign([-1e3, 0, 0, -1e3, 0, 0, 0, 0])
    model.get_layer("gate").kernel.assign(40 * model.get_layer("gate").kernel)
    return model


@pytest.fixture(scope="module")
def model() -> Any:
    return network()


def passed(path: Path, given: Path | None, batch: int = 8, format: str = "keras") -> list[Any]:
    """The messages of a pass in this process."""
    messages: list[Any] = []
    config = json.dumps(recorded_config(str(path)))
    run(Forward(str(path), format, config, given and str(given), batch, 0), messages.append)
    return messages


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, model: Any) -> Path:
    folder = tmp_path_factory.mktemp("model")
    model.save(folder / "net.keras")
    model.save(folder / "net.h5")
    np.save(folder / "x.npy", X)
    return folder


@pytest.fixture(scope="module")
def rows(files: Path) -> list[OutputRow]:
    return [m for m in passed(files / "net.keras", files / "x.npy") if isinstance(m, OutputRow)]


def predicted(model: Any) -> list[tuple[str, np.ndarray]]:
    """Every output of every call of a layer, as Keras predicts it, by path."""
    inner = model.get_layer("inner")
    names, tensors = [], []
    for layer in model.layers:
        if layer is inner or isinstance(layer, keras.layers.InputLayer):
            continue
        for node in layer._inbound_nodes:
            names.append(layer.name)
            tensors += node.output_tensors
    found = list(zip(names, keras.Model(model.inputs, tensors).predict(X, verbose=0), strict=True))
    before = dict(found)["pad"]
    return [*found, ("inner/deep", keras.Model(inner.inputs, inner.layers[0].output).predict(before, verbose=0))]


def test_every_output_of_every_call_is_described(model: Any, rows: list[OutputRow]) -> None:
    assert sorted(r.layer for r in rows) == sorted(name for name, _ in predicted(model))
    assert [r.call for r in rows if r.layer == "shared"] == [0, 1]
    order = [r.layer for r in rows]
    assert order.index("conv") < order.index("norm") < order.index("inner/deep") < order.index("out")


def test_numbers_equal_those_of_numpy(model: Any, rows: list[OutputRow]) -> None:
    calls: dict[str, int] = {}
    for name, array in predicted(model):
        call = calls[name] = calls.get(name, -1) + 1
        row = next(r for r in rows if (r.layer, r.call) == (name, call))
        x = array.astype(np.float64)
        r = row.row
        assert row.shape == array.shape
        assert (r.seen, r.nan, r.posinf) == (x.size, 0, 0)
        got = (r.mean, r.std, r.abs_mean, r.min, r.max, r.rms)
        wanted = (x.mean(), x.std(), abs(x).mean(), x.min(), x.max(), np.sqrt((x * x).mean()))
        np.testing.assert_allclose(got, wanted, rtol=2e-4, atol=2e-6)
        np.testing.assert_allclose(r.quantiles[4], np.quantile(x, 0.5), rtol=1e-3, atol=1e-4)
        axes = tuple(range(x.ndim - 1))
        np.testing.assert_allclose(np.frombuffer(row.mean_abs, np.float32), abs(x).mean(axes), rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(row.spread, x.reshape(len(x), -1).std(0).mean() / x.std(), rtol=1e-3)
        assert sum(row.bins.counts) + row.bins.below + row.bins.above == x.size


def test_dead_and_saturated_units_equal_those_of_numpy(model: Any, rows: list[OutputRow]) -> None:
    arrays = dict(predicted(model))
    by_layer = {r.layer: r for r in rows}
    conv, gate, shared = by_layer["conv"], by_layer["gate"], [r for r in rows if r.layer == "shared"][1]
    dead = np.flatnonzero((arrays["conv"] == 0).all((0, 1, 2)))
    assert (conv.dead, conv.dead_at) == (len(dead), tuple(dead))
    assert {0, 3} <= set(dead)
    np.testing.assert_allclose(np.frombuffer(conv.active, np.float32), (arrays["conv"] > 0).mean((0, 1, 2)), atol=2e-3)
    x = arrays["gate"]
    assert gate.saturated == pytest.approx(((x < FLAT_SIGMOID) | (x > 1 - FLAT_SIGMOID)).mean(), abs=0.03)
    assert gate.saturated is not None
    assert gate.saturated > 0.5
    assert shared.saturated == pytest.approx((abs(arrays["shared"]) > FLAT_TANH).mean(), abs=0.04)
    assert by_layer["rectified"].squashing == "relu"
    assert all(by_layer[name].dead is None for name in ("plain", "norm", "out"))
    rules = {f.rule: f for f in remarks(rows, 1.0)}
    assert rules["dead-units"].layer == "conv"
    assert rules["saturated-units"].layer == "gate"
    assert all("on this input" in f.message for f in rules.values())


def test_feature_maps_are_means_of_the_first_sample(model: Any, files: Path) -> None:
    seen = Seen()
    for message in passed(files / "net.keras", files / "x.npy"):
        seen.take(message)
    number = next(i for i, r in enumerate(seen.outputs) if r.layer == "plain")
    maps = seen.maps(number)
    assert isinstance(maps, Maps)
    array = dict(predicted(model))["plain"][0]
    assert maps.of == (4, 10, 10)
    cells = np.frombuffer(maps.cells, np.int8).reshape(4, 10, 10) * maps.scale / 127
    clipped = np.clip(array.transpose(2, 0, 1), -maps.scale, maps.scale)
    np.testing.assert_allclose(cells, clipped, atol=maps.scale / 120)
    assert all(r.maps is None for r in seen.outputs)
    assert seen.maps(next(i for i, r in enumerate(seen.outputs) if r.layer == "out")) is None
    seen.close()
    assert seen.maps(number) is None


def test_formats_give_the_same(files: Path, rows: list[OutputRow]) -> None:
    other = [m for m in passed(files / "net.h5", files / "x.npy", format="keras-h5") if isinstance(m, OutputRow)]
    assert [(r.layer, r.shape) for r in other] == [(r.layer, r.shape) for r in rows]
    np.testing.assert_allclose([r.row.mean for r in other], [r.row.mean for r in rows], rtol=1e-5)


def test_a_saved_model_of_keras_2_is_filled_by_name(tmp_path: Path) -> None:
    tf_keras = pytest.importorskip("tf_keras")
    L = tf_keras.layers
    model = tf_keras.Sequential([L.InputLayer((12, 12, 3)), L.Conv2D(4, 3, activation="relu"), L.Flatten(), L.Dense(2)])
    model.save(tmp_path / "saved", save_format="tf")
    np.save(tmp_path / "x.npy", X)
    found = [
        m for m in passed(tmp_path / "saved", tmp_path / "x.npy", format="saved-model") if isinstance(m, OutputRow)
    ]
    wanted = model.predict(X, verbose=0)
    assert found[-1].row.mean == pytest.approx(float(wanted.mean()), rel=1e-4)
    assert found[-1].row.std == pytest.approx(float(wanted.std()), rel=1e-4)


def test_random_values_are_the_same_for_the_same_seed(files: Path) -> None:
    def numbers(batch: int) -> tuple[InputUsed, list[float]]:
        messages = passed(files / "net.keras", None, batch)
        [used] = [m for m in messages if isinstance(m, InputUsed)]
        return used, [m.row.mean for m in messages if isinstance(m, OutputRow)]

    used, first = numbers(4)
    assert used.shape == (4, 12, 12, 3)
    assert used.source == "random: standard normal"
    assert numbers(4)[1] == first
    assert numbers(2)[0].shape == (2, 12, 12, 3)


def test_inputs_that_do_not_fit_are_said_in_the_models_words(files: Path, tmp_path: Path) -> None:
    for array, said in (
        (np.zeros((2, 5, 5, 3), "float32"), r"shape \(2, 5, 5, 3\) does not fit input 'image', which takes"),
        (np.array([["a"]]), "does not fit"),
    ):
        np.save(tmp_path / "bad.npy", array)
        with pytest.raises(WtuiError, match=said):
            passed(files / "net.keras", tmp_path / "bad.npy")
    np.save(tmp_path / "pickled.npy", np.array([print], object), allow_pickle=True)
    with pytest.raises(WtuiError, match="cannot be read as arrays"):
        passed(files / "net.keras", tmp_path / "pickled.npy")
    np.savez(tmp_path / "two.npz", image=X, other=X)
    assert any(isinstance(m, Done) for m in passed(files / "net.keras", tmp_path / "two.npz"))


def test_a_real_pass_streams_and_keeps_its_noise_to_itself(files: Path, capfd: pytest.CaptureFixture[str]) -> None:
    messages = list(ForwardPass(str(files / "net.keras"), None, Settings(str(files / "x.npy"))))
    assert isinstance(messages[0], Said)
    assert isinstance(messages[-1], Done)
    assert sum(isinstance(m, OutputRow) for m in messages) == 14
    assert not [m for m in messages if isinstance(m, Unseen)]
    assert capfd.readouterr() == ("", "")


def test_code_in_a_file_is_never_run(tmp_path: Path) -> None:
    L = keras.layers
    ran = str(tmp_path / "ran")
    code = L.Lambda(lambda x: (open(ran, "w").close(), x)[1], name="evil")
    model = keras.Sequential([keras.Input((4,)), L.Dense(2), code, L.Dense(1)])
    model.save(tmp_path / "evil.keras")
    if os.path.exists(ran):
        os.remove(ran)
    with pytest.raises(FrameworkError, match="cannot be run: evil is a Lambda layer"):
        ForwardPass(str(tmp_path / "evil.keras"), None, Settings())
    assert not os.path.exists(ran)


def test_models_that_do_not_fit_into_memory_are_not_begun(files: Path) -> None:
    with pytest.raises(FrameworkError, match="GB of memory to run"):
        ForwardPass(str(files / "net.keras"), None, Settings(), weight_bytes=1 << 50)


def test_files_without_architecture_say_what_could_be_run(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", kernel=np.ones((3, 4), "float32"))
    with pytest.raises(FrameworkError, match="records no Keras model that could be run"):
        ForwardPass(str(tmp_path / "a.npz"), None, Settings())
