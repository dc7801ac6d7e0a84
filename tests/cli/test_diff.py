"""`wtui diff`: the documents against numpy, tables and plots, exit codes, more than two models, bad input."""

from __future__ import annotations

import csv
import io
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.builders import write_safetensors
from tests.cli.conftest import DEMO, Run
from tests.comparing.oracle import numbers
from wtui.cli import status

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Arrays = dict[str, np.ndarray]

RUN = DEMO / "digits-run"
BEFORE, AFTER, BROKEN = RUN / "epoch-1.keras", RUN / "epoch-4.keras", RUN / "epoch-5.keras"

KEYS = ["a", "b", "paired_by", "layout", "identical", "max_abs_diff", "mean_abs_diff", "relative_l2", "cosine",
        "changed", "sign_flips", "ks"]  # fmt: skip


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path, Arrays, Arrays]:
    """Two files that differ in every way, and what they hold."""
    rng = np.random.default_rng(31)
    a: Arrays = {
        "big.weight": rng.normal(size=(50, 40)).astype(np.float32),
        "small.weight": rng.normal(size=(8, 9)).astype(np.float32),
        "same.weight": rng.normal(size=(6, 7)).astype(np.float32),
        "nan.weight": rng.normal(size=(5, 5)).astype(np.float32),
        "turned.weight": rng.normal(size=(4, 11)).astype(np.float32),
        "shape.weight": np.ones((3, 3), np.float32),
        "old.weight": np.ones((2, 17), np.float32),
        "from_zero.bias": np.zeros(4, np.float32),
        "scalar": np.array(1, np.float32),
        "empty": np.zeros((0, 3), np.float32),
    }
    b = {name: v.copy() for name, v in a.items() if name != "old.weight"}
    b["big.weight"] *= np.float32(3)
    b["small.weight"][0, 0] += np.float32(0.01)
    b["nan.weight"][1, 1] = np.nan
    b["turned.weight"] = np.ascontiguousarray(a["turned.weight"].T)
    b["shape.weight"] = np.ones((3, 4), np.float32)
    b["from_zero.bias"][1] = 2
    b["new.weight"] = np.ones((19, 2), np.float32)
    paths = [write_safetensors(tmp_path / f"{n}.safetensors", v) for n, v in (("a", a), ("b", b))]
    return paths[0], paths[1], a, b


def test_document_against_numpy(pair: tuple[Path, Path, Arrays, Arrays], run: Run) -> None:
    path_a, path_b, a, b = pair
    found = run("diff", path_a, path_b, "--json")
    assert found.code == 1
    document = found.document
    assert list(document)[:6] == ["schema", "a", "b", "warnings", "totals", "tensors"]
    assert (document["schema"], document["a"], document["b"]) == (1, str(path_a), str(path_b))
    tensors = {t["b"] or t["a"]: t for t in document["tensors"]}
    listed = [t["name"] for t in run("ls", path_b, "--json").document["tensors"]]
    assert [t["b"] for t in document["tensors"] if t["b"]] == listed
    assert sorted(listed) == sorted(b)
    for name, entry in tensors.items():
        assert list(entry)[: len(KEYS)] == KEYS
        if name not in b or name not in a or name == "shape.weight":
            assert [entry[k] for k in KEYS[4:]] == [False, *[None] * 7]
            continue
        values = a[name].T if name == "turned.weight" else a[name]
        expected = numbers(values, b[name])
        assert entry["identical"] == (values.tobytes() == b[name].tobytes())
        assert entry["paired_by"] == "name"
        assert entry["layout"] == ("transposed 1 0" if name == "turned.weight" else "same order")
        assert entry["changed"] == pytest.approx(expected["changed"] / max(b[name].size, 1), abs=0)
        assert (entry["sign_flips"], entry["changed_count"]) == (expected["sign_flips"], expected["changed"])
        for key, name_of in zip(KEYS[5:8], ("max_abs", "mean_abs", "relative_l2"), strict=True):
            assert_close(entry[key], expected[name_of], 1e-12)
        assert_close(entry["cosine"], expected["cosine"], 1e-12)
        assert_close(entry["ks"], expected["ks"], 1e-12)
    totals = document["totals"]
    assert (totals["pairs"], totals["different"], totals["only_a"], totals["only_b"]) == (9, 4, 1, 1)
    assert (totals["mismatched"], totals["equal"], totals["unread"], totals["same"]) == (1, 4, 0, False)
    assert totals["max_tensor"] == "big.weight"


def assert_close(found: float | None, expected: float, tolerance: float) -> None:
    """Null where the oracle's number is not finite, else as near."""
    if not np.isfinite(expected):
        assert found is None
    else:
        assert found == pytest.approx(expected, rel=tolerance, abs=tolerance)


