"""Keras formats held to Keras: names, shapes, values, order and trainability over a zoo of models."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from wtui.formats import open_catalogue
from wtui.storage import Files

from . import keras_zoo as zoo
from .keras_zoo import Expected, expected, keras

if TYPE_CHECKING:
    from pathlib import Path

    from wtui.model import Catalogue, LayerNode, TensorEntry


class Saved(NamedTuple):
    """A model of the zoo, saved in every way, and what Keras finds when it loads it."""

    folder: Path
    name: str
    built: Any
    loaded: Any
    expected: list[Expected]

    def open(self, suffix: str) -> Catalogue:
        return open_catalogue(str(self.folder / f"{self.name}{suffix}"))


Case = Callable[[str], Saved]


@pytest.fixture(scope="session")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Models of the zoo, each built, saved and loaded once."""
    folder = tmp_path_factory.mktemp("keras")
    known: dict[str, Saved] = {}

    def saved(name: str) -> Saved:
        if name not in known:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                known[name] = _save(folder, name)
        return known[name]

    return saved


def _save(folder: Path, name: str) -> Saved:
    built = zoo.made(name)
    built.save(folder / f"{name}.keras")
    built.save_weights(folder / f"{name}.weights.h5")
    built.save(folder / f"{name}.h5")
    zoo.reset_names()
    loaded = built
    if name not in zoo.SAVED_IS_ORACLE:
        loaded = keras.saving.load_model(folder / f"{name}.keras", compile=False, safe_mode=False)
    return Saved(folder, name, built, loaded, expected(loaded))


def own(catalogue: Catalogue) -> list[TensorEntry]:
    """The model's own tensors."""
    return [t for t in catalogue.tensors if t.group == "model"]


def data(catalogue: Catalogue, tensor: TensorEntry) -> bytes:
    """The bytes of a tensor, read as the engine reads them."""
    files = Files(catalogue.files)
    try:
        return b"".join(files[p.extent.file].read(p.extent.offset, p.extent.length) for p in catalogue.parts(tensor))
    finally:
        files.close()


def is_alias(saved: Saved, e: Expected) -> bool:
    """Whether wtui must show the variable as another's; spectral normalisation is where Keras's order differs."""
    return e.name == "spectral_normalization/kernel" if saved.name == "wrappers" else e.alias


every_model = pytest.mark.parametrize("name", sorted(zoo.ZOO))
functional_models = pytest.mark.parametrize("name", sorted(set(zoo.ZOO) - {"subclassed", "custom_layer"}))
"""Without those in which attributes hold layers: Keras saves them in alphabetical order, and their own is not saved."""

UNKNOWN_TRAINABILITY = {"subclassed", "custom_layer", "backbone"}
"""Models whose configuration says nothing of some layers."""


@every_model
def test_keras_file_is_what_keras_loads(case: Case, name: str) -> None:
    saved = case(name)
    catalogue = saved.open(".keras")
    assert catalogue.format == f"Keras {keras.__version__}"
    found = {t.name: t for t in own(catalogue)}
    wanted = {e.name if e.known or e.name in found else e.numbered: e for e in saved.expected}
    assert set(found) == set(wanted)
    for t in found.values():
        e = wanted[t.name]
        assert (t.shape, t.dtype, t.problem) == (e.shape, e.dtype, "")
        assert data(catalogue, t) == e.data
        assert (t.alias_of is not None) == is_alias(saved, e)
        if t.trainable is None:
            assert name in UNKNOWN_TRAINABILITY
        else:
            assert t.trainable == e.trainable, t.name


@functional_models
def test_nothing_is_guessed_where_the_configuration_tells(case: Case, name: str) -> None:
    if name != "backbone":
        assert [t for t in case(name).open(".keras").tensors if t.inferred] == []


