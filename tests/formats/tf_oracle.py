"""TensorFlow and Keras as oracles: importing this module imports them, on the processor and quietly."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from wtui.engine.blocks import plan_blocks
from wtui.storage import Files

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wtui.model import Catalogue

__all__ = ["array_of", "by_key", "convolutional", "equal", "fitted", "keras", "np", "subclassed", "tf"]

L = keras.layers


def array_of(catalogue: Catalogue, name: str) -> NDArray[Any]:
    """The values of a tensor as the engine reads them."""
    files = Files(catalogue.files)
    try:
        return plan_blocks(catalogue[name], catalogue, files).array()
    finally:
        files.close()


def equal(catalogue: Catalogue, name: str, expected: Any) -> None:
    """Assert that shape, dtype and every byte of a tensor are as expected."""
    array = np.asarray(expected)
    entry = catalogue[name]
    assert entry.shape == array.shape, name
    assert entry.dtype == str(array.dtype), name
    assert array_of(catalogue, name).tobytes() == array.tobytes(), name


def by_key(prefix: str) -> dict[str, Any]:
    """Every numeric tensor of a checkpoint as TensorFlow reads it, by key."""
    reader = tf.train.load_checkpoint(prefix)
    dtypes = reader.get_variable_to_dtype_map()
    return {key: reader.get_tensor(key) for key in dtypes if dtypes[key] != tf.string}


def convolutional(name: str = "net") -> Any:
    """A small functional model with a frozen layer, a nested model and a Bidirectional one; values are not constant."""
    keras.utils.set_random_seed(3)
    inner = keras.Sequential([keras.Input((4,)), L.Dense(3, name="in1"), L.Dense(4, name="in2")], name="inner")
    x = keras.Input((8, 8, 3))
    y = L.Conv2D(4, 3, name="conv_b")(x)
    y = L.BatchNormalization(name="bn")(y)
    y = L.Reshape((36, 4))(y)
    y = L.Bidirectional(L.LSTM(2, name="lstm"), name="bi")(y)
    y = inner(y)
    y = L.Dense(5, name="conv_a")(y)
    model = keras.Model(x, y, name=name)
    model.get_layer("conv_a").trainable = False
    rng = np.random.default_rng(5)
    model.set_weights([rng.normal(size=w.shape).astype("float32") for w in model.get_weights()])
    return model


def fitted(model: Any, optimizer: str = "adam") -> Any:
    """The model after one step of its optimizer, with gradients out of thin air."""
    model.compile(optimizer, "mse")
    rng = np.random.default_rng(7)
    weights = model.trainable_variables
    model.optimizer.apply([tf.constant(rng.normal(size=w.shape), "float32") for w in weights], weights)
    return model


@keras.saving.register_keras_serializable("wtui-tests")
class Subclassed(keras.Model):
    """Layers in attributes and in a list, which Keras 3 does not show to TensorFlow."""

    def __init__(self, name: str = "sub") -> None:
        super().__init__(name=name)
        self.blocks = [L.Dense(3), L.Dense(4)]
        self.head = L.Dense(2, name="hd")
        self.norm = L.BatchNormalization(name="norm")
        self.scale = self.add_weight(name="scale", shape=(3,), initializer="random_normal")

    def call(self, x: Any) -> Any:
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def subclassed(name: str = "sub") -> Any:
    """A subclassed model, built."""
    keras.utils.set_random_seed(11)
    model = Subclassed(name)
    model(np.zeros((1, 5), "float32"))
    return model
