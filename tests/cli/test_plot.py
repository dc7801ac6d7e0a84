"""`wtui plot`: the numbers drawn against numpy, and what the drawing says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.cli.conftest import DEMO
from wtui.cli.depth import FAMILY_WORDS, METRIC_WORDS
from wtui.insight.roles import FAMILIES
from wtui.render.depth import METRICS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Run

    Arrays = dict[str, np.ndarray]

RUN = DEMO / "digits-run" / "epoch-4.keras"


def test_histogram_document(run: Run, small: Path, arrays: Arrays) -> None:
    done = run("plot", small, "dense.weight", "--json", "--range", "min", "max", "--bins", 16)
    document = done.document
    assert done.code == 0
    assert list(document) == [
        "schema", "path", "format", "warnings", "kind", "name", "count", "seen", "nan", "posinf", "neginf", "min",
        "max", "below", "above", "edges", "counts",
    ]  # fmt: skip
    counts, edges = np.histogram(arrays["dense.weight"].astype(np.float64), 16)
    assert document["counts"] == counts.tolist()
    np.testing.assert_allclose(document["edges"], edges, rtol=1e-12)
    assert (document["kind"], document["name"]) == ("hist", "dense.weight")
    assert (document["below"], document["above"], document["seen"]) == (0, 0, 1200)


def test_histogram_opens_on_most_values(run: Run, small: Path, arrays: Arrays) -> None:
    document = run("plot", small, "large", "--json").document
    values = arrays["large"].astype(np.float64)
    low, high = np.quantile(values, (0.001, 0.999))
    assert len(document["counts"]) == 60
    assert document["edges"][0] == pytest.approx(low, rel=1e-3)
    assert document["edges"][-1] == pytest.approx(high, rel=1e-3)
    counts = np.histogram(values, document["edges"])[0]
    assert np.abs(counts - document["counts"]).sum() < 0.005 * values.size
    assert document["below"] + document["above"] + sum(document["counts"]) == values.size


def test_ranges_may_begin_with_a_minus(run: Run, small: Path, arrays: Arrays) -> None:
    document = run("plot", small, "--range", "-1e-1", "-.05", "dense.weight", "--json", "--bins", 4).document
    counts = np.histogram(arrays["dense.weight"].astype(np.float64), 4, (-0.1, -0.05))[0]
    assert document["counts"] == counts.tolist()


def test_a_layer_the_model_and_a_selection_are_taken_together(run: Run, small: Path, arrays: Arrays) -> None:
    layer = run("plot", small, "dense", "--json").document
    assert (layer["name"], layer["count"]) == ("dense", 1240)
    whole = run("plot", small, "--json").document
    assert whole["count"] == sum(v.size for v in arrays.values())
    assert (whole["nan"], whole["posinf"], whole["neginf"]) == (2, 1, 1)
    chosen = run("plot", small, "--select", "codes", "--select", "scalar", "--json").document
    assert chosen["count"] == 501
    assert sum(chosen["counts"]) + chosen["below"] + chosen["above"] == 501


def test_values_that_are_all_equal_and_none_at_all(run: Run, small: Path) -> None:
    document = run("plot", small, "constant", "--json", "--bins", 5).document
    assert document["counts"] == [0, 0, 9, 0, 0]
    assert "9 values" in run("plot", small, "constant").out
    broken = run("plot", DEMO / "digits-run" / "epoch-5.keras", "conv1/bias")
    assert broken.code == 0
    assert "NaN 8" in broken.out
    assert "no finite values" in broken.out
    empty = run("plot", DEMO / "digits-run" / "epoch-5.keras", "conv1/bias", "--json").document
    assert (empty["edges"], empty["counts"], empty["min"]) == ([], [], None)


def test_a_drawn_histogram_says_what_it_shows(run: Run, small: Path, terminal: Callable[[int], None]) -> None:
    terminal(60)
    lines = run("plot", small, "large", "--height", 12).out.rstrip("\n").split("\n")
    assert lines[0] == "large  120,000 values"
    assert len(lines) == 12
    assert max(map(len, lines[:-1])) <= 60
    assert "█" in "".join(lines)
    assert "(0.1 to 99.9 %), linear counts, 240 values outside" in lines[-1]
    assert "log counts" in run("plot", small, "large", "--log").out


def test_ascii_plots(run: Run, small: Path) -> None:
    for arguments in (["large"], ["--kind", "depth"]):
        done = run("plot", small, "--ascii", *arguments)
        assert done.code == 0
        assert done.out.isascii()
        assert "\\u" not in done.out
        assert "?" not in done.out


def test_width_and_height_are_obeyed(run: Run, small: Path) -> None:
    for width, height in ((40, 8), (76, 18)):
        lines = run("plot", small, "large", "--width", width, "--height", height).out.rstrip("\n").split("\n")
        assert len(lines) == height
        assert width - 10 < max(map(len, lines[1:-1])) <= width


def test_depth_document(run: Run, small: Path, arrays: Arrays) -> None:
    document = run("plot", small, "--kind", "depth", "--family", "all", "--metric", "std", "--json").document
    assert list(document)[4:] == ["kind", "metric", "family", "points"]
    assert (document["kind"], document["metric"], document["family"]) == ("depth", "std", "all")
    points = {p["name"]: p for p in document["points"]}
    assert points.keys() == arrays.keys()
    assert [p["depth"] for p in document["points"]] == list(range(1, 9))
    assert points["dense.weight"]["value"] == pytest.approx(arrays["dense.weight"].astype(np.float64).std(), rel=1e-9)
    assert points["empty"]["value"] is None


def test_depth_keeps_unlike_tensors_apart(run: Run) -> None:
    document = run("plot", RUN, "--kind", "depth", "--json").document
    assert document["family"] == "convolution kernels"
    assert [p["name"] for p in document["points"]] == ["conv1/kernel", "conv2/kernel"]
    biases = run("plot", RUN, "--kind", "depth", "--family", "biases", "--metric", "mean", "--json").document
    assert [p["layer"] for p in biases["points"]] == ["conv1", "conv2", "hidden", "digits"]
    assert all(p["low"] <= p["value"] <= p["high"] for p in biases["points"])
    like = run("plot", RUN, "hidden", "--kind", "depth", "--json").document
    assert like["family"] == "dense kernels"


def test_depth_marks_the_name(run: Run) -> None:
    assert "◉" in run("plot", RUN, "conv2/kernel", "--kind", "depth").out
    assert "◉" not in run("plot", RUN, "--kind", "depth").out
    assert "mean |w| by depth  convolution kernels, 2 tensors" in run("plot", RUN, "--kind", "depth").out


def test_every_word_stands_for_something() -> None:
    from wtui.cli.depth import _METRICS

    assert set(_METRICS.values()) == {m.name for m in METRICS}
    assert len(METRIC_WORDS) == len(METRICS)
    assert len(set(FAMILY_WORDS)) == len(FAMILIES) + 1


def test_parts_that_cannot_be_read(run: Run, cut: Path) -> None:
    whole = run("plot", cut, "--json")
    assert whole.code == 3
    assert (whole.document["seen"], whole.document["count"]) == (100, 200)
    assert run("plot", cut, "first", "--json").code == 0
    lost = run("plot", cut, "last")
    assert (lost.code, lost.out) == (2, "")
    assert "lie behind the end" in lost.err
    depth = run("plot", cut, "--kind", "depth", "--family", "all")
    assert depth.code == 3
    assert "1 not readable" in depth.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "no tensor or layer named 'nothing'"),
        (["dense", "--select", "*"], "NAME and --select exclude each other"),
        (["--bins", "0"], "'0' is not a number from 1 to 1,048,576"),
        (["--bins", "many"], "'many' is not a number"),
        (["--range", "1", "0"], "no values between 1 and 0"),
        (["--range", "nan", "0"], "'nan' is not a finite number, min or max"),
        (["--kind", "cake"], "invalid choice: 'cake'"),
        (["--kind", "depth", "--family", "recurrent"], "there are no recurrent kernels in it"),
        (["--width", "0"], "'0' is not a number"),
        (["a", "b"], "unrecognized arguments: b"),
    ],
)
def test_impossible_plots(run: Run, small: Path, arguments: list[str], message: str) -> None:
    done = run("plot", small, *arguments)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert done.err.count("\n") == 1


def test_a_heat_map_is_the_matrix_in_cells(run: Run, small: Path, arrays: Arrays) -> None:
    values = arrays["dense.weight"].astype(np.float64)
    document = run("plot", small, "dense.weight", "--kind", "heatmap", "--json", "--width", 10, "--height", 7).document
    assert (document["kind"], document["name"], document["split"]) == ("heatmap", "dense.weight", 1)
    assert (document["rows"], document["columns"]) == values.shape
    mean, largest = np.array(document["mean"]), np.array(document["abs_max"])
    assert mean.shape == largest.shape == (5, 10)
    rows, columns = values.shape[0] // 5, values.shape[1] // 10
    blocks = values[: 5 * rows, : 10 * columns].reshape(5, rows, 10, columns)
    assert values.shape == (5 * rows, 10 * columns)
    np.testing.assert_allclose(mean, blocks.mean((1, 3)), rtol=1e-12)
    np.testing.assert_allclose(largest, np.abs(blocks).max((1, 3)), rtol=1e-12)


def test_a_heat_map_in_a_pipe_is_drawn_by_darkness(run: Run) -> None:
    done = run("plot", RUN, "conv1/kernel", "--kind", "heatmap", "--ascii")
    lines = done.out.splitlines()
    assert lines[0] == "conv1/kernel  rows height x width x in, columns out"
    assert "72 values" not in lines[-1]
    assert lines[-1].endswith("9x8 values, a cell each")
    assert done.out.isascii()
    assert len({line for line in lines[1:-1] if line}) >= 9


def test_a_heat_map_is_of_one_tensor(run: Run, small: Path) -> None:
    for arguments in ([], ["dense"], ["dense.weight", "--select", "*"], ["constan"]):
        done = run("plot", small, "--kind", "heatmap", *arguments)
        assert done.code == 2
        assert done.err.count("\n") == 1


def test_a_broken_heat_map_says_so(run: Run, small: Path, arrays: Arrays) -> None:
    broken = next(name for name, a in arrays.items() if a.ndim == 2 and a.size and not np.isfinite(a).all())
    done = run("plot", small, broken, "--kind", "heatmap", "--width", 200, "--height", 200)
    assert done.code == 0
    assert "✗" in done.out


def test_layers_side_by_side(run: Run) -> None:
    done = run("plot", DEMO / "healthy.keras", "conv2/kernel", "--kind", "layers", "--width", "70")
    lines = done.out.splitlines()
    assert lines[0].startswith("distributions of 2 convolution kernels")
    names = [line for line in lines if "/kernel" in line]
    assert names[0].startswith("  conv1/kernel")
    assert names[1].startswith("▸ conv2/kernel")
    assert run("plot", DEMO / "healthy.keras", "--kind", "layers", "--ascii").out.isascii()
    document = run("plot", DEMO / "healthy.keras", "--kind", "layers", "--family", "biases", "--json").document
    assert document["family"] == "biases"
    assert sum(document["tensors"][0]["counts"]) > 0
