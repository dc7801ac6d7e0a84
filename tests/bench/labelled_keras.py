"""Trains the Keras models of the labelled set. Run as `python -m tests.bench.labelled_keras FOLDER`.

Each model gets a folder: `trained`, `initial` (the same before training) and `twin` (another seed, untrained), and
`label.json` with the initialiser of every variable, as Keras's own objects say it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers

INITIALISERS = (
    "glorot_uniform", "he_normal", "he_uniform", "lecun_normal", "random_normal", "lecun_uniform", "glorot_normal",
)  # fmt: skip
MADE = "label.json"


def mlp(k: str) -> list[Any]:
    """Three dense layers."""
    return [
        keras.Input((64,)),
        layers.Dense(96, activation="relu", kernel_initializer=k),
        layers.Dense(48, activation="relu", kernel_initializer=k),
        layers.Dense(32, activation="tanh", kernel_initializer=k),
        layers.Dense(10, kernel_initializer=k),
    ]


def convolutions(k: str) -> list[Any]:
    """Convolutions without norms."""
    return [
        keras.Input((64,)),
        layers.Reshape((8, 8, 1)),
        layers.Conv2D(16, 3, activation="relu", kernel_initializer=k),
        layers.Conv2D(24, 3, activation="relu", kernel_initializer=k),
        layers.Conv2D(32, 3, activation="relu", kernel_initializer=k),
        layers.Flatten(),
        layers.Dense(32, activation="relu", kernel_initializer=k),
        layers.Dense(10, kernel_initializer=k),
    ]


def batch_norms(k: str) -> list[Any]:
    """Convolutions with batch norms behind them."""
    stack: list[Any] = [keras.Input((64,)), layers.Reshape((8, 8, 1))]
    for width in (16, 24, 32):
        stack += [
            layers.Conv2D(width, 3, padding="same", kernel_initializer=k, use_bias=width != 24),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
        ]
    return [*stack, layers.GlobalAveragePooling2D(), layers.Dense(10, kernel_initializer=k)]


def separable(k: str) -> list[Any]:
    """Depthwise and pointwise convolutions."""
    stack: list[Any] = [keras.Input((64,)), layers.Reshape((8, 8, 1)), layers.Conv2D(24, 3, kernel_initializer=k)]
    for width in (32, 40):
        stack += [
            layers.DepthwiseConv2D(3, padding="same", depthwise_initializer=k, use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.Conv2D(width, 1, kernel_initializer=k),
            layers.ReLU(),
        ]
    return [*stack, layers.Flatten(), layers.Dense(10, kernel_initializer=k)]


def lstm(k: str) -> list[Any]:
    """A bidirectional LSTM over the rows of the image."""
    return [
        keras.Input((64,)),
        layers.Reshape((8, 8)),
        layers.Bidirectional(layers.LSTM(24, kernel_initializer=k)),
        layers.Dense(32, activation="relu", kernel_initializer=k),
        layers.Dense(10, kernel_initializer=k),
    ]


def gru(k: str) -> list[Any]:
    """Two GRUs."""
    return [
        keras.Input((64,)),
        layers.Reshape((8, 8)),
        layers.GRU(32, return_sequences=True, kernel_initializer=k),
        layers.GRU(24, kernel_initializer=k),
        layers.Dense(10, kernel_initializer=k),
    ]


def residual(k: str) -> Any:
    """A residual network with batch norms."""
    x = inputs = keras.Input((64,))
    x = layers.Reshape((8, 8, 1))(x)
    x = layers.Conv2D(24, 3, padding="same", kernel_initializer=k, name="stem")(x)
    for i in range(2):
        y = layers.BatchNormalization(momentum=0.9, name=f"block{i}_bn1")(x)
        y = layers.ReLU()(y)
        y = layers.Conv2D(24, 3, padding="same", kernel_initializer=k, name=f"block{i}_conv1")(y)
        y = layers.BatchNormalization(momentum=0.9, name=f"block{i}_bn2")(y)
        y = layers.ReLU()(y)
        y = layers.Conv2D(24, 3, padding="same", kernel_initializer=k, name=f"block{i}_conv2")(y)
        x = layers.Add()([x, y])
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(10, kernel_initializer=k, name="head")(x))


def tokens(k: str) -> Any:
    """Attention over an embedding of the grey values, of which some never occur."""
    inputs = keras.Input((64,))
    x = layers.Lambda(lambda t: keras.ops.cast(t * 16.0, "int32"), output_shape=(64,), name="as_tokens")(inputs)
    x = layers.Embedding(40, 32, name="embedding")(x)
    for i in range(2):
        y = layers.LayerNormalization(name=f"norm{i}a")(x)
        y = layers.MultiHeadAttention(4, 8, kernel_initializer=k, name=f"attention{i}")(y, y)
        x = layers.Add()([x, y])
        y = layers.LayerNormalization(name=f"norm{i}b")(x)
        y = layers.Dense(64, activation="gelu", kernel_initializer=k, name=f"up{i}")(y)
        x = layers.Add()([x, layers.Dense(32, kernel_initializer=k, name=f"down{i}")(y)])
    x = layers.Flatten()(x)
    return keras.Model(inputs, layers.Dense(10, kernel_initializer=k, name="head")(x))


def autoencoder(k: str) -> list[Any]:
    """Gives the image back."""
    return [
        keras.Input((64,)),
        layers.Dense(48, activation="relu", kernel_initializer=k),
        layers.Dense(16, activation="relu", kernel_initializer=k),
        layers.Dense(48, activation="relu", kernel_initializer=k),
        layers.Dense(64, activation="sigmoid", kernel_initializer=k),
    ]


ARCHITECTURES: dict[str, Callable[[str], Any]] = {
    "mlp": mlp, "convolutions": convolutions, "batch_norms": batch_norms, "separable": separable, "lstm": lstm,
    "gru": gru, "residual": residual, "tokens": tokens, "autoencoder": autoencoder,
}  # fmt: skip


def build(architecture: str, initialiser: str, seed: int) -> Any:
    """A fresh model; layers made by `Sequential` are named after their class and place, whatever was made before."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    made = ARCHITECTURES[architecture](initialiser)
    return keras.Sequential(made, name=architecture) if isinstance(made, list) else made


