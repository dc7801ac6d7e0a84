"""`wtui stats`: the document against numpy, the tables, what is broken or cannot be read."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import wtui
from tests.builders import write_safetensors
from tests.cli.conftest import DEMO, Run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Arrays = dict[str, np.ndarray]

RUN = DEMO / "digits-run" / "epoch-4.keras"

STATISTICS = [
    "seen", "exact", "mean", "std", "variance", "min", "min_at", "max", "max_at", "abs_mean", "l1", "l2", "rms",
    "skewness", "kurtosis", "zeros", "near_zeros", "nan", "nan_at", "posinf", "neginf", "quantiles",
]  # fmt: skip
GOLDEN = {
    80: """\
tensor    shape  mean      std      min     max  mean |w|  NaN+Inf  zeros
a.weight  2×3       0  0.68313  -1.0000  1.0000   0.60000        0    0 %
a.bias    4         0        0        0       0         0        0  100 %

whole model
10 values, all read
""",
    120: """\
tensor    shape  mean      std      min     max  mean |w|  NaN+Inf  zeros  skewness  kurtosis      L1      L2      rms
a.weight  2×3       0  0.68313  -1.0000  1.0000   0.60000        0    0 %         0    -1.269  3.6000  1.6733  0.68313
a.bias    4         0        0        0       0         0        0  100 %         –         –       0       0        0

