"""TensorFlow.js models written by hand: shards, quantisation, layers, what is refused, damage."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.formats.fuzzing import check_opens_or_refuses
from wtui.engine.blocks import plan_blocks
from wtui.errors import FormatError
from wtui.formats import open_catalogue, tfjs
from wtui.storage import Files

if TYPE_CHECKING:
    from pathlib import Path

    from wtui.model import Catalogue


def values(catalogue: Catalogue, name: str) -> np.ndarray:
    return plan_blocks(catalogue[name], catalogue, Files(catalogue.files)).array()


def some(*shape: int, dtype: str = "<f4") -> np.ndarray:
    return (np.random.default_rng(6).normal(size=shape) * 50).astype(dtype)


def weight(name: str, array: np.ndarray, **more: Any) -> dict[str, Any]:
    return {"name": name, "shape": list(array.shape), "dtype": array.dtype.name} | more


def write(folder: Path, groups: list[tuple[list[dict[str, Any]], bytes]], shard: int = 1000, **more: Any) -> Path:
    """A model.json and its shards of `shard` bytes each."""
    manifest = []
    for i, (weights, data) in enumerate(groups):
        paths = []
        for at in range(0, len(data), shard):
            paths.append(f"group{i + 1}-shard{at // shard + 1}.bin")
            (folder / paths[-1]).write_bytes(data[at : at + shard])
        manifest.append({"paths": paths, "weights": weights})
    document = {"format": "graph-model", "generatedBy": "hand", "modelTopology": {}, "weightsManifest": manifest} | more
    (folder / "model.json").write_text(json.dumps(document))
    return folder / "model.json"


def test_weights_over_several_shards_and_groups(tmp_path: Path) -> None:
    arrays = {
        "a/kernel": some(30, 7),
        "a/bias": some(7),
        "b/ids": some(20, dtype="<i4"),
        "b/mask": some(5) > 0,
        "b/z": some(9).astype("<c8"),
        "scalar": np.array(2.5, "<f4"),
    }
    groups = [
        ([weight(n, a) for n, a in some_arrays], b"".join(a.tobytes() for _, a in some_arrays))
        for some_arrays in (list(arrays.items())[:2], list(arrays.items())[2:])
    ]
    path = write(tmp_path, groups, shard=101)
    for opened in (path, tmp_path):
        found = open_catalogue(str(opened))
        assert found.format == "TF.js graph-model"
        assert [t.name for t in found.tensors if "/" in t.name] == [n for n in arrays if "/" in n]
        assert found.warnings == ()
        for name, array in arrays.items():
            np.testing.assert_array_equal(values(found, name), array)
    assert len(found["a/kernel"].parts or ()) == 9


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("shard", [100_000, 350, 7 * 2])
def test_quantised_weights_stand_for_their_values(tmp_path: Path, dtype: str, shard: int) -> None:
    integers = np.random.default_rng(7).integers(0, 255, (4, 5, 9)).astype(dtype)
    quantisation = {"dtype": dtype, "scale": 0.0123, "min": -1.7, "original_dtype": "float32"}
    described = [weight("w", some(4, 5, 9), quantization=quantisation), weight("after", some(3))]
    path = write(tmp_path, [(described, integers.tobytes() + some(3).tobytes())], shard)
    found = open_catalogue(str(path))
    assert (found["w"].dtype, found["w"].encoding, found["w"].problem) == (dtype, "affine", "")
    expected = (integers * np.float64(0.0123) - 1.7).astype(np.float32)
    np.testing.assert_array_equal(values(found, "w"), expected)
    np.testing.assert_array_equal(values(found, "after"), some(3))


def test_halves(tmp_path: Path) -> None:
    array = some(3, 4, dtype="<f2")
    described = weight("w", some(3, 4), quantization={"dtype": "float16", "original_dtype": "float32"})
    found = open_catalogue(str(write(tmp_path, [([described], array.tobytes())])))
    assert found["w"].dtype == "float16"
    np.testing.assert_array_equal(values(found, "w"), array)


def test_layers_of_a_keras_model(tmp_path: Path) -> None:
    layers = [
        {"class_name": "Dense", "config": {"name": "fc1", "units": 3}},
        {"class_name": "BatchNormalization", "config": {"name": "bn"}},
        {"class_name": "Dense", "config": {"name": "frozen", "trainable": False}},
        {
            "class_name": "Bidirectional",
            "config": {"name": "both", "layer": {"class_name": "LSTM", "config": {"name": "lstm"}}},
        },
    ]
    config = {"class_name": "Sequential", "config": {"name": "net", "layers": layers}}
    names = ["fc1/kernel", "bn/gamma", "bn/moving_mean", "frozen/kernel", "both/forward_lstm/kernel"]
    data = b"".join(some(3).tobytes() for _ in names)
    topology = {"modelTopology": {"model_config": config}, "format": "layers-model"}
    found = open_catalogue(str(write(tmp_path, [([weight(n, some(3)) for n in names], data)], **topology)))
    assert [(n.name, n.class_name) for n in found.root.children] == [
        ("fc1", "Dense"), ("bn", "BatchNormalization"), ("frozen", "Dense"), ("both", "Bidirectional"),
    ]  # fmt: skip
    assert found.root.children[0].config["units"] == 3
    assert {t.name: t.trainable for t in found.tensors} == {
        "fc1/kernel": True, "bn/gamma": True, "bn/moving_mean": False, "frozen/kernel": False,
        "both/forward_lstm/kernel": True,
    }  # fmt: skip
    assert found["both/forward_lstm/kernel"].role == "kernel"


def test_what_cannot_be_decoded_is_listed_with_its_reason(tmp_path: Path) -> None:
    weights = [
        weight("good", some(3)),
        weight("odd", some(3), quantization={"dtype": "uint3"}),
        weight("after odd", some(3)),
    ]
    texts = [
        weight("no scale", some(4), quantization={"dtype": "uint8"}),
        {"name": "text", "shape": [2], "dtype": "string"},
        weight("after text", some(3)),
        {"name": "half a weight"},
        weight("again", some(3)),
        weight("again", some(5)),
    ]
    data = some(3).tobytes()
    found = open_catalogue(str(write(tmp_path, [(weights, data * 3), (texts, bytes(4) + data * 5)])))
    np.testing.assert_array_equal(values(found, "good"), some(3))
    assert "not known" in found["odd"].problem
    assert "follows odd" in found["after odd"].problem
    assert "without a scale" in found["no scale"].problem
    assert "string" in found["text"].problem
    assert "follows text" in found["after text"].problem
    assert found["again"].shape == (5,)
    assert {"a weight whose description cannot be understood", "stands in the manifest twice; the last one counts"} < {
        n.message for n in found.warnings
    }


def test_missing_and_truncated_shards(tmp_path: Path) -> None:
    arrays = [some(50) for _ in range(4)]
    weights = [weight(f"w{i}", a) for i, a in enumerate(arrays)]
    path = write(tmp_path, [(weights, b"".join(a.tobytes() for a in arrays))], shard=300)
    (tmp_path / "group1-shard2.bin").unlink()
    found = open_catalogue(str(path))
    np.testing.assert_array_equal(values(found, "w0"), arrays[0])
    assert "group1-shard2.bin' is missing" in found["w1"].problem
    assert any(n.lost for n in found.warnings)
    path = write(tmp_path, [(weights, b"".join(a.tobytes() for a in arrays)[:-10])], shard=300)
    found = open_catalogue(str(path))
    np.testing.assert_array_equal(values(found, "w2"), arrays[2])
    assert found["w3"].problem == "10 of its 200 bytes lie behind the end of the last shard"


@pytest.mark.parametrize("path", ["../secret", "/etc/hostname", "https://example.org/x.bin", "a\0b", ""])
def test_shards_stay_in_the_folder(tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").write_bytes(bytes(12))
    folder = tmp_path / "model"
    folder.mkdir()
    document = {"weightsManifest": [{"paths": [path], "weights": [weight("w", some(3))]}]}
    (folder / "model.json").write_text(json.dumps(document))
    found = open_catalogue(str(folder))
    assert "is missing" in found["w"].problem
    assert found.files == ()


def test_an_older_manifest_on_its_own(tmp_path: Path) -> None:
    (tmp_path / "shard").write_bytes(some(3).tobytes())
    manifest = [{"paths": ["shard"], "weights": [weight("w", some(3))]}]
    (tmp_path / "weights_manifest.json").write_text(json.dumps(manifest))
    np.testing.assert_array_equal(values(open_catalogue(str(tmp_path)), "w"), some(3))


HOSTILE = {
    "nothing": {"weightsManifest": None},
    "numbers": {"weightsManifest": [1, {"paths": 3, "weights": 4}, {"weights": [5, None, {}]}]},
    "shape": {"weightsManifest": [{"weights": [{"name": "w", "shape": [2**62] * 9, "dtype": "float32"}]}]},
    "axes": {"weightsManifest": [{"weights": [{"name": "w", "shape": [1] * 999, "dtype": "float32"}]}]},
    "negative": {"weightsManifest": [{"weights": [{"name": "w", "shape": [-1], "dtype": "float32"}]}]},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_manifests(tmp_path: Path, name: str) -> None:
    (tmp_path / "model.json").write_text(json.dumps(HOSTILE[name]))
    found = check_opens_or_refuses(tmp_path / "model.json", "tfjs")
    assert found is None or found.tensors[0].problem


def test_deep_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text('{"weightsManifest":' + "[" * 100_000)
    with pytest.raises(FormatError):
        open_catalogue(str(tmp_path / "model.json"))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_boxes_cover_a_run_of_values(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 6), max_size=4)))
    size = int(np.prod(shape))
    start = data.draw(st.integers(0, size))
    stop = data.draw(st.integers(start, size))
    most = data.draw(st.integers(1, 40))
    numbers = np.arange(size).reshape(shape)
    found = [
        numbers[tuple(slice(o, o + n) for o, n in zip(origin, box, strict=True))].reshape(-1)
        for origin, box in tfjs.boxes(shape, start, stop, most)
    ]
    assert all(len(f) <= most for f in found)
    np.testing.assert_array_equal(np.concatenate([*found, []]), np.arange(start, stop))
