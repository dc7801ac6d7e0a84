"""What leaves the scan process: plain numbers, and nothing that needs numpy."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import fields

import numpy as np
import pytest

from tests.stats.helpers import MANY, summarise
from wtui.stats import Summary
from wtui.stats.row import QUANTILES, SKETCH_BINS, At, Sketch, SummaryRow

PLAIN = (int, float, bool, str, type(None))


def plain(value: object) -> bool:
    """Whether a value is made of Python's own numbers and strings in tuples."""
    if isinstance(value, tuple):
        return all(plain(v) for v in value)
    return type(value) in PLAIN


@pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "bool"])
@pytest.mark.parametrize("n", [1, 1_000, MANY])
def test_a_row_holds_plain_numbers_that_equal_the_summarys(dtype: str, n: int) -> None:
    values = np.random.default_rng(1).normal(0.4, 1, n).astype(dtype)
    s = summarise(values).with_places(min_at=At("a/kernel", (1, 2)))
    row = s.row()
    assert plain(row)
    for name in set(SummaryRow._fields) & {f.name for f in fields(Summary)}:
        assert getattr(row, name) == getattr(s, name)
    for name in ("mean", "std", "variance", "l1", "l2", "rms", "abs_mean", "near_zeros", "distinct", "finite"):
        assert getattr(row, name) == getattr(s, name), name
    assert row.quantiles == s.quantiles(QUANTILES)
    assert row.coarse == s.quantiles_need_refinement
    drawn = s.histogram(SKETCH_BINS, row.quantiles[0], row.quantiles[-1])
    expected = Sketch(row.quantiles[0], row.quantiles[-1], tuple(drawn.counts.tolist()), drawn.below, drawn.above)
    assert row.sketch == expected
    assert sum(row.sketch.counts) + row.sketch.below + row.sketch.above == s.finite
    assert repr(pickle.loads(pickle.dumps(row))) == repr(row)


def modules_after(code: str) -> set[str]:
    """What `sys.modules` holds in a fresh interpreter after running this."""
    script = f"{code}\nimport sys; print('\\n'.join(sys.modules))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(found.stdout.split())


def test_rows_need_no_numpy() -> None:
    data = pickle.dumps(summarise(np.arange(5.0)).row())
    loaded = modules_after(f"import pickle, wtui.stats.row\nassert pickle.loads({data!r}).max == 4.0")
    assert not loaded & {"numpy", "numba", "ml_dtypes", "dataclasses", "wtui.stats.summary"}


def test_numba_waits_for_the_first_kernel() -> None:
    code = "import numpy as np\nfrom wtui.stats import Accumulator, Fold, LinearAccumulator, merge, warm_up\n"
    code += "a = Accumulator('float32', 300_000, kernels='numpy')\ns = a.scratch()\n"
    code += "a.add(0, np.ones(131_072, np.float32), s)\nassert a.finish([s]).mean == 1\n"
    code += "b = Accumulator('float32', 3)\nb.add(0, np.ones(3, np.float32), s)\nassert b.finish([s]).row().max == 1"
    loaded = modules_after(code)
    assert not loaded & {"numba", "llvmlite", "scipy", "ml_dtypes", "tensorflow"}
    assert "numpy" in loaded


def test_names_of_the_package() -> None:
    import wtui.stats

    for name in wtui.stats.__all__:
        assert getattr(wtui.stats, name) is not None
    with pytest.raises(AttributeError):
        _ = wtui.stats.nonsense


def test_without_numba_everything_still_works() -> None:
    code = "import sys; sys.modules['numba'] = None\nimport numpy as np\nfrom wtui.stats import Accumulator\n"
    code += "a = Accumulator('float32', 131_072)\ns = a.scratch()\na.add(0, np.ones(131_072, np.float32), s)\n"
    code += "assert a.finish([s]).l1 == 131_072"
    assert "llvmlite" not in modules_after(code)
