"""Numbers over time: a metric of a tensor or layer at every checkpoint, and its quantiles as bands.

A layer's numbers are put together from those of its tensors, exactly but for kurtosis, which cannot be, and quantiles,
which come out near: `pooled_quantiles`.
Standard library only: the drawing process computes with a few hundred numbers at most.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from wtui.stats.row import QUANTILES

if TYPE_CHECKING:
    from wtui.series.record import Numbers, Record, TensorInfo

__all__ = ["CHANGE", "METRICS", "Metric", "Rows", "Subject", "pooled", "pooled_quantiles"]


class Metric(NamedTuple):
    """A number that is followed over time."""

    name: str
    value: Callable[[Numbers], float]
    from_zero: bool = True
    """Whether a plot of it shows 0."""


CHANGE = "change per step"
"""The metric that needs the values of two checkpoints: L2 norm of the difference over that of the earlier one."""


def _share(part: float, whole: float) -> float:
    return 100 * part / whole if whole else 0.0


METRICS: tuple[Metric, ...] = (
    Metric("mean |w|", lambda n: n.abs_mean),
    Metric("std", lambda n: n.std),
    Metric("mean", lambda n: n.mean, from_zero=False),
    Metric("L2", lambda n: n.l2),
    Metric("min", lambda n: n.min, from_zero=False),
    Metric("max", lambda n: n.max, from_zero=False),
    Metric("zeros %", lambda n: _share(n.zeros, n.total)),
    Metric("NaN + Inf", lambda n: n.nan + n.infinite),
    Metric("excess kurtosis", lambda n: n.kurtosis, from_zero=False),
    Metric(CHANGE, lambda n: math.nan),
)
"""All metrics, in the order in which a key walks through them."""


class Subject(NamedTuple):
    """A row of the table: a tensor, or a layer as the tensors that it owns."""

    name: str
    tensors: tuple[str, ...]
    beside: bool = False
    """Whether it is no part of the model itself: an optimizer's slot."""


class Rows:
    """Which tensors and layers there are in a run, and the numbers of each at each checkpoint. One thread uses it."""

    def __init__(self) -> None:
        self._positions: dict[str, dict[str, int]] = {}
        self._records: dict[str, Record] = {}
        self._infos: dict[str, TensorInfo] = {}
        self._last: tuple[TensorInfo, ...] = ()

    def take(self, path: str, record: Record) -> None:
        """Take in a record; equal lists of tensors are kept once."""
        if record.tensors == self._last:
            record = record._replace(tensors=self._last)
        self._last = record.tensors
        twin = next((p for p, r in self._records.items() if r.tensors is record.tensors and p in self._positions), None)
        self._positions[path] = self._positions[twin] if twin else {t.name: i for i, t in enumerate(record.tensors)}
        self._records[path] = record
        for t in record.tensors:
            self._infos.setdefault(t.name, t)

    def forget(self, path: str) -> None:
        """What is at this path is no longer what it was."""
        self._records.pop(path, None)
        self._positions.pop(path, None)

    @property
    def records(self) -> Mapping[str, Record]:
        """By path of the checkpoint."""
        return self._records

    def tensors(self) -> list[Subject]:
        """A subject for every tensor, the model's own first, in the order of the files."""
        infos = sorted(self._infos.values(), key=lambda t: t.group != "model")
        return [Subject(t.name, (t.name,), t.group != "model") for t in infos]

    def layers(self) -> list[Subject]:
        """A subject for every layer that owns tensors, in the order of the files."""
        owned: dict[tuple[bool, str], list[str]] = {}
        for t in sorted(self._infos.values(), key=lambda t: t.group != "model"):
            owned.setdefault((t.group != "model", t.layer), []).append(t.name)
        return [Subject(layer or "(model)", tuple(names), beside) for (beside, layer), names in owned.items()]

    def info(self, tensor: str) -> TensorInfo | None:
        """What the first file that has it says of a tensor."""
        return self._infos.get(tensor)

    def numbers(self, subject: Subject, path: str) -> Numbers | None:
        """The numbers of a subject at a checkpoint; None where it is not read or not there."""
        rows = self.parts(subject, path)
        return pooled(rows) if len(rows) != 1 else rows[0]

    def parts(self, subject: Subject, path: str) -> tuple[Numbers, ...]:
        """The numbers of each of its tensors at a checkpoint, of those that are there."""
        record, positions = self._records.get(path), self._positions.get(path)
        if record is None or positions is None:
            return ()
        return tuple(record.numbers(positions[t]) for t in subject.tensors if t in positions)