def train(model: Any, architecture: str, seed: int) -> None:
    """A few epochs; the optimizer depends on the seed."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    x = (x / 16.0).astype("float32")
    optimizers = (
        lambda: keras.optimizers.SGD(0.05, momentum=0.9, clipnorm=1.0), lambda: keras.optimizers.Adam(2e-3),
        lambda: keras.optimizers.AdamW(2e-3, weight_decay=0.01),
    )  # fmt: skip
    rebuilt = architecture == "autoencoder"
    loss = "mse" if rebuilt else keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizers[seed % 3](), loss)
    epochs = (4, 8, 15)[seed // 3 % 3]
    model.fit(x, x if rebuilt else y, batch_size=64, epochs=epochs, verbose=0)


def initialisers(model: Any) -> dict[str, str]:
    """Class of the initialiser of every variable that has one, by the variable's path without the model's name."""
    found = {}
    for layer in model._flatten_layers():
        for key in ("kernel", "recurrent", "depthwise", "embeddings"):
            made = getattr(layer, f"{key}_initializer", None)
            role = {"recurrent": "recurrent_kernel", "depthwise": "kernel"}.get(key, key)
            for variable in layer.weights:
                if made is not None and variable.name == role:
                    found[variable.path] = type(made).__name__
    return found


def save(model: Any, path: Path) -> None:
    """Without its optimizer."""
    model.optimizer = None
    model.compiled = False
    model.save(path)


def main(folder: Path) -> None:
    """Make what is not there yet."""
    count = 0
    for architecture in ARCHITECTURES:
        for initialiser in INITIALISERS[: 5 if architecture not in ("mlp", "convolutions") else None]:
            seed, count = count, count + 1
            place = folder / f"keras-{architecture}-{initialiser}"
            if (place / MADE).exists():
                continue
            place.mkdir(parents=True, exist_ok=True)
            for name, own in (("twin", 1000 + seed), ("initial", seed)):
                model = build(architecture, initialiser, own)
                save(model, place / f"{name}.keras")
            train(model, architecture, seed)
            assert all(np.isfinite(v.numpy()).all() for v in model.weights)
            label = {"initialisers": initialisers(model)}
            save(model, place / "trained.keras")
            (place / MADE).write_text(json.dumps(label))
            print(place.name, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
