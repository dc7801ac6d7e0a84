"""For Keras: a callback that follows a training by the numbers of its weights, without saving checkpoints.

    model.fit(x, y, epochs=50, callbacks=[wtui.keras.WeightLog("run")])

`wtui run/` in another terminal opens what is there so far. Importing this module imports Keras; nothing else of wtui
does. Knows the log's records and the scan, no screen.
"""

from __future__ import annotations

import os
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import keras

from wtui.engine.scan import summarised
from wtui.live.keras_model import open_keras
from wtui.series.weightlog import write_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from concurrent.futures import Future

    from wtui.live.memory import InMemory
    from wtui.model import TensorEntry
    from wtui.stats.row import SummaryRow

__all__ = ["WeightLog"]

COPIED_UP_TO = 64 << 20
"""Bytes of weights up to which they are copied, so that the next epoch need not wait until they are looked at."""


class WeightLog(keras.callbacks.Callback):  # type: ignore[misc]
    """Writes the statistics of all weights before training, after every `every` epochs, and at the end.

    A record is a few kilobytes and holds no weights. It is made in a thread from a copy of the weights while the next
    epoch runs; of more than COPIED_UP_TO bytes at once, without a copy. What goes wrong later than in the constructor
    is a warning: it never ends a training. Epochs are counted on when one callback sees several calls of `fit`.
    """

    def __init__(self, dir: str | os.PathLike[str], *, every: int = 1) -> None:
        """`dir` is made if it is not there (OSError if it cannot be); `every` is a number of epochs."""
        super().__init__()
        if every < 1:
            raise ValueError(f"every={every}: a number of epochs, at least 1")
        self._folder = os.fspath(dir)
        os.makedirs(self._folder, exist_ok=True)
        self._every = every
        self._run = _now()
        self._epoch = 0
        """Epochs that were done."""
        self._written: int | None = None
        """How many were done when the last record was written."""
        self._offset: int | None = None
        """What to add to Keras's number of the epoch; None until this `fit` has begun one."""
        self._logs: Mapping[str, Any] = {}
        self._opened: tuple[object, InMemory] | None = None
        self._thread: ThreadPoolExecutor | None = None
        """While there is a training; an interpreter that ends waits for it."""
        self._record: tuple[int, Future[str]] | None = None
        """The epoch whose record is being written, or has been."""

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Another `fit` begins."""
        self._offset = self._opened = None

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Before the first epoch: the weights as they are then, if they have been made."""
        if self._offset is None:
            self._offset = max(0, self._epoch - epoch)
            self._epoch = epoch + self._offset
            if self._written != self._epoch and self.model.built:
                self._write({})

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """After an epoch, if it is one of those that are looked at."""
        self._epoch = epoch + 1 + (self._offset or 0)
        self._logs = logs or {}
        if self._epoch % self._every == 0:
            self._write(self._logs)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """The last epoch is always looked at."""
        if self._written != self._epoch:
            self._write(self._logs)
        self._opened = None
        self._wait()
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None

    def _write(self, logs: Mapping[str, Any]) -> None:
        """Have a record made of the weights as they are now."""
        self._wait()
        self._written = self._epoch
        try:
            opened = self._open()
            facts = {
                "step": self._number("iterations", int),
                "time": time.time(),
                "model": opened.catalogue.root.name,
                "format": opened.catalogue.format,
                "figures": self._figures(logs),
            }
            names = _owners(opened)
            if sum(opened.values[name].nbytes for name in names) <= COPIED_UP_TO:
                self._thread = self._thread or ThreadPoolExecutor(1, "weight log")
                write = self._thread.submit(self._written_as, self._epoch, facts, opened.copied(names))
                self._record = self._epoch, write
            else:
                self._written_as(self._epoch, facts, opened)
        except Exception as error:  # whatever it is, a training of days must not end by it
            self._warn(self._epoch, error)

    def _written_as(self, epoch: int, facts: Mapping[str, Any], opened: InMemory) -> str:
        """The path of a record, once it is written."""
        return write_record(self._folder, self._run, epoch, facts, _rows(opened))

    def _wait(self) -> None:
        """Until the last record is written, and say why if it could not be."""
        if self._record is None:
            return
        epoch, write = self._record
        self._record = None
        error = write.exception()
        if error is not None:
            self._warn(epoch, error)

    def _warn(self, epoch: int, error: BaseException) -> None:
        text = f"WeightLog could not write epoch {epoch}: {type(error).__name__}: {error}"
        warnings.warn(text, RuntimeWarning, stacklevel=3)

    def _open(self) -> InMemory:
        """The model's tree, made again when it has got other variables, or trains others."""
        key = [(id(v), bool(getattr(v, "trainable", None))) for v in self.model.weights]
        if self._opened is None or self._opened[0] != key:
            self._opened = key, open_keras(self.model)
        return self._opened[1]

    def _figures(self, logs: Mapping[str, Any]) -> dict[str, float]:
        """What Keras said of the epoch, as far as it is numbers, and the learning rate."""
        found = {"learning_rate": rate} if (rate := self._number("learning_rate", float)) is not None else {}
        for name, value in logs.items():
            try:
                found[str(name)] = float(value)
            except (TypeError, ValueError):
                continue
        return found

    def _number(self, what: str, kind: type[int] | type[float]) -> Any:
        """A number that the optimizer keeps; None where it has none."""
        value = getattr(getattr(self.model, "optimizer", None), what, None)
        try:
            return None if value is None else kind(value.numpy() if hasattr(value, "numpy") else value)
        except Exception:  # schedules and optimizers of the caller's own say so in many ways
            return None

    # Keras 2 (tf_keras) asks these of every callback.
    _supports_tf_logs = False

    def _implements_train_batch_hooks(self) -> bool:
        return False

    _implements_test_batch_hooks = _implements_predict_batch_hooks = _implements_train_batch_hooks


def _owners(opened: InMemory) -> list[str]:
    """The names of the model's own tensors that hold values, those of the optimizer left out."""
    return [t.name for t in opened.catalogue.tensors if t.group == "model" and t.name in opened.values]


def _rows(opened: InMemory) -> Iterator[tuple[TensorEntry, SummaryRow | None, str]]:
    """The numbers of the model's own tensors, those of the optimizer left out."""
    tensors, files = opened.catalogue.tensors, opened.files()
    chosen = [i for i, t in enumerate(tensors) if t.group == "model"]
    rows: dict[str, tuple[SummaryRow | None, str]] = {}
    try:
        for number, summary, problem in summarised(
            opened.catalogue, files, (i for i in chosen if tensors[i].alias_of is None)
        ):
            rows[tensors[number].name] = None if summary is None else summary.row(), problem
    finally:
        files.close()
    for i in chosen:
        yield tensors[i], *rows[tensors[i].alias_of or tensors[i].name]


def _now() -> str:
    """The time in UTC, to the millisecond, as it sorts."""
    moment = time.time()
    return time.strftime("%Y%m%dT%H%M%S", time.gmtime(moment)) + f"{int(moment * 1000) % 1000:03d}"