def test_exit_codes_and_verdicts(pair: tuple[Path, Path, Arrays, Arrays], run: Run, cut: Path, tmp_path: Path) -> None:
    path_a, path_b = pair[:2]
    assert run("diff", path_a, path_b).code == 1
    same = run("diff", path_a, path_a)
    assert same.code == 0
    assert same.out.endswith("identical: 10 pairs\n")
    close = run("diff", path_a, path_b, "--select", "small.weight", "--tolerance", "0.011")
    assert close.code == 0
    assert close.out.endswith("the same within 0.011: 1 pair\n")
    assert run("diff", path_a, path_b, "--select", "small.weight", "--tolerance", "0.009").code == 1
    values = {name: np.full((10, 10), i, np.float32) for i, name in enumerate(("first", "last"))}
    unread = run("diff", write_safetensors(tmp_path / "whole.safetensors", values), cut)
    assert unread.code == 3
    assert unread.out.endswith("identical: 1 pair; 1 could not be read\n")
    assert "\nB: the file was cut off" in unread.out
    warnings = run("diff", tmp_path / "whole.safetensors", cut, "--json").document["warnings"]
    assert len(warnings) == len({(w["tensor"], w["message"]) for w in warnings}) == 2
    assert run("diff", "--structure", cut, cut).code == 3
    assert run("diff", cut, path_a).code == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["diff", BEFORE], "one model cannot be compared"),
        (["diff", BEFORE, "nowhere.keras"], "nowhere.keras"),
        (["diff", BEFORE, AFTER, "--tolerance", "-1"], "is not a number from 0 up"),
        (["diff", BEFORE, AFTER, "--tolerance", "nan"], "is not a number from 0 up"),
        (["diff", BEFORE, AFTER, "--select", "conv9*"], "no tensor matches conv9*"),
        (["diff", BEFORE, AFTER, "--expect-frozen", "conv9*"], "no tensor matches conv9*"),
        (["diff", BEFORE, AFTER, BROKEN, "--expect-frozen", "*"], "for two models"),
        (["diff", BEFORE, AFTER, BROKEN, "--structure"], "for two models"),
        (["diff", BEFORE, AFTER, "--structure", "--sort", "max"], "--sort asks for values"),
        (["diff", BEFORE, AFTER, "--sort", "worst"], "invalid choice"),
    ],
)
def test_bad_usage_is_one_line(arguments: list[Any], said: str, run: Run) -> None:
    found = run(*arguments)
    assert (found.code, found.out) == (2, "")
    assert said in found.err
    assert found.err.count("\n") == 1


def test_worst_first_and_depth_order(pair: tuple[Path, Path, Arrays, Arrays], run: Run) -> None:
    def order(*options: str) -> list[str]:
        lines = run("diff", *pair[:2], *options).out.split("\n")
        start = next(i for i, line in enumerate(lines) if line.startswith("tensor"))
        return [line.split()[0] for line in lines[start + 1 : lines.index("", start)]]

    worst = ["nan.weight", "big.weight", "small.weight", "from_zero.bias"]
    assert order()[:4] == worst
    assert sorted(order()) == sorted(order("--sort", "depth"))
    depth = [n for n in order("--sort", "depth") if "." in n]
    assert depth[:3] == ["big.weight", "small.weight", "same.weight"]
    assert order("--sort", "max")[0] == "big.weight"
    assert order("--changed") == worst
    documents = run("diff", *pair[:2], "--json", "--sort", "change", "--changed").document
    assert [t["b"] for t in documents["tensors"]][:4] == worst


def test_the_text_says_what_was_paired_how_and_what_was_not(pair: tuple[Path, Path, Arrays, Arrays], run: Run) -> None:
    text = run("diff", *pair[:2]).out
    assert "9 pairs: all by name\n" in text
    assert "other layouts, A's axes in B's order: 1 transposed 1 0" in text
    assert "only in A: 1 tensor\n  old.weight  2×17\n" in text
    assert "only in B: 1 tensor\n  new.weight  19×2\n" in text
    assert "shapes do not fit: 1 tensor\n  shape.weight: 3×3 in A, 3×4 in B\n" in text
    assert "1 new" in text
    assert "from_zero.bias  was all 0" in text
    assert "small.weight  of 8: 0 (100 %); half of it in 1\n" in text
    assert "big.weight  of" not in text
    assert "change by depth" in text
    assert text.endswith("different: 4 of 8 pairs differ, 1 with other shapes, 1 only in A, 1 only in B\n")
    assert "change by depth" not in run("diff", *pair[:2], "--no-plot").out


