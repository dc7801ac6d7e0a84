"""What `.keras` archives, folders, shards and legacy files look like in the wild, damaged ones included."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from wtui.errors import FormatError, WtuiError
from wtui.formats import Probe, keras_h5, keras_sharded, keras_zip, open_catalogue
from wtui.storage import Files

from . import keras_zoo as zoo
from .keras_zoo import L, keras

if TYPE_CHECKING:
    from wtui.model import Catalogue, TensorEntry

FILES = ("metadata.json", "config.json", "model.weights.h5")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One model in every form, unpacked and not."""
    folder = tmp_path_factory.mktemp("files")
    built = zoo.made("adam")
    built.save(folder / "model.keras")
    built.save(folder / "model.h5")
    built.save_weights(folder / "model.weights.h5")
    with zipfile.ZipFile(folder / "model.keras") as archive:
        archive.extractall(folder / "unpacked")
    return folder


def described(catalogue: Catalogue) -> list[tuple[Any, ...]]:
    """Everything about the tensors but where they lie."""
    return [(t.name, t.role, t.shape, t.dtype, t.trainable, t.group, t.problem) for t in catalogue.tensors]


def data(catalogue: Catalogue, tensor: TensorEntry) -> bytes:
    files = Files(catalogue.files)
    try:
        return b"".join(files[p.extent.file].read(p.extent.offset, p.extent.length) for p in catalogue.parts(tensor))
    finally:
        files.close()


def same(a: Catalogue, b: Catalogue) -> bool:
    return described(a) == described(b) and all(
        data(a, t) == data(b, u) for t, u in zip(a.tensors, b.tensors, strict=True)
    )


