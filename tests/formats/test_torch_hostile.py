"""PyTorch files that mean harm or are damaged: pickles that would run, shapes without end, lies, bombs, mutations."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.formats import torch_files as tf
from tests.formats.fuzzing import check_mutations, check_opens_or_refuses
from tests.formats.torch_files import (
    ARRAYS,
    CONTAINERS,
    Call,
    Global,
    Stored,
    floats,
    legacy_file,
    linear,
    opened,
    ordered,
    state_dict,
    tensor,
    values,
    zip_file,
)
from wtui.errors import FormatError
from wtui.formats import open_catalogue
from wtui.formats.probe import Probe
from wtui.formats.torch_file import catalogue as describe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def evil(touched: Path) -> Call:
    return Call(Global("os", "system"), (f"touch {touched}",))


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_pickle_that_would_run_is_named_and_runs_nothing(tmp_path: Path, container: str) -> None:
    touched, stored = tmp_path / "touched", floats("0", 2)
    value = ordered({"w": tensor(stored), "x": evil(touched), "y": Call(Global("builtins", "eval"), ("1/0",))})
    found = opened(tmp_path / "a.pt", CONTAINERS[container](value, [stored]))
    assert [t.name for t in found.tensors] == ["w"]
    assert not touched.exists()
    assert any("os.system, builtins.eval" in w.message and "runs nothing" in w.message for w in found.warnings)


def nested(depth: int) -> bytes:
    return b"\x80\x02" + b"}X\x01\x00\x00\x00a" * depth + b"}" + b"s" * depth + b"."


def laughs(stored: Stored) -> bytes:
    """A dictionary of a dictionary, each twice, forty deep: 2**40 paths to one tensor."""
    value: Any = {"w": tensor(stored)}
    for _ in range(40):
        value = {"a": value, "b": value}
    return tf.pickled(value)


def loop() -> bytes:
    return b"\x80\x02}q\x00X\x01\x00\x00\x00aq\x01h\x00s."


def modules_that_share(depth: int) -> bytes:
    value: Any = linear("a.B", 0, 2, 2)[0]
    for _ in range(depth):
        value = tf.module("a.B", modules={"x": value, "y": value})
    return tf.pickled(value)


@pytest.mark.parametrize(
    "data",
    [nested(200_000), laughs(floats("0", 2)), loop(), modules_that_share(40), b"\x80\x02]" + b"2\x86" * 100_000 + b"."],
    ids=["nested", "laughs", "loop", "shared modules", "tuples"],
)
def test_shapes_of_pickles_that_never_end(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.pt").write_bytes(zip_file(data, [floats("0", 2, 2), floats("1", 2)]))
    found = check_opens_or_refuses(tmp_path / "a.pt")
    assert found is not None
    json.dumps(found.metadata, allow_nan=False)


def many_optimizers() -> bytes:
    """Thousands of states of optimizers, each for every parameter."""
    state = {"state": {0: {"exp_avg": tensor(floats("0", 2, 2))}}, "param_groups": [{"params": [0]}]}
    model = {f"w{i}": tensor(floats("0", 2, 2)) for i in range(500)}
    return tf.pickled({"model": model, "optimizers": [dict(state) for _ in range(5_000)]})


def many_views() -> bytes:
    """Thousands of different views that all begin at the same byte."""
    stored = floats("0", 2, 2)
    return tf.pickled({f"w{i}": tensor(stored, (1, 1), (i, i)) for i in range(3_000)})


def many_parts() -> bytes:
    """Thousands of parts that share one long list without a tensor."""
    shared = list(range(5_000))
    return tf.pickled({f"part{i}": shared for i in range(20_000)} | {"w": tensor(floats("0", 2, 2))})


@pytest.mark.parametrize("data", [many_optimizers, many_views, many_parts])
def test_work_stays_in_proportion(tmp_path: Path, data: Callable[[], bytes]) -> None:
    (tmp_path / "a.pt").write_bytes(zip_file(data(), [floats("0", 2, 2)]))
    found = check_opens_or_refuses(tmp_path / "a.pt")
    assert found is not None
    assert found.tensors


def test_an_archive_with_lies(tmp_path: Path) -> None:
    stored = floats("0", 4)
    honest = zip_file(ordered({"w": tensor(stored)}), [stored])
    for path in ("../../etc/passwd", "/etc/passwd", "data/../../0"):
        value = ordered({"w": tensor(Stored(path, stored.data))})
        found = opened(tmp_path / "a.pt", zip_file(value, [stored]))
        assert "archive has no" in found["w"].problem
    with pytest.raises(FormatError, match=r"without a data\.pkl"):
        describe(Probe(str(opened_path(tmp_path / "b.pt", honest.replace(b"data.pkl", b"data.pxl")))))


def opened_path(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_what_is_cut_off_anywhere(tmp_path: Path) -> None:
    value, stores = state_dict(ARRAYS)
    for container in CONTAINERS.values():
        data = container(value, stores)
        for end in range(0, len(data), 37):
            (tmp_path / "a.pt").write_bytes(data[:end])
            found = check_opens_or_refuses(tmp_path / "a.pt")
            for name, array in values(found).items() if found else ():
                assert array.tobytes() == ARRAYS[name].tobytes()


def test_a_deflated_bomb_is_refused(tmp_path: Path) -> None:
    data = bytearray(zip_file(*state_dict(ARRAYS), method=zipfile.ZIP_DEFLATED))
    at = data.index(b"PK\1\2")
    data[at + 24 : at + 28] = (0xFFFFFF00).to_bytes(4, "little")
    (tmp_path / "a.pt").write_bytes(data)
    with pytest.raises(Exception, match="inflate") as told:
        open_catalogue(str(tmp_path / "a.pt"))
    assert "\n" not in str(told.value)


def small_files() -> dict[str, bytes]:
    """One small file of each kind, for damage."""
    value, stores = state_dict(ARRAYS)
    checkpoint = {"epoch": 1, "state_dict": value, "optimizer": {"state": {}, "param_groups": [{"params": [0]}]}}
    weight = floats("0", 2, 3)
    layer = tf.script("torch.nn.Linear", training=False, weight=tensor(weight, grad=True))
    records = {"constants.pkl": tf.pickled(()), "code/x.py": b""}
    return {
        "zip": zip_file(checkpoint, stores),
        "deflated": zip_file(value, stores, method=zipfile.ZIP_DEFLATED),
        "legacy": legacy_file(checkpoint, stores),
        "script": zip_file(tf.script("net.Net", first=layer), [weight], records=records),
    }


@pytest.mark.parametrize("kind", ["zip", "deflated", "legacy", "script"])
def test_damage(tmp_path: Path, kind: str) -> None:
    assert check_mutations(tmp_path / "a.pt", small_files()[kind], 500, "torch") > 100
