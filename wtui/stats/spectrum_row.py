"""What is told of a matrix's spectrum, as plain Python numbers that any process can unpickle.

Standard library only, as `wtui.stats.row`. Knows no tensor and computes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Literal, NamedTuple

__all__ = ["METHODS", "MatrixAxes", "Method", "PowerLaw", "SpectrumRow"]

Method = Literal["svd", "gram", "randomised"]

METHODS: dict[Method, str] = {
    "svd": "exact: LAPACK's singular value decomposition in float64",
    "gram": "exact: roots of the eigenvalues of W'W in float64",
    "randomised": "randomised: the largest alone, by subspace iteration",
}
"""How singular values were had, in words."""


class MatrixAxes(NamedTuple):
    """How a tensor is seen as matrices: one for each place along `window`, of `rows` x `columns`."""

    window: tuple[int, ...]
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    said: str
    """The same in words."""


class PowerLaw(NamedTuple):
    """A power law in the tail of the eigenvalues of W'W, the squares of the singular values."""

    alpha: float
    """Exponent of the density: p(x) ~ x^-alpha from `start` on."""
    error: float
    """Its standard error, (alpha - 1) / sqrt(tail)."""
    start: float
    """The smallest eigenvalue of the tail (xmin)."""
    distance: float
    """Kolmogorov-Smirnov distance between the tail and the law."""
    tail: int
    """Eigenvalues in the tail."""

    @property
    def rejected(self) -> bool:
        """Whether the tail is further from the law than 95 % of samples of a known law are (1.36 / sqrt(tail)).

        Samples of a fitted law are nearer, so that this rejects too rarely.
        """
        return self.distance > 1.36 / sqrt(self.tail)


class SpectrumRow(NamedTuple):
    """Singular values of a tensor seen as one matrix or several, and what follows from them."""

    matrices: int
    """How many there are; a convolution has one for each place of its window."""
    rows: int
    columns: int
    """Of each."""
    method: Method
    values: tuple[float, ...]
    """Singular values of all matrices together, descending; only the largest ones where `method` is randomised."""
    error: float
    """Relative error of the largest one that cannot be excluded."""
    floor: float
    """Singular values below it cannot be told from what rounding makes."""
    spectral_norm: float
    """The largest."""
    frobenius: float
    stable_rank: float
    """(Frobenius / spectral norm)^2, of all matrices together (Rudelson and Vershynin 2007)."""
    effective_rank: float | None
    """exp of the entropy of the singular values' shares (Roy and Vetterli 2007)."""
    rank: int | None
    """Singular values above `floor`."""
    condition: float | None
    """Largest by smallest singular value; of several matrices the worst."""
    edge: float
    """The largest that independent values of the same size would give, s (sqrt rows + sqrt columns) for rms s
    (Marchenko and Pastur 1967)."""
    beyond: int | None
    """Singular values clearly above it."""
    power_law: PowerLaw | None
    skipped: Mapping[str, str]
    """Why a number is missing, by its name."""

    @property
    def possible(self) -> int:
        """Singular values that there are."""
        return self.matrices * min(self.rows, self.columns)