def zipped(folder: Path, path: Path, method: int = zipfile.ZIP_STORED, **replaced: bytes | None) -> str:
    """The unpacked model as an archive; `replaced` gives other contents for `config` or `metadata`, None for none."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name in FILES:
            content = replaced.get(name.split(".")[0], (folder / "unpacked" / name).read_bytes())
            if content is not None:
                archive.writestr(name, content)
    return str(path)


# Archives and folders


def test_metadata_says_what_the_model_is(folder: Path) -> None:
    catalogue = open_catalogue(str(folder / "model.keras"))
    facts = catalogue.metadata
    assert facts["keras_version"] == keras.__version__
    assert facts["compile_config"]["optimizer"]["class_name"] == "Adam"
    assert facts["build_config"] == {"input_shape": [None, 4]}
    json.dumps(dict(facts))


def test_tensors_lie_in_the_archive_itself(folder: Path) -> None:
    catalogue = open_catalogue(str(folder / "model.keras"))
    assert [f.path for f in catalogue.files] == [str(folder / "model.keras")]
    assert catalogue.files[0].member is None
    kernel = catalogue["dense/kernel"]
    assert kernel.parts
    extent = kernel.parts[0].extent
    raw = (folder / "model.keras").read_bytes()[extent.offset : extent.offset + extent.length]
    with h5py.File(folder / "unpacked" / "model.weights.h5") as file:
        assert raw == file["layers/dense/vars/0"][:].tobytes()


def test_an_archive_that_was_zipped_again(folder: Path, tmp_path: Path) -> None:
    path = zipped(folder, tmp_path / "again.keras", zipfile.ZIP_DEFLATED)
    catalogue = open_catalogue(path)
    assert catalogue.files[0].member is not None
    assert same(catalogue, open_catalogue(str(folder / "model.keras")))


def test_a_folder(folder: Path) -> None:
    catalogue = open_catalogue(str(folder / "unpacked"))
    assert catalogue.format == f"Keras {keras.__version__}"
    assert same(catalogue, open_catalogue(str(folder / "model.keras")))


def test_wide_offsets(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "wide.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for name in FILES:
            with archive.open(name, "w", force_zip64=True) as member:
                member.write((folder / "unpacked" / name).read_bytes())
    assert same(open_catalogue(str(path)), open_catalogue(str(folder / "model.keras")))


def test_an_archive_with_a_comment_and_something_before_it(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "comment.keras"
    zipped(folder, path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"a comment" * 100
    assert same(open_catalogue(str(path)), open_catalogue(str(folder / "model.keras")))


def test_assets_are_named(tmp_path: Path) -> None:
    zoo.made("text").save(tmp_path / "text.keras")
    assets = open_catalogue(str(tmp_path / "text.keras")).metadata["assets"]
    assert "assets/layers/text_vectorization/_lookup_layer/vocabulary.txt" in assets


@pytest.mark.parametrize("missing", ["config", "metadata"])
def test_a_missing_document_is_told_and_the_weights_are_listed(folder: Path, tmp_path: Path, missing: str) -> None:
    catalogue = open_catalogue(zipped(folder, tmp_path / "m.keras", **{missing: None}))
    assert [w.message for w in catalogue.warnings] == [f"there is no {missing}.json"]
    assert catalogue["dense/kernel"].shape == (4, 3)


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b"\xff\xfe", b'{"a": ' + b"[" * 100_000])
def test_a_broken_configuration_is_told_and_the_weights_are_listed(
    folder: Path, tmp_path: Path, content: bytes
) -> None:
    catalogue = open_catalogue(zipped(folder, tmp_path / "m.keras", config=content))
    assert catalogue.warnings
    assert catalogue["dense/kernel"].trainable is None


@pytest.mark.parametrize(
    "config",
    [
        {"class_name": "Sequential", "config": None},
        {"class_name": "Sequential", "config": {"layers": 3}},
        {"class_name": "Sequential", "config": {"layers": [1, None, "x", {}, {"class_name": 5}]}},
        {"class_name": "Functional", "config": {"name": 7, "layers": [{"class_name": "Dense", "config": []}] * 3}},
        {"class_name": "Bidirectional", "config": {"layer": {"class_name": "LSTM", "config": 1}}},
        {"class_name": "Sequential", "config": {"layers": [{"class_name": "Dense", "config": {"dtype": [1]}}]}},
    ],
)
def test_configurations_of_the_wrong_form_lose_nothing(folder: Path, tmp_path: Path, config: dict[str, Any]) -> None:
    path = zipped(folder, tmp_path / "m.keras", config=json.dumps(config).encode())
    catalogue = open_catalogue(path)
    whole = open_catalogue(str(folder / "model.keras"))
    assert catalogue.totals().parameters == whole.totals().parameters


def test_weights_saved_as_pickles_are_refused(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.npz", b"")
    with pytest.raises(FormatError, match="pickled") as told:
        open_catalogue(str(path))
    assert "weights_format" in told.value.hint


def test_encrypted_members_are_refused(folder: Path, tmp_path: Path) -> None:
    path = Path(zipped(folder, tmp_path / "m.keras"))
    raw = bytearray(path.read_bytes())
    for start in _entries(raw):
        raw[start + 8] |= 1
    path.write_bytes(raw)
    with pytest.raises(FormatError, match="encrypted"):
        open_catalogue(str(path))


def test_members_of_the_same_name_are_refused(folder: Path, tmp_path: Path) -> None:
    path = Path(zipped(folder, tmp_path / "m.keras"))
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(FormatError, match="twice"):
        open_catalogue(str(path), "keras")


def test_a_size_that_deflate_cannot_reach_is_refused_before_anything_is_written(folder: Path, tmp_path: Path) -> None:
    path = Path(zipped(folder, tmp_path / "m.keras", zipfile.ZIP_DEFLATED))
    raw = bytearray(path.read_bytes())
    for start in _entries(raw):
        raw[start + 24 : start + 28] = (0xF0000000).to_bytes(4, "little")
    path.write_bytes(raw)
    with pytest.raises(WtuiError, match="claims"):
        open_catalogue(str(path))


def _entries(raw: bytearray) -> list[int]:
    """Where the entries of an archive's directory begin."""
    found, at = [], raw.find(b"PK\1\2")
    while at >= 0:
        found.append(at)
        at = raw.find(b"PK\1\2", at + 4)
    return found


