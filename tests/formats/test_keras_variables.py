"""The table of variables held to every class of keras.layers that has weights."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from wtui.formats.keras.config import parse
from wtui.formats.keras.structure import class_of_auto_name, class_of_snake, is_keras_class, snake_case
from wtui.formats.keras.variables import Named, Saved, always_saves, name_variables, quantisation, trained_by_default

from .keras_zoo import L, keras

SEQUENCE, IMAGE, VOLUME = (2, 6, 4), (2, 8, 8, 4), (2, 6, 6, 6, 2)

CASES: dict[str, list[tuple[Callable[[], Any], tuple[int, ...]]]] = {
    "Dense": [(lambda: L.Dense(3), (2, 4)), (lambda: L.Dense(3, use_bias=False), (2, 4))],
    "EinsumDense": [
        (lambda: L.EinsumDense("abc,cd->abd", (None, 3), bias_axes="d"), SEQUENCE),
        (lambda: L.EinsumDense("abc,cde->abde", (None, 3, 2)), SEQUENCE),
    ],
    "Embedding": [(lambda: L.Embedding(5, 4), (2, 3))],
    "ReversibleEmbedding": [
        (lambda: L.ReversibleEmbedding(5, 4), (2, 3)),
        (lambda: L.ReversibleEmbedding(5, 4, tie_weights=False), (2, 3)),
    ],
    "Conv1D": [(lambda: L.Conv1D(3, 2), SEQUENCE), (lambda: L.Conv1D(3, 2, use_bias=False), SEQUENCE)],
    "Conv2D": [(lambda: L.Conv2D(3, 2), IMAGE)],
    "Conv3D": [(lambda: L.Conv3D(3, 2), VOLUME)],
    "Conv1DTranspose": [(lambda: L.Conv1DTranspose(3, 2), SEQUENCE)],
    "Conv2DTranspose": [(lambda: L.Conv2DTranspose(3, 2, use_bias=False), IMAGE)],
    "Conv3DTranspose": [(lambda: L.Conv3DTranspose(3, 2), VOLUME)],
    "DepthwiseConv1D": [(lambda: L.DepthwiseConv1D(2), SEQUENCE)],
    "DepthwiseConv2D": [(lambda: L.DepthwiseConv2D(2, use_bias=False), IMAGE)],
    "SeparableConv1D": [(lambda: L.SeparableConv1D(3, 2), SEQUENCE)],
    "SeparableConv2D": [(lambda: L.SeparableConv2D(3, 2, use_bias=False), IMAGE)],
    "BatchNormalization": [
        (lambda: L.BatchNormalization(), IMAGE),
        (lambda: L.BatchNormalization(scale=False), IMAGE),
        (lambda: L.BatchNormalization(center=False, scale=False), IMAGE),
        (lambda: L.BatchNormalization(renorm=True, center=False), IMAGE),
    ],
    "LayerNormalization": [
        (lambda: L.LayerNormalization(), SEQUENCE),
        (lambda: L.LayerNormalization(center=False), SEQUENCE),
        (lambda: L.LayerNormalization(axis=[1, 2]), SEQUENCE),
    ],
    "GroupNormalization": [(lambda: L.GroupNormalization(2), IMAGE)],
    "RMSNormalization": [(lambda: L.RMSNormalization(), SEQUENCE)],
    "LSTMCell": [(lambda: L.LSTMCell(3), (2, 4)), (lambda: L.LSTMCell(3, use_bias=False), (2, 4))],
    "GRUCell": [(lambda: L.GRUCell(3), (2, 4)), (lambda: L.GRUCell(3, reset_after=False), (2, 4))],
    "SimpleRNNCell": [(lambda: L.SimpleRNNCell(3), (2, 4))],
    "PReLU": [(lambda: L.PReLU(), SEQUENCE), (lambda: L.PReLU(shared_axes=[1]), SEQUENCE)],
    "Attention": [
        (lambda: L.Attention(use_scale=True), SEQUENCE),
        (lambda: L.Attention(score_mode="concat"), SEQUENCE),
        (lambda: L.Attention(use_scale=True, score_mode="concat"), SEQUENCE),
    ],
    "AdditiveAttention": [(lambda: L.AdditiveAttention(), SEQUENCE)],
    "Normalization": [(lambda: L.Normalization(), SEQUENCE)],
    "SpectralNormalization": [(lambda: L.SpectralNormalization(L.Dense(3)), (2, 4))],
    "STFTSpectrogram": [
        (lambda: L.STFTSpectrogram(frame_length=16, frame_step=4, fft_length=16), (2, 64, 1)),
        (lambda: L.STFTSpectrogram(frame_length=16, frame_step=4, fft_length=16, trainable=False), (2, 64, 1)),
    ],
}
"""Class -> ways to make one that differ in its variables, each with the shape of an input."""

HELD_ELSEWHERE = {
    "Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "GRU", "LSTM", "SimpleRNN", "RNN", "StackedRNNCells",
    "MultiHeadAttention", "GroupedQueryAttention", "TimeDistributed", "Wrapper", "Pipeline",
}  # fmt: skip
"""Classes whose variables belong to layers inside them; the zoo has a model with each kind."""

FOREIGN = {"FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper", "Layer"}
"""Classes whose variables another framework, or the user, names."""


def exported() -> dict[str, type]:
    classes = [getattr(L, name) for name in dir(L)]
    return {c.__name__: c for c in classes if inspect.isclass(c) and issubclass(c, L.Layer)}


def may_have_weights(layer_class: type) -> bool:
    """Whether anything in the class or above it, up to Layer, adds a variable."""
    bases = layer_class.__mro__[: layer_class.__mro__.index(L.Layer)]
    return any("add_weight(" in inspect.getsource(base) for base in bases)


def test_every_class_with_weights_is_covered() -> None:
    with_weights = {name for name, c in exported().items() if may_have_weights(c)}
    assert with_weights - HELD_ELSEWHERE - FOREIGN <= set(CASES)


def test_every_class_is_known_by_name_and_by_group() -> None:
    for name in exported().keys() - {"Layer"}:
        assert is_keras_class(name), name
        group = keras.src.utils.naming.to_snake_case(name)
        assert snake_case(name) == group
        assert class_of_snake(group) == class_of_snake(f"{group}_12") == class_of_auto_name(f"{group}_3") == name


every_case = pytest.mark.parametrize(
    ("make", "shape"), [pytest.param(*c, id=f"{name}{i}") for name, cases in CASES.items() for i, c in enumerate(cases)]
)


@every_case
def test_names_follow_from_the_configuration(make: Callable[[], Any], shape: tuple[int, ...]) -> None:
    layer = built(make, shape)
    check(layer, name_variables(type(layer).__name__, config_of(layer), saved(layer)))


@every_case
def test_names_without_configuration_are_right_or_called_a_guess(
    make: Callable[[], Any], shape: tuple[int, ...]
) -> None:
    layer = built(make, shape)
    found = name_variables(type(layer).__name__, None, saved(layer))
    if not any(named.inferred for named in found):
        check(layer, found)


@every_case
def test_classes_that_cannot_be_without_variables_are_known(make: Callable[[], Any], shape: tuple[int, ...]) -> None:
    layer = built(make, shape)
    assert always_saves(type(layer).__name__, config_of(layer))


@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
@pytest.mark.parametrize("name", ["Dense", "EinsumDense", "Embedding", "ReversibleEmbedding"])
def test_quantised_layers(name: str, mode: str) -> None:
    for make, shape in CASES[name]:
        layer = built(make, shape)
        if mode not in layer.variable_serialization_spec:
            continue
        layer.quantize(mode)
        config = config_of(layer)
        assert quantisation(config) == mode
        for known in (config, None):
            found = name_variables(name, known, saved(layer))
            if known or not any(n.inferred for n in found):
                check(layer, found)


@pytest.mark.parametrize("name", ["Dense", "EinsumDense"])
@pytest.mark.parametrize("mode", ["gptq", "awq"])
def test_calibrated_layers_follow_keras_own_list(name: str, mode: str) -> None:
    """Calibration needs a language model; the order is taken from the list that Keras saves by."""
    layer = built(*CASES[name][0])
    names = layer.variable_serialization_spec[mode]
    kinds = {
        "quantized_kernel": ((4, 2), "uint8"),
        "kernel_scale": ((4, 1), "float32"),
        "kernel_zero": ((4, 1), "uint8"),
    }
    held = [Saved(str(i), *kinds.get(n, ((4,), "float32"))) for i, n in enumerate(names)]
    config = {**config_of(layer), "dtype": {"config": {"mode": f"{mode}/4/128"}}}
    found = [n.name for n in name_variables(name, config, held)]
    assert found == [n.replace("quantized_kernel", "kernel") for n in names]


def test_layers_of_unknown_class_keep_their_numbers() -> None:
    held = [Saved("0", (3, 4), "float32"), Saved("1", (4,), "float32")]
    assert name_variables("Mine", {}, held) == [
        Named("0", "kernel", None, "by rank"),
        Named("1", "bias", None, "by rank"),
    ]
    odd = [Saved("0", (3, 4), "float32"), Saved("1", (5,), "float32")]
    assert name_variables("Mine", {}, odd) == [Named("0", "0", None), Named("1", "1", None)]


def test_a_class_of_the_same_name_with_other_variables_is_not_forced_into_the_table() -> None:
    held = [Saved(str(i), (3,), "float32") for i in range(5)]
    assert [n.name for n in name_variables("Dense", {"use_bias": True}, held)] == list("01234")


def test_no_name_is_said_to_be_trained_and_not_to_be() -> None:
    for name, cases in CASES.items():
        for make, shape in cases:
            layer = built(make, shape)
            if layer.trainable:
                for variable in own(layer):
                    assert trained_by_default(name, variable.name) == variable.trainable


def built(make: Callable[[], Any], shape: tuple[int, ...]) -> Any:
    layer = make()
    inputs = np.zeros(shape, "float32")
    if isinstance(layer, L.Attention):
        layer([inputs, inputs])
    elif "Cell" in type(layer).__name__:
        layer.build(shape)
    else:
        layer(inputs)
    return layer


def own(layer: Any) -> list[Any]:
    return [*layer._trainable_variables, *layer._non_trainable_variables]


def saved(layer: Any) -> list[Saved]:
    """What Keras writes for the layer alone."""
    store: dict[str, Any] = {}
    layer.save_own_variables(store)
    return [Saved(k, tuple(v.shape), str(keras.backend.standardize_dtype(v.dtype))) for k, v in store.items()]


def config_of(layer: Any) -> dict[str, Any]:
    """Its configuration, as it is written to config.json."""
    written = parse(json.loads(json.dumps(keras.saving.serialize_keras_object(layer))))
    assert written is not None
    return dict(written.config)


def check(layer: Any, found: list[Named]) -> None:
    by_name = {v.name: v for v in own(layer)}
    assert sorted(n.name for n in found) == sorted(by_name)
    for named, held in zip(found, saved(layer), strict=True):
        variable = by_name[named.name]
        assert (tuple(variable.shape), str(keras.backend.standardize_dtype(variable.dtype))) == held[1:]
        if layer.trainable:
            assert named.trainable == variable.trainable
