"""ONNX files that the onnx package wrote: every tensor's name, shape, type and values are what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import pytest

from wtui.engine.blocks import plan_blocks
from wtui.formats import open_catalogue
from wtui.storage import Files

if TYPE_CHECKING:
    from pathlib import Path

onnx = pytest.importorskip("onnx")

TYPES = {
    "float32": "FLOAT", "uint8": "UINT8", "int8": "INT8", "uint16": "UINT16", "int16": "INT16", "int32": "INT32",
    "int64": "INT64", "bool": "BOOL", "float16": "FLOAT16", "float64": "DOUBLE", "uint32": "UINT32",
    "uint64": "UINT64", "complex64": "COMPLEX64", "complex128": "COMPLEX128", "bfloat16": "BFLOAT16",
    "float8_e4m3fn": "FLOAT8E4M3FN", "float8_e4m3fnuz": "FLOAT8E4M3FNUZ", "float8_e5m2": "FLOAT8E5M2",
    "float8_e5m2fnuz": "FLOAT8E5M2FNUZ", "uint4": "UINT4", "int4": "INT4",
}  # fmt: skip


def dtype_of(name: str) -> np.dtype[Any]:
    return np.dtype(getattr(ml_dtypes, name, name))


def some(name: str, shape: tuple[int, ...] = (3, 4)) -> np.ndarray:
    rng = np.random.default_rng(len(name))
    whole = rng.integers(0, 7, shape)
    return (whole if "int" in name or name == "bool" else rng.normal(size=shape)).astype(dtype_of(name))


def typed(name: str) -> Any:
    """A tensor with its values in a typed field."""
    return onnx.helper.make_tensor(
        f"typed {name}", getattr(onnx.TensorProto, TYPES[name]), (3, 4), some(name).flatten()
    )


def compare(path: Path, expected: list[Any]) -> None:
    """Against tensors of the onnx package, whose names are the catalogue's."""
    found = open_catalogue(str(path))
    files = Files(found.files)
    assert found.warnings == ()
    assert len(found.tensors) == len(expected)
    for tensor in expected:
        entry, array = found[tensor.name], onnx.numpy_helper.to_array(tensor)
        assert entry.shape == tuple(tensor.dims)
        assert TYPES[entry.dtype] == onnx.TensorProto.DataType.Name(tensor.data_type)
        got = plan_blocks(entry, found, files).array()
        assert got.tobytes() == array.astype(got.dtype).tobytes(), tensor.name


def test_every_type_raw_and_typed(tmp_path: Path) -> None:
    tensors = [onnx.numpy_helper.from_array(some(n), f"raw {n}") for n in TYPES]
    tensors += [typed(n) for n in TYPES]
    tensors += [onnx.numpy_helper.from_array(np.array(2.5, "f4"), "scalar")]
    graph = onnx.helper.make_graph([], "g", [], [], tensors)
    onnx.save(onnx.helper.make_model(graph), tmp_path / "a.onnx")
    compare(tmp_path / "a.onnx", list(onnx.load(tmp_path / "a.onnx").graph.initializer))


@pytest.mark.parametrize("one_file", [True, False])
def test_external_data(tmp_path: Path, one_file: bool) -> None:
    tensors = [onnx.numpy_helper.from_array(some("float32", (50, n)), f"w{n}") for n in (3, 30, 300)]
    graph = onnx.helper.make_graph([], "g", [], [], tensors)
    where = "all.bin" if one_file else None
    onnx.save(
        onnx.helper.make_model(graph),
        tmp_path / "a.onnx",
        save_as_external_data=True,
        all_tensors_to_one_file=one_file,
        location=where,
        size_threshold=1000,
    )
    found = open_catalogue(str(tmp_path / "a.onnx"))
    assert len(found.files) == (2 if one_file else 3)
    compare(tmp_path / "a.onnx", list(onnx.load(tmp_path / "a.onnx").graph.initializer))


def test_constants_and_inner_graphs(tmp_path: Path) -> None:
    h, types = onnx.helper, onnx.TensorProto
    values = [onnx.numpy_helper.from_array(some("float32", (4, n)), f"c{n}") for n in (4, 5)]
    out = h.make_tensor_value_info("z", types.FLOAT, None)
    then = h.make_graph([h.make_node("Constant", [], ["c4"], value=values[0])], "then", [], [out])
    otherwise = h.make_graph([], "else", [], [out], [values[1]])
    nodes = [h.make_node("If", ["c"], ["y"], then_branch=then, else_branch=otherwise)]
    graph = h.make_graph(nodes, "g", [h.make_tensor_value_info("c", types.BOOL, [])], [out])
    onnx.save(h.make_model(graph), tmp_path / "a.onnx")
    compare(tmp_path / "a.onnx", values)


@pytest.mark.parametrize(("axis", "size"), [(0, 3), (1, 4), (-1, 4), (1, 1)])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int4"])
def test_quantised_tensors_stand_for_what_dequantize_linear_gives(
    tmp_path: Path, axis: int, size: int, dtype: str
) -> None:
    h, types = onnx.helper, onnx.TensorProto
    rng = np.random.default_rng(axis + 9)
    arrays = {
        "w": rng.integers(0, 7, (3, 4)).astype(dtype_of(dtype)),
        "s": rng.random(size).astype("f4"),
        "z": (rng.integers(0, 7, size) * (dtype != "int32")).astype(dtype_of(dtype)),
    }
    if size == 1:
        arrays |= {"s": arrays["s"][0], "z": arrays["z"][0]}
    tensors = [onnx.numpy_helper.from_array(np.asarray(a), n) for n, a in arrays.items()]
    nodes = [h.make_node("DequantizeLinear", ["w", "s", "z"], ["y"], axis=axis)]
    graph = h.make_graph(nodes, "g", [], [h.make_tensor_value_info("y", types.FLOAT, [3, 4])], tensors)
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 21)])
    onnx.save(model, tmp_path / "a.onnx")
    (expected,) = pytest.importorskip("onnx.reference").ReferenceEvaluator(model).run(None, {})
    found = open_catalogue(str(tmp_path / "a.onnx"))
    got = plan_blocks(found["w"], found, Files(found.files)).array()
    np.testing.assert_array_equal(got, expected)
