"""Where in a run a checkpoint lies, as its name says: epoch, step, or just a number; and figures written into names.

Knows names only. Standard library only: the browser's first frame shows what the names say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

__all__ = ["Named", "Place", "pattern", "places"]

_NUMBER = r"\d+(?:\.\d+)?(?:e[+-]?\d+)?"
_SIGNED = rf"(?:(?<==)-)?{_NUMBER}"
_NOT_FINITE = r"(?<=[=_\-])-?(?:nan|inf)(?![A-Za-z0-9])"
_FIELD = re.compile(
    rf"(?:([A-Za-z][A-Za-z_]*?)(?:=(?=-[\din])|[=_\-. ]*))?(?<!\d)({_SIGNED}|{_NOT_FINITE})", re.IGNORECASE
)
"""A number and the word right before it: `epoch=3`, `step_100`, `val_loss-0.12`, `loss=nan`, `e7`."""

_BROKEN = re.compile(rf"([A-Za-z][A-Za-z_]*?[=_\-]){_NOT_FINITE}", re.IGNORECASE)
"""A word and what may be a figure that went wrong; whether it is one, the word says."""

_ENDS = re.compile(
    r"(\.(weights|model|distcp|orbax))*\.(keras|h5|hdf5|safetensors|pt|pth|bin|ckpt|torch|tar|index|pb|npz|npy|gguf"
    r"|onnx|tflite|msgpack|pkl|json|zarr)$",
    re.IGNORECASE,
)
"""Endings that say what a file is and nothing of when it was written, though some hold a digit."""

EPOCH_WORDS = frozenset({"epoch", "epochs", "ep", "e"})
STEP_WORDS = frozenset({
    "step", "steps", "global_step", "globalstep", "iter", "iters", "iteration", "iterations", "it", "s", "batch",
    "update", "updates",
})  # fmt: skip
"""Words before a number that say what it counts."""

_DECORATION = re.compile(r"^(model|weights|checkpoint|ckpt|best|last)_+(?=.)")
"""Words before the name of a figure that are no part of it."""

_FIGURE = re.compile(r"loss|acc|error|perplexity|ppl|bleu|rouge|f1|auc|mae|mse|iou|score|metric|val", re.IGNORECASE)
"""What the word before a figure of merit holds."""

UNNAMED_FIGURE = "number in the name"


class Place(NamedTuple):
    """Where in a run a checkpoint lies; what is not known is None."""

    order: tuple[int, ...] = ()
    """What it is sorted by, `()` where its name says nothing."""
    epoch: int | None = None
    step: int | None = None
    label: str = ""
    """`epoch 4`, `step 1000`, `ckpt 3`, or `""` where its name says nothing."""


class Named(NamedTuple):
    """What a name says."""

    place: Place
    figures: Mapping[str, float]


class _Field(NamedTuple):
    word: str
    text: str

    @property
    def is_whole(self) -> bool:
        return self.text.isdecimal()


def pattern(name: str) -> str:
    """The name with all numbers left open: names of one run share it."""
    stem = _BROKEN.sub(lambda m: f"{m[1]}#" if _FIGURE.search(m[1]) else m[0], _stem(name))
    return re.sub(_SIGNED, "#", stem, flags=re.IGNORECASE) + _ending(name)


def places(names: Sequence[str]) -> list[Named]:
    """What each of these names says; all are of one pattern, or there is one only."""
    fields = [_fields(_stem(n)) for n in names]
    columns = min(map(len, fields), default=0)
    fields = [row[:columns] for row in fields]
    varying = [i for i in range(columns) if len({row[i].text for row in fields}) > 1]
    return [_named(name, row, varying or range(columns)) for name, row in zip(names, _whole(fields), strict=True)]


def _fields(stem: str) -> list[_Field]:
    """The numbers of a name; `nan` and `inf` are numbers behind the name of a figure, words elsewhere."""
    found = [_Field(word.lower().strip("_"), text) for word, text in _FIELD.findall(stem)]
    return [f for f in found if f.text[-1].isdigit() or _FIGURE.search(f.word)]


def _whole(fields: list[list[_Field]]) -> list[list[_Field]]:
    """A column in which one number is no integer holds figures: `0.1`, `1.0`, and `1` are all of them."""
    figures = {i for row in fields for i, field in enumerate(row) if not field.is_whole}
    return [
        [f._replace(text=f"{f.text}.0") if i in figures and f.is_whole else f for i, f in enumerate(r)] for r in fields
    ]


def _named(name: str, row: Sequence[_Field], varying: Sequence[int]) -> Named:
    """The place by words first, then by the numbers that vary."""
    found = [(_DECORATION.sub("", f.word), f.text) for f in row if not f.is_whole or _is_figure(f.word)]
    figures = {word or UNNAMED_FIGURE: float(text) for word, text in found}
    counts = [f for f in row if f.is_whole and not _is_figure(f.word)]
    epoch = next((int(f.text) for f in counts if f.word.rpartition("_")[2] in EPOCH_WORDS), None)
    step = next((int(f.text) for f in counts if _is_step(f.word)), None)
    if epoch is not None or step is not None:
        said = [f"{word} {n}" for word, n in (("epoch", epoch), ("step", step)) if n is not None]
        return Named(Place((epoch or 0, step or 0), epoch, step, ", ".join(said)), figures)
    numbers = [row[i] for i in varying if row[i] in counts]
    if not numbers:
        return Named(Place(), figures)
    label = f"{numbers[0].word or 'number'} {int(numbers[0].text)}" if len(numbers) == 1 else _stem(name)
    return Named(Place(tuple(int(f.text) for f in numbers), label=label), figures)


def _is_step(word: str) -> bool:
    return word in STEP_WORDS or word.rpartition("_")[2] in STEP_WORDS - {"s", "it"}


def _is_figure(word: str) -> bool:
    return bool(_FIGURE.search(word)) and word not in ("eval", "interval")


def _stem(name: str) -> str:
    return _ENDS.sub("", name)


def _ending(name: str) -> str:
    found = _ENDS.search(name)
    return found.group().lower() if found else ""
