"""What is kept of one checkpoint of a run: which tensors it holds, a few numbers of each, and what is wrong with it.

Numbers only, packed: 160 bytes a tensor, so that a thousand checkpoints of a thousand tensors take 160 MB and a usual
run less than one. Plain data that crosses pipes and lies in the cache. Standard library only; computes no statistic.
"""

from __future__ import annotations

from array import array
from base64 import b64decode, b64encode
from math import nan
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.stats.row import QUANTILES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wtui.model import TensorEntry
    from wtui.stats.row import SummaryRow

__all__ = [
    "LOG",
    "NUMBERS",
    "WIDTH",
    "Fault",
    "Numbers",
    "Record",
    "TensorInfo",
    "info_of",
    "infos_from",
    "numbers_of",
    "pack",
    "plain",
    "record_from",
]


LOG = "weight log"
"""Format of records that were logged while training: there are numbers of the weights, and no weights."""


class TensorInfo(NamedTuple):
    """One tensor as the file describes it."""

    name: str
    layer: str
    shape: tuple[int, ...]
    dtype: str
    group: str
    """`model`, `optimizer` or `state`."""
    role: str


class Numbers(NamedTuple):
    """The numbers of one tensor at one checkpoint; all are NaN where it could not be read."""

    total: float
    """Values."""
    nan: float
    infinite: float
    zeros: float
    mean: float
    """Of the finite values, like everything below."""
    std: float
    abs_mean: float
    l2: float
    min: float
    max: float
    kurtosis: float
    quantiles: tuple[float, ...]
    """At QUANTILES."""


NUMBERS = Numbers._fields
WIDTH = len(NUMBERS) - 1 + len(QUANTILES)
"""Numbers that are packed for a tensor."""


class Fault(NamedTuple):
    """The first value of a checkpoint, in the model's order, that is not finite."""

    kind: str
    """`NaN` or `infinity`."""
    tensor: str
    index: tuple[int, ...] | None  # type: ignore[assignment]


class Record(NamedTuple):
    """One checkpoint."""

    format: str
    nbytes: int
    """Bytes of its values."""
    tensors: tuple[TensorInfo, ...]
    packed: array[float]
    """WIDTH numbers for each tensor, one tensor after the other."""
    fault: Fault | None
    lost: tuple[str, ...]
    """Sentences on what should be there and is missing or cannot be read."""
    figures: tuple[tuple[str, float], ...] = ()
    """Figures of merit that are recorded with it."""
    optimizer_file: str = ""
    """Name of a file beside the weights that holds the optimizer's state, whose values were not read."""

    def numbers(self, position: int) -> Numbers:
        """The numbers of the tensor at a position in `tensors`."""
        row = self.packed[position * WIDTH : (position + 1) * WIDTH]
        single = len(NUMBERS) - 1
        return Numbers._make((*row[:single], tuple(row[single:])))

    @property
    def has_optimizer(self) -> bool:
        """Whether training can go on from it as it was: the optimizer's state is there."""
        return bool(self.optimizer_file) or any(t.group == "optimizer" for t in self.tensors)


def info_of(entry: TensorEntry) -> TensorInfo:
    """What is kept of a catalogue's entry."""
    return TensorInfo(entry.name, entry.layer, tuple(entry.shape), entry.dtype, entry.group, entry.role)


def numbers_of(row: SummaryRow | None, total: int) -> Numbers:
    """What is kept of a tensor's row; of one that could not be read only how many values it has."""
    if row is None:
        return Numbers._make((total, *[nan] * (len(NUMBERS) - 2), (nan,) * len(QUANTILES)))
    return Numbers(
        row.total, row.nan, row.posinf + row.neginf, row.zeros, row.mean, row.std, row.abs_mean, row.l2,
        float(row.min), float(row.max), row.kurtosis, tuple(map(float, row.quantiles)),
    )  # fmt: skip


def pack(rows: Sequence[Numbers]) -> array[float]:
    """Numbers of tensors, one after the other."""
    packed = array("d")
    for row in rows:
        packed.extend((*row[:-1], *row.quantiles))
    return packed


def plain(record: Record) -> list[Any]:
    """A record as plain data for the cache; numbers as this machine has them in memory, which is read the quickest."""
    return [*record[:3], b64encode(record.packed.tobytes()).decode(), *record[4:]]


def infos_from(tensors: Any) -> tuple[TensorInfo, ...]:
    """The tensors of a record, from plain data; ValueError or TypeError for anything else."""
    return tuple(TensorInfo(n, layer, tuple(shape), *rest) for n, layer, shape, *rest in tensors)


def record_from(data: Any, infos: tuple[TensorInfo, ...] | None = None) -> Record:
    """The other way round; ValueError, TypeError or LookupError for anything else. `infos`: its tensors, if known."""
    format, nbytes, tensors, packed, fault, lost, figures, optimizer = data
    infos = infos_from(tensors) if infos is None else infos
    values = array("d", b64decode(packed, validate=True))
    if len(values) != WIDTH * len(infos):
        raise ValueError("numbers")
    kind, tensor, index = fault or ("", "", None)
    place = Fault(kind, tensor, None if index is None else tuple(index)) if kind else None
    merits = tuple((str(name), float(value)) for name, value in figures)
    return Record(str(format), int(nbytes), infos, values, place, tuple(lost), merits, str(optimizer))
