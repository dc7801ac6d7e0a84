"""Small Keras models of every kind whose layout wtui claims to know, and what Keras itself says is in them.

Importing this module imports Keras; everything in it is seeded and writes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers as L

Builder = Callable[[], Any]
ZOO: dict[str, Builder] = {}

SAVED_IS_ORACLE = {
    "shared_across_models": "Keras forgets which of the two layers was shared, and fails",
    "shared_among_layers_of_one_name": "the same",
    "int8_attention": "Keras forgets that the parts of attention layers were quantised, and fails",
    "int4_attention": "the same",
    "frozen_above": "Keras forgets that a Sequential model was frozen",
    "custom_layer": "Keras forgets that what is inside a frozen custom layer was frozen with it",
}
"""Models that Keras 3.15 does not load as they were saved, and why: the oracle is the model that was saved."""

CUSTOM = "zoo"


def model(build: Builder) -> Builder:
    """Add a builder to the zoo."""
    ZOO[build.__name__] = build
    return build


def made(name: str) -> Any:
    """The model called `name`, with values that are all different."""
    reset_names()
    keras.utils.set_random_seed(7)
    built = ZOO[name]()
    rng = np.random.default_rng(11)
    for variable in built.weights:
        if keras.backend.is_float_dtype(variable.dtype):
            variable.assign(rng.normal(size=variable.shape))
    return built


def reset_names() -> None:
    """Let Keras count its automatic names from the beginning."""
    keras.backend.clear_session(free_memory=False)


class Expected(NamedTuple):
    """A variable as Keras knows it."""

    name: str
    numbered: str
    """Its name if the class were unknown: Keras does not write names into its files."""
    shape: tuple[int, ...]
    dtype: str
    trainable: bool
    known: bool
    """Whether the layer is one of Keras's own classes."""
    data: bytes
    alias: bool
    """Whether it was met before, in another layer."""


def expected(built: Any, *, adapters: bool = False) -> list[Expected]:
    """All variables of a model that Keras saves with it, in the order of its layers; LoRA's matrices on request."""
    trained = {id(v) for v in built.trainable_variables}
    return list(_walk(built, "", trained, set(), adapters))


def _walk(layer: Any, path: str, trained: set[int], seen: set[int], adapters: bool) -> Iterator[Expected]:
    known = type(layer).__module__.startswith("keras.")
    own = [*layer._trainable_variables, *layer._non_trainable_variables]
    if known and getattr(layer, "quantization_mode", None):
        names = layer.variable_serialization_spec[layer.quantization_mode]
        own.sort(key=lambda v: names.index(v.name))
    for number, variable in enumerate(v for v in own if adapters or not v.name.startswith("lora_")):
        value = np.asarray(keras.ops.convert_to_numpy(variable))
        yield Expected(
            f"{path}{variable.name}",
            f"{path}{number}",
            tuple(variable.shape),
            str(keras.backend.standardize_dtype(variable.dtype)),
            id(variable) in trained,
            known,
            value.tobytes(),
            id(variable) in seen,
        )
        seen.add(id(variable))
    for inner in children(layer):
        yield from _walk(inner, f"{path}{inner.name}/", trained, seen, adapters)


def children(layer: Any) -> list[Any]:
    """The layers of a model, or those inside a layer."""
    return list(layer.layers if isinstance(layer, keras.Model) else layer._layers)


def paths(layer: Any, above: str = "") -> Iterator[tuple[str, str]]:
    """(path, class name) of all layers below `layer`, in Keras's order."""
    for inner in children(layer):
        path = f"{above}{inner.name}"
        yield path, type(inner).__name__
        yield from paths(inner, f"{path}/")


