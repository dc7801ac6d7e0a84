"""Trains and writes the demo's models. Run it with `pip install '.[demo]'` and `python -m wtui.demo.make [MODEL ...]`.

The data are the 1,797 handwritten digits (8x8) that scikit-learn ships; the language model and its adapter are written
by `language` without training. Every fault in these files is said in a note that is stored in the file itself, or
beside it, and shown on the screen.
"""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from wtui.demo.language import write_adapter, write_tiny_lm

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

HERE = Path(__file__).parent / "models"
SEED = 7
EPOCHS = 5
FILTERS = [3, 7, 11]
"""Filters of the faulty model that are set to 0."""
JUMP_AT = 5
"""The epoch for which the learning rate is raised."""
JUMP_TO = 5.0
"""A hundred times the learning rate until then: this network overflows to NaN within the epoch."""


def main(names: Sequence[str] = ()) -> None:
    """Write models into the package's `demo/models`, replacing what is there: all, or those with these names.

    Each is trained from the same seed, whichever others are made.
    """
    known = [*MODELS, *UNTRAINED]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"there is no {' or '.join(unknown)}: choose from {', '.join(known)}")
    wanted = names or known
    for name in wanted:
        if name in UNTRAINED:
            UNTRAINED[name](HERE)
    train([name for name in wanted if name in MODELS])
    total = sum(f.stat().st_size for f in HERE.rglob("*") if f.is_file())
    print(f"{total:,} bytes in {HERE}")


def train(names: Sequence[str]) -> None:
    """Train these models."""
    if not names:
        return
    import keras

    data = digits()
    for name in names:
        keras.utils.set_random_seed(SEED)
        MODELS[name](data)