@every_model
def test_parameters_are_counted_as_keras_counts(case: Case, name: str) -> None:
    saved = case(name)
    totals = saved.open(".keras").totals()
    adapters = sum(prod(w.shape) for w in saved.loaded.weights if w.name.startswith("lora_"))
    assert totals.parameters + adapters == saved.loaded.count_params()
    if name not in UNKNOWN_TRAINABILITY:
        assert totals.unknown == 0
        assert totals.trainable == sum(prod(e.shape) for e in saved.expected if e.trainable and not e.alias)


@functional_models
def test_tensors_come_in_the_models_order(case: Case, name: str) -> None:
    saved = case(name)
    assert [t.name for t in own(saved.open(".keras"))] == [e.name for e in saved.expected]


@functional_models
def test_layers_come_in_the_models_order(case: Case, name: str) -> None:
    saved = case(name)
    wanted = [layer.name for layer in saved.loaded.layers]
    assert [n.name for n in layers(saved.open(".keras").root)] == wanted
    if name.startswith("shared_a"):
        wanted.remove(saved.loaded.layers[-1].name)
    assert [n.name for n in layers(saved.open(".weights.h5").root)] == wanted


def layers(root: LayerNode) -> list[LayerNode]:
    return [n for n in root.children if n.name != "optimizer"]


@every_model
def test_tree_has_every_layer_with_its_class(case: Case, name: str) -> None:
    saved = case(name)
    root = saved.open(".keras").root
    found = {n.path: n for top in layers(root) for n in top.walk()}
    wanted = dict(zoo.paths(saved.loaded))
    if name == "shared_across_models":
        wanted["shared"] = "Dense"
    assert set(found) == set(wanted)
    for path, node in found.items():
        known = {wanted[path], EXPORTED_AS.get(wanted[path])}
        if name in UNKNOWN_TRAINABILITY:
            known.add("")
        assert node.class_name in known, path
    assert (root.name, root.class_name) == (saved.loaded.name, type(saved.loaded).__name__)


EXPORTED_AS = {"GroupedQueryAttention": "GroupQueryAttention"}
"""Class -> its name in configurations, where that is another."""


@every_model
def test_weights_alone_give_the_same_tensors(case: Case, name: str) -> None:
    saved = case(name)
    catalogue = saved.open(".weights.h5")
    assert catalogue.format == "Keras 3 weights"
    wanted = [e for e in saved.expected if not e.alias or name == "wrappers"]
    found = own(catalogue)
    if name in ("subclassed", "custom_layer"):
        by_name = {t.name: t for t in found}
        found = [by_name.get(e.name) or by_name[e.numbered] for e in wanted]
    for t, e in zip(found, wanted, strict=True):
        assert t.name in (e.name, e.numbered) or t.inferred
        assert (t.shape, t.dtype, data(catalogue, t)) == (e.shape, e.dtype, e.data)
        assert t.trainable is None or (t.trainable is False and not e.trainable)
    if name not in ("subclassed", "custom_layer", "normalisations"):
        assert [t.name for t in found] == [e.name for e in wanted]


@every_model
def test_legacy_file_gives_the_same_tensors(case: Case, name: str) -> None:
    saved = case(name)
    catalogue = saved.open(".h5")
    assert catalogue.format == f"Keras {keras.__version__} (HDF5)"
    found = {t.name: t for t in own(catalogue)}
    wanted = {e.name: e for e in expected(saved.built, adapters=True) if not is_alias(saved, e)}
    twice = {e.name for e in saved.expected if e.alias and name != "wrappers"}
    assert set(found) - twice == set(wanted)
    for t in found.values():
        if t.name in wanted:
            e = wanted[t.name]
            assert (t.shape, t.dtype, t.problem, t.role) == (e.shape, e.dtype, "", e.name.split("/")[-1])
            assert data(catalogue, t) == e.data
            if t.trainable is None:
                assert name in UNKNOWN_TRAINABILITY
            else:
                assert t.trainable == e.trainable, t.name
