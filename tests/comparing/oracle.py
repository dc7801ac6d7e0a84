"""What numpy in float64 and scipy say of two arrays: what a comparison of files must find."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.testing import assert_allclose
from scipy.stats import ks_2samp

if TYPE_CHECKING:
    from wtui.stats.difference_row import DifferenceRow

__all__ = ["check", "numbers"]

Array = np.ndarray[Any, Any]

EXACT_KS = 1 << 16
"""Values up to which distributions are kept exactly."""

COSINE_OFF = 1e-12
"""What a cosine may be off by: the oracle's own error."""


def numbers(a: Array, b: Array) -> dict[str, Any]:
    """Every number of B against A, both in B's order of axes."""
    x, y = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    same = (x == y) | (np.isnan(x) & np.isnan(y))
    finite = np.isfinite(x) & np.isfinite(y)
    u, v = x[finite], y[finite]
    d = v - u
    with np.errstate(invalid="ignore", divide="ignore"):
        length_a, length_b = np.linalg.norm(u), np.linalg.norm(v)
        relative = np.linalg.norm(d) / length_a if d.any() else 0.0
        cosine = (u @ v) / (length_a * length_b)
    each = [z[np.isfinite(z)] for z in (x, y)]
    return {
        "pairs": x.size,
        "changed": int((~same).sum()),
        "left_out": int((~finite).sum()),
        "broken": int((np.isfinite(x) & ~np.isfinite(y)).sum()),
        "sign_flips": int((np.sign(u) * np.sign(v) < 0).sum()),
        "max_abs": np.abs(d).max() if d.size else np.nan,
        "mean_abs": np.abs(d).mean() if d.size else np.nan,
        "mean": d.mean() if d.size else np.nan,
        "relative_l2": relative if d.size else np.nan,
        "cosine": cosine if d.size else np.nan,
        "ks": _ks(*each),
    }


def _ks(x: Array, y: Array) -> float:
    if not x.size or not y.size:
        return float("nan")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about p-values, which are not used
        return float(ks_2samp(x, y, method="asymp").statistic)


def check(row: DifferenceRow | None, a: Array, b: Array) -> None:
    """A row against the oracle, all of it."""
    assert row is not None
    expected = numbers(a, b)
    for name in ("pairs", "changed", "left_out", "broken", "sign_flips"):
        assert getattr(row, name) == expected[name], name
    assert row.total == b.size
    for name in ("max_abs", "mean_abs", "relative_l2"):
        assert_allclose(getattr(row, name), expected[name], rtol=1e-12, err_msg=name)
    assert_allclose(row.mean, expected["mean"], rtol=1e-9, atol=1e-15)
    assert_allclose(row.cosine, expected["cosine"], rtol=0, atol=COSINE_OFF)
    assert_allclose(row.ks, expected["ks"], rtol=0, atol=1e-12 if b.size <= EXACT_KS else 2e-3)
    if row.max_at is not None:
        at = row.max_at.index
        assert abs(float(b[at]) - float(a[at])) == row.max_abs
