"""The spectrum of one tensor: reads it as the matrices that it is seen as, in pieces where it is large.

The caller says which axes are what; nothing here knows what they mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import isfinite, prod
from typing import TYPE_CHECKING

import numpy as np

from wtui.engine.blocks import Buffer, plan_blocks
from wtui.engine.measure import block_floats
from wtui.errors import CodecError, UsageError
from wtui.stats.sketch import ROUNDS, sketch
from wtui.stats.spectrum import MAX_SIDE, describe, from_gram, from_matrix, largest_only
from wtui.stats.symmetric_band import products

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wtui.model import Catalogue, TensorEntry
    from wtui.stats.spectrum import Found
    from wtui.stats.spectrum_row import MatrixAxes, SpectrumRow
    from wtui.storage import Files

    Stopped = Callable[[float], bool]
    """Given the share that is done; whether to stop."""

__all__ = ["HELD", "measure_spectrum"]

HELD = 1 << 26
"""Values of a tensor up to which it is held in memory as a whole: 256 MB of float32."""

PIECE = 1 << 22
"""Values of a piece of rows: 32 MB of float64, a tenth of a second of multiplication."""


class Halted(Exception):
    """The caller wants no answer any more; raised and caught here alone."""


def measure_spectrum(
    entry: TensorEntry,
    catalogue: Catalogue,
    files: Files,
    axes: MatrixAxes,
    stopped: Stopped = lambda share: False,
) -> SpectrumRow | None:
    """Singular values of a tensor seen as `axes` say, and what follows; None if `stopped` said so.

    UsageError for a tensor without values or a matrix that is too large to be taken apart; CodecError or StorageError
    where it cannot be read or holds values that are not finite.
    """
    if not entry.size:
        raise UsageError("it has no values: one of its axes is 0", entry.name)
    if entry.problem:
        raise CodecError(entry.problem, entry.name)
    if entry.dtype.startswith("complex") or entry.dtype == "bool":
        raise CodecError(f"values of type {entry.dtype} have no spectrum here", entry.name)
    try:
        if entry.size <= HELD:
            return _held(entry, catalogue, files, axes, stopped)
        return _streamed(entry, catalogue, files, axes, stopped)
    except Halted:
        return None


def _held(
    entry: TensorEntry, catalogue: Catalogue, files: Files, axes: MatrixAxes, stopped: Stopped
) -> SpectrumRow | None:
    plan = plan_blocks(entry, catalogue, files)
    array = plan.array()
    values = block_floats(np.ascontiguousarray(array).reshape(-1), str(array.dtype), "=", entry.size)
    scale = _scale(values, entry)
    matrices = values.reshape(entry.shape).transpose(*axes.window, *axes.rows, *axes.columns)
    rows, columns = _sides(entry, axes)
    matrices = matrices.reshape(-1, rows, columns)
    if min(rows, columns) > MAX_SIDE:
        partial = sketch(lambda: _row_pieces(matrices[0], scale, _counted(stopped, rows * columns)), columns)
        return largest_only(partial, rows, columns, scale)
    found: list[Found] = []
    for number, matrix in enumerate(matrices):
        share = lambda part, number=number: stopped((number + part) / len(matrices))  # noqa: E731
        one = _one(matrix, scale, share)
        if one is None:
            return None
        found.append(one)
    return describe(found, rows, columns, entry.dtype, scale)


def _one(matrix: NDArray[np.floating], scale: float, stopped: Stopped) -> Found | None:
    """Of one matrix that is held: as it is where it is small, else by products of its pieces."""
    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    if tall.size <= PIECE:
        return from_matrix(tall.astype(np.float64) / scale, stopped)
    return from_gram(products(_row_pieces(tall, scale, _quarter(stopped, tall.size)), tall.shape[1]), _rest(stopped))


def _streamed(
    entry: TensorEntry, catalogue: Catalogue, files: Files, axes: MatrixAxes, stopped: Stopped
) -> SpectrumRow | None:
    """Of one matrix whose rows lie one after the other in the file."""
    rows, columns = _sides(entry, axes)
    in_order = (*axes.rows, *axes.columns) == tuple(range(len(entry.shape)))
    if not in_order or not prod(entry.shape[: len(axes.rows)]) == rows:
        raise UsageError(f"it is too large to be seen as {axes.said}: more than {HELD:,} values", entry.name)
    scale = _largest(entry, catalogue, files, stopped)

    def read(tick: Callable[[int], None]) -> Iterator[NDArray[np.float64]]:
        return _file_pieces(entry, catalogue, files, columns, scale, tick)

    if columns <= MAX_SIDE:
        gram = products(read(_quarter(stopped, entry.size)), columns)
        found = from_gram(gram, _rest(stopped))
        return None if found is None else describe([found], rows, columns, entry.dtype, scale)
    tick = _counted(stopped, entry.size)
    return largest_only(sketch(lambda: read(tick), columns), rows, columns, scale)


def _row_pieces(
    matrix: NDArray[np.floating], scale: float, tick: Callable[[int], None]
) -> Iterator[NDArray[np.float64]]:
    step = max(1, PIECE // matrix.shape[1])
    for start in range(0, len(matrix), step):
        piece = matrix[start : start + step].astype(np.float64)
        tick(piece.size)
        yield piece / scale


def _file_pieces(
    entry: TensorEntry,
    catalogue: Catalogue,
    files: Files,
    columns: int,
    scale: float,
    tick: Callable[[int], None],
) -> Iterator[NDArray[np.float64]]:
    """Whole rows of a tensor that is stored in order, about PIECE values at a time; UsageError for one that is not."""
    plan, buffer, left = plan_blocks(entry, catalogue, files), Buffer(), entry.size
    rest = np.zeros(0)
    for unit in range(plan.units):
        gathered = [rest]
        for block, data in plan.blocks(unit, buffer):
            box = plan.box(block)
            if box.shape != entry.shape or box.axes != tuple(range(len(entry.shape))):
                raise UsageError("it is too large to be seen as a matrix where it is stored in chunks", entry.name)
            gathered.append(block_floats(data, plan.dtype, plan.byteorder, left).astype(np.float64))
            left -= len(gathered[-1])
        values = np.concatenate(gathered)
        whole = len(values) // columns * columns
        tick(whole)
        rest = values[whole:]
        yield values[:whole].reshape(-1, columns) / scale


def _largest(entry: TensorEntry, catalogue: Catalogue, files: Files, stopped: Stopped) -> float:
    """Largest |x|; CodecError where one is not finite."""
    plan, buffer, left, largest = plan_blocks(entry, catalogue, files), Buffer(), entry.size, 0.0
    for unit in range(plan.units):
        if stopped(0.0):
            raise Halted
        for _, data in plan.blocks(unit, buffer):
            values = block_floats(data, plan.dtype, plan.byteorder, left)
            left -= len(values)
            largest = max(largest, _scale(values, entry))
    return largest


def _scale(values: NDArray[np.floating], entry: TensorEntry) -> float:
    """Largest |x|, by which values are divided so that no square overflows; 1 where all are 0."""
    largest = max(float(values.max()), -float(values.min()))
    if not isfinite(largest):
        broken = int(np.count_nonzero(~np.isfinite(values)))
        text = f"{broken:,} of its values {'is' if broken == 1 else 'are'} NaN or infinite"
        raise CodecError(f"{text}: such a matrix has no singular values", entry.name)
    return largest or 1.0


def _sides(entry: TensorEntry, axes: MatrixAxes) -> tuple[int, int]:
    return prod(entry.shape[a] for a in axes.rows), prod(entry.shape[a] for a in axes.columns)


def _counted(stopped: Stopped, size: int) -> Callable[[int], None]:
    """A tick that takes values done of those of all rounds of a sketch."""
    done = [0]

    def tick(values: int) -> None:
        done[0] += values
        if stopped(min(done[0] / (ROUNDS * size), 1.0)):
            raise Halted

    return tick


def _quarter(stopped: Stopped, size: int) -> Callable[[int], None]:
    """The product W'W as the first quarter of the work."""
    done = [0]

    def tick(values: int) -> None:
        done[0] += values
        if stopped(0.25 * min(done[0] / size, 1.0)):
            raise Halted

    return tick


def _rest(stopped: Stopped) -> Stopped:
    return lambda share: stopped(0.25 + 0.75 * share)
