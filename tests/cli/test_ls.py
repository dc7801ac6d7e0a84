"""`wtui ls`: the listing for eyes, and the documents for scripts."""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING

import pytest

from tests.builders import write_safetensors
from tests.cli.conftest import DEMO, Run
from wtui.cli import output
from wtui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np

RUN = DEMO / "digits-run" / "epoch-4.keras"

IDENTITY = [
    "name", "layer", "layer_class", "role", "shape", "dtype", "encoding", "values", "count", "bytes", "trainable",
    "alias_of",
]  # fmt: skip

AT_80 = """\
layer / tensor   class / shape  dtype    parameters    bytes  trainable
conv1            Conv2D                          80    320 B
  conv1/kernel   3×3×1×8        float32          72    288 B  yes
  conv1/bias     8              float32           8     32 B  yes
conv2            Conv2D                       1,168   4.7 kB
  conv2/kernel   3×3×8×16       float32       1,152   4.6 kB  yes
  conv2/bias     16             float32          16     64 B  yes
pool             MaxPooling2D                     0      0 B
flatten          Flatten                          0      0 B
hidden           Dense                        2,080   8.3 kB
  hidden/kernel  64×32          float32       2,048   8.2 kB  yes
  hidden/bias    32             float32          32    128 B  yes
digits           Dense                          330   1.3 kB
  digits/kernel  32×10          float32         320   1.3 kB  yes
  digits/bias    10             float32          10     40 B  yes
optimizer        SGD                          3,660  14.6 kB

Total params: 3,658 (14.6 kB)
Trainable params: 3,658 (14.6 kB)
Non-trainable params: 0 (0 B)
Optimizer params: 3,660 (14.6 kB)
"""

AT_46 = """\
layer / tensor   class / shape  parameters
conv1            Conv2D                 80
  conv1/kernel   3×3×1×8                72
"""


def listed(out: str) -> str:
    """The listing without its first line, which holds a path."""
    return out.split("\n", 2)[2]


def test_listing_at_80_columns(run: Run, terminal: Callable[[int], None]) -> None:
    terminal(80)
    done = run("ls", RUN)
    assert (done.code, done.err) == (0, "")
    assert done.out.split("\n")[0] == f"{RUN}  Keras 3.15.1  Sequential"
    assert listed(done.out) == AT_80


def test_wide_terminals_and_pipes_leave_nothing_out(run: Run, terminal: Callable[[int], None]) -> None:
    piped = run("ls", RUN).out
    assert "  14.6 kB             10 tensors, not counted below\n" in piped
    terminal(120)
    assert run("ls", RUN).out == piped


def test_narrow_terminals_lose_columns_before_names(run: Run, terminal: Callable[[int], None]) -> None:
    terminal(46)
    lines = listed(run("ls", RUN).out).split("\n")
    assert "\n".join(lines[:3]) + "\n" == AT_46
    assert all(len(line) <= 46 for line in lines)


def test_long_names_are_cut_at_the_beginning_in_terminals_only(
    run: Run, terminal: Callable[[int], None], tmp_path: Path
) -> None:
    import numpy as np

    name = "encoder." + "very_" * 20 + "long.weight"
    path = write_safetensors(tmp_path / "m.safetensors", {name: np.zeros(3, np.float32)})
    piped = run("ls", path).out
    assert f"  {name}  3  " in piped
    assert max(len(line) for line in listed(piped).split("\n") if name not in line) < 180
    terminal(80)
    out = run("ls", path).out
    assert name not in out
    assert "…" in out
    assert "_long.weight" in out
    assert max(map(len, listed(out).split("\n"))) <= 80


def test_ascii(run: Run) -> None:
    out = run("ls", RUN, "--ascii").out
    assert out.isascii()
    assert "3x3x8x16" in out


def test_what_the_file_does_not_say_is_said(run: Run, small: Path) -> None:
    out = run("ls", small).out
    assert "Total params: 121,770 (" in out
    assert "Trainable or not: 121,770 (485.5 kB), the file does not say" in out
    assert "Trainable params" not in out


def test_json_is_the_stable_document(run: Run, small: Path, arrays: dict[str, np.ndarray]) -> None:
    done = run("ls", small, "--json")
    document = done.document
    assert done.code == 0
    assert list(document) == ["schema", "path", "format", "warnings", "totals", "tensors", "tree"]
    assert document["schema"] == 1
    assert document["path"] == str(small)
    assert document["format"] == "safetensors"
    assert document["warnings"] == []
    assert document["totals"] == {
        "tensors": 8, "parameters": sum(v.size for v in arrays.values()), "trainable": None, "non_trainable": None,
        "bytes": sum(v.nbytes for v in arrays.values()),
    }  # fmt: skip
    entries = {t["name"]: t for t in document["tensors"]}
    assert entries.keys() == arrays.keys()
    for name, values in arrays.items():
        assert list(entries[name]) == IDENTITY
        assert entries[name]["shape"] == list(values.shape)
        assert entries[name]["dtype"] == str(values.dtype)
        assert (entries[name]["count"], entries[name]["bytes"]) == (values.size, values.nbytes)
        assert (entries[name]["encoding"], entries[name]["values"]) == ("raw", "raw")
        assert (entries[name]["trainable"], entries[name]["alias_of"]) == (None, None)


