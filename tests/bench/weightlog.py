"""What the Keras callback costs: its share of an epoch of the demo's training. `python -m tests.bench weightlog`"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench.report import heading, line

__all__ = ["run"]

EPOCHS = 31


def run() -> None:
    """Train the demo's network with the callback, and add up the time that is spent in it."""
    import keras

    import wtui
    from wtui.demo.make import SEED, digits, network

    heading("wtui.keras.WeightLog in the demo's training (1,347 digits, batches of 32, 8 tensors)")
    x, y, x_test, y_test = digits()
    keras.utils.set_random_seed(SEED)
    model = network("digits")
    model.fit(x, y, batch_size=32, epochs=1, verbose=0, validation_data=(x_test, y_test))
    with tempfile.TemporaryDirectory() as folder:
        log = wtui.keras.WeightLog(folder)
        spent: list[float] = []
        log.on_epoch_begin = _timed(log.on_epoch_begin, spent)
        log.on_epoch_end = _timed(log.on_epoch_end, spent)
        epochs: list[float] = []
        clock = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: epochs.append(-time.perf_counter()),
            on_epoch_end=lambda epoch, logs: epochs.append(epochs.pop() + time.perf_counter()),
        )
        more = {"epochs": EPOCHS, "validation_data": (x_test, y_test), "callbacks": [clock, log]}
        model.fit(x, y, batch_size=32, verbose=0, **more)
        sizes = [path.stat().st_size for path in Path(folder).iterdir()]
    each = [spent[i] + spent[i + 1] for i in range(2, len(spent), 2)]
    share = statistics.median(a / (a + b) for a, b in zip(each, epochs[1:], strict=True))
    line("an epoch with its validation (median)", f"{1000 * statistics.median(epochs):.0f} ms")
    line("in the callback after an epoch (median)", f"{1000 * statistics.median(each):.2f} ms")
    line("  share of an epoch", f"{share:.2%}", "under 2 %", share < 0.02)
    line("once, before the first epoch: compiled kernels are loaded", f"{1000 * spent[0]:.0f} ms")
    line("a record (median)", f"{statistics.median(sizes):,.0f} B")


def _timed(method: Callable[..., Any], spent: list[float]) -> Callable[..., None]:
    """The method, whose seconds are added to the list."""

    def timed(*args: Any, **kwargs: Any) -> None:
        started = time.perf_counter()
        method(*args, **kwargs)
        spent.append(time.perf_counter() - started)

    return timed
