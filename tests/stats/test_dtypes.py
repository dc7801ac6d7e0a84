"""Every dtype that can be described: each pattern's value, order and finiteness as numpy and ml_dtypes have them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.stats.helpers import MANY, summarise
from wtui.dtypes import numpy_dtype, unpack
from wtui.errors import CodecError
from wtui.model import DTYPE_BITS
from wtui.stats.accumulate import Accumulator
from wtui.stats.kinds import kind_of
from wtui.stats.row import QUANTILES

NARROW = [d for d, bits in DTYPE_BITS.items() if bits <= 16]
WIDE = [d for d, bits in DTYPE_BITS.items() if bits >= 32 and not d.startswith("complex")]


@pytest.mark.parametrize("kernels", ["numpy", "numba"])
@pytest.mark.parametrize("n", [5_000, MANY])
@pytest.mark.parametrize("dtype", NARROW)
def test_all_patterns_of_narrow_dtypes(dtype: str, n: int, kernels: Any) -> None:
    """Random bytes: every pattern occurs, also those that are not finite."""
    width = numpy_dtype(dtype).itemsize
    patterns = np.random.default_rng(2).integers(0, 256**width, n).astype(f"u{width}")
    if dtype == "bool":
        patterns &= 1
    values = patterns.view(numpy_dtype(dtype))
    with np.errstate(invalid="ignore"):  # signalling NaN
        floats = values.astype(np.float64)
    finite = floats[np.isfinite(floats)]
    s = summarise(values, dtype, kernels)
    assert (s.seen, s.finite, s.nan) == (n, len(finite), np.isnan(floats).sum())
    assert (s.posinf, s.neginf) == ((floats == np.inf).sum(), (floats == -np.inf).sum())
    assert (s.min, s.max, s.zeros) == (finite.min(), finite.max(), (finite == 0).sum())
    assert s.mean == pytest.approx(finite.mean(), rel=1e-9)
    assert s.std == pytest.approx(finite.std(), rel=1e-9)
    assert s.distinct == len(np.unique(finite))
    np.testing.assert_allclose(s.quantiles(), np.quantile(finite, QUANTILES), rtol=1e-12)
    low, high = float(np.quantile(finite, 0.1)), float(np.quantile(finite, 0.9))
    if low < high:
        assert s.histogram(60, low, high).counts.tolist() == np.histogram(finite, 60, (low, high))[0].tolist()


@pytest.mark.parametrize("dtype", WIDE)
def test_keys_order_values_and_lead_back_to_them(dtype: str) -> None:
    kind = kind_of(dtype)
    if kind.whole:
        limits = np.iinfo(dtype)
        values = np.unique(np.array([limits.min, limits.min + 1, 0, 1, 77, limits.max - 1, limits.max], dtype))
    else:
        largest = float(np.finfo(dtype).max)
        values = np.array([-largest, -1.5, -1e-44, 0.0, 1e-44, 1.0, largest], dtype)
    patterns = kind.widened(values.view(f"u{values.dtype.itemsize}"))
    keys = kind.keys(patterns)
    assert np.all(keys[1:] >= keys[:-1])
    assert [kind.value(int(k)) for k in keys] == values.tolist()


@pytest.mark.parametrize("dtype", [d for d, bits in DTYPE_BITS.items() if bits < 8])
@pytest.mark.parametrize("n", [7, 1_001, MANY])
def test_values_of_less_than_a_byte_may_come_packed(dtype: str, n: int) -> None:
    """A last byte that is only half used adds nothing."""
    bits = DTYPE_BITS[dtype]
    patterns = np.random.default_rng(3).integers(0, 1 << bits, n).astype(np.uint8)
    stream = np.unpackbits(patterns[:, np.newaxis], axis=1, bitorder="little")[:, :bits].reshape(-1)
    packed = np.packbits(stream, bitorder="little")
    assert unpack(packed, bits, n).tolist() == patterns.tolist()
    accumulator = Accumulator(dtype, n)
    scratch = accumulator.scratch()
    step = 131_072 * bits // 8
    for block in range(-(-len(packed) // step)):
        accumulator.add(block, packed[block * step : (block + 1) * step], scratch)
    found, values = accumulator.finish([scratch]), patterns.view(numpy_dtype(dtype)).astype(np.float64)
    assert (found.seen, found.min, found.max) == (n, values.min(), values.max())
    assert found.mean == pytest.approx(values.mean(), rel=1e-12)


def test_too_few_bytes_and_unknown_names_are_refused() -> None:
    with pytest.raises(CodecError):
        unpack(np.zeros(3, np.uint8), 4, 7)
    for name in ("float33", "", "object", "V8"):
        with pytest.raises(CodecError):
            numpy_dtype(name)