def test_reasons_of_pairs_and_prefixes_are_shown(tmp_path: Path, run: Run) -> None:
    rng = np.random.default_rng(8)
    a = {f"layer{i}.weight": rng.normal(size=(5, 5 + i)).astype(np.float32) for i in range(3)}
    b = {f"model.{name}": v + 1 for name, v in a.items()}
    paths = [write_safetensors(tmp_path / f"{n}.safetensors", v) for n, v in (("a", a), ("b", b))]
    text = run("diff", *paths).out
    assert "3 pairs: 3 by prefix (same name but for a prefix)" in text
    assert "prefix `model.` of B's names is seen through" in text
    row = next(line for line in text.split("\n") if line.startswith("model.layer1.weight"))
    assert row.split()[-2:] == ["prefix", "layer1.weight"]
    other = {f"part{n}.w": v for n, v in zip("xyz", a.values(), strict=True)}
    text = run("diff", paths[0], write_safetensors(tmp_path / "c.safetensors", other)).out
    assert "3 by content (small tensors of both layers hold the same values)" in text
    assert text.endswith("identical: 3 pairs\n")


def test_two_models_with_nothing_in_common_are_one_sentence(tmp_path: Path, run: Run) -> None:
    one = write_safetensors(tmp_path / "a.safetensors", {"a": np.ones((3, 5), np.float32)})
    two = write_safetensors(tmp_path / "b.safetensors", {"b": np.ones((2, 2), np.float32)})
    found = run("diff", one, two)
    assert found.code == 1
    said = "nothing in common: A has 1 tensor, B 1, and none of them stand for each other"
    assert found.out.rstrip().split("\n")[-1] == said
    assert run("diff", one, two, "--json").document["totals"]["pairs"] == 0
    several = run("diff", one, two, one)
    assert several.code == 1
    assert "B b.safetensors  nothing in common" in several.out
    assert "C a.safetensors  identical: 1 pair" in several.out


def test_more_than_two_models_share_one_table_and_plots_stand_side_by_side(run: Run) -> None:
    found = run("diff", BEFORE, RUN / "epoch-2.keras", AFTER, BROKEN)
    lines = found.out.split("\n")
    assert found.code == 1
    header = next(i for i, line in enumerate(lines) if line.startswith("tensor"))
    assert [w for w in lines[header].split() if w.endswith(".keras")] == [
        "epoch-2.keras", "epoch-4.keras", "epoch-5.keras",
    ]  # fmt: skip
    rows = {line.split()[0]: line.split()[2:] for line in lines[header + 1 : lines.index("", header)]}
    documents = [run("diff", BEFORE, RUN / f"epoch-{n}.keras", "--json").document["tensors"] for n in (2, 4)]
    for first, second in zip(*documents, strict=True):
        shown = rows[first["b"]]
        assert [float(s) for s in shown[:2]] == pytest.approx([first["relative_l2"], second["relative_l2"]], rel=1e-3)
        assert shown[2] == "NaN/Inf"
    assert any(line.startswith("B epoch-2.keras") and "C epoch-4.keras" in line for line in lines)
    assert "no finite change to draw" in found.out


def test_rows_of_several_models_are_those_of_the_first(tmp_path: Path, run: Run) -> None:
    rng = np.random.default_rng(10)
    a = {f"part{i}.weight": rng.normal(size=(4, 4 + i)).astype(np.float32) for i in range(3)}
    b = {f"model.{name}": v * 2 for name, v in a.items()}
    paths = [write_safetensors(tmp_path / f"{n}.safetensors", v) for n, v in (("a", a), ("b", b))]
    lines = run("diff", *paths, paths[0], "--no-plot").out.split("\n")
    for name in ("part1.weight", "part1"):
        [row] = [line.split() for line in lines if line.split()[:1] == [name]]
        assert row[-2:] == ["1.000", "identical"]


def test_documents_of_more_than_two_models(run: Run) -> None:
    two = run("diff", BEFORE, AFTER, "--json").document
    three = run("diff", BEFORE, AFTER, BROKEN, "--json").document
    assert (three["schema"], three["a"]) == (1, str(BEFORE))
    assert three["comparisons"][0] == two
    assert [d["b"] for d in three["comparisons"]] == [str(AFTER), str(BROKEN)]
    table = list(csv.DictReader(io.StringIO(run("diff", BEFORE, AFTER, BROKEN, "--csv").out)))
    assert [row["model"] for row in table] == [str(AFTER)] * 8 + [str(BROKEN)] * 8


def test_csv_holds_the_document(pair: tuple[Path, Path, Arrays, Arrays], run: Run) -> None:
    document = run("diff", *pair[:2], "--json").document
    rows = list(csv.DictReader(io.StringIO(run("diff", *pair[:2], "--csv").out)))
    assert list(rows[0])[: len(KEYS)] == KEYS
    for row, entry in zip(rows, document["tensors"], strict=True):
        assert (row["a"], row["b"]) == (entry["a"] or "", entry["b"] or "")
        for key in KEYS[5:]:
            assert row[key] == ("" if entry[key] is None else repr(entry[key]))
    turned = next(r for r in rows if r["b"] == "turned.weight")
    assert (turned["a_shape"], turned["b_shape"], turned["identical"]) == ("4x11", "11x4", "true")