@keras.saving.register_keras_serializable(CUSTOM)
class Scaled(L.Layer):
    """A custom layer with a trained and an untrained variable, a built-in layer inside, and a configuration."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.inner = L.Dense(units)

    def build(self, shape: Any) -> None:
        self.step = self.add_weight(name="step", shape=(), trainable=False)
        self.gain = self.add_weight(name="gain", shape=(self.units,))
        self.inner.build(shape)
        self.built = True

    def call(self, x: Any) -> Any:
        return self.inner(x) * self.gain

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable(CUSTOM)
class Mixture(keras.Model):
    """A subclassed model with a variable of its own and layers in attributes, lists, dictionaries and nested lists."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stem = L.Dense(4)
        self.blocks = [L.Dense(4), L.BatchNormalization(), Scaled(4)]
        self.heads = {"a": L.Dense(2), "b": L.Dense(3, name="head_b")}
        self.nested = [[L.Dense(4, name="deep")]]
        self.token = self.add_weight(name="token", shape=(4,))

    def call(self, x: Any) -> Any:
        x = self.stem(x) + self.token
        for layer in (*self.blocks, self.nested[0][0]):
            x = layer(x)
        return self.heads["a"](x), self.heads["b"](x)


@keras.saving.register_keras_serializable(CUSTOM)
class Backbone(keras.Model):
    """A functional model whose configuration does not list its layers, as model libraries have them."""

    def __init__(self, width: int, **kwargs: Any) -> None:
        inputs = keras.Input((4,))
        x = L.Dense(width, name="up")(inputs)
        x = L.LayerNormalization(name="norm")(x)
        super().__init__(inputs, L.Dense(4, name="down")(x), **kwargs)
        self.width = width

    def get_config(self) -> dict[str, Any]:
        return {"width": self.width, "name": self.name, "trainable": self.trainable}


def _sequence(*parts: Any, shape: tuple[int | None, ...] = (4,), **kwargs: Any) -> Any:
    return keras.Sequential([keras.Input(shape), *parts], **kwargs)


def _train(built: Any, optimizer: Any, width: int = 3) -> Any:
    """One step, without tracing a graph."""
    built.compile(optimizer, "mse", metrics=["mae"], run_eagerly=True)
    built.train_on_batch(np.ones((2, 4), "float32"), np.ones((2, width), "float32"))
    return built


@model
def sequential() -> Any:
    return _sequence(
        L.Conv2D(3, 3, name="first"),
        L.BatchNormalization(),
        L.MaxPooling2D(),
        L.Conv2D(2, 1, use_bias=False),
        L.Flatten(),
        L.Dropout(0.5),
        L.Dense(2, activation="softmax"),
        shape=(8, 8, 1),
        name="small",
    )


@model
def functional() -> Any:
    inputs = keras.Input((4,), name="features")
    left = L.Dense(3, name="left", trainable=False)(inputs)
    right = L.Dense(3, name="right")(inputs)
    joined = L.Add()([left, right]) * 2.0
    joined = L.Concatenate()([joined, keras.ops.relu(right)])
    return keras.Model(inputs, [L.Dense(2, name="out")(joined), left], name="branches")


@model
def ten_of_a_class() -> Any:
    return _sequence(*(L.Dense(4) for _ in range(12)))


@model
def nested() -> Any:
    inner = _sequence(L.Dense(3), L.BatchNormalization(), name="inner")
    inner.trainable = False
    inputs = keras.Input((3,))
    second = keras.Model(inputs, L.Dense(3)(L.LayerNormalization()(inputs)), name="second")
    inputs = keras.Input((4,))
    deep = keras.Sequential([second, L.Dense(3)], name="deep")
    return keras.Model(inputs, L.Dense(2)(deep(inner(inputs))), name="outer")


@model
def frozen_above() -> Any:
    inner = _sequence(L.Dense(3), name="inner")
    built = _sequence(inner, L.Dense(2))
    built.trainable = False
    inner.layers[0].trainable = True
    return built


@model
def shared_layer() -> Any:
    layer = L.Dense(4, name="twice")
    inputs = keras.Input((4,))
    return keras.Model(inputs, layer(layer(inputs)))


@model
def shared_model() -> Any:
    inner = _sequence(L.Dense(3), name="tower")
    a, b = keras.Input((4,)), keras.Input((4,))
    return keras.Model([a, b], L.Dense(1)(L.Subtract()([inner(a), inner(b)])))


@model
def shared_across_models() -> Any:
    layer = L.Dense(4, name="shared")
    inputs = keras.Input((4,))
    inner = keras.Model(inputs, L.Dense(4)(layer(inputs)), name="inner")
    inputs = keras.Input((4,))
    return keras.Model(inputs, layer(inner(inputs)), name="outer")