def test_an_archive_that_was_cut_off_shows_what_is_left(folder: Path, tmp_path: Path) -> None:
    whole = open_catalogue(str(folder / "model.keras"))
    raw = (folder / "model.keras").read_bytes()
    last = whole.tensors[whole.index("dense_1/kernel")].parts
    assert last
    cut = tmp_path / "cut.keras"
    cut.write_bytes(raw[: last[0].extent.offset + 5])
    catalogue = open_catalogue(str(cut))
    assert "cut off" in catalogue.warnings[0].message
    assert data(catalogue, catalogue["dense/kernel"]) == data(whole, whole["dense/kernel"])
    assert [n.name for n in catalogue.root.children][:3] == ["dense", "batch_normalization", "dense_1"]
    assert any("dense_1" in w.message or "dense_1" in w.tensor for w in catalogue.warnings[1:])


def test_damaged_weights_leave_the_tree(folder: Path, tmp_path: Path) -> None:
    path = zipped(folder, tmp_path / "m.keras", model=b"nothing")
    catalogue = open_catalogue(path)
    assert [n.name for n in catalogue.root.children] == ["dense", "batch_normalization", "dense_1"]
    assert "cannot be read" in catalogue.warnings[0].message
    assert [w.message for w in catalogue.warnings[1:]] == ["there are no weights in it"]


# Configuration and weights that do not agree


def edited(folder: Path, path: Path, edit: Callable[[h5py.File], None]) -> str:
    """The model with its weights file changed by `edit`."""
    shutil.copy(folder / "unpacked" / "model.weights.h5", path.with_suffix(".h5"))
    with h5py.File(path.with_suffix(".h5"), "a") as file:
        edit(file)
    return zipped(folder, path, model=path.with_suffix(".h5").read_bytes())


def test_a_layer_without_weights_is_told(folder: Path, tmp_path: Path) -> None:
    def lose(file: h5py.File) -> None:
        del file["layers/dense_1"]

    catalogue = open_catalogue(edited(folder, tmp_path / "m.keras", lose))
    assert [w.message for w in catalogue.warnings] == [
        "dense_1: the configuration names this layer, the file holds no weights for it"
    ]


def test_weights_without_a_layer_are_told_and_listed(folder: Path, tmp_path: Path) -> None:
    def add(file: h5py.File) -> None:
        file["layers/dense_2/vars/0"] = np.ones((2, 3), "float32")
        file["layers/dense_2/vars/1"] = np.ones(3, "float32")

    catalogue = open_catalogue(edited(folder, tmp_path / "m.keras", add))
    assert catalogue["dense_2/kernel"].shape == (2, 3)
    assert [w.message for w in catalogue.warnings] == [
        "dense_2: the file holds weights for this layer, the configuration does not name it"
    ]


def test_variables_that_do_not_fit_the_class_keep_their_numbers(folder: Path, tmp_path: Path) -> None:
    def add(file: h5py.File) -> None:
        file["layers/dense/vars/2"] = np.ones((2, 2), "float32")

    catalogue = open_catalogue(edited(folder, tmp_path / "m.keras", add))
    assert [t.name for t in catalogue.tensors if t.layer == "dense"] == ["dense/0", "dense/1", "dense/2"]


def test_lora_is_explained(tmp_path: Path) -> None:
    zoo.made("lora").save(tmp_path / "m.keras")
    catalogue = open_catalogue(str(tmp_path / "m.keras"))
    told = {w.tensor: w.message for w in catalogue.warnings}
    assert set(told) == {"embedding/embeddings", "conv1d/kernel", "dense_1/kernel"}
    assert all("LoRA of rank 2 was merged" in message for message in told.values())


@pytest.mark.parametrize("name", ["int4", "int4_attention"])
def test_packed_bytes_are_explained(tmp_path: Path, name: str) -> None:
    zoo.made(name).save(tmp_path / "m.keras")
    catalogue = open_catalogue(str(tmp_path / "m.keras"))
    told = {w.tensor for w in catalogue.warnings if "two int4" in w.message}
    assert told == {t.name for t in catalogue.tensors if t.role in ("kernel", "embeddings") and t.dtype == "int8"}


