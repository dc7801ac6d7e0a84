"""Figures of merit found beside checkpoints: in logs, in a trainer's state, in file names.

These, and not the weights, tell which checkpoint is the better model. Reads small text files; knows no weights.
"""

from __future__ import annotations

import csv
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.series.beside import MAX_TEXT, trainer_state

if TYPE_CHECKING:
    from wtui.series.members import Member, Run

__all__ = ["Best", "Figures", "best_of", "figures_of", "ordered_names"]

MAX_LOGS = 20
"""Log files in one folder that are read."""

_LOWER = re.compile(r"loss|error|perplexity|ppl|mae|mse|rmse|wer|cer", re.IGNORECASE)
_HIGHER = re.compile(r"acc|auc|f1|bleu|rouge|precision|recall|iou|map$|score", re.IGNORECASE)
_VALIDATION = re.compile(r"^(val|eval|valid|validation|test|dev)[_/.]", re.IGNORECASE)

_COST = re.compile(r"(time|_per_second|flos|total_flos)$", re.IGNORECASE)
"""Figures that tell how long something took, which says nothing of a model."""

_EPOCH = ("epoch",)
_STEP = ("step", "global_step", "iteration", "iter", "steps")
"""Titles of the column of a log that says which row is whose."""


class Figures(NamedTuple):
    """What was found beside the checkpoints of a run."""

    names: tuple[str, ...] = ()
    """Names of the figures, those of validation first."""
    rows: tuple[Mapping[str, float], ...] = ()
    """For each member what is known of it; NaN where a log says so."""
    sources: tuple[str, ...] = ()
    """Where they are from, in words."""


class Best(NamedTuple):
    """The best value of a figure, and whose it is."""

    name: str
    member: int
    value: float


class Log(NamedTuple):
    """Rows of a log by epoch or step."""

    name: str
    counts: str
    """`epoch` or `step`."""
    rows: Mapping[int, Mapping[str, float]]
    by_keras: bool = False
    """Whether Keras's CSVLogger wrote it, which counts epochs from 0, while ModelCheckpoint counts from 1."""


def figures_of(run: Run) -> Figures:
    """Everything that is known of the members of a run."""
    rows: list[dict[str, float]] = [dict(m.figures) for m in run.members]
    sources = ["the names"] if any(rows) else []
    for log in _logs(run.folder):
        shift = _shift(log, run.members)
        found = [log.rows.get(number - shift, {}) for number in _numbers(log, run.members)]
        if any(found):
            said = f" (its epoch 0 is epoch {shift} here)" if shift else ""
            sources.append(log.name + said)
        for row, more in zip(rows, found, strict=True):
            row.update({k: v for k, v in more.items() if k not in row})
    states = [_from_state(m) for m in run.members]
    if any(states):
        sources.append("trainer_state.json")
    for row, more in zip(rows, states, strict=True):
        row.update({k: v for k, v in more.items() if k not in row})
    return Figures(ordered_names(rows), tuple(rows), tuple(sources))


def ordered_names(rows: Iterable[Mapping[str, float]]) -> tuple[str, ...]:
    """Names of all figures, those of validation first, then those that say how good a model is; time it took last."""
    names = {name: None for row in rows for name in row}
    return tuple(sorted(names, key=lambda n: (bool(_COST.search(n)), not _VALIDATION.search(n), not is_merit(n))))


def is_merit(name: str) -> bool:
    """Whether a figure says how good a model is, so that the best can be named."""
    return bool(_LOWER.search(name) or _HIGHER.search(name))


def best_of(figures: Figures) -> Best | None:
    """The best of the first figure that says how good a model is, validation before training; None without one."""
    for name in figures.names:
        known = [(row[name], i) for i, row in enumerate(figures.rows) if math.isfinite(row.get(name, math.nan))]
        if known and is_merit(name):
            value, member = min(known) if _LOWER.search(name) else max(known, key=lambda pair: (pair[0], -pair[1]))
            return Best(name, member, value)
    return None


def _numbers(log: Log, members: Sequence[Member]) -> list[int]:
    """The epoch or step of each member; -1 where its name does not say, which no log has."""
    found = []
    for m in members:
        number = m.place.epoch if log.counts == "epoch" else m.place.step
        if number is None and len(m.place.order) == 1:
            number = m.place.order[0]
        found.append(-1 if number is None else number)
    return found


def _shift(log: Log, members: Sequence[Member]) -> int:
    """1 where a log of Keras counts from 0 what the names count from 1."""
    numbers = [n for n in _numbers(log, members) if n >= 0]
    if not numbers or not log.by_keras or log.counts != "epoch" or min(log.rows) != 0 or min(numbers) < 1:
        return 0
    return int(min(numbers) == 1 or max(numbers) == max(log.rows) + 1)


def _logs(folder: str) -> list[Log]:
    """The logs in the folder, sorted by name."""
    try:
        names = sorted(n for n in os.listdir(folder) if n.lower().endswith(".csv"))[:MAX_LOGS]
    except OSError:
        return []
    found = (_csv_log(os.path.join(folder, n), n) for n in names)
    return [log for log in found if log is not None and log.rows]


def _csv_log(path: str, name: str) -> Log | None:
    """A table with a column of epochs or steps; None for any other file. Of several rows the last value counts."""
    try:
        if os.path.getsize(path) > MAX_TEXT:
            return None
        with open(path, newline="", encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
        table = list(csv.reader(lines, delimiter=_delimiter(lines[0]))) if lines else []
    except (OSError, csv.Error):
        return None
    header = [title.strip() for title in table[0]] if table else []
    keys = [t.lower() for t in header]
    counts = "epoch" if any(k in keys for k in _EPOCH) else "step" if any(k in keys for k in _STEP) else ""
    if not counts:
        return None
    key = next(keys.index(k) for k in (_EPOCH if counts == "epoch" else _STEP) if k in keys)
    rows: dict[int, dict[str, float]] = {}
    for cells in table[1:]:
        number = _number(cells[key]) if len(cells) > key else None
        if number is None or not math.isfinite(number) or number < 0:
            continue
        row = rows.setdefault(int(number), {})
        for title, lower, cell in zip(header, keys, cells, strict=False):
            value = _number(cell)
            if lower not in (*_EPOCH, *_STEP) and value is not None:
                row[title] = value
    by_keras = header[:1] == ["epoch"] and header[1:] == sorted(header[1:]) and "loss" in header
    return Log(name, counts, rows, by_keras)


def _delimiter(line: str) -> str:
    return max(",;\t", key=line.count)


def _number(cell: str) -> float | None:
    """The number in a cell, None for what is none."""
    try:
        return float(cell)
    except ValueError:
        return None


def _from_state(member: Member) -> Mapping[str, float]:
    """The last entry that a trainer's own log has for each figure at this member's step."""
    if not os.path.isdir(member.path):
        return {}
    state = trainer_state(member.path)
    step, history = state.get("global_step"), state.get("log_history")
    row: dict[str, float] = {}
    for entry in history if isinstance(history, list) else ():
        if isinstance(entry, Mapping) and entry.get("step") == step:
            row.update(_plain(entry))
    return row


def _plain(entry: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of an entry, without those that say whose it is."""
    skipped = (*_EPOCH, *_STEP)
    return {
        str(k): float(v)
        for k, v in entry.items()
        if k not in skipped and isinstance(v, int | float) and not isinstance(v, bool)
    }