@model
def shared_among_layers_of_one_name() -> Any:
    def tower(last: Any) -> Any:
        inputs = keras.Input((4,))
        return keras.Model(inputs, last(L.Dense(4, name="dense")(inputs)))

    layer = L.Dense(4, name="dense", activation="relu")
    inputs = keras.Input((4,))
    inner = keras.Model(inputs, layer(inputs), name="inner")
    x = inner(tower(L.Dense(4, name="last"))(inputs))
    return keras.Model(inputs, layer(x), name="outer")


@model
def subclassed() -> Any:
    built = Mixture(name="mixture")
    built(np.zeros((1, 4), "float32"))
    return built


@model
def backbone() -> Any:
    return Backbone(6, name="backbone")


@model
def custom_layer() -> Any:
    built = _sequence(Scaled(4, name="scaled"), Scaled(4, name="frozen"), L.Dense(2))
    built.layers[1].trainable = False
    return built


@model
def lambda_layer() -> Any:
    return _sequence(L.Dense(4), L.Lambda(lambda x: x * 2), L.Dense(2))


@model
def bidirectional() -> Any:
    return _sequence(
        L.Bidirectional(L.LSTM(3, return_sequences=True), name="both"),
        L.Bidirectional(L.GRU(2, return_sequences=True, use_bias=False), backward_layer=L.LSTM(2, go_backwards=True,
                        return_sequences=True), merge_mode="sum"),
        L.SimpleRNN(3),
        shape=(5, 4),
    )  # fmt: skip


@model
def cells() -> Any:
    return _sequence(
        L.RNN([L.LSTMCell(3), L.GRUCell(2, reset_after=False), L.LSTMCell(3)], return_sequences=True),
        L.RNN(L.SimpleRNNCell(2), return_sequences=True),
        L.GRU(3),
        shape=(5, 4),
    )


@model
def stateful() -> Any:
    return keras.Sequential([keras.Input((5, 4), batch_size=2), L.LSTM(3, stateful=True)])


@model
def conv_lstm() -> Any:
    return _sequence(L.ConvLSTM2D(2, 2, return_sequences=True), L.ConvLSTM2D(1, 1, use_bias=False), shape=(3, 6, 6, 1))


@model
def attention() -> Any:
    inputs = keras.Input((5, 4))
    x = L.MultiHeadAttention(2, 3)(inputs, inputs)
    x = L.MultiHeadAttention(2, 3, use_bias=False, dropout=0.1, name="cross")(x, inputs)
    x = L.GroupQueryAttention(3, 4, 2, use_gate=True)(x, x)
    x = L.Attention(use_scale=True, score_mode="concat")([x, x])
    x = L.AdditiveAttention(name="additive")([x, x])
    return keras.Model(inputs, x)


@model
def convolutions() -> Any:
    return _sequence(
        L.DepthwiseConv2D(2, depth_multiplier=2),
        L.SeparableConv2D(4, 2),
        L.Conv2DTranspose(3, 2, use_bias=False),
        L.DepthwiseConv2D(1, use_bias=False),
        L.SeparableConv2D(2, 1, use_bias=False),
        shape=(8, 8, 2),
    )


@model
def normalisations() -> Any:
    return _sequence(
        L.BatchNormalization(scale=False),
        L.BatchNormalization(center=False),
        L.BatchNormalization(center=False, scale=False),
        L.BatchNormalization(renorm=True),
        L.LayerNormalization(),
        L.LayerNormalization(scale=False),
        L.GroupNormalization(2),
        L.RMSNormalization(),
        L.UnitNormalization(),
        L.PReLU(),
        L.BatchNormalization(trainable=False),
        shape=(6, 4),
    )


@model
def wrappers() -> Any:
    return _sequence(
        L.TimeDistributed(L.Dense(3)),
        L.SpectralNormalization(L.Dense(2)),
        L.TimeDistributed(L.BatchNormalization()),
        shape=(5, 4),
    )


@model
def embeddings() -> Any:
    inputs = keras.Input((5,), dtype="int32")
    table = L.ReversibleEmbedding(7, 4, tie_weights=False)
    x = L.Embedding(9, 4)(inputs) + table(inputs)
    return keras.Model(inputs, table(L.EinsumDense("abc,cd->abd", (None, 4), bias_axes="d")(x), reverse=True))