def test_layers_that_are_shared_at_many_levels_come_to_an_end(folder: Path, tmp_path: Path) -> None:
    """Each model holds the one before it twice: 2^40 layers, if all of them were shown."""
    layers: list[dict[str, Any]] = [{"class_name": "Functional", "config": {"name": "m0"}}]
    for i in range(1, 40):
        again = {"class_name": "Functional", "config": {"name": f"m{i - 1}"}, "shared_object_id": i}
        layers.append({"class_name": "Functional", "config": {"name": f"m{i}", "layers": [again, again]}})
    config = json.dumps({"class_name": "Functional", "config": {"name": "all", "layers": layers}})
    catalogue = open_catalogue(zipped(folder, tmp_path / "m.keras", config=config.encode()))
    assert 1_000 < sum(1 for _ in catalogue.root.walk()) < 500_000


def test_a_layer_inside_a_custom_one_is_known_by_its_configuration(folder: Path, tmp_path: Path) -> None:
    inner = {"class_name": "Dense", "config": {"name": "renamed", "trainable": False, "use_bias": True}}
    custom = {"class_name": "Mine", "config": {"name": "mine", "trainable": True, "body": inner}}
    config = {"class_name": "Sequential", "config": {"layers": [custom]}}
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["layers/mine/body/vars/0"] = np.ones((2, 3), "float32")
        file["layers/mine/body/vars/1"] = np.ones(3, "float32")
    weights = (tmp_path / "w.h5").read_bytes()
    catalogue = open_catalogue(zipped(folder, tmp_path / "m.keras", config=json.dumps(config).encode(), model=weights))
    assert [(t.name, t.trainable) for t in catalogue.tensors] == [
        ("mine/renamed/kernel", False),
        ("mine/renamed/bias", False),
    ]


def test_names_are_unique_where_layers_have_the_same(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "m.weights.h5", "w") as file:
        for group in ("a", "b", "c"):
            file[f"{group}/vars/0"] = np.ones((2, 3), "float32")
            file[f"{group}/vars"].attrs["name"] = "dense"
    assert [t.name for t in open_catalogue(str(tmp_path / "m.weights.h5")).tensors] == [
        "dense/kernel",
        "dense#2/kernel",
        "dense#3/kernel",
    ]


# Older files


def without_names(source: Path, target: Path) -> str:
    """A weights file as Keras before 3.6 wrote it: no names, and no groups for layers without variables."""
    with h5py.File(source) as old, h5py.File(target, "w") as new:

        def copy(name: str, found: Any) -> None:
            if isinstance(found, h5py.Dataset):
                new[name] = found[()]

        old.visititems(copy)
    return str(target)


OLD = ["sequential", "nested", "bidirectional", "cells", "attention", "wrappers", "backbone", "ten_of_a_class"]


@pytest.mark.parametrize("name", OLD)
def test_files_of_keras_before_3_6(tmp_path: Path, name: str) -> None:
    zoo.made(name).save(tmp_path / "new.keras")
    with zipfile.ZipFile(tmp_path / "new.keras") as archive:
        archive.extractall(tmp_path / "old")
    weights = tmp_path / "old" / "model.weights.h5"
    plain = Path(without_names(weights, tmp_path / "plain.h5"))
    plain.replace(weights)
    new, old = open_catalogue(str(tmp_path / "new.keras")), open_catalogue(str(tmp_path / "old"))
    if name != "backbone":
        assert [t.name for t in old.tensors] == [t.name for t in new.tensors]
    assert sorted((t.role, t.shape, t.trainable) for t in old.tensors) == sorted(
        (t.role, t.shape, t.trainable) for t in new.tensors
    )


def test_weights_alone_of_keras_before_3_6_are_named_by_their_groups(tmp_path: Path) -> None:
    zoo.made("nested").save_weights(tmp_path / "new.weights.h5")
    path = without_names(tmp_path / "new.weights.h5", tmp_path / "old.weights.h5")
    assert {t.name for t in open_catalogue(path).tensors} == {
        *(f"sequential/dense/{v}" for v in ("kernel", "bias")),
        *(f"sequential/batch_normalization/{v}" for v in ("gamma", "beta", "moving_mean", "moving_variance")),
        *(f"sequential_1/functional/layer_normalization/{v}" for v in ("gamma", "beta")),
        *(f"sequential_1/functional/dense/{v}" for v in ("kernel", "bias")),
        *(f"sequential_1/dense/{v}" for v in ("kernel", "bias")),
        *(f"dense/{v}" for v in ("kernel", "bias")),
    }


