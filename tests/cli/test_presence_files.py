"""Files that are not whole, format by format: what `ls` says before anything else, and what can still be read."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

import wtui
from tests.cli.conftest import DEMO, Run
from tests.cli.test_presence import POINTED, POINTER, first_lines
from wtui.formats.absent import why_absent


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin", "model.keras", "model.h5", "model.gguf"])
def test_single_files_that_are_there_by_name_only(run: Run, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    for content, said in (
        (POINTER, f": {POINTED[3:]}: fetch them with `git lfs pull`\n"),
        (b"", "an empty file (0 bytes)"),
    ):
        path.write_bytes(content)
        for command in ("ls", "stats", "check"):
            done = run(command, path)
            assert (done.code, done.out) == (2, "")
            assert said in done.err


def test_pointers_of_other_versions() -> None:
    assert why_absent(len(POINTER), POINTER).startswith(POINTED)
    assert why_absent(90, POINTER[:43]) == "is a Git LFS pointer, not the weights: fetch them with `git lfs pull`"
    assert why_absent(5_000_000, POINTER) == ""
    assert why_absent(100, b"version 2 of my notes") == ""
    evil = POINTER.replace(b"sha256", b"\x1b[31m")
    assert "\x1b" not in why_absent(len(evil), evil)


def test_a_keras_archive_that_was_cut_off(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "cut.keras"
    data = (DEMO / "healthy.keras").read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    lines = first_lines(run, path)
    assert lines[0] == "  cut off: the directory at its end is missing"
    with wtui.open(path) as model:
        assert any(not t.problem and t.array().size for t in model.tensors)


def test_a_keras_file_with_fewer_layers_than_its_configuration(run: Run, tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "fewer.keras"
    with zipfile.ZipFile(DEMO / "healthy.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    inner = tmp_path / "inner.h5"
    inner.write_bytes(members["model.weights.h5"])
    with h5py.File(inner, "r+") as file:
        del file["layers/dense_1"]
    members["model.weights.h5"] = inner.read_bytes()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    assert first_lines(run, path) == ["  digits: the configuration names this layer, the file holds no weights for it"]


def test_a_legacy_file_whose_save_stopped(run: Run, tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "colleague.h5"
    shutil.copy(DEMO / "colleague.h5", path)
    with h5py.File(path, "r+") as file:
        del file["model_weights/digits"]
    lines = first_lines(run, path)
    assert "  the file names a layer 'digits' and does not hold it" in lines


@pytest.mark.parametrize("legacy", [False, True])
def test_a_pytorch_file_that_was_cut_off(run: Run, tmp_path: Path, legacy: bool) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / "cut.pt"
    state = {f"l{i}.weight": torch.full((40, 40), float(i)) for i in range(5)}
    torch.save(state, path, _use_new_zipfile_serialization=not legacy)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    lines = first_lines(run, path)
    assert lines[0].startswith("  cut off")
    assert any(".weight" in line for line in lines[1:])
    with wtui.open(path) as model:
        whole = [t for t in model.tensors if not t.problem]
        assert 2 <= len(whole) < 5
        assert all(t.array().mean() == int(t.name[1]) for t in whole)


@pytest.mark.parametrize("damage", ["gone", "cut", "pointer"])
def test_a_tensorflow_checkpoint_without_its_values(run: Run, tmp_path: Path, damage: str) -> None:
    from tests.formats.tf_files import bundle

    values = {f"dense_{i}/kernel": np.full((20, 20), i, np.float32) for i in range(4)}
    prefix = tmp_path / "model.ckpt"
    bundle(prefix, values)
    data = Path(f"{prefix}.data-00000-of-00001")
    if damage == "gone":
        data.unlink()
    else:
        data.write_bytes(data.read_bytes()[:2500] if damage == "cut" else POINTER)
    lines = first_lines(run, Path(prefix))
    assert lines
    if damage == "cut":
        with wtui.open(prefix) as model:
            assert model["dense_0/kernel"].array().mean() == 0
    else:
        said = "is missing" if damage == "gone" else POINTED
        assert f"model.ckpt.data-00000-of-00001 {said}" in lines[0]


def test_a_folder_of_pointers(run: Run, tmp_path: Path) -> None:
    for name in ("a.onnx", "b.onnx", "c.pkl"):
        (tmp_path / name).write_bytes(POINTER)
    done = run("ls", tmp_path)
    assert done.code == 2
    assert f"a folder of files that are not there: a.onnx {POINTED}" in done.err
    assert "(and 2 more)" in done.err


def test_a_model_that_only_its_end_would_tell(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\x08\x07\x3a\xff\xff\x01" + bytes(40))
    done = run("ls", path)
    assert done.code == 2
    assert "looks like an ONNX model that was cut off or damaged" in done.err


def test_an_onnx_model_that_was_cut_off(run: Run, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    names = [f"l{i}.weight" for i in range(5)]
    tensors = [onnx.numpy_helper.from_array(np.full((50, 50), i, np.float32), n) for i, n in enumerate(names)]
    nodes = [onnx.helper.make_node("MatMul", [f"x{i}", n], [f"x{i + 1}"]) for i, n in enumerate(names)]
    ends = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1, 50]) for n in ("x0", "x5")]
    data = onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors)).SerializeToString()
    path = tmp_path / "cut.onnx"
    path.write_bytes(data)
    assert first_lines(run, path, 0) == []
    path.write_bytes(data[: len(data) * 2 // 3])
    lines = first_lines(run, path)
    assert lines[0].startswith("  the file was cut off")
    assert lines[1].startswith("  l3.weight: the file holds ")
    with wtui.open(path) as model:
        assert [t.name for t in model.tensors] == names[:4]
        assert all(model[n].array().mean() == i for i, n in enumerate(names[:3]))
    for length in range(40, 400):
        path.write_bytes(data[:length])
        assert run("ls", path).code in (2, 3)


def test_a_frozen_graph_that_was_cut_off(run: Run, tmp_path: Path) -> None:
    from tests.formats.tf_files import constant, graph, operation

    nodes = []
    for i in range(4):
        nodes.append(constant(f"l{i}/kernel", 1, (20, 20), np.full((20, 20), i, np.float32).tobytes()))
        nodes.append(operation(f"l{i}/MatMul", "MatMul", f"x{i}", f"l{i}/kernel"))
    path = tmp_path / "graph.pb"
    data = graph(nodes)
    path.write_bytes(data)
    assert first_lines(run, path, 0) == []
    path.write_bytes(data[: len(data) * 2 // 3])
    (line,) = first_lines(run, path)
    assert line.startswith("  the file was cut off")
    with wtui.open(path) as model:
        assert [t.array().mean() for t in model.tensors] == [0, 1]