@model
def preprocessing() -> Any:
    normal = L.Normalization()
    normal.adapt(np.arange(12, dtype="float32").reshape(3, 4))
    bins = L.Discretization(bin_boundaries=[0.0, 1.0])
    fixed = L.Normalization(mean=1.0, variance=2.0)
    return _sequence(normal, L.Rescaling(0.5), fixed, bins, L.CategoryEncoding(3, output_mode="multi_hot"), L.Dense(2))


@model
def text() -> Any:
    words = ["a cat", "a dog sat", "the cat"]
    indices = L.TextVectorization(output_sequence_length=4)
    indices.adapt(words)
    weighed = L.TextVectorization(output_mode="tf_idf")
    weighed.adapt(words)
    inputs = keras.Input((1,), dtype="string")
    return keras.Model(inputs, [L.Embedding(9, 3)(indices(inputs)), L.Dense(2)(weighed(inputs))])


@model
def lookup() -> Any:
    names = L.StringLookup()
    names.adapt(["a", "b", "c"])
    inputs = keras.Input((2,), dtype="string")
    return keras.Model(inputs, L.Embedding(5, 2)(names(inputs)))


@model
def adam() -> Any:
    return _train(_sequence(L.Dense(3), L.BatchNormalization(), L.Dense(3, trainable=False)), "adam")


@model
def adamw_all_options() -> Any:
    options = {"amsgrad": True, "use_ema": True, "gradient_accumulation_steps": 2}
    return _train(_sequence(L.Dense(3, name="only")), keras.optimizers.AdamW(**options))


@model
def sgd() -> Any:
    return _train(_sequence(L.Dense(3)), keras.optimizers.SGD(momentum=0.9))


@model
def plain_sgd() -> Any:
    return _train(_sequence(L.Dense(3)), "sgd")


@model
def rmsprop() -> Any:
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    return _train(_sequence(L.Dense(3)), keras.optimizers.RMSprop(schedule, momentum=0.1, centered=True))


@model
def nadam() -> Any:
    return _train(_sequence(L.Dense(3)), "nadam")


@model
def muon() -> Any:
    return _train(_sequence(L.Dense(3)), keras.optimizers.Muon())


@model
def loss_scale() -> Any:
    return _train(_sequence(L.Dense(3)), keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()))


def _quantised(mode: str) -> Any:
    inputs = keras.Input((5,), dtype="int32")
    x = L.EinsumDense("abc,cd->abd", (None, 6))(L.Embedding(9, 6)(inputs))
    built = keras.Model(inputs, L.Dense(6)(L.Dense(4, use_bias=False)(x)))
    for layer in built.layers[1:]:
        layer.quantize(mode)
    return built


def _quantised_attention(mode: str) -> Any:
    inputs = keras.Input((5, 4))
    attention = L.MultiHeadAttention(2, 4)
    built = keras.Model(inputs, attention(inputs, inputs))
    for layer in children(attention):
        if isinstance(layer, L.EinsumDense):
            layer.quantize(mode)
    return built


@model
def int8() -> Any:
    return _quantised("int8")


@model
def int4() -> Any:
    return _quantised("int4")


@model
def int8_attention() -> Any:
    return _quantised_attention("int8")


@model
def int4_attention() -> Any:
    return _quantised_attention("int4")


@model
def float8() -> Any:
    built = _sequence(L.Dense(4), L.Dense(2, use_bias=False))
    built.quantize("float8")
    return built


@model
def lora() -> Any:
    inputs = keras.Input((6,), dtype="int32")
    x = L.Conv1D(4, 2)(L.Embedding(9, 4)(inputs))
    built = keras.Model(inputs, L.Dense(3)(L.Dense(5)(x)))
    for layer in built.layers[1:4]:
        layer.enable_lora(2)
    return built


@model
def bfloat16() -> Any:
    return _sequence(L.Dense(3, dtype="bfloat16"), L.LayerNormalization(dtype="bfloat16"))


@model
def float16() -> Any:
    return _sequence(L.Dense(3, dtype="float16"), L.Dense(2, dtype="mixed_float16"), L.Dense(1, dtype="float64"))
