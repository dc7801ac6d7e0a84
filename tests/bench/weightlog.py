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

PAIRS = 100
"""Of epochs, the one after a record, which is made while it runs, and the one after none."""


def run() -> None:
    """Train the demo's network with a record after every second epoch: what is spent in the callback, and in all."""
    import keras

    import wtui
    from wtui.demo.make import SEED, digits, network

    heading("wtui.keras.WeightLog in the demo's training (1,347 digits, batches of 32, 8 tensors)")
    x, y, x_test, y_test = digits()
    keras.utils.set_random_seed(SEED)
    model = network("digits")
    model.fit(x, y, batch_size=32, epochs=1, verbose=0, validation_data=(x_test, y_test))
    with tempfile.TemporaryDirectory() as folder:
        log = wtui.keras.WeightLog(folder, every=2)
        first: list[float] = []
        spent: list[float] = []
        log.on_epoch_begin = _timed(log.on_epoch_begin, first)
        log.on_epoch_end = _timed(log.on_epoch_end, spent)
        beside: list[float] = []
        log._written_as = _timed(log._written_as, beside, time.thread_time)
        starts: list[float] = []
        clock = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: starts.append(time.perf_counter()))
        more = {"epochs": 2 * PAIRS + 3, "validation_data": (x_test, y_test), "callbacks": [log, clock]}
        model.fit(x, y, batch_size=32, verbose=0, **more)
        sizes = [path.stat().st_size for path in Path(folder).iterdir()]
    # the second, fourth, ... call ends an epoch with a record: what that costs falls into it and the epoch behind it
    epochs = [b - a - s for a, b, s in zip(starts, starts[1:], spent, strict=False)]
    behind, others = epochs[2::2][:PAIRS], epochs[3::2][:PAIRS]
    usual, handed = statistics.median(others), statistics.median(spent[3::2])
    slower = [a - b for a, b in zip(behind, others, strict=True)]
    q1, middle, q3 = statistics.quantiles(slower, n=4)
    written = statistics.median(beside)
    line("an epoch with its validation (median)", f"{1000 * usual:.0f} ms")
    line("in the callback at its end (median)", f"{1000 * handed:.2f} ms")
    line("  share of an epoch", f"{handed / usual:.2%}", "under 2 %", handed / usual < 0.02)
    line("processor time of a record, in its thread (median)", f"{1000 * written:.2f} ms")
    share = (handed + written) / usual
    line(
        "  both, as share of an epoch: all that is taken, if nothing waits for a processor",
        f"{share:.2%}",
        "under 2 %",
        share < 0.02,
    )
    text = f"the epoch while the record is written: longer by (median of {PAIRS} pairs; their quartiles)"
    line(text, f"{1000 * middle:.1f} ms ({1000 * q1:.0f} ... {1000 * q3:.0f})")
    line("once, before the first epoch", f"{1000 * first[0]:.1f} ms")
    line("a record (median)", f"{statistics.median(sizes):,.0f} B")


def _timed(
    method: Callable[..., Any], spent: list[float], clock: Callable[[], float] = time.perf_counter
) -> Callable[..., Any]:
    """The method, whose seconds are added to the list."""

    def timed(*args: Any, **kwargs: Any) -> Any:
        started = clock()
        result = method(*args, **kwargs)
        spent.append(clock() - started)
        return result

    return timed