def test_json_of_keras_names_layers_classes_and_roles(run: Run) -> None:
    document = run("ls", RUN, "--json").document
    assert document["totals"] == {
        "tensors": 8, "parameters": 3658, "trainable": 3658, "non_trainable": 0, "bytes": 14632
    }  # fmt: skip
    first = document["tensors"][0]
    assert first == {
        "name": "conv1/kernel", "layer": "conv1", "layer_class": "Conv2D", "role": "kernel", "shape": [3, 3, 1, 8],
        "dtype": "float32", "encoding": "raw", "values": "raw", "count": 72, "bytes": 288, "trainable": True,
        "alias_of": None,
    }  # fmt: skip
    assert len(document["tensors"]) == 18  # the optimizer's slots are listed, and not in totals
    tree = document["tree"]
    assert list(tree) == ["name", "class", "parameters", "tensors", "children"]
    assert (tree["name"], tree["class"], tree["parameters"]) == ("digits", "Sequential", 3658)
    assert [c["name"] for c in tree["children"]] == [
        "conv1", "conv2", "pool", "flatten", "hidden", "digits", "optimizer"
    ]  # fmt: skip
    assert tree["children"][0] == {
        "name": "conv1", "class": "Conv2D", "parameters": 80, "tensors": ["conv1/kernel", "conv1/bias"], "children": []
    }  # fmt: skip


def test_every_tensor_is_once_in_the_tree(run: Run) -> None:
    document = run("ls", DEMO / "colleague.h5", "--json").document
    names: list[str] = []
    stack = [document["tree"]]
    while stack:
        node = stack.pop()
        names += node["tensors"]
        stack += node["children"]
    assert sorted(names) == sorted(t["name"] for t in document["tensors"])


def test_csv_has_a_row_for_each_tensor(run: Run, small: Path, arrays: dict[str, np.ndarray]) -> None:
    done = run("ls", small, "--csv")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert list(rows[0]) == IDENTITY
    assert {r["name"]: r["shape"] for r in rows} == {n: "x".join(map(str, v.shape)) for n, v in arrays.items()}
    assert {r["trainable"] for r in rows} == {""}
    assert "\r" not in done.out


def test_select_takes_matching_names(run: Run) -> None:
    document = run("ls", RUN, "--json", "--select", "*/kernel", "--select", "conv1/*").document
    names = [t["name"] for t in document["tensors"]]
    assert names == ["conv1/kernel", "conv1/bias", "conv2/kernel", "hidden/kernel", "digits/kernel"]
    assert document["totals"]["tensors"] == 5
    assert document["totals"]["parameters"] == sum(math.prod(t["shape"]) for t in document["tensors"])
    assert [c["name"] for c in document["tree"]["children"]] == ["conv1", "conv2", "hidden", "digits"]
    out = run("ls", RUN, "--select", "optimizer/*").out
    assert "Selected 10 of 18 tensors" in out
    assert "optimizer/iteration" in out


def test_select_of_nothing_is_an_error_with_near_names(run: Run) -> None:
    done = run("ls", RUN, "--select", "conv1/kernl*")
    assert (done.code, done.out) == (2, "")
    assert "no tensor matches conv1/kernl* (did you mean conv1/kernel" in done.err


def test_names_from_files_are_shown_and_not_obeyed(run: Run, tmp_path: Path) -> None:
    import numpy as np

    name = "a\x1b[2J\nb\u202e.weight"
    path = write_safetensors(tmp_path / "evil.safetensors", {name: np.zeros(2, np.float32)})
    out = run("ls", path).out
    assert "a\\x1b[2J\\x0ab\\u202e.weight" in out
    assert "\x1b" not in out
    table = run("ls", path, "--csv").out
    assert "\x1b" not in table
    assert len(list(csv.reader(io.StringIO(table)))) == 2
    raw = run("ls", path, "--json")
    assert "\x1b" not in raw.out
    assert raw.document["tensors"][0]["name"] == name


def test_what_cannot_be_read_is_listed_with_a_notice(run: Run, cut: Path) -> None:
    done = run("ls", cut)
    assert done.code == 3
    message = f"100 of its 400 bytes lie behind the end of {cut.name}"
    size = cut.stat().st_size
    whole = f"the file was cut off: it has {size:,} of {size + 100:,} bytes"
    assert done.out.splitlines()[1:4] == ["✗ not all of it is here:", f"  {whole}", f"  last: {message}"]
    assert "Notices" not in done.out
    assert "not readable" in done.out
    document = run("ls", cut, "--json").document
    assert document["warnings"] == [{"tensor": None, "message": whole}, {"tensor": "last", "message": message}]
    assert run("ls", cut, "--select", "first", "--json").code == 0
    assert run("ls", cut, "--select", "last", "--json").code == 3


def test_trees_deeper_than_any_model(run: Run, tmp_path: Path) -> None:
    import numpy as np

    path = write_safetensors(tmp_path / "deep.safetensors", {".".join("a" * 400): np.zeros(3, np.float32)})
    done = run("ls", path)
    assert done.code == 0
    assert "Total params: 3 (12 B)" in done.out
    (tensor,) = run("ls", path, "--json").document["tensors"]
    assert tensor["count"] == 3


def test_documents_nested_too_deep_are_refused() -> None:
    document: dict[str, object] = {}
    for _ in range(100_000):
        document = {"children": [document]}
    with pytest.raises(UsageError, match="nested too deep for JSON"):
        output.write_json({"path": "deep", "tree": document})


def test_colours_are_for_terminals_only(
    run: Run, terminal: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "\x1b" not in run("ls", RUN).out
    terminal(80)
    assert "\x1b" not in run("ls", RUN).out
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[1m" in run("ls", RUN).out
    assert "\x1b" not in run("ls", RUN, "--json").out
    monkeypatch.setenv("TERM", "dumb")
    assert "\x1b" not in run("ls", RUN).out