def test_files_of_keras_2_13(tmp_path: Path) -> None:
    zoo.made("nested").save_weights(tmp_path / "new.weights.h5")
    names = [t.name for t in open_catalogue(str(tmp_path / "new.weights.h5")).tensors]
    with h5py.File(tmp_path / "new.weights.h5", "a") as file:
        file.move("layers", "_layer_checkpoint_dependencies")
    assert [t.name for t in open_catalogue(str(tmp_path / "new.weights.h5")).tensors] == names


def keras2_file(path: Path, layers: dict[str, dict[str, np.ndarray[Any, Any]]], **attributes: Any) -> str:
    """A weights-only file as Keras 2 wrote it."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        file.attrs.update(attributes)
        for name, weights in layers.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = [weight.encode() for weight in weights]
            for weight, values in weights.items():
                group[weight] = values
    return str(path)


def test_weights_of_keras_2(tmp_path: Path) -> None:
    ones = np.ones((2, 3), "float32")
    layers: dict[str, dict[str, np.ndarray[Any, Any]]] = {
        "z_first": {"z_first/kernel:0": ones},
        "pool": {},
        "a/b": {"a/b/kernel:0": ones, "a/b/bias:0": ones[0]},
        "bi": {"bi/forward_lstm/lstm_cell_4/kernel:0": ones, "bi/backward_lstm/lstm_cell_5/kernel:0": ones},
        "inner": {"dense_1/kernel:0": ones, "bn/gamma:0": ones[0], "bn/moving_mean:0": ones[0]},
        "mine": {"model/mine/scale:0": ones},
    }
    catalogue = open_catalogue(keras2_file(tmp_path / "w.h5", layers, keras_version="2.4.0", backend="tensorflow"))
    assert catalogue.format == "Keras 2.4.0 weights (HDF5)"
    assert [n.name for n in catalogue.root.children] == list(layers)
    assert {t.name: (t.role, t.trainable) for t in catalogue.tensors} == {
        "z_first/kernel": ("kernel", None),
        "a/b/kernel": ("kernel", None),
        "a/b/bias": ("bias", None),
        "bi/forward_lstm/lstm_cell_4/kernel": ("kernel", None),
        "bi/backward_lstm/lstm_cell_5/kernel": ("kernel", None),
        "inner/dense_1/kernel": ("kernel", None),
        "inner/bn/gamma": ("gamma", None),
        "inner/bn/moving_mean": ("moving_mean", False),
        "mine/scale": ("scale", None),
    }


def test_a_whole_model_of_keras_2_puts_nested_weights_where_they_belong(tmp_path: Path) -> None:
    """Keras 2 leaves the names of the models in between out of the weights' names."""
    ones = np.ones((2, 3), "float32")
    dense = {"class_name": "Dense", "config": {"name": "deep", "trainable": False}}
    middle = {"class_name": "Sequential", "config": {"name": "middle", "layers": [dense]}}
    inner = {"class_name": "Functional", "config": {"name": "inner", "layers": [middle]}}
    cell = {"class_name": "LSTM", "config": {"name": "lstm", "trainable": True}}
    both = {"class_name": "Bidirectional", "config": {"name": "bi", "layer": cell}}
    top = {"class_name": "Functional", "config": {"name": "top", "layers": [inner, both]}}
    layers: dict[str, dict[str, np.ndarray[Any, Any]]] = {
        "inner": {"deep/kernel:0": ones},
        "bi": {"bi/forward_lstm/lstm_cell_1/kernel:0": ones, "bi/backward_lstm/lstm_cell_2/kernel:0": ones},
    }
    path = keras2_file(tmp_path / "m.h5", layers, model_config=json.dumps(top), keras_version="2.15.0")
    catalogue = open_catalogue(path)
    assert catalogue.format == "Keras 2.15.0 (HDF5)"
    assert [(t.name, t.trainable) for t in catalogue.tensors] == [
        ("inner/middle/deep/kernel", False),
        ("bi/forward_lstm/lstm_cell_1/kernel", True),
        ("bi/backward_lstm/lstm_cell_2/kernel", True),
    ]
    classes = {n.path: n.class_name for n in catalogue.root.walk()}
    assert classes["inner/middle/deep"] == "Dense"
    assert classes["bi/backward_lstm/lstm_cell_2"] == "LSTMCell"


