"""What an open model tells from its metadata, and how its parts are found by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import wtui
from wtui.errors import FormatError, StorageError, UnknownNameError, UsageError, WtuiError

if TYPE_CHECKING:
    from tests.api.conftest import Arrays
    from wtui.api import Model

DEMO = Path(wtui.__file__).parent / "demo" / "models"


def test_model_says_what_it_is(model: Model, path: Path) -> None:
    assert model.path == str(path)
    assert model.format == "safetensors"
    assert model.metadata["metadata"] == {"made": "by a test"}
    assert model.warnings == ()
    assert repr(model) == f"<wtui.Model {str(path)!r} safetensors, 8 tensors, 121,882 parameters>"


def test_tensors_are_those_of_the_file(model: Model, arrays: Arrays) -> None:
    assert sorted(t.name for t in model.tensors) == sorted(arrays)
    assert list(model) == list(model.tensors)
    for tensor in model.tensors:
        values = arrays[tensor.name]
        assert (tensor.shape, tensor.dtype, tensor.size) == (values.shape, str(values.dtype), values.size)
        assert (tensor.nbytes, tensor.group, tensor.problem) == (values.nbytes, "model", "")
        assert tensor.trainable is None
        assert tensor.alias_of is None


def test_totals_are_sums_over_tensors(model: Model, arrays: Arrays) -> None:
    assert model.totals.tensors == len(arrays)
    assert model.totals.parameters == sum(v.size for v in arrays.values())
    assert model.totals.bytes == sum(v.nbytes for v in arrays.values())
    assert model.totals.unknown == model.totals.parameters


def test_layers_come_in_depth_order(model: Model) -> None:
    assert [layer.path for layer in model.layers] == ["a", "b", "b.inner", "c"]
    b = model.layer("b")
    assert [t.name for t in b.tensors] == ["b.mask"]
    assert [inner.path for inner in b.layers] == ["b.inner"]
    assert b.parameters == 36 + 105 + 1
    assert model["b.inner"] is b.layers[0]
    assert model[""] is model.root
    assert repr(model["c"]) == "<wtui.Layer 'c', 120,500 parameters>"


def test_keras_layers_have_classes_and_configurations() -> None:
    with wtui.open(DEMO / "healthy.keras") as model:
        assert [(n.name, n.class_name) for n in model.layers[:3]] == [
            ("conv1", "Conv2D"), ("conv2", "Conv2D"), ("pool", "MaxPooling2D"),
        ]  # fmt: skip
        assert model["conv1"].config["filters"] == 8
        kernel = model["conv1/kernel"]
        assert (kernel.role, kernel.layer, kernel.layer_class, kernel.trainable) == ("kernel", "conv1", "Conv2D", True)
        assert repr(kernel) == "<wtui.Tensor 'conv1/kernel' float32 [3, 3, 1, 8]>"


def test_the_optimizer_is_beside_the_model() -> None:
    with wtui.open(DEMO / "digits-run" / "epoch-4.keras") as model:
        assert len(model.tensors) == model.totals.tensors == 8
        assert {t.group for t in model.other_tensors} == {"optimizer"}
        assert "optimizer" not in [layer.path for layer in model.layers]
        assert len(model["optimizer"].tensors) == len(model.other_tensors) == 10
        assert model["optimizer"].summary().seen == sum(t.size for t in model.other_tensors)


def test_unknown_names_are_key_errors_with_the_nearest_names(model: Model) -> None:
    with pytest.raises(KeyError) as raised:
        model["a.wieght"]
    assert isinstance(raised.value, UnknownNameError)
    assert isinstance(raised.value, UsageError)
    assert "no tensor or layer named 'a.wieght' (did you mean a.weight" in str(raised.value)
    assert "a.weight" in model
    assert "b.inner" in model
    assert "nothing" not in model
    with pytest.raises(UnknownNameError, match=r"no tensor named 'b.inner'"):
        model.tensor("b.inner")
    with pytest.raises(UnknownNameError, match=r"no layer named 'a.weight'"):
        model.layer("a.weight")


def test_opening_what_is_no_model_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such file"):
        wtui.open(tmp_path / "missing.keras")
    (tmp_path / "text.h5").write_text("hello" * 100)
    with pytest.raises(FormatError, match="looks like plain text"):
        wtui.open(tmp_path / "text.h5")
    with pytest.raises(UsageError, match="unknown format 'word'"):
        wtui.open(tmp_path / "text.h5", format="word")


def test_a_format_can_be_named(path: Path, tmp_path: Path) -> None:
    with wtui.open(path, format="safetensors", cache=False, threads=1) as model:
        assert model.summary().seen == model.totals.parameters
    with pytest.raises(WtuiError):
        wtui.open(path, format="hdf5")


def test_a_closed_model_keeps_what_it_knows_and_reads_nothing(path: Path) -> None:
    with wtui.open(path) as model:
        layer = model["a"]
        known = layer.summary()
    assert layer.summary() is known
    assert model["a.weight"].shape == (40, 30)
    for read in (model["c.weight"].array, model["c.weight"].summary, model.summary, lambda: next(model.scan())):
        with pytest.raises(StorageError, match="is closed"):
            read()


def test_arrays_can_be_changed(model: Model, arrays: Arrays) -> None:
    values = model["a.weight"].array()
    values[:] = 0
    np.testing.assert_array_equal(model["a.weight"].array(), arrays["a.weight"])