def pooled(rows: Iterable[Numbers]) -> Numbers | None:
    """Tensors taken together; None where there are none. What could not be read is left out."""
    known = [r for r in rows if not math.isnan(r.nan)]
    if not known:
        return None
    counts = [r.total - r.nan - r.infinite for r in known]
    n = sum(counts)
    finite = [(c, r) for c, r in zip(counts, known, strict=True) if c > 0]

    def average(values: Sequence[float]) -> float:
        return sum(c * v for (c, _), v in zip(finite, values, strict=True)) / n if n else math.nan

    mean = average([r.mean for _, r in finite])
    variance = average([r.std**2 + (r.mean - mean) ** 2 for _, r in finite])
    return known[0]._replace(
        total=sum(r.total for r in known),
        nan=sum(r.nan for r in known),
        infinite=sum(r.infinite for r in known),
        zeros=sum(r.zeros for r in known),
        mean=mean,
        std=math.sqrt(variance) if n else math.nan,
        abs_mean=average([r.abs_mean for _, r in finite]),
        l2=math.hypot(*(r.l2 for _, r in finite)) if n else math.nan,
        min=min((r.min for _, r in finite), default=math.nan),
        max=max((r.max for _, r in finite), default=math.nan),
        kurtosis=math.nan,
        quantiles=(math.nan,) * len(known[0].quantiles),
    )


def pooled_quantiles(parts: Sequence[Numbers], shares: Sequence[float]) -> tuple[float, ...]:
    """Quantiles of the finite values of several tensors together; NaN without any.

    Of one tensor they are those that are kept. Of several, the values of each are taken to be spread evenly between
    two of its quantiles that are kept (minimum and maximum included): what comes out is exact to the share of values
    between them, 25 % of a tensor at most.
    """
    known = [(n, count) for n in parts if (count := _finite(n)) > 0]
    if not known:
        return (math.nan,) * len(shares)
    if len(known) == 1:
        kept = dict(zip(_SHARES, _knots(known[0][0]), strict=True))
        if all(s in kept for s in shares):
            return tuple(kept[s] for s in shares)
    knots = [_knots(n) for n, _ in known]
    total = sum(count for _, count in known)
    places = sorted({x for its in knots for x in its})
    below, upto = ([sum(c * cdf(k, x) for k, (_, c) in zip(knots, known, strict=True)) / total for x in places]
                   for cdf in (_below, _upto))  # fmt: skip
    return tuple(_quantile(s, places, below, upto) for s in shares)


_SHARES = (0.0, *QUANTILES, 1.0)


def _finite(n: Numbers) -> float:
    """Values that are finite; 0 for a tensor that could not be read."""
    return 0.0 if math.isnan(n.nan) else n.total - n.nan - n.infinite


def _knots(n: Numbers) -> tuple[float, ...]:
    """Values at _SHARES, in order."""
    return tuple(accumulate((n.min, *(min(max(q, n.min), n.max) for q in n.quantiles), n.max), max))


def _below(knots: Sequence[float], x: float) -> float:
    """The share of values below `x`."""
    return _between(knots, bisect_left(knots, x), x)


def _upto(knots: Sequence[float], x: float) -> float:
    """The share of values up to `x`: more than those below where many are equal."""
    return _between(knots, bisect_right(knots, x), x)


def _between(knots: Sequence[float], right: int, x: float) -> float:
    """Along the straight line to the knot at `right`."""
    if right == 0:
        return 0.0
    if right == len(knots):
        return 1.0
    low, high = knots[right - 1], knots[right]
    return _SHARES[right - 1] + (_SHARES[right] - _SHARES[right - 1]) * ((x - low) / (high - low))


def _quantile(share: float, places: Sequence[float], below: Sequence[float], upto: Sequence[float]) -> float:
    """Where the distribution reaches a share."""
    i = min(bisect_left(upto, share), len(places) - 1)
    if i == 0 or below[i] <= share:
        return places[i]
    low, high = upto[i - 1], below[i]
    return places[i - 1] + (places[i] - places[i - 1]) * ((share - low) / (high - low))
