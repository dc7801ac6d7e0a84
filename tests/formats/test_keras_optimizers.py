"""Optimizer slots held to Keras's own names for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from wtui.formats import open_catalogue
from wtui.storage import Files

from . import keras_zoo as zoo
from .keras_zoo import keras

if TYPE_CHECKING:
    from pathlib import Path

    from wtui.model import Catalogue, TensorEntry

NAMED = ["adam", "adamw_all_options", "sgd", "plain_sgd", "rmsprop", "nadam"]
every_kind = pytest.mark.parametrize("name", NAMED)


def slots(catalogue: Catalogue) -> list[TensorEntry]:
    return [t for t in catalogue.tensors if t.group == "optimizer"]


def names_of(optimizer: Any) -> list[str]:
    """What Keras calls the variables, without the optimizer's own name and without the model's."""
    found = [v.path.rpartition("/")[2].removeprefix("sequential_") for v in optimizer.variables]
    return ["u_product" if name == "variable" else name for name in found]


@every_kind
@pytest.mark.parametrize("suffix", [".keras", ".weights.h5"])
def test_slots_have_the_names_and_values_of_keras(tmp_path: Path, name: str, suffix: str) -> None:
    built = zoo.made(name)
    path = tmp_path / f"model{suffix}"
    built.save(path) if suffix == ".keras" else built.save_weights(path)
    catalogue = open_catalogue(str(path))
    found = slots(catalogue)
    if suffix == ".weights.h5" and name == "adam":
        assert [t.role for t in found[2:]] == ["slot"] * (len(found) - 2), "one layer is frozen, the file cannot say"
        return
    assert [t.name for t in found] == [f"optimizer/{n}" for n in names_of(built.optimizer)]
    assert [t.shape for t in found] == [tuple(v.shape) for v in built.optimizer.variables]
    files = Files(catalogue.files)
    for tensor, variable in zip(found, built.optimizer.variables, strict=True):
        assert tensor.parts
        extent = tensor.parts[0].extent
        stored = files[extent.file].read(extent.offset, extent.length)
        assert stored == np.asarray(keras.ops.convert_to_numpy(variable)).tobytes()
    files.close()


@pytest.mark.parametrize("name", [*NAMED, "muon", "loss_scale"])
@pytest.mark.parametrize("suffix", [".keras", ".weights.h5", ".h5"])
def test_the_optimizer_is_one_node_at_the_end_and_counts_for_nothing(tmp_path: Path, name: str, suffix: str) -> None:
    built = zoo.made(name)
    path = tmp_path / f"model{suffix}"
    built.save_weights(path) if suffix == ".weights.h5" else built.save(path)
    catalogue = open_catalogue(str(path))
    node = catalogue.root.children[-1]
    assert (node.name, node.path, node.class_name) == ("optimizer", "optimizer", type(built.optimizer).__name__)
    assert {catalogue.tensors[i].name for i in node.all_tensors()} == {t.name for t in slots(catalogue)}
    assert catalogue.totals().parameters == built.count_params()
    assert catalogue.totals(node).parameters == 0
    assert all(t.trainable is False for t in slots(catalogue))
    assert {"iteration"} <= {t.role for t in slots(catalogue)}


def test_roles_of_named_slots(tmp_path: Path) -> None:
    built = zoo.made("adamw_all_options")
    built.save(tmp_path / "model.h5")
    found = {t.name.rpartition("/")[2]: t.role for t in slots(open_catalogue(str(tmp_path / "model.h5")))}
    assert found == {
        "iteration": "iteration",
        "learning_rate": "learning_rate",
        **{
            f"sequential_only_{weight}_{role}": role
            for weight in ("kernel", "bias")
            for role in ("average", "gradient_accumulator", "momentum", "velocity", "velocity_hat")
        },
    }


def test_an_optimizer_inside_another_is_listed_once(tmp_path: Path) -> None:
    built = zoo.made("loss_scale")
    built.save(tmp_path / "model.keras")
    found = slots(open_catalogue(str(tmp_path / "model.keras")))
    counted = [t for t in found if t.alias_of is None]
    assert len(counted) == len(built.optimizer.variables)
    assert {t.alias_of for t in found if t.alias_of} <= {t.name for t in counted}


def test_slots_that_no_recipe_fits_keep_their_numbers(tmp_path: Path) -> None:
    built = zoo.made("muon")
    built.save(tmp_path / "model.keras")
    found = slots(open_catalogue(str(tmp_path / "model.keras")))
    assert [t.name for t in found] == [f"optimizer/{n}" for n in ("iteration", "learning_rate", "2", "3", "4")]
