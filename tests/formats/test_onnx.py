"""ONNX files written by hand: where values lie, which layers take them, inner graphs, what is refused, damage."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

import ml_dtypes
import numpy as np
import pytest

from tests.formats import onnx_files as made
from tests.formats.fuzzing import check_opens_or_refuses
from tests.formats.onnx_files import (
    attribute,
    constant,
    graph,
    initializer,
    integer,
    message,
    model,
    node,
    packed,
    tensor,
    text,
)
from wtui.engine.blocks import plan_blocks
from wtui.errors import CodecError, FormatError
from wtui.formats import onnx, open_catalogue
from wtui.formats.probe import Probe
from wtui.insight.roles import axes
from wtui.storage import Files

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wtui.model import Catalogue, LayerNode


def values(catalogue: Catalogue, name: str) -> np.ndarray:
    return plan_blocks(catalogue[name], catalogue, Files(catalogue.files)).array()


def opened(path: Path, nodes: Sequence[bytes], tensors: Sequence[bytes] = (), more: bytes = b"") -> Catalogue:
    path.write_bytes(model(graph(nodes, tensors, more=more)))
    return open_catalogue(str(path))


def layers(catalogue: Catalogue) -> dict[str, tuple[str, list[str]]]:
    """Path -> class and roles, of layers that hold tensors."""
    found = {}
    for layer in catalogue.root.walk():
        if layer.tensors:
            found[layer.path] = layer.class_name, [catalogue.tensors[i].role for i in layer.tensors]
    return found


def layer(catalogue: Catalogue, path: str) -> LayerNode:
    return next(found for found in catalogue.root.walk() if found.path == path)


RAW = {
    1: np.array([1.5, -2], "<f4"), 2: np.array([1, 255], "u1"), 3: np.array([1, -128], "i1"),
    4: np.array([1, 65535], "<u2"), 5: np.array([1, -32768], "<i2"), 6: np.array([1, -(2**31)], "<i4"),
    7: np.array([1, -(2**63)], "<i8"), 9: np.array([True, False]), 10: np.array([1.5, -65504], "<f2"),
    11: np.array([1.5, -1e300], "<f8"), 12: np.array([1, 2**32 - 1], "<u4"), 13: np.array([1, 2**64 - 1], "<u8"),
    16: np.array([1.5, -3], ml_dtypes.bfloat16), 17: np.array([1.5, -3], ml_dtypes.float8_e4m3fn),
    18: np.array([1.5, -3], ml_dtypes.float8_e4m3fnuz), 19: np.array([1.5, -3], ml_dtypes.float8_e5m2),
    20: np.array([1.5, -3], ml_dtypes.float8_e5m2fnuz), 24: np.array([2, 0.5], ml_dtypes.float8_e8m0fnu),
}  # fmt: skip
"""Element type -> values as they lie in raw_data."""


@pytest.mark.parametrize("kind", RAW)
def test_raw_data_of_every_type(tmp_path: Path, kind: int) -> None:
    array = RAW[kind]
    found = opened(tmp_path / "a.onnx", [], [tensor("w", array.shape, kind, array.tobytes())])
    assert found["w"].dtype == str(array.dtype)
    np.testing.assert_array_equal(values(found, "w"), array)


TYPED = {
    "float_data": (1, message(4, struct.pack("<2f", 1.5, -2)), np.array([1.5, -2], "f4")),
    "float_data, complex": (14, message(4, struct.pack("<4f", 1, 2, 3, 4)), np.array([1 + 2j, 3 + 4j], "c8")),
    "float_data in two pieces": (1, message(4, made.floats(1)) + message(4, made.floats(2)), np.array([1, 2], "f4")),
    "double_data": (11, message(10, struct.pack("<2d", 1.5, -2)), np.array([1.5, -2])),
    "int32_data": (6, packed(5, [1, -5]), np.array([1, -5], "i4")),
    "int32_data, int8": (3, packed(5, [127, -128]), np.array([127, -128], "i1")),
    "int32_data, uint8": (2, packed(5, [0, 255]), np.array([0, 255], "u1")),
    "int32_data, int16": (5, packed(5, [-3, 300]), np.array([-3, 300], "i2")),
    "int32_data, bool": (9, packed(5, [1, 0]), np.array([True, False])),
    "int32_data, float16": (10, packed(5, [0x3E00, 0xC000]), np.array([1.5, -2], "f2")),
    "int32_data, bfloat16": (16, packed(5, [0x3FC0, 0xC000]), np.array([1.5, -2], ml_dtypes.bfloat16)),
    "int32_data, int4": (22, packed(5, [0x8F]), np.array([-1, -8], ml_dtypes.int4)),
    "int64_data": (7, packed(7, [2**40, -1]), np.array([2**40, -1])),
    "uint64_data": (13, packed(11, [2**64 - 1, 0]), np.array([2**64 - 1, 0], "u8")),
    "uint64_data, uint32": (12, packed(11, [2**32 - 1, 7]), np.array([2**32 - 1, 7], "u4")),
}


@pytest.mark.parametrize("name", TYPED)
def test_typed_fields(tmp_path: Path, name: str) -> None:
    kind, field, array = TYPED[name]
    found = opened(tmp_path / "a.onnx", [], [tensor("w", (2,), kind, more=field)])
    assert found.warnings == ()
    np.testing.assert_array_equal(values(found, "w"), array)


def test_dimensions_may_be_packed_and_tensors_empty_or_without_axes(tmp_path: Path) -> None:
    tensors = [
        packed(1, [2, 3]) + integer(2, 1) + text(8, "packed") + message(9, bytes(24)),
        tensor("scalar", (), raw=struct.pack("<f", 2.5)),
        tensor("empty", (0, 4)),
        tensor("empty raw", (0,), raw=b""),
    ]
    found = opened(tmp_path / "a.onnx", [], tensors)
    assert found.warnings == ()
    assert {t.name: t.shape for t in found.tensors} == {
        "packed": (2, 3), "scalar": (), "empty": (0, 4), "empty raw": (0,),
    }  # fmt: skip
    assert values(found, "scalar") == 2.5
    assert values(found, "empty").shape == (0, 4)


def test_what_cannot_be_decoded_is_listed_with_its_reason(tmp_path: Path) -> None:
    one_by_one = b"".join(made.varint(4 << 3 | 5) + made.floats(x) for x in (1, 2))
    sparse = message(1, tensor("sparse", (3,), raw=bytes(12))) + message(2, tensor("", (3,), 7)) + packed(3, [100, 100])
    found = opened(
        tmp_path / "a.onnx",
        [],
        [
            tensor("texts", (2,), 8, more=text(6, "a") + text(6, "b")),
            tensor("unknown", (2,), 99, bytes(8)),
            tensor("segmented", (2,), raw=bytes(8), more=message(3, integer(1, 0))),
            tensor("one by one", (2,), more=one_by_one),
            tensor("short", (3,), raw=bytes(8)),
            tensor("nothing", (3,)),
            tensor("wrong field", (2,), 10, more=message(4, bytes(8))),
            tensor("negative", (-3,), raw=bytes(8)),
            tensor("huge", (1 << 40, 1 << 40), raw=bytes(8)),
        ],
        more=message(15, sparse),
    )
    expected = {
        "texts": "texts", "unknown": "ONNX type 99", "segmented": "segments", "one by one": "one by one",
        "short": "needs 12", "nothing": "no values", "wrong field": "cannot lie in a field of floats",
        "negative": "negative axis", "huge": "more values than any file", "sparse": "sparse",
    }  # fmt: skip
    assert {t.name for t in found.tensors} == set(expected)
    for name, reason in expected.items():
        assert reason in found[name].problem, name
    assert found["sparse"].shape == (100, 100)


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        (packed(5, [1]), "1 integers instead of 2"),
        (message(5, b"\x01\x80"), "middle"),
        (message(5, b"\xff" * 11), "middle"),
    ],
)
def test_damaged_integers_are_codec_errors(tmp_path: Path, field: bytes, reason: str) -> None:
    found = opened(tmp_path / "a.onnx", [], [tensor("w", (2,), 6, more=field)])
    with pytest.raises(CodecError, match=reason):
        values(found, "w")


def test_external_data(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "w.bin").write_bytes(bytes(16) + np.arange(6, dtype="<f4").tobytes())
    tensors = [
        tensor("given", (6,), external={"location": "sub/w.bin", "offset": "16", "length": "24"}),
        tensor("short form", (2, 2), external={"location": "sub/w.bin"}),
        tensor("too long", (99,), external={"location": "sub/w.bin", "offset": "16"}),
        tensor("odd", (2,), external={"location": "sub/w.bin", "offset": "-4"}),
        tensor("no place", (2,), external={}),
        tensor("missing", (2,), external={"location": "gone.bin"}),
    ]
    found = opened(tmp_path / "a.onnx", [], tensors)
    np.testing.assert_array_equal(values(found, "given"), np.arange(6))
    np.testing.assert_array_equal(values(found, "short form"), np.zeros((2, 2)))
    assert "behind the end" in found["too long"].problem
    assert "impossible" in found["odd"].problem
    assert "'gone.bin', which is missing" in found["missing"].problem
    assert "missing" in found["no place"].problem
    assert len(found.files) == 2


@pytest.mark.parametrize("location", ["../secret", "/etc/hostname", "a/../../secret", "..\\secret", "x\0y", "sub"])
def test_external_data_stays_in_the_folder(tmp_path: Path, location: str) -> None:
    (tmp_path / "secret").write_bytes(bytes(64))
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    found = opened(folder / "a.onnx", [], [tensor("w", (2,), external={"location": location})])
    assert "outside the model's folder" in found["w"].problem
    assert len(found.files) == 1
    assert found.warnings[0].lost


def test_a_fifo_as_external_data_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    found = opened(tmp_path / "a.onnx", [], [tensor("w", (2,), external={"location": "pipe"})])
    assert "missing" in found["w"].problem


def test_layers_are_modules_where_tensors_are_named_by_them(tmp_path: Path) -> None:
    nodes = [
        node("Conv", ["x", "stem.weight", "stem.bias"], ["a"], "/stem/Conv", integer_attribute("group", 1)),
        node("BatchNormalization", ["a", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"], ["b"], "/bn/BN"),
        node("Relu", ["b"], ["c"], "/relu/Relu"),
        node("MatMul", ["c", "onnx::MatMul_9"], ["d"], "/layer.0/query/MatMul"),
        node("Add", ["d", "layer.0.query.bias"], ["e"], "/layer.0/query/Add"),
        node("Gather", ["wte.weight", "e"], ["f"], "/wte/Gather"),
        node("Unsqueeze", ["rnn.weight_ih", "axes"], ["w1"], "/rnn/Unsqueeze"),
        node("Concat", ["w1"], ["w2"], "/rnn/Concat"),
        node("LSTM", ["f", "w2"], ["y"], "/rnn/LSTM"),
    ]
    names = [
        "layer.0.query.bias", "wte.weight", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var", "stem.bias",
        "stem.weight", "rnn.weight_ih", "onnx::MatMul_9",
    ]  # fmt: skip
    tensors = [initializer(n, 3)[1] for n in names] + [tensor("axes", (1,), 7, struct.pack("<q", 0))]
    found = opened(tmp_path / "a.onnx", nodes, tensors)
    assert layers(found) == {
        "stem": ("Conv", ["kernel", "bias"]),
        "bn": ("BatchNormalization", ["gamma", "beta", "moving_mean", "moving_variance"]),
        "layer.0.query": ("MatMul", ["kernel", "bias"]),
        "wte": ("Gather", ["embedding"]),
        "rnn": ("LSTM", ["kernel"]),
        "constants": ("", ["constant"]),
    }
    assert layer(found, "stem").config == {"group": 1}
    assert found["stem.weight"].label == "weight"
    assert found["onnx::MatMul_9"].label == "onnx::MatMul_9"
    assert found["stem.weight"].trainable is None
    assert found.format == "ONNX opset 18, hand 1.0"


def integer_attribute(name: str, value: int) -> bytes:
    return message(5, text(1, name) + integer(3, value) + integer(20, 2))


def test_layers_are_nodes_where_tensors_have_names_of_their_own(tmp_path: Path) -> None:
    nodes = [
        node("Conv", ["x", "const_1"], ["a"], "model/conv2d_1/Conv2D;model/bias;other"),
        node("Add", ["a", "const_2"], ["b"], "model/conv2d_1/BiasAdd"),
        node("Gemm", ["b", "const_3", "const_4"], ["c"]),
        node("Gemm", ["c", "const_5"], ["d"]),
        node("DequantizeLinear", ["const_6", "scale", "zero"], ["e"], "dq"),
        node("MatMul", ["d", "e"], ["y"], "head"),
        node("Mul", ["y", "factor"], ["z"], "times"),
    ]
    tensors = [initializer(f"const_{i}", 3)[1] for i in (5, 4, 3, 2, 1)]
    tensors += [tensor("const_6", (2,), 3, b"\1\2"), tensor("scale", (), raw=bytes(4)), tensor("zero", (), 3, b"\0")]
    tensors += [tensor("factor", (), raw=bytes(4))]
    found = opened(tmp_path / "a.onnx", nodes, tensors)
    assert layers(found) == {
        "model/conv2d_1": ("Conv", ["kernel", "bias"]),
        "Gemm_0": ("Gemm", ["kernel", "bias"]),
        "Gemm_1": ("Gemm", ["kernel"]),
        "head": ("MatMul", ["kernel"]),
        "constants": ("", ["kernel_scale", "kernel_zero_point", "scale"]),
    }
    assert [t.name for t in found.tensors][:4] == ["const_1", "const_2", "const_3", "const_4"]
    assert found["const_2"].inferred
    assert not found["const_1"].inferred
    assert found.totals().parameters == 5 * 3 + 2
    assert {t.name for t in found.tensors if t.group == "state"} == {"scale", "zero", "factor"}


def dequantised(scale: tuple[float, ...], point: list[int] | None, axis: int) -> np.ndarray:
    """What the integers -6 to 5 of a (3, 4) tensor stand for."""
    shape = (1, 1) if len(scale) == 1 else (3, 1) if axis == 0 else (1, 4)
    points = np.reshape(point, shape) if point else 0
    return (np.arange(-6, 6).reshape(3, 4) - points) * np.reshape(scale, shape)


@pytest.mark.parametrize(
    ("scale", "point", "axis"),
    [((0.5,), None, 1), ((0.25,), [3], 1), ((0.5, 1, 2, 4), [1, 2, 3, 4], 1), ((0.5, 1, 2), [0, 0, 7], 0)],
)
def test_quantised_tensors_stand_for_their_values(
    tmp_path: Path, scale: tuple[float, ...], point: list[int] | None, axis: int
) -> None:
    shape = (len(scale),) if len(scale) > 1 else ()
    tensors = [
        tensor("w", (3, 4), 3, np.arange(-6, 6, dtype="i1").tobytes()),
        tensor("s", shape, raw=made.floats(*scale)),
        tensor("z", shape, 3, more=packed(5, point or [])),
    ]
    inputs = ["w", "s", "z"] if point else ["w", "s"]
    nodes = [
        node("DequantizeLinear", inputs, ["d"], "dq", integer_attribute("axis", axis) if axis != 1 else b""),
        node("MatMul", ["x", "d"], ["y"], "dense"),
    ]
    found = opened(tmp_path / "a.onnx", nodes, tensors)
    assert (found["w"].dtype, found["w"].encoding, found["w"].role) == ("int8", "affine", "kernel")
    np.testing.assert_array_equal(values(found, "w"), dequantised(scale, point, axis))
    assert {found["s"].group, found["z"].group} == {"state"}


@pytest.mark.parametrize(
    ("inputs", "more"),
    [
        (["w", "computed"], b""),
        (["w", "two"], b""),
        (["w", "s", "two"], b""),
        (["w", "s"], integer_attribute("block_size", 2)),
        (["w", "w"], b""),
        (["w", "far"], b""),
    ],
)
def test_integers_whose_scales_are_not_known_are_shown_as_such(tmp_path: Path, inputs: list[str], more: bytes) -> None:
    tensors = [
        tensor("w", (3, 4), 3, np.arange(-6, 6, dtype="i1").tobytes()),
        tensor("s", (), raw=made.floats(1)),
        tensor("two", (2,), raw=made.floats(1, 2)),
        tensor("far", (2,), external={"location": "gone.bin"}),
    ]
    found = opened(tmp_path / "a.onnx", [node("DequantizeLinear", inputs, ["d"], "dq", more)], tensors)
    assert found["w"].encoding == "raw"
    np.testing.assert_array_equal(values(found, "w"), np.arange(-6, 6).reshape(3, 4))


def test_axes_of_dense_kernels(tmp_path: Path) -> None:
    nodes = [
        node("Gemm", ["x", "a"], ["1"], "plain"),
        node("Gemm", ["1", "b"], ["2"], "other", integer_attribute("transB", 1)),
        node("Transpose", ["c"], ["ct"]),
        node("MatMul", ["2", "ct"], ["3"], "turned"),
        node("MatMul", ["3", "d"], ["4"], "product"),
    ]
    found = opened(tmp_path / "a.onnx", nodes, [initializer(n, 2, 3)[1] for n in "abcd"])
    named = {n: axes(found[n], layer(found, found[n].layer), torch_layout=True) for n in "abcd"}
    assert named == {"a": ("in", "out"), "b": ("out", "in"), "c": ("out", "in"), "d": ("in", "out")}


def test_constants_in_nodes_inner_graphs_and_functions(tmp_path: Path) -> None:
    inner = graph(
        [constant("branch.weight", initializer("", 4)[1]), node("Conv", ["x", "branch.weight", "outer.bias"], ["z"])],
        [initializer("inner.weight", 2)[1], initializer("outer.bias", 5)[1]],
    )
    loop = graph([node("If", ["c"], ["o"], "again", attribute("then_branch", 6, inner))])
    nodes = [
        constant("w", initializer("", 2, 3)[1], "w_node"),
        constant("epsilon", tensor("", (1,), raw=bytes(4))),
        node("Gemm", ["x", "w"], ["h"], "dense"),
        node("Add", ["h", "epsilon"], ["h2"]),
        node("Loop", ["h"], ["l"], "loop", attribute("body", 6, loop)),
        node("Conv", ["l", "outer.weight", "outer.bias"], ["y"]),
        node("ConstantOfShape", ["s"], ["y2"], "fill", attribute("value", 5, tensor("", (1,), raw=bytes(4)))),
    ]
    function = text(1, "Norm") + message(7, constant("f.weight", initializer("", 7)[1])) + text(10, "my.domain")
    path = tmp_path / "a.onnx"
    body = graph(nodes, [initializer("outer.weight", 3)[1], initializer("outer.bias", 3)[1]])
    path.write_bytes(model(body, message(25, function)))
    found = open_catalogue(str(path))
    assert found["w"].layer == "dense"
    assert (found["w"].shape, found["w"].role, found["epsilon"].group) == ((2, 3), "kernel", "state")
    assert found["branch.weight"].shape == (4,)
    assert layer(found, "branch").class_name == "Conv"
    assert found["inner.weight"].shape == (2,)
    assert found["outer.bias"].shape == (3,)
    (again,) = [t for t in found.tensors if t.name.endswith("/outer.bias")]
    assert again.name == "loop_4/body/again_5/then_branch/outer.bias"
    assert again.shape == (5,)
    assert found["f.weight"].shape == (7,)
    assert found["fill/value"].group == "state"
    assert found.metadata["functions"] == ["my.domain.Norm"]
    assert [t.name for t in found.tensors if t.group == "model"] == [
        "w", "branch.weight", "outer.bias", again.name, "outer.weight", "inner.weight", "f.weight",
    ]  # fmt: skip


def test_names_that_come_twice_stay_apart(tmp_path: Path) -> None:
    found = opened(tmp_path / "a.onnx", [], [initializer("w", 1)[1], initializer("w", 2)[1], initializer("", 3)[1]])
    assert [(t.name, t.shape) for t in found.tensors] == [("w", (1,)), ("w#2", (2,)), ("unnamed", (3,))]


def test_metadata(tmp_path: Path) -> None:
    shape = message(2, message(1, text(2, "batch")) + message(1, integer(1, 3)) + message(1, b""))
    info = text(1, "x") + message(2, message(1, integer(1, 1) + shape))
    path = tmp_path / "a.onnx"
    more = message(14, text(1, "author") + text(2, "nobody")) + text(6, "d" * 9000)
    path.write_bytes(model(graph([node("Relu", ["x"], ["y"])], more=message(11, info)), more))
    metadata = open_catalogue(str(path)).metadata
    assert metadata["inputs"] == [{"name": "x", "type": "float32", "shape": ["batch", 3, None]}]
    assert metadata["operators"] == {"Relu": 1}
    assert metadata["opsets"] == {"ai.onnx": 18}
    assert metadata["properties"] == {"author": "nobody"}
    assert len(metadata["documentation"]) == 9000
    assert metadata["producer"] == "hand"


def test_weights_are_not_read(tmp_path: Path) -> None:
    size = (1 << 31) - (1 << 20)
    start = tensor("head.weight", (size // 4,)) + made.varint(9 << 3 | 2) + made.varint(size)
    body = message(1, node("Gemm", ["x", "head.weight"], ["y"])) + made.varint(5 << 3 | 2)
    body += made.varint(len(start) + size) + start
    head = integer(1, 9) + made.varint(7 << 3 | 2) + made.varint(len(body) + size) + body
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + size)
    probe = Probe(str(path))
    assert onnx.sniff(probe)
    found = onnx.catalogue(probe)
    assert probe.bytes_read < 100_000
    assert found.warnings == ()
    assert found.totals().bytes == size
    probe.close()


def test_sniffs_by_content(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(model(graph([node("Relu", ["x"], ["y"])])))
    assert open_catalogue(str(path)).format.startswith("ONNX")
    others = {
        "saved model": integer(1, 1) + message(2, bytes(50)),
        "graph def": message(1, text(1, "x") + text(2, "Const")),
        "texts": b"\x08 some text",
        "nothing": b"\x08",
    }
    for name, data in others.items():
        path.write_bytes(data)
        assert not onnx.sniff(Probe(str(path))), name


def test_a_file_without_graph_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(integer(1, 9) + text(2, "hand"))
    with pytest.raises(FormatError, match="no ONNX graph"):
        open_catalogue(str(path), "onnx")


def small_model() -> bytes:
    inner = graph([constant("i.weight", initializer("", 4)[1]), node("Gemm", ["x", "i.weight"], ["z"])])
    nodes = [
        node("Conv", ["x", "stem.weight", "stem.bias"], ["a"], "/stem/Conv", integer_attribute("group", 1)),
        node("If", ["c"], ["o"], "if", attribute("then_branch", 6, inner)),
        node("DequantizeLinear", ["q", "s"], ["d"], "dq", integer_attribute("axis", 0)),
    ]
    tensors = [
        tensor("q", (2, 3), 3, b"123456"),
        tensor("s", (2,), raw=made.floats(1, 2)),
        initializer("stem.weight", 2, 3)[1],
        tensor("stem.bias", (2,), 6, more=packed(5, [300, -1])),
        tensor("far", (2,), external={"location": "gone.bin", "offset": "8"}),
    ]
    return model(graph(nodes, tensors))


def test_truncation_at_any_byte_opens_or_refuses(tmp_path: Path) -> None:
    data, path = small_model(), tmp_path / "a.onnx"
    for length in range(len(data)):
        path.write_bytes(data[:length])
        check_opens_or_refuses(path, "onnx")


HOSTILE = {
    "length": integer(1, 9) + made.varint(7 << 3 | 2) + made.varint(1 << 60),
    "graphs in graphs": None,
    "many axes": model(graph([], [packed(1, [1 << 62] * 100_000) + integer(2, 1)])),
    "unknown fields": integer(1, 9) + message(7, graph([])) + integer(99, 0) * 2_000_000,
    "a name with many parts": model(graph([], [initializer("a." * 30_000 + "w", 2)[1]])),
    "a long name": model(graph([], [initializer("n" * 300_000, 2)[1]])),
    "groups": integer(1, 9) + message(7, b"\x0b\x0c"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files(tmp_path: Path, name: str) -> None:
    data = HOSTILE[name]
    if data is None:
        body = graph([])
        for _ in range(500):
            body = graph([node("If", [], [], "", attribute("g", 6, body))])
        data = model(body)
    path = tmp_path / "a.onnx"
    path.write_bytes(data)
    check_opens_or_refuses(path, "onnx")