def test_names_that_keras_had_to_split(tmp_path: Path) -> None:
    names = [f"a_layer_with_a_rather_long_name_to_fill_the_attribute_{i:04}" for i in range(900)]
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs["keras_version"] = "2.3.1"
        for part in range(2):
            file.attrs[f"layer_names{part}"] = [n.encode() for n in names[450 * part : 450 * (part + 1)]]
        for name in names:
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}/kernel:0".encode()]
            group[f"{name}/kernel:0"] = np.ones(1, "float32")
    assert [t.name for t in open_catalogue(str(tmp_path / "m.h5")).tensors] == [f"{name}/kernel" for name in names]


def test_keras_1_with_numbers_only(tmp_path: Path) -> None:
    config = {
        "class_name": "Sequential",
        "config": [
            {"class_name": "Convolution2D", "config": {"name": "conv_a", "dim_ordering": "th"}},
            {"class_name": "Flatten", "config": {"name": "flat"}},
        ],
    }
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs["nb_layers"] = 2
        file.create_group("layer_0").attrs["nb_params"] = 2
        file["layer_0/param_0"] = np.ones((8, 3, 3, 3), "float32")
        file["layer_0/param_1"] = np.ones(8, "float32")
        file.create_group("layer_1").attrs["nb_params"] = 0
    catalogue = open_catalogue(str(tmp_path / "m.h5"))
    assert catalogue.format == "Keras 1 weights (HDF5)"
    assert [(t.name, t.role, t.inferred) for t in catalogue.tensors] == [
        ("layer_0/0", "0", ""),
        ("layer_0/1", "1", ""),
    ]
    with h5py.File(tmp_path / "m.h5", "a") as file:
        file.attrs["model_config"] = json.dumps(config)
    catalogue = open_catalogue(str(tmp_path / "m.h5"))
    assert catalogue.format == "Keras 1 (HDF5)"
    assert [(t.name, t.role) for t in catalogue.tensors] == [("conv_a/kernel", "kernel"), ("conv_a/bias", "bias")]


def test_keras_1_names(tmp_path: Path) -> None:
    ones = np.ones((2, 3), "float32")
    weights = {"convolution2d_1_W": ones, "convolution2d_1_b": ones[0]}
    norm = {f"batchnormalization_1_{part}": ones[0] for part in ("gamma", "beta", "running_mean", "running_std")}
    path = keras2_file(tmp_path / "m.h5", {"convolution2d_1": weights, "batchnormalization_1": norm})
    found = {t.name: (t.role, t.trainable) for t in open_catalogue(path).tensors}
    assert found == {
        "convolution2d_1/W": ("kernel", None),
        "convolution2d_1/b": ("bias", None),
        "batchnormalization_1/gamma": ("gamma", None),
        "batchnormalization_1/beta": ("beta", None),
        "batchnormalization_1/running_mean": ("moving_mean", False),
        "batchnormalization_1/running_std": ("moving_variance", False),
    }


def test_a_legacy_save_that_stopped_is_told(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "model.h5", tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "a") as file:
        del file["model_weights/dense_1"]
        del file["model_weights/dense/sequential/dense/bias"]
    told = [w.message for w in open_catalogue(str(tmp_path / "m.h5")).warnings]
    assert told == [
        "the file names a layer 'dense_1' and does not hold it",
        "dense: the file names a variable 'sequential/dense/bias' and does not hold it",
        "dense_1: the configuration names this layer, the file holds no weights for it",
    ]


def test_variables_that_may_be_counted_twice_are_told(tmp_path: Path) -> None:
    zoo.made("shared_across_models").save(tmp_path / "m.h5")
    (told,) = open_catalogue(str(tmp_path / "m.h5")).warnings
    assert told.message.startswith("shared: 2 of its variables have the names of others")


