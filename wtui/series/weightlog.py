"""The log that `wtui.keras.WeightLog` writes while a model is being trained: a small file for each epoch it looks at.

A file holds the numbers of every tensor, never its values, and what Keras said of the epoch. Files are replaced whole,
so that whoever reads while a training writes sees a record or none. A training that starts again in the same folder
takes the place of older records from where it starts; nothing is removed. Standard library only; knows no Keras.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.cache.records import row_body, row_from
from wtui.errors import FormatError, StorageError, WtuiError
from wtui.stats.row import SummaryRow

if TYPE_CHECKING:
    from wtui.model import TensorEntry

__all__ = [
    "SUFFIX",
    "Entry",
    "Logged",
    "LoggedTensor",
    "entries",
    "is_weight_log",
    "members",
    "read_record",
    "write_record",
]

_NAME = re.compile(r"^weights-(\d{8}T\d{9})-(\d{6,})\.wlog$")
"""When the training began (UTC, to the millisecond), and how many epochs it had done."""

SUFFIX = ".wlog"

SCHEMA = 1
"""Goes up when the meaning of a record changes."""

MAX_RECORD = 256 << 20
"""Bytes of a record, inflated: a hundred thousand tensors take half of it."""

GZIP = 16 + zlib.MAX_WBITS
"""For zlib: with the header of gzip, so that `zcat` shows a record."""


class Entry(NamedTuple):
    """A record in a folder, as its name describes it."""

    path: str
    run: str
    """When its training began."""
    epoch: int
    """Epochs that were done; 0 is before training."""


class LoggedTensor(NamedTuple):
    """A tensor at the time of a record."""

    name: str
    layer: str
    role: str
    shape: tuple[int, ...]
    dtype: str
    trainable: bool | None
    row: SummaryRow | None
    """Its numbers; None where `problem` says why there are none."""
    problem: str = ""


class Logged(NamedTuple):
    """A record."""

    path: str
    epoch: int
    """Epochs that were done; 0 is before training."""
    step: int | None
    """Updates that the optimizer had made."""
    time: float
    """When it was written, in seconds since 1970."""
    model: str
    format: str
    figures: Mapping[str, float]
    """`loss`, `val_accuracy`, `learning_rate`, ...: what Keras said of the epoch."""
    tensors: tuple[LoggedTensor, ...]
    """In the model's order."""

    @property
    def rows(self) -> dict[str, SummaryRow]:
        """Numbers by name of the tensor, in the model's order."""
        return {t.name: t.row for t in self.tensors if t.row is not None}


def is_weight_log(folder: str) -> bool:
    """Whether a folder holds a record; looks at names only."""
    return bool(entries(folder))


def entries(folder: str) -> list[Entry]:
    """The records of a folder that count, by epoch; `[]` for what is none. Looks at names only.

    Of an older training those before the first record of a later one.
    """
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    matches = ((name, match) for name in names if (match := _NAME.match(name)))
    found = sorted(Entry(os.path.join(folder, name), m[1], int(m[2])) for name, m in matches)
    kept: list[Entry] = []
    for entry in sorted(found, key=lambda e: (e.run, e.epoch)):
        while kept and kept[-1].run != entry.run and kept[-1].epoch >= entry.epoch:
            kept.pop()
        kept.append(entry)
    return kept


def members(folder: str) -> tuple[list[Logged], list[str]]:
    """The records of a folder that count, by epoch, and why others could not be read."""
    found: list[Logged] = []
    problems: list[str] = []
    for entry in entries(folder):
        try:
            found.append(read_record(entry.path))
        except WtuiError as error:
            problems.append(str(error))
    return found, problems


def read_record(path: str) -> Logged:
    """One record; StorageError if it cannot be read, FormatError for anything else than a whole one."""
    try:
        with open(path, "rb") as file:
            packed = file.read(MAX_RECORD + 1)
    except OSError as error:
        raise StorageError(error.strerror or str(error), path) from error
    try:
        return _record(path, json.loads(_inflated(packed)))
    except (ValueError, TypeError, LookupError, RecursionError, AttributeError, zlib.error) as error:
        raise FormatError("is no record of a weight log that this wtui can read", path) from error


def write_record(
    folder: str,
    run: str,
    epoch: int,
    facts: Mapping[str, Any],
    tensors: Iterable[tuple[TensorEntry, SummaryRow | None, str]],
) -> str:
    """Write a record, or replace the one of this epoch; its path. OSError if it cannot be written.

    `facts` are the fields `step`, `time`, `model`, `format` and `figures` of `Logged`; tensors come with their numbers,
    or with None and why there are none.
    """
    listed = [
        [t.name, t.layer, t.role, t.shape, t.dtype, t.trainable, None if row is None else row_body(row), problem]
        for t, row, problem in tensors
    ]
    document = {"wtui_weight_log": SCHEMA, "fields": SummaryRow._fields, "epoch": epoch, **facts, "tensors": listed}
    path = os.path.join(folder, f"weights-{run}-{epoch:06d}.wlog")
    hidden = os.path.join(folder, f".{os.path.basename(path)}.{os.getpid()}.tmp")
    packer = zlib.compressobj(6, zlib.DEFLATED, GZIP)
    try:
        with open(hidden, "wb") as file:
            file.write(packer.compress(json.dumps(document, separators=(",", ":")).encode()) + packer.flush())
        os.replace(hidden, path)
    except OSError:
        _forget(hidden)
        raise
    return path


def _forget(path: str) -> None:
    try:
        os.remove(path)
    except OSError:
        pass


def _inflated(packed: bytes) -> bytes:
    unpacker = zlib.decompressobj(GZIP)
    data = unpacker.decompress(packed, MAX_RECORD)
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError("cut off, too large, or not alone")
    return data


def _record(path: str, document: Any) -> Logged:
    if document["wtui_weight_log"] != SCHEMA or tuple(document["fields"]) != SummaryRow._fields:
        raise ValueError("of another version")
    step = document["step"]
    return Logged(
        path,
        int(document["epoch"]),
        None if step is None else int(step),
        float(document["time"]),
        str(document["model"]),
        str(document["format"]),
        {str(name): float(value) for name, value in document["figures"].items()},
        tuple(map(_tensor, document["tensors"])),
    )


def _tensor(data: Any) -> LoggedTensor:
    name, layer, role, shape, dtype, trainable, row, problem = data
    if not (trainable is None or isinstance(trainable, bool)):
        raise TypeError("trainable")
    known = None if row is None else row_from(row)
    return LoggedTensor(
        str(name), str(layer), str(role), tuple(map(int, shape)), str(dtype), trainable, known, str(problem)
    )
