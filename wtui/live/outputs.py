"""One output of a layer, described: the same summary as of weights, dead and saturated units, channels, small pictures.

Runs in the child alone. Knows arrays and what they went through last, no framework.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from wtui.engine.summaries import Summaries
from wtui.live.memory import catalogue_of_arrays
from wtui.live.protocol import Bins, Maps, OutputRow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wtui.live.arrays import ArrayValue
    from wtui.stats.summary import Summary

    Floats = NDArray[np.floating]

__all__ = ["FLAT_SIGMOID", "FLAT_TANH", "Source", "describe_output", "summary_of"]

BINS = 120
"""Of the histogram: two a column of the widest pane that shows it."""

LISTED = 32
"""Dead channels whose numbers are told."""

MAX_CHANNELS = 8192
"""Channels of which numbers are told one by one."""

MAPS, MAP_SIDE = 48, 28
"""Channels that are pictured, and cells along a side of a picture: 37 kB a layer."""

CHUNK = 1 << 22
"""Values that are looked at together, so that temporary arrays stay small beside what the model itself takes."""

FLAT_SIGMOID = 0.0101
"""A sigmoid nearer to 0 or 1 than this has less than 4 % of its largest slope left (x beyond 4.6): y (1 - y) < 0.01."""

FLAT_TANH = 0.9798
"""|tanh| above this has less than 4 % of its largest slope left: 1 - y^2 < 0.04, the same place of the same curve."""


class Source(NamedTuple):
    """Where an output is from."""

    layer: str
    class_name: str
    call: int
    output: int
    squashing: str
    channel_axis: int | None
    """None where the output has none: a number for each sample."""


def summary_of(value: ArrayValue, name: str, threads: int | None = None) -> Summary:
    """The summary of an array's values, by the same scan as a file's tensors; WtuiError if they cannot be had."""
    opened = catalogue_of_arrays("output", {name: value})
    files = opened.files()
    try:
        return Summaries(opened.catalogue, files, threads).summary(0)
    finally:
        files.close()


def describe_output(source: Source, value: ArrayValue, values: NDArray[np.generic]) -> OutputRow:
    """Everything that is told of one output; `values` are those of `value`. CodecError for types without statistics."""
    summary = summary_of(value, source.layer)
    floats = _as_floats(values)
    channels = _channels(floats, source.channel_axis)
    rectified = source.squashing == "relu" and channels.number > 0
    dead = np.flatnonzero(~channels.any) if rectified else np.empty(0, np.int64)
    few = channels.number <= MAX_CHANNELS
    return OutputRow(
        source.layer,
        source.class_name,
        source.call,
        source.output,
        tuple(values.shape),
        value.dtype,
        source.squashing,
        summary.row(),
        _bins(summary),
        channels.number,
        len(dead) if rectified else None,
        tuple(dead[:LISTED].tolist()),
        _saturated(floats, source.squashing),
        _spread(floats, summary.std) if summary.finite == summary.seen else None,
        channels.mean_abs.astype(np.float32).tobytes() if few else b"",
        channels.active.astype(np.float32).tobytes() if few else b"",
        _maps(floats, source.channel_axis),
    )


def _as_floats(values: NDArray[np.generic]) -> Floats:
    """The values as float32 or float64; a view where they are."""
    if values.dtype in (np.float32, np.float64):
        return values  # type: ignore[return-value]
    return values.astype(np.float64 if values.dtype.kind in "iu" and values.dtype.itemsize > 2 else np.float32)


def _bins(summary: Summary) -> Bins:
    """The histogram over the 0.1 to 99.9 % window."""
    if not summary.finite:
        return Bins(float("nan"), float("nan"), (), 0, 0)
    low, high = summary.quantiles((0.001, 0.999))
    if not low < high:
        low, high = float(summary.min), float(summary.max)
    if not low < high:
        return Bins(low, high, (), 0, 0)
    drawn = summary.histogram(BINS, low, high)
    return Bins(low, high, tuple(drawn.counts.tolist()), drawn.below, drawn.above)


class _Channels(NamedTuple):
    """Numbers by channel: three arrays of `number` each."""

    number: int
    mean_abs: NDArray[np.float64]
    active: NDArray[np.float64]
    any: NDArray[np.bool_]
    """Whether it is anything but 0 anywhere."""


def _channels(values: Floats, axis: int | None) -> _Channels:
    if axis is None or not values.size:
        none = np.empty(0)
        return _Channels(0, none, none, none.astype(bool))
    count = values.shape[axis]
    total, active, anything = np.zeros(count), np.zeros(count), np.zeros(count, bool)
    others = tuple(a for a in range(values.ndim) if a != axis)
    for piece in _pieces(values):
        total += np.abs(piece).sum(others, dtype=np.float64)
        active += (piece > 0).sum(others)
        anything |= (piece != 0).any(others)
    each = values.size / count
    return _Channels(count, total / each, active / each, anything)


def _pieces(values: Floats) -> list[Floats]:
    """The samples in groups of about CHUNK values."""
    step = max(1, CHUNK * len(values) // max(values.size, 1))
    return [values[i : i + step] for i in range(0, len(values), step)]


def _saturated(values: Floats, squashing: str) -> float | None:
    """Share of the values where the curve is nearly flat; None where there is no such curve."""
    if squashing not in ("sigmoid", "tanh") or not values.size:
        return None
    flat = 0
    for piece in _pieces(values):
        if squashing == "sigmoid":
            flat += int(np.count_nonzero((piece < FLAT_SIGMOID) | (piece > 1 - FLAT_SIGMOID)))
        else:
            flat += int(np.count_nonzero(np.abs(piece) > FLAT_TANH))
    return flat / values.size


def _spread(values: Floats, std: float) -> float | None:
    """Mean over all places of the standard deviation across samples, relative to that of all values."""
    if len(values) < 2 or not values.size or not isfinite(std) or std == 0:
        return None
    flat = values.reshape(len(values), -1)
    step = max(1, CHUNK // len(values))
    total = sum(float(flat[:, i : i + step].std(0, dtype=np.float64).sum()) for i in range(0, flat.shape[1], step))
    return total / flat.shape[1] / std


def _maps(values: Floats, axis: int | None) -> Maps | None:
    """Pictures of the first sample: one for each channel of an image, one of all channels of a sequence."""
    if axis is None or values.ndim not in (3, 4) or not values.size:
        return None
    sample = np.moveaxis(values[0], axis - 1 if axis > 0 else axis, 0)
    full = sample.reshape(1, *sample.shape) if sample.ndim == 2 else sample
    small = np.stack([_smaller(picture) for picture in full[:MAPS]])
    sizes = np.sort(np.abs(small[np.isfinite(small)]))
    scale = float(sizes[int(0.99 * (len(sizes) - 1))]) if len(sizes) else 0.0
    scale = scale or (float(sizes[-1]) if len(sizes) else 0.0) or 1.0
    with np.errstate(invalid="ignore"):
        steps = np.clip(np.rint(small / scale * 127), -127, 127)
    cells = np.where(np.isfinite(small), steps, -128).astype(np.int8).tobytes()
    channels, rows, columns = small.shape
    return Maps(channels, rows, columns, (full.shape[0], full.shape[1], full.shape[2]), scale, cells)


def _smaller(picture: Floats) -> Floats:
    """The picture with at most MAP_SIDE cells a side, each the mean of what it stands for."""
    for axis in (0, 1):
        side = picture.shape[axis]
        if side > MAP_SIDE:
            starts = np.arange(MAP_SIDE) * side // MAP_SIDE
            lengths = np.diff(starts, append=side)
            picture = np.add.reduceat(picture, starts, axis) / np.expand_dims(lengths, 1 - axis)
    return picture
