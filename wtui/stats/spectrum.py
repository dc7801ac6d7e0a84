"""Spectrum of a tensor's matrices: singular values, and the numbers that follow from them.

A Measurement: it does not merge. A small matrix goes to LAPACK's singular value decomposition; a larger one through the
eigenvalues of W'W, whose error of 1e-15 of the largest becomes 1e-7 of the largest singular value after the root: what
lies below is not told. Beyond MAX_SIDE only the largest are looked for (`sketch`). Knows no file and no layer.
"""

from __future__ import annotations

from math import exp, sqrt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from wtui.errors import CodecError
from wtui.stats.power_law import MIN_VALUES, fit_power_law
from wtui.stats.spectrum_row import Method, SpectrumRow
from wtui.stats.symmetric import symmetric_eigenvalues
from wtui.stats.symmetric_band import products

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

__all__ = ["MAX_SIDE", "Found", "Partial", "describe", "from_gram", "from_matrix", "largest_only"]

MAX_SIDE = 4096
"""Shorter side of a matrix up to which all singular values are found: 3 s on two cores, 0.3 GB."""

SVD_UP_TO = 512
"""Shorter side up to which LAPACK takes the matrix itself: 0.2 s, and small singular values are right as well."""

SVD_ERROR, GRAM_ERROR = 1e-14, 1e-13
"""Relative errors of the largest singular value; 10 times what was seen against LAPACK."""

GRAM_FLOOR = 4.0
"""In units of sqrt(float64's epsilon x shorter side): what the eigenvalues' error becomes after the root."""

PRECISION = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}
"""Distance of neighbouring values by dtype, relative to them."""

CLEARLY = 3.0
"""Standard deviations of the largest singular value of random matrices by which others are beyond the edge."""


class Found(NamedTuple):
    """Singular values of one matrix, ascending."""

    values: Matrix
    method: Method


class Partial(NamedTuple):
    """The largest singular values of one matrix, descending, with bounds of their errors."""

    values: Matrix
    errors: Matrix
    square_sum: float


def from_matrix(matrix: Matrix, stopped: Callable[[float], bool] = lambda share: False) -> Found | None:
    """Of a (rows, columns) matrix of finite values; None if `stopped`, given the share that is done, said so."""
    if min(matrix.shape) <= SVD_UP_TO:
        if stopped(0.0):
            return None
        try:
            values = np.linalg.svd(matrix, compute_uv=False)[::-1]
            return Found(values.astype(np.float64, copy=False), "svd")
        except np.linalg.LinAlgError as error:
            raise CodecError(f"its singular values were not found: {error}") from error
    flat = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    return from_gram(products([flat], flat.shape[1]), stopped)


def from_gram(gram: Matrix, stopped: Callable[[float], bool] = lambda share: False) -> Found | None:
    """Of the lower triangle of W'W, which is overwritten."""
    values = symmetric_eigenvalues(gram, stopped)
    return None if values is None else Found(np.sqrt(np.maximum(values, 0.0)), "gram")


def describe(found: Sequence[Found], rows: int, columns: int, dtype: str, scale: float = 1.0) -> SpectrumRow:
    """Everything that is told of matrices (one at least) of one size, with values of `dtype` divided by `scale`."""
    short, count = min(rows, columns), len(found) * rows * columns
    together = np.sort(np.concatenate([f.values for f in found]))[::-1]
    squares = float(together @ together)
    largest, rms = float(together[0]), sqrt(squares / count)
    method: Method = "gram" if any(f.method == "gram" for f in found) else "svd"
    floor = _floor(rms, largest, rows, columns, dtype, method)
    edge, spread = rms * (sqrt(rows) + sqrt(columns)), _spread(rms, rows, columns)
    skipped: dict[str, str] = {}
    if not largest > 0:
        skipped = dict.fromkeys(("stable_rank", "effective_rank", "condition", "alpha"), "all values are 0")
    law = fit_power_law(np.square(together[together > floor])) if largest > 0 else None
    if law is None and largest > 0:
        skipped["alpha"] = _why_no_law(int((together > floor).sum()))
    condition = _condition(found, floor) if largest > 0 else None
    if condition is None and largest > 0:
        skipped["condition"] = "the smallest singular value cannot be told from 0"
    return SpectrumRow(
        matrices=len(found),
        rows=rows,
        columns=columns,
        method=method,
        values=tuple((scale * together).tolist()),
        error=GRAM_ERROR if method == "gram" else SVD_ERROR,
        floor=scale * floor,
        spectral_norm=scale * largest,
        frobenius=scale * sqrt(squares),
        stable_rank=squares / largest**2 if largest > 0 else 0.0,
        effective_rank=_effective_rank(together) if largest > 0 else None,
        rank=int((together > floor).sum()),
        condition=condition,
        edge=scale * edge,
        beyond=int((together > edge + CLEARLY * spread).sum()) if short > 1 else 0,
        power_law=law and law._replace(start=scale**2 * law.start),
        skipped=skipped,
    )