# Shards


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    zoo.reset_names()
    keras.utils.set_random_seed(3)
    built = keras.Sequential([keras.Input((64,)), L.Dense(64), L.BatchNormalization(), L.Dense(64), L.Dense(2)])
    built.save_weights(folder / "m.weights.json", max_shard_size=1.6e-5)
    built.save_weights(folder / "m.weights.h5")
    return folder


def test_shards_are_one_model(shards: Path) -> None:
    catalogue = open_catalogue(str(shards / "m.weights.json"))
    assert len(catalogue.files) > 2
    assert same(catalogue, open_catalogue(str(shards / "m.weights.h5")))
    assert [n.name for n in catalogue.root.children] == ["dense", "batch_normalization", "dense_1", "dense_2"]


def test_one_shard_alone_says_that_it_is_one(shards: Path) -> None:
    catalogue = open_catalogue(str(shards / "m_00000.weights.h5"))
    assert "dense/kernel" in {t.name for t in catalogue.tensors}
    assert [w.message for w in catalogue.warnings] == [
        "this is one of several shards: open m.weights.json for the whole model"
    ]


def test_a_folder_with_shards_and_a_configuration(folder: Path, tmp_path: Path) -> None:
    built = zoo.made("sequential")
    built.save(tmp_path / "m.keras")
    built.save_weights(tmp_path / "model.weights.json", max_shard_size=2e-7)
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        archive.extract("config.json", tmp_path)
        archive.extract("metadata.json", tmp_path)
    (tmp_path / "m.keras").rename(tmp_path / "m.zip")
    catalogue = open_catalogue(str(tmp_path))
    assert same(catalogue, open_catalogue(str(tmp_path / "m.zip")))


def test_a_missing_shard_is_told(shards: Path, tmp_path: Path) -> None:
    for file in shards.iterdir():
        shutil.copy(file, tmp_path)
    (tmp_path / "m_00001.weights.h5").unlink()
    catalogue = open_catalogue(str(tmp_path / "m.weights.json"))
    told = " ".join(w.message for w in catalogue.warnings)
    assert "'m_00001.weights.h5' is missing" in told
    assert "is in none of the shards" in told
    assert catalogue.tensors


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"weight_map": 3}', '{"weight_map": {"a": 5}}'])
def test_a_map_without_shards_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "m.weights.json").write_text(content)
    with pytest.raises(FormatError):
        open_catalogue(str(tmp_path / "m.weights.json"), "keras-sharded")


def test_shards_outside_the_folder_are_not_opened(tmp_path: Path, shards: Path) -> None:
    shutil.copy(shards / "m_00000.weights.h5", tmp_path / "secret.h5")
    inner = tmp_path / "inner"
    inner.mkdir()
    shard_map = {"weight_map": {"/layers/dense/vars": "../secret.h5", "/a": str(tmp_path / "secret.h5")}}
    (inner / "m.weights.json").write_text(json.dumps(shard_map))
    assert open_catalogue(str(inner / "m.weights.json")).tensors == ()


# What is not Keras's, and what is damaged


def other_hdf5(path: Path, write: Callable[[h5py.File], None]) -> Probe:
    with h5py.File(path, "w") as file:
        write(file)
    return Probe(str(path))


@pytest.mark.parametrize(
    "write",
    [
        lambda f: None,
        lambda f: f.create_dataset("x", data=np.ones(3)),
        lambda f: f.create_dataset("a/b/c", data=np.ones(3)),
        lambda f: f.create_dataset("obs/vars/gene", data=np.ones(3)),
        lambda f: f.create_group("model_weights"),
    ],
    ids=["empty", "flat", "nested", "other vars", "only a name"],
)
def test_other_hdf5_files_are_not_claimed(tmp_path: Path, write: Callable[[h5py.File], None]) -> None:
    probe = other_hdf5(tmp_path / "other.h5", write)
    assert not keras_h5.sniff(probe)
    assert not keras_zip.sniff(probe)
    assert not keras_sharded.sniff(probe)
    probe.close()


