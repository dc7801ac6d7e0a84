"""PyTorch files written by hand: containers, views, ties, modules, checkpoints, damage, and pickles that would run."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.formats import torch_files as tf
from tests.formats.torch_files import (
    ARRAYS,
    CONTAINERS,
    Call,
    Global,
    Pid,
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
from wtui.formats.probe import Probe
from wtui.formats.torch_file import catalogue as describe

if TYPE_CHECKING:
    from pathlib import Path


# Containers


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("suffix", [".pt", ".bin", ".weights", ".h5"])
def test_a_state_dict_whatever_it_is_called(tmp_path: Path, container: str, suffix: str) -> None:
    found = opened(tmp_path / f"a{suffix}", CONTAINERS[container](*state_dict(ARRAYS)))
    order = ["empty", *(n for n in ARRAYS if n != "empty")]
    assert [t.name for t in found.tensors] == order
    assert [c.name for c in found.root.children] == ["conv", "norm", "head"]
    for name, array in values(found).items():
        assert array.dtype == ARRAYS[name].dtype
        assert array.shape == ARRAYS[name].shape
        assert array.tobytes() == ARRAYS[name].tobytes()
    assert {t.role for t in found.tensors} == {"weight", "bias", "num_batches_tracked", "mask", "empty"}
    assert {t.trainable for t in found.tensors} == {None}
    assert found.warnings == ()


def test_opening_reads_no_weights(tmp_path: Path) -> None:
    value, stores = state_dict({f"layers.{i}.weight": np.ones((512, 512), "f4") for i in range(20)})
    for container in CONTAINERS.values():
        path = tmp_path / "a.pt"
        path.write_bytes(container(value, stores))
        probe = Probe(str(path))
        assert len(describe(probe).tensors) == 20
        assert probe.bytes_read < 64_000


def test_opening_imports_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(zip_file(*state_dict(ARRAYS)))
    code = (
        "import sys; from wtui.formats import open_catalogue; open_catalogue(sys.argv[1]);"
        "print(sorted({'numpy', 'torch', 'pickle', 'zipfile', 'dataclasses'} & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.pt")], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"


def test_deflated_members_are_inflated(tmp_path: Path) -> None:
    found = opened(tmp_path / "a.pt", zip_file(*state_dict(ARRAYS), method=zipfile.ZIP_DEFLATED))
    for name, array in values(found).items():
        assert array.tobytes() == ARRAYS[name].tobytes()


def test_byte_order_and_prefix(tmp_path: Path) -> None:
    swapped = {n: a.astype(a.dtype.newbyteorder(">")) for n, a in ARRAYS.items()}
    data = zip_file(*state_dict(swapped), records={"byteorder": b"big"}, prefix="some/deep name")
    found = opened(tmp_path / "a.pt", data)
    for name, array in values(found).items():
        assert array.tobytes() == ARRAYS[name].tobytes()
    assert found.metadata["file"]["byte order"] == "big"


def test_a_tar_of_the_first_pytorch_says_how_to_convert_it(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            archive.addfile(tarfile.TarInfo(name))
    with pytest.raises(FormatError, match=r"PyTorch 0\.1.*save it again"):
        opened(tmp_path / "a.pt", out.getvalue())


def test_a_legacy_storage_that_is_a_part_of_another(tmp_path: Path) -> None:
    base = floats("1", 10)
    whole = tensor(base, (10,))
    part = tensor(base, (4,), numel=10, extra=(("2", 3, 4),))
    found = opened(tmp_path / "a.pt", legacy_file(ordered({"whole": whole, "part": part}), [base]))
    assert values(found)["part"].tolist() == [3, 4, 5, 6]


# Views and ties


def test_views_and_what_leads_out_of_a_storage(tmp_path: Path) -> None:
    base = floats("0", 6, 4)
    cases = {
        "turned": tensor(base, (4, 6), (1, 4)),
        "column": tensor(base, (6,), (4,), 2),
        "tail": tensor(base, (2, 4), None, 16),
        "repeated": tensor(base, (3, 4), (0, 1)),
        "too long": tensor(base, (7, 4)),
        "behind": tensor(base, (2,), (1,), 23),
        "before": tensor(base, (2,), (1,), -1),
        "backwards": tensor(base, (4,), (-1,), 3),
        "escapes": tensor(base, (3, 4), (16, 1)),
        "ranks": tensor(base, (2, 2), (1,)),
        "axes": tensor(base, (1,) * 65, (1,) * 65),
        "negative": tensor(base, (-2, -3), (3, 1)),
        "negative too": tensor(base, (-2, -3), (-3, 1)),
        "huge": tensor(base, (2**40, 2**40), (2**40, 1)),
        "repeats for ever": tensor(base, (2**40, 4), (0, 1)),
    }
    found = opened(tmp_path / "a.pt", zip_file(ordered(cases), [base]))
    assert [t.name for t in found.tensors] == list(cases)
    good = values(found)
    array = base.data
    assert set(good) == {"turned", "column", "tail", "repeated"}
    np.testing.assert_array_equal(good["turned"], array.T)
    np.testing.assert_array_equal(good["column"], array[:, 2])
    np.testing.assert_array_equal(good["tail"], array[4:])
    np.testing.assert_array_equal(good["repeated"], np.broadcast_to(array[0], (3, 4)))
    assert "outside its storage" in found["too long"].problem
    assert "again and again" in found["repeats for ever"].problem


def test_only_the_same_view_is_an_alias(tmp_path: Path) -> None:
    base, other = floats("0", 4, 4), floats("1", 4, 4)
    value = ordered({
        "a": tensor(base), "same": tensor(base), "turned": tensor(base, (4, 4), (1, 4)), "rows": tensor(base, (2, 4)),
        "other": tensor(other),
    })  # fmt: skip
    found = opened(tmp_path / "a.pt", zip_file(value, [base, other]))
    assert {t.name: t.alias_of for t in found.tensors if t.alias_of} == {"same": "a"}
    assert {w.tensor for w in found.warnings} == {"turned", "rows"}
    assert all("another view of the bytes of" in w.message for w in found.warnings)


# What pickles hold


@pytest.mark.parametrize("container", CONTAINERS)
def test_modules_keep_classes_settings_and_flags(tmp_path: Path, container: str) -> None:
    first, a = linear("torch.nn.modules.linear.Linear", 10, 3, 4)
    second, b = linear("torch.nn.modules.linear.Linear", 20, 2, 3, grad=False)
    count = Stored("30", np.array(3))
    norm = tf.module("torch.nn.modules.batchnorm.BatchNorm1d", {"weight": None}, {"num_batches_tracked": tensor(count)})
    act = tf.module("torch.nn.modules.activation.ReLU", inplace=True)
    root = tf.module("shop.models.Net", modules={"z": first, "act": act, "norm": norm, "a": second, "gone": None})
    if container == "legacy":
        root.args = (Pid(("module", root.args[0], "models.py", "class Net: pass")),)
    found = opened(tmp_path / "a.pt", CONTAINERS[container](root, [*a, *b, count]))
    nodes = {n.path: n for n in found.root.walk()}
    assert {p: n.class_name for p, n in nodes.items()} == {
        "": "Net", "z": "Linear", "act": "ReLU", "norm": "BatchNorm1d", "a": "Linear",
    }  # fmt: skip
    assert list(nodes) == ["", "z", "act", "norm", "a"]
    assert nodes["z"].config == {"training": True, "in_features": 4, "out_features": 3}
    assert nodes["act"].config["inplace"] is True
    flags = {t.name: t.trainable for t in found.tensors}
    assert flags == {
        "z.weight": True, "z.bias": True, "norm.num_batches_tracked": False, "a.weight": False, "a.bias": False,
    }  # fmt: skip
    assert (found.totals().trainable, found.totals().non_trainable) == (15, 8)


def test_torchscript_has_a_tree_of_classes_and_its_code_is_not_looked_at(tmp_path: Path) -> None:
    weight, constant = floats("0", 2, 3), floats("0", 5)
    layer = tf.script("torch.nn.modules.linear.Linear", training=False, weight=tensor(weight, grad=True))
    root = tf.script(
        "net.___torch_mangle_3.Net", training=False, first=layer, act=tf.script("net.ReLU", training=False)
    )
    records = {
        "constants.pkl": tf.pickled((tensor(constant),)), "constants/0": constant.data.tobytes(),
        "code/__torch__/net.py": b"import os; os.system('touch /tmp/never')",
    }  # fmt: skip
    found = opened(tmp_path / "a.jit", zip_file(root, [weight], records=records))
    assert found.format == "TorchScript version 3"
    assert [(n.path, n.class_name) for n in found.root.walk()] == [
        ("", "Net"), ("first", "Linear"), ("act", "ReLU"), ("constants", ""),
    ]  # fmt: skip
    assert found["first.weight"].trainable is True
    assert found["constants.0"].group == "state"
    np.testing.assert_array_equal(values(found)["constants.0"], constant.data)


def test_checkpoints_are_taken_apart(tmp_path: Path) -> None:
    value, stores = state_dict(
        {"a.weight": np.ones((2, 3), "f4"), "a.bias": np.zeros(2, "f4"), "n.running_mean": np.ones(2, "f4")}
    )
    slots = [floats(f"s{i}", *s) for i, s in enumerate([(2, 3), (2,)])]
    rng = Stored("rng", np.zeros(16, "u1"))
    optimizer = {
        "state": {i: {"exp_avg": tensor(s), "step": 4} for i, s in enumerate(slots)},
        "param_groups": [{"lr": 0.1, "betas": (0.9, 0.999), "params": [0, 1]}],
    }
    checkpoint = {
        "epoch": 7, "state_dict": value, "optimizer": optimizer, "rng_state": tensor(rng),
        "hyper_parameters": {"width": 3, "path": Call(Global("pathlib", "PosixPath"), ("/", "data", "x"))},
        "args": Call(Global("argparse", "Namespace"), (), {"lr": 0.5, "flag": None}),
    }  # fmt: skip
    found = opened(tmp_path / "a.ckpt", zip_file(checkpoint, [*stores, *slots, rng]))
    assert [(t.name, t.group) for t in found.tensors] == [
        ("a.weight", "model"), ("a.bias", "model"), ("n.running_mean", "model"), ("state.rng_state", "state"),
        ("optimizer.a.weight.exp_avg", "optimizer"), ("optimizer.a.bias.exp_avg", "optimizer"),
    ]  # fmt: skip
    assert found["a.weight"].trainable is True
    assert found["n.running_mean"].trainable is None
    assert found.totals().parameters == 10
    facts = found.metadata["checkpoint"]
    assert facts["epoch"] == 7
    assert facts["hyper_parameters"] == {"width": 3, "path": "/data/x"}
    assert facts["args"] == {"class": "argparse.Namespace", "lr": 0.5, "flag": None}
    assert found.metadata["file"]["model key"] == "state_dict"
    json.dumps(found.metadata, allow_nan=False)


def test_placeholders_of_zero_are_named_as_such(tmp_path: Path) -> None:
    stores = [Stored(str(i), np.zeros(0, "f2")) for i in range(4)]
    value = {"module": ordered({f"l{i}.weight": tensor(s) for i, s in enumerate(stores)}), "ds_version": "0.14"}
    found = opened(tmp_path / "zero_pp_rank_0_mp_rank_00_model_states.pt", zip_file(value, stores))
    assert any("placeholders" in w.message and "folder" in w.message for w in found.warnings)


def test_names_are_data(tmp_path: Path) -> None:
    names = [
        "\x1b[31mred",
        "[bold]x",
        "a\nb",
        "\u202eabc",
        "",
        ".",
        "a..b",
        "x" * 5000,
        "." * 300,
        "é\udcff",
        "a",
        "a.b",
    ]
    value, stores = state_dict({f"{n}": np.full(2, i, "f4") for i, n in enumerate(names) if "\udcff" not in n})
    found = opened(tmp_path / "a.pt", zip_file(value, stores))
    assert len({t.name for t in found.tensors}) == len(stores)
    assert sorted(v[0] for v in values(found).values()) == [i for i, n in enumerate(names) if "\udcff" not in n]
    for i, t in enumerate(found.tensors):
        assert found.index(t.name) == i
        assert t.name.startswith(t.layer)


def test_keys_that_come_twice_and_names_that_meet(tmp_path: Path) -> None:
    stores = [floats(str(i), 2) for i in range(3)]
    value = ordered({"a.b": tensor(stores[0]), "a": {"b": tensor(stores[1])}, 3: tensor(stores[2])})
    found = opened(tmp_path / "a.pt", zip_file(value, stores))
    assert sorted(t.name for t in found.tensors) == ["3", "a.b", "a.b#2"]


def test_arguments_that_make_no_sense_are_listed(tmp_path: Path) -> None:
    rebuild = Global("torch._utils", "_rebuild_tensor_v2")
    ghost = Pid(("storage", Global("torch", "FloatStorage"), "ghost", "cpu", 4))
    float9 = Global("torch", "float9")
    cases: dict[str, Any] = {
        "none": Call(rebuild, ()),
        "text": Call(rebuild, ("x", "y", "z", 1, 2, 3)),
        "ghost": Call(rebuild, (ghost, 0, (2, 2), (2, 1), False, ordered({}))),
        "huge": Call(rebuild, (ghost, 2**70, (2**70,), (1,), False, ordered({}))),
        "v3": Call(Global("torch._utils", "_rebuild_tensor_v3"), (ghost, 0, (1,), (1,), False, {}, float9)),
        "parameter": Call(Global("torch._utils", "_rebuild_parameter"), ({}, True, {})),
        "qtensor": Call(Global("torch._utils", "_rebuild_qtensor"), (1, 2, 3, 4, 5, 6, 7)),
        "wrapper": Call(
            Global("torch._utils", "_rebuild_wrapper_subclass"),
            (Global("x", "DTensor"), Global("torch", "float32"), (3,), (1,), 0, 0, 0, False),
        ),
    }
    found = opened(tmp_path / "a.pt", zip_file({"w": tensor(floats("0", 2)), **cases}, [floats("0", 2)]))
    assert {t.name for t in found.tensors} == {"w", *cases} - {"parameter"}
    assert all(t.problem for t in found.tensors if t.name != "w")
    assert "archive has no" in found["ghost"].problem
    assert "DTensor" in found["wrapper"].problem