def largest_only(found: Partial, rows: int, columns: int, scale: float = 1.0) -> SpectrumRow:
    """What the largest singular values of one matrix tell."""
    rms = sqrt(found.square_sum / (rows * columns))
    edge = rms * (sqrt(rows) + sqrt(columns))
    largest = float(found.values[0])
    beyond = int((found.values > edge + CLEARLY * _spread(rms, rows, columns)).sum())
    why = f"needs all singular values: found are the {len(found.values)} largest of {min(rows, columns):,}"
    skipped = dict.fromkeys(("effective_rank", "rank", "condition", "alpha"), why)
    if beyond == len(found.values):
        skipped["beyond"] = f"all {beyond} that were found are beyond, there may be more"
    return SpectrumRow(
        matrices=1,
        rows=rows,
        columns=columns,
        method="randomised",
        values=tuple((scale * found.values).tolist()),
        error=float(found.errors[0]),
        floor=0.0,
        spectral_norm=scale * largest,
        frobenius=scale * sqrt(found.square_sum),
        stable_rank=found.square_sum / largest**2 if largest > 0 else 0.0,
        effective_rank=None,
        rank=None,
        condition=None,
        edge=scale * edge,
        beyond=None if "beyond" in skipped else beyond,
        power_law=None,
        skipped=skipped,
    )


def _floor(rms: float, largest: float, rows: int, columns: int, dtype: str, method: Method) -> float:
    """What rounding alone can make: errors of half a step, evenly spread, have a largest singular value, too."""
    step = PRECISION.get(dtype, PRECISION["float32"])
    by_dtype = step / sqrt(12) * rms * (sqrt(rows) + sqrt(columns))
    shares = GRAM_FLOOR * sqrt(np.finfo(np.float64).eps * min(rows, columns)) if method == "gram" else 0.0
    return max(by_dtype, shares * largest)


def _spread(rms: float, rows: int, columns: int) -> float:
    """Standard deviation of the largest singular value of a random matrix (Johnstone 2001, a Tracy-Widom law)."""
    n, m = sqrt(rows), sqrt(columns)
    scale = rms**2 * (n + m) * (1 / n + 1 / m) ** (1 / 3)  # of the largest eigenvalue
    return 1.268 * scale / (2 * rms * (n + m)) if rms > 0 else 0.0


def _effective_rank(values: Matrix) -> float:
    shares = values[values > 0] / values.sum()
    return exp(float(-(shares * np.log(shares)).sum()))


def _condition(found: Sequence[Found], floor: float) -> float | None:
    """The worst of all matrices; None where a smallest singular value is nothing but rounding."""
    smallest = min(float(f.values[0]) for f in found)
    if not smallest > floor:
        return None
    return max(float(f.values[-1] / f.values[0]) for f in found)


def _why_no_law(n: int) -> str:
    if n < MIN_VALUES:
        return f"{n} singular value{'s are' if n != 1 else ' is'} too few for a power law: {MIN_VALUES} are needed"
    return "no tail of the singular values falls off"