def test_other_archives_and_folders_are_not_claimed(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("data.pkl", b"")
        archive.writestr("config.json", b"{}")
    (tmp_path / "config.json").write_text("{}")
    for path in (tmp_path, tmp_path / "a.zip"):
        probe = Probe(str(path))
        assert not keras_zip.sniff(probe)
        assert not keras_sharded.sniff(probe)
        probe.close()


def repacked(source: Path, target: Path) -> None:
    """A weights file as h5repack leaves it: in compressed chunks."""
    with h5py.File(source) as old, h5py.File(target, "w") as new:

        def copy(name: str, found: Any) -> None:
            if isinstance(found, h5py.Group):
                made: Any = new.require_group(name)
            elif found.shape:
                made = new.create_dataset(name, data=found[()], chunks=True, compression="gzip", shuffle=True)
            else:
                made = new.create_dataset(name, data=found[()])
            made.attrs.update(found.attrs)

        old.visititems(copy)


def test_compressed_chunks_are_located_when_they_are_asked_for(folder: Path, tmp_path: Path) -> None:
    repacked(folder / "unpacked" / "model.weights.h5", tmp_path / "m.weights.h5")
    path = zipped(folder, tmp_path / "m.keras", model=(tmp_path / "m.weights.h5").read_bytes())
    catalogue = open_catalogue(path)
    kernel = catalogue["dense/kernel"]
    assert (kernel.parts, kernel.encoding) == (None, "hdf5-chunks")
    (part,) = catalogue.parts(kernel)
    raw = Path(path).read_bytes()[part.extent.offset : part.extent.offset + part.extent.length]
    with h5py.File(tmp_path / "m.weights.h5") as file:
        assert raw == file["layers/dense/vars/0"].id.read_direct_chunk((0, 0))[1]


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "model.weights.h5"])
def test_damaged_files_fail_in_one_way_only(folder: Path, tmp_path: Path, name: str) -> None:
    """Cut anywhere, or with bytes changed anywhere: a listing whose extents lie in the file, or a WtuiError."""
    raw = (folder / name).read_bytes()
    rng = random.Random(5)
    damaged = tmp_path / name
    listed = 0
    for attempt in range(120):
        data = bytearray(raw[: rng.randrange(len(raw))] if attempt % 3 == 0 else raw)
        for _ in range(rng.randrange(1, 12) if attempt % 3 else 0):
            data[rng.randrange(len(data))] = rng.choice((0, 1, 0x7F, 0xFF, rng.randrange(256)))
        damaged.write_bytes(data)
        try:
            catalogue = open_catalogue(str(damaged))
            listed += 1
        except WtuiError:
            continue
        for tensor in catalogue.tensors:
            for part in tensor.parts or ():
                assert 0 <= part.extent.offset <= part.extent.offset + part.extent.length <= len(data)
    assert listed


# What opening costs


def test_only_metadata_is_read(tmp_path: Path) -> None:
    built = keras.Sequential([keras.Input((1000,)), L.Dense(2000), L.Dense(10)])
    for name in ("m.keras", "m.h5", "m.weights.h5"):
        path = tmp_path / name
        built.save_weights(path) if name == "m.weights.h5" else built.save(path)
        probe = Probe(str(path))
        module = keras_zip if name == "m.keras" else keras_h5
        assert module.sniff(probe)
        assert module.catalogue(probe).totals().parameters == built.count_params()
        assert path.stat().st_size > 8_000_000
        assert probe.bytes_read < 200_000
        probe.close()


def test_a_file_is_opened_without_numpy_and_without_what_the_first_frame_does_not_need(
    folder: Path, tmp_path: Path
) -> None:
    script = """
import sys
from wtui.formats import open_catalogue
for path in sys.argv[1:]:
    open_catalogue(path)
heavy = {"numpy", "h5py", "pyfive", "numba", "tensorflow", "keras", "textual", "plotext", "ml_dtypes", "zipfile"}
print(sorted(heavy & set(sys.modules)))
"""
    paths = [str(folder / name) for name in ("model.keras", "model.h5", "model.weights.h5", "unpacked")]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", script, *paths], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "[]"