def digits() -> tuple[Any, Any, Any, Any]:
    """Images in [0, 1] of shape (n, 8, 8, 1) and labels: training set, then test set."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    images = (images / 16.0).reshape(-1, 8, 8, 1).astype("float32")
    x, x_test, y, y_test = train_test_split(images, labels, test_size=0.25, random_state=SEED, stratify=labels)
    return x, y, x_test, y_test


def network(name: str) -> Any:
    """The small convolutional network of the demo, compiled."""
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(8, 3, activation="leaky_relu", name="conv1"),
            layers.Conv2D(16, 3, activation="leaky_relu", name="conv2"),
            layers.MaxPooling2D(2, name="pool"),
            layers.Flatten(name="flatten"),
            layers.Dense(32, activation="leaky_relu", name="hidden"),
            layers.Dense(10, name="digits"),
        ],
        name=name,
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), loss, metrics=["accuracy"])
    return model


def write_run(data: tuple[Any, Any, Any, Any]) -> None:
    """Checkpoints before training and after each epoch; in the last one the learning rate jumps and all is lost."""
    x, y, x_test, y_test = data
    model = network("digits")
    folder = HERE / "digits-run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    history: list[dict[str, float | int | None]] = []
    for epoch in range(EPOCHS + 1):
        if epoch == JUMP_AT:
            model.optimizer.learning_rate = JUMP_TO
        if epoch:
            model.fit(x, y, batch_size=32, epochs=1, verbose=0)
        loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
        history.append(
            {
                "epoch": epoch,
                "learning_rate": float(model.optimizer.learning_rate),
                "val_loss": float(loss) if math.isfinite(loss) else None,
                "val_accuracy": float(accuracy),
            }
        )
        path = folder / f"epoch-{epoch}.keras"
        model.save(path)
        note = "a run on handwritten digits: " + (
            "before training"
            if epoch == 0
            else f"planted: in epoch {JUMP_AT} the learning rate jumped from 0.05 to {JUMP_TO:g}"
            if epoch == JUMP_AT
            else f"after epoch {epoch}"
        )
        annotate(path, note, history)
        print(path.name, f"accuracy {accuracy:.3f}")
    with open(folder / "history.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(history[0]))
        writer.writeheader()
        writer.writerows(history)


def write_healthy(data: tuple[Any, Any, Any, Any]) -> None:
    """The same network trained to the end: nothing is wrong with it."""
    x, y, x_test, y_test = data
    model = network("digits")
    model.fit(x, y, batch_size=32, epochs=30, verbose=0)
    accuracy = float(model.evaluate(x_test, y_test, verbose=0)[1])
    path = HERE / "healthy.keras"
    model.save(path)
    annotate(path, f"trained for 30 epochs, {accuracy:.1%} of the test digits are right", [{"val_accuracy": accuracy}])
    print(path.name, f"accuracy {accuracy:.3f}")


def write_colleague(data: tuple[Any, Any, Any, Any]) -> None:
    """A legacy whole-model file with a custom class and a Lambda layer, as one gets it from a colleague."""
    import h5py
    import keras
    from keras import layers

    @keras.saving.register_keras_serializable(package="colleague")
    class RowScale(layers.Layer):  # type: ignore[misc]
        """A weight for each row of the image."""

        def build(self, shape: Any) -> None:
            self.row_weight = self.add_weight(name="row_weight", shape=(shape[1], 1), initializer="ones")

        def call(self, x: Any) -> Any:
            return x * self.row_weight

    x, y, x_test, y_test = data
    model = keras.Sequential(
        [
            keras.Input((8, 8)),
            RowScale(name="row_scale"),
            layers.Lambda(lambda t: t * 2.0 - 1.0, name="centre"),
            layers.Bidirectional(layers.LSTM(12), name="rows"),
            layers.Dense(10, activation="softmax", name="digits"),
        ],
        name="colleague",
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x[..., 0], y, batch_size=32, epochs=25, verbose=0)
    accuracy = float(model.evaluate(x_test[..., 0], y_test, verbose=0)[1])
    path = HERE / "colleague.h5"
    model.save(path, include_optimizer=False)
    with h5py.File(path, "r+") as file:
        file.attrs["note"] = (
            f"from a colleague: reads the rows with an LSTM, {accuracy:.1%} right; "
            "its custom class and its Lambda layer cannot be run here, the weights can be read"
        )
    print(path.name, f"accuracy {accuracy:.3f}")


def write_faulty(data: tuple[Any, Any, Any, Any]) -> None:
    """A trained network in which three faults are planted; the note says which."""
    import keras
    from keras import layers

    x, y, x_test, y_test = data
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(8, 3, activation="leaky_relu", name="conv1"),
            layers.BatchNormalization(name="norm"),
            layers.Conv2D(16, 3, activation="leaky_relu", name="conv2"),
            layers.Flatten(name="flatten"),
            layers.Dense(32, activation="leaky_relu", name="hidden"),
            layers.Dense(10, name="digits"),
        ],
        name="faulty",
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), loss, metrics=["accuracy"])
    model.fit(x, y, batch_size=32, epochs=15, verbose=0)
    before = float(model.evaluate(x_test, y_test, verbose=0)[1])
    plant_faults(model)
    after = float(model.evaluate(x_test, y_test, verbose=0)[1])
    bare = keras.Sequential.from_config(model.get_config())  # not compiled, so that no optimizer is saved
    bare.set_weights(model.get_weights())
    path = HERE / "faulty.keras"
    bare.save(path)
    note = (
        f"planted: hidden was initialised again after training, filters {FILTERS} of conv2 were set to 0, and a moving "
        f"variance of norm is negative ({before:.1%} of the test digits were right before)"
    )
    annotate(path, note, [{"val_accuracy": before}, {"val_accuracy": after if math.isfinite(after) else None}])
    print(path.name, f"accuracy {before:.3f}, then {after:.3f}", f"{path.stat().st_size:,} bytes")


def plant_faults(model: Any) -> None:
    """Initialise `hidden` again, clear three filters of `conv2`, make a moving variance negative."""
    hidden = model.get_layer("hidden")
    for variable, initialiser in ((hidden.kernel, hidden.kernel_initializer), (hidden.bias, hidden.bias_initializer)):
        variable.assign(initialiser(variable.shape))
    conv = model.get_layer("conv2")
    kernel, bias = (variable.numpy() for variable in (conv.kernel, conv.bias))
    kernel[..., FILTERS] = 0.0
    bias[FILTERS] = 0.0
    conv.kernel.assign(kernel)
    conv.bias.assign(bias)
    variance = model.get_layer("norm").moving_variance
    values = variance.numpy()
    values[5] = -values[5]
    variance.assign(values)


def annotate(path: Path, note: str, history: list[dict[str, float | int | None]]) -> None:
    """Add a note and the accuracy by epoch to metadata.json inside a `.keras` file; everything else stays."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    metadata = json.loads(members["metadata.json"])
    metadata |= {"note": note, "history": history}
    members["metadata.json"] = json.dumps(metadata).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)


MODELS: dict[str, Callable[[tuple[Any, Any, Any, Any]], None]] = {
    "digits-run": write_run,
    "healthy": write_healthy,
    "colleague": write_colleague,
    "faulty": write_faulty,
}
"""Name on the command line -> what writes it."""

UNTRAINED: dict[str, Callable[[Path], None]] = {"tiny-lm": write_tiny_lm, "adapter": write_adapter}
"""The same, for models that are written without training, into the folder of all models."""


if __name__ == "__main__":
    main(sys.argv[1:])