whole model
10 values, all read
""",
}

QUANTILES = ["0.001", "0.01", "0.05", "0.25", "0.5", "0.75", "0.95", "0.99", "0.999"]


def first_at(values: np.ndarray, wanted: np.ndarray) -> list[int] | None:
    """Index of the first value for which `wanted` is true."""
    return [int(i) for i in np.unravel_index(np.argmax(wanted), values.shape)] if wanted.any() else None


def oracle(values: np.ndarray) -> dict[str, Any]:
    """The statistics of an array as the document has them, by numpy in float64."""
    wide = values.astype(np.float64)
    x = wide[np.isfinite(wide)]
    n = max(x.size, 1)
    std = x.std() if x.size else 0.0
    centred = x - x.mean() if x.size else x
    constant = not x.size or std == 0
    return {
        "mean": x.mean() if x.size else None,
        "std": std if x.size else None,
        "variance": x.var() if x.size else None,
        "min": x.min() if x.size else None,
        "max": x.max() if x.size else None,
        "min_at": first_at(values, wide == x.min()) if x.size else None,
        "max_at": first_at(values, wide == x.max()) if x.size else None,
        "abs_mean": np.abs(x).mean() if x.size else None,
        "l1": np.abs(x).sum() if x.size else None,
        "l2": np.sqrt((x**2).sum()) if x.size else None,
        "rms": np.sqrt((x**2).mean()) if x.size else None,
        "skewness": None if constant else (centred**3).sum() / n / std**3,
        "kurtosis": None if constant else (centred**4).sum() / n / std**4 - 3,
        "zeros": int((x == 0).sum()),
        "nan": int(np.isnan(wide).sum()),
        "nan_at": first_at(values, np.isnan(wide)),
        "posinf": int((wide == np.inf).sum()),
        "neginf": int((wide == -np.inf).sum()),
    }


def check(entry: dict[str, Any], values: np.ndarray) -> None:
    """An entry of the document says what numpy says."""
    for name, expected in oracle(values).items():
        if isinstance(expected, float):
            assert entry[name] == pytest.approx(expected, rel=1e-9, abs=1e-9), name
        else:
            assert entry[name] == expected, name
    finite = values.astype(np.float64)[np.isfinite(values.astype(np.float64))]
    for q, found in entry["quantiles"].items():
        if not finite.size:
            assert found is None
        else:
            assert found == pytest.approx(np.quantile(finite, float(q)), rel=1e-3, abs=0.01 * finite.std() + 1e-12)
    if finite.size:
        near = np.abs(finite) < 0.001 * finite.std()
        assert entry["near_zeros"] == pytest.approx(near.sum(), rel=0.01, abs=2)


def test_json_against_numpy(run: Run, small: Path, arrays: Arrays) -> None:
    done = run("stats", small, "--json")
    document = done.document
    assert (done.code, done.err) == (0, "")
    assert list(document) == ["schema", "path", "format", "warnings", "totals", "tensors"]
    entries = {t["name"]: t for t in document["tensors"]}
    assert entries.keys() == arrays.keys()
    for name, values in arrays.items():
        entry = entries[name]
        assert list(entry)[-len(STATISTICS) :] == STATISTICS
        assert list(entry["quantiles"]) == QUANTILES
        assert (entry["count"], entry["seen"], entry["exact"]) == (values.size, values.size, True)
        if values.size:
            check(entry, values)
    assert isinstance(entries["codes"]["min"], int)
    assert entries["empty"]["mean"] is None
    assert entries["empty"]["quantiles"]["0.5"] is None


def test_totals_are_of_the_whole_model(run: Run, small: Path, arrays: Arrays) -> None:
    totals = run("stats", small, "--json").document["totals"]
    everything = np.concatenate([v.astype(np.float64).reshape(-1) for v in arrays.values()])
    assert list(totals) == [
        "tensors", "parameters", "trainable", "non_trainable", "bytes", "count", *STATISTICS, "min_tensor",
        "max_tensor", "nan_tensor",
    ]  # fmt: skip
    finite = everything[np.isfinite(everything)]
    assert totals["seen"] == totals["count"] == totals["parameters"] == everything.size
    assert totals["mean"] == pytest.approx(finite.mean(), rel=1e-9)
    assert totals["std"] == pytest.approx(finite.std(), rel=1e-9)
    assert totals["nan"] == 2
    for what in ("min", "max"):
        tensor = arrays[totals[f"{what}_tensor"]]
        assert float(tensor[tuple(totals[f"{what}_at"])]) == totals[what] == getattr(finite, what)()
    assert totals["nan_tensor"] == "broken.weight"
    assert np.isnan(arrays["broken.weight"][tuple(totals["nan_at"])])


def test_the_api_gives_the_same_digits(run: Run, small: Path) -> None:
    document = run("stats", small, "--json").document
    with wtui.open(small) as model:
        assert document["totals"]["mean"] == model.summary().mean
        assert document["totals"]["std"] == model.summary().std
        for entry in document["tensors"]:
            summary = model[entry["name"]].summary()
            if summary.finite:
                assert (entry["mean"], entry["kurtosis"] or 0) == (
                    summary.mean, summary.kurtosis if summary.std else 0
                )  # fmt: skip


def test_threads_change_nothing(run: Run, small: Path) -> None:
    assert run("stats", small, "--json", "--threads", 1).out == run("stats", small, "--json", "--threads", 3).out


def test_a_model_of_nan_is_valid_json(run: Run) -> None:
    document = run("stats", DEMO / "digits-run" / "epoch-5.keras", "--json").document
    assert document["totals"]["nan"] == document["totals"]["parameters"] == 3658
    assert document["totals"]["mean"] is None
    assert document["tensors"][0]["nan_at"] == [0, 0, 0, 0]
    assert set(document["tensors"][0]["quantiles"].values()) == {None}


def test_slots_are_listed_and_not_in_the_totals(run: Run) -> None:
    document = run("stats", RUN, "--json").document
    assert document["totals"]["parameters"] == document["totals"]["seen"] == 3658
    assert sum(t["layer"].startswith("optimizer") for t in document["tensors"]) == 10


def test_selection(run: Run, small: Path, arrays: Arrays) -> None:
    document = run("stats", small, "--json", "--select", "dense.*").document
    assert [t["name"] for t in document["tensors"]] == ["dense.weight", "dense.bias"]
    values = np.concatenate([arrays[n].astype(np.float64).reshape(-1) for n in ("dense.weight", "dense.bias")])
    assert document["totals"]["mean"] == pytest.approx(values.mean(), rel=1e-9)
    assert document["totals"]["count"] == values.size
    out = run("stats", small, "--select", "dense.*").out
    assert "Selected 2 of 8 tensors" in out
    assert "selected tensors together" in out


def test_csv_holds_every_number_in_full(run: Run, small: Path) -> None:
    table = list(csv.DictReader(io.StringIO(run("stats", small, "--csv").out)))
    entries = {t["name"]: t for t in run("stats", small, "--json").document["tensors"]}
    assert list(table[0])[-9:] == [f"q{q}" for q in QUANTILES]
    for row in table:
        entry = entries[row["name"]]
        assert row["mean"] == ("" if entry["mean"] is None else repr(entry["mean"]))
        assert row["q0.5"] == ("" if entry["quantiles"]["0.5"] is None else repr(entry["quantiles"]["0.5"]))
        assert row["min_at"] == ("" if entry["min_at"] is None else " ".join(map(str, entry["min_at"])))
        assert row["exact"] == "true"


def test_tables_for_eyes(run: Run, terminal: Callable[[int], None]) -> None:
    piped = run("stats", RUN).out
    head = piped.split("\n")[2]
    for title in ("tensor", "shape", "mean", "std", "min", "max", "mean |w|", "NaN+Inf", "zeros", "near 0", "skewness",
                  "kurtosis", "L1", "L2", "rms", "variance", "0.1 %", "25 %", "median", "99.9 %"):  # fmt: skip
        assert title in head
    for width in (80, 120):
        terminal(width)
        lines = run("stats", RUN).out.split("\n")[2:]
        table = lines[: lines.index("")]
        assert max(map(len, table)) <= width
        assert [line.split()[0] for line in table[1:3]] == ["conv1/kernel", "conv1/bias"]
        assert "NaN+Inf" in table[0]
    assert "whole model" in piped
    assert "3,658 values, all read" in piped
    assert "Optimizer params: 3,660 (14.6 kB)" in piped


@pytest.mark.parametrize("width", [80, 120])
def test_golden_table(run: Run, terminal: Callable[[int], None], tmp_path: Path, width: int) -> None:
    values = {"a.weight": np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3), "a.bias": np.zeros(4, np.float32)}
    path = write_safetensors(tmp_path / "m.safetensors", values)
    terminal(width)
    assert run("stats", path).out.split("\n", 2)[2].startswith(GOLDEN[width])


def test_what_cannot_be_read_is_null_and_said(run: Run, cut: Path) -> None:
    done = run("stats", cut, "--json")
    assert done.code == 3
    document = done.document
    assert [w["tensor"] for w in document["warnings"]] == [None, "last"]
    last = document["tensors"][1]
    assert (last["seen"], last["exact"], last["mean"], last["nan"]) == (0, False, None, None)
    assert (document["totals"]["seen"], document["totals"]["count"], document["totals"]["exact"]) == (100, 200, False)
    text = run("stats", cut)
    assert text.code == 3
    assert "last: 100 of its 400 bytes lie behind the end" in text.out
    assert run("stats", cut, "--select", "first").code == 0


def test_nothing_readable_is_an_error(run: Run, cut: Path) -> None:
    done = run("stats", cut, "--select", "last")
    assert done.code == 2
    assert done.err.startswith(f"wtui: {cut}: none of its tensors can be read: 100 of its 400 bytes")
    assert done.err.count("\n") == 1


def test_a_dtype_that_cannot_be_decoded(run: Run, tmp_path: Path) -> None:
    header = json.dumps({
        "odd": {"dtype": "F128", "shape": [2], "data_offsets": [0, 32]},
        "usual": {"dtype": "F32", "shape": [2], "data_offsets": [32, 40]},
    }).encode()  # fmt: skip
    path = tmp_path / "odd.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(32) + np.ones(2, np.float32).tobytes())
    done = run("stats", path, "--json")
    assert done.code == 3
    (warning,) = done.document["warnings"]
    assert warning["tensor"] == "odd"
    assert "cannot be decoded" in warning["message"]
    assert done.document["totals"]["mean"] == 1.0
