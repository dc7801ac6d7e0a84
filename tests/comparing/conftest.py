"""A real training run, and the command in this process as the tests of the command line run it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import run

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["run", "trained"]

TRAIN = """
import sys, keras, numpy as np
keras.utils.set_random_seed(7)
rng = np.random.default_rng(7)
x = rng.normal(size=(256, 8, 8, 1)).astype("float32")
y = (x.mean(axis=(1, 2, 3)) > 0).astype("int32")
backbone = keras.Sequential(
    [keras.Input((8, 8, 1)), keras.layers.Conv2D(6, 3, name="conv"), keras.layers.BatchNormalization(name="bn"),
     keras.layers.ReLU(name="relu"), keras.layers.Flatten(name="flat")], name="backbone")
model = keras.Sequential(
    [keras.Input((8, 8, 1)), backbone, keras.layers.Dense(12, "relu", name="hidden"),
     keras.layers.Dense(2, name="logits")], name="classifier")
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(keras.optimizers.Adam(0.01), loss)
model.fit(x, y, epochs=1, verbose=0)
model.save(sys.argv[1] + "/before.keras")
backbone.trainable = False
model.compile(keras.optimizers.Adam(0.01), loss)
model.fit(x, y, epochs=3, verbose=0)
model.save(sys.argv[1] + "/tuned.keras")
backbone.trainable = True
model.compile(keras.optimizers.Adam(0.01), loss)
model.fit(x, y, epochs=1, verbose=0)
model.save(sys.argv[1] + "/thawed.keras")
"""


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model before fine-tuning, after it with a frozen backbone, and after a whole epoch more."""
    folder = tmp_path_factory.mktemp("trained")
    subprocess.run([sys.executable, "-c", TRAIN, str(folder)], check=True, capture_output=True)
    return folder