def test_ascii_and_widths(run: Run, terminal: Callable[[int], None], pair: tuple[Path, Path, Arrays, Arrays]) -> None:
    for paths in ((BEFORE, AFTER), (BEFORE, AFTER, BROKEN), pair[:2]):
        assert run("diff", *paths, "--ascii").out.isascii()
        for width in (80, 120):
            terminal(width)
            lines = run("diff", *paths).out.split("\n")
            path_width = max(len(str(p)) for p in paths) + 60
            head = lines.index("")
            assert max(map(len, lines[:head])) <= path_width
            assert max(map(len, lines[head:])) <= width


def test_names_from_files_are_escaped(tmp_path: Path, run: Run) -> None:
    evil = "w\x1b[31m\u202e"
    one, two = ({evil: np.full((2, 2), i, np.float32), f"only{i}\x07": np.ones(3, np.float32)} for i in (1, 2))
    paths = [write_safetensors(tmp_path / f"{i}.safetensors", v) for i, v in enumerate((one, two))]
    for extra in ([], [paths[0]], ["--structure"], ["--csv"]):
        out = run("diff", *paths, *extra).out
        assert not {"\x1b", "\x07", "\u202e"} & set(out)
        assert "only1\\x07" in out


def test_progress_is_told_in_a_terminal_only(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("diff", BEFORE, AFTER).err == ""
    monkeypatch.setattr(status, "SHOW_AFTER", -1)
    monkeypatch.setattr(status, "REDRAW_EVERY", -1)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    told = run("diff", BEFORE, AFTER).err
    assert "%" in told
    assert told.endswith("\r\x1b[K")


def test_expectations_of_frozen_layers(tmp_path: Path, run: Run) -> None:
    rng = np.random.default_rng(9)
    names = ["backbone.conv.weight", "backbone.bn.running_mean", "head.a.weight", "head.b.weight", "head.b.bias"]
    a = {name: rng.normal(size=(6, 6)).astype(np.float32) for name in names}

    def after(*moved: str) -> Path:
        values = {n: v + 1 if n in moved else v for n, v in a.items()}
        return write_safetensors(tmp_path / f"{len(moved)}{hash(moved)}.safetensors", values)

    before = write_safetensors(tmp_path / "a.safetensors", a)
    held = run("diff", before, after("head.a.weight", "head.b.weight"), "--expect-frozen", "backbone.*")
    assert held.code == 0
    assert held.out.endswith("as expected: 2 of 2 frozen tensors stayed as they were, 2 of 2 other layers moved\n")
    moved = run("diff", before, after("head.a.weight", "head.b.bias", names[1]), "--expect-frozen", "backbone.*")
    assert moved.code == 1
    assert "✗ frozen, but moved  backbone.bn.running_mean  change" in moved.out
    still = run("diff", before, after("head.a.weight"), "--expect-frozen", "backbone.*")
    assert still.code == 1
    assert "✗ trained, but did not move  head.b\n" in still.out
    two = ["--expect-frozen", "backbone.*", "--expect-frozen", "head.b*"]
    assert run("diff", before, after("head.a.weight"), *two).code == 0
    document = run("diff", before, after("head.a.weight", names[0]), *two, "--json").document["expect_frozen"]
    assert (document["holds"], document["moved"], document["trained"]) == (False, [names[0]], ["head.a"])
    near = run("diff", before, after("head.a.weight", names[0]), *two, "--tolerance", "2")
    assert "trained, but did not move  head.a" in near.out
    assert "frozen, but moved" not in near.out


def test_a_frozen_tensor_that_cannot_be_read_leaves_it_open(tmp_path: Path, run: Run) -> None:
    values = {name: np.ones((10, 10), np.float32) for name in ("head", "backbone")}
    one = write_safetensors(tmp_path / "a.safetensors", values)
    two = write_safetensors(tmp_path / "b.safetensors", {"head": values["head"] * 2, "backbone": values["backbone"]})
    assert run("diff", one, two, "--expect-frozen", "backbone").code == 0
    two.write_bytes(two.read_bytes()[:-40])
    found = run("diff", one, two, "--expect-frozen", "backbone")
    assert found.code == 3
    assert "⚠ frozen, not read  backbone" in found.out


def test_a_folder_with_one_model_is_that_model(tmp_path: Path, run: Run) -> None:
    shutil.copy(BEFORE, tmp_path / "only.keras")
    assert run("diff", BEFORE, tmp_path).code == 0
