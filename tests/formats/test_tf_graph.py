"""Frozen graphs: as TensorFlow freezes Keras models, and constants stored in every way that a TensorProto allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.formats import tf_files as files
from wtui.errors import FormatError
from wtui.formats import open_catalogue

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def oracle() -> Any:
    from tests.formats import tf_oracle

    return tf_oracle


def frozen(oracle: Any, model: Any, shape: list[int | None]) -> Any:
    """The GraphDef of a model whose variables are constants."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    tf = oracle.tf
    function = tf.function(model).get_concrete_function(tf.TensorSpec(shape))
    return convert_variables_to_constants_v2(function).graph.as_graph_def()


def test_every_constant_is_as_tensorflow_reads_it(oracle: Any, tmp_path: Path) -> None:
    keras = oracle.keras
    keras.utils.set_random_seed(1)
    layers = keras.layers
    stack = [
        layers.Conv2D(4, 3, name="conv"),
        layers.BatchNormalization(name="bn"),
        layers.DepthwiseConv2D(3, name="dw"),
    ]
    tail = [layers.Flatten(), layers.Dense(5, name="fc")]
    model = keras.Sequential([keras.Input((8, 8, 3)), *stack, *tail], name="net")
    rng = np.random.default_rng(2)
    model.set_weights([rng.normal(size=w.shape).astype("float32") + 2 for w in model.get_weights()])
    graph = frozen(oracle, model, [1, 8, 8, 3])
    path = tmp_path / "frozen.pb"
    path.write_bytes(graph.SerializeToString())
    found = open_catalogue(str(path))
    assert found.format == "TensorFlow graph"
    constants = {n.name: oracle.tf.make_ndarray(n.attr["value"].tensor) for n in graph.node if n.op == "Const"}
    assert len(found.tensors) == len(constants)
    names = {t.name: t for t in found.tensors}
    for name, value in constants.items():
        plain = name.removesuffix("/resource").removesuffix("/ReadVariableOp")
        oracle.equal(found, plain if plain in names else f"constants/{name}", value)
    by_value = {oracle.array_of(found, t.name).tobytes(): t for t in found.tensors if t.counted}
    for weight in model.weights:
        tensor = by_value[weight.numpy().tobytes()]
        role = "depthwise_kernel" if weight.path.endswith("dw/kernel") else weight.path.rpartition("/")[2]
        assert tensor.role == role, (tensor.name, weight.path)
    assert found.totals().parameters == model.count_params()
    classes = {node.class_name for node in found.root.walk()} - {""}
    assert classes == {"Conv2D", "DepthwiseConv2dNative", "MatMul"}


def test_graphs_of_tensorflow_1(oracle: Any, tmp_path: Path) -> None:
    tf, v1 = oracle.tf, oracle.tf.compat.v1
    with tf.Graph().as_default() as graph, v1.Session() as session:
        x = v1.placeholder("float32", (None, 8, 8, 3))
        kernel = v1.get_variable("conv/weights", (3, 3, 3, 2), use_resource=False)
        y = tf.nn.conv2d(x, kernel, 1, "SAME")
        args = [v1.get_variable(f"conv/{n}", (2,), use_resource=False) for n in ("scale", "offset", "mean", "var")]
        y = v1.nn.fused_batch_norm(y, *args, is_training=False)[0]
        tf.identity(tf.nn.bias_add(y, tf.constant([1.0, 2.0], name="conv/bias")), name="out")
        session.run(v1.global_variables_initializer())
        variables = {v.op.name: session.run(v) for v in v1.global_variables()}
        graph_def = v1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), ["out"])
    (tmp_path / "g.pb").write_bytes(graph_def.SerializeToString())
    found = open_catalogue(str(tmp_path / "g.pb"))
    for name, value in variables.items():
        oracle.equal(found, name, value)
    roles = {t.name.rpartition("/")[2]: t.role for t in found.tensors if t.counted}
    assert roles == {
        "weights": "kernel", "scale": "gamma", "offset": "beta", "mean": "moving_mean", "var": "moving_variance",
        "bias": "bias",
    }  # fmt: skip
    (tmp_path / "live.pb").write_bytes(graph.as_graph_def().SerializeToString())
    live = open_catalogue(str(tmp_path / "live.pb"))
    assert "5 variables, whose values lie in a checkpoint" in live.warnings[0].message
    assert [t.name for t in live.tensors if t.counted] == ["conv/bias"]


def protos(tf: Any) -> dict[str, Any]:
    """Tensors in every field of TensorProto: full, one value for all, some values with the last one repeated."""
    from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2

    def proto(dtype: Any, shape: tuple[int, ...], **fields: Any) -> Any:
        made = tensor_pb2.TensorProto(dtype=dtype.as_datatype_enum)
        dims = [tensor_shape_pb2.TensorShapeProto.Dim(size=n) for n in shape]
        made.tensor_shape.CopyFrom(tensor_shape_pb2.TensorShapeProto(dim=dims))
        for name, value in fields.items():
            getattr(made, name).extend(value)
        return made

    half = [int(b) for b in np.array([1.5, -2, 3, 4], "float16").view("uint16")]
    brain = [int(b) for b in np.array([0x3FC0, 0xC000], "uint16")]
    return {
        "content": tf.make_tensor_proto(np.arange(6, dtype="float32").reshape(2, 3)),
        "big": tf.make_tensor_proto(np.arange(6, dtype="int64")),
        "float": proto(tf.float32, (2, 2), float_val=[1, 2, 3, 4.5]),
        "float_splat": proto(tf.float32, (200, 3), float_val=[0.25]),
        "float_some": proto(tf.float32, (3, 4), float_val=[1, 2, 3]),
        "double": proto(tf.float64, (2,), double_val=[1e300, -2]),
        "double_splat": proto(tf.float64, (5,), double_val=[7]),
        "int": proto(tf.int32, (3,), int_val=[-1, 300, 2**31 - 1]),
        "int_splat": proto(tf.int32, (9,), int_val=[-7]),
        "int_scalar": proto(tf.int32, (), int_val=[70_000]),
        "int8": proto(tf.int8, (3,), int_val=[-128, 0, 127]),
        "uint8_splat": proto(tf.uint8, (4,), int_val=[200]),
        "int16": proto(tf.int16, (2,), int_val=[-30_000, 30_000]),
        "int64": proto(tf.int64, (2,), int64_val=[-(2**60), 2**60]),
        "uint32": proto(tf.uint32, (2,), uint32_val=[2**32 - 1, 0]),
        "uint64_splat": proto(tf.uint64, (3,), uint64_val=[2**64 - 1]),
        "bool": proto(tf.bool, (4,), bool_val=[True, False, True, True]),
        "bool_splat": proto(tf.bool, (4,), bool_val=[True]),
        "half": proto(tf.float16, (4,), half_val=half),
        "half_splat": proto(tf.float16, (3, 1), half_val=half[:1]),
        "bfloat16": proto(tf.bfloat16, (2,), half_val=brain),
        "complex64": proto(tf.complex64, (2,), scomplex_val=[1, 2, 3, 4]),
        "complex128_splat": proto(tf.complex128, (3,), dcomplex_val=[1, -1]),
        "empty": proto(tf.float32, (0, 3)),
        "scalar": proto(tf.float32, (), float_val=[3.5]),
    }


def test_values_in_every_field(oracle: Any, tmp_path: Path) -> None:
    from tensorflow.core.framework import graph_pb2

    graph = graph_pb2.GraphDef()
    expected = protos(oracle.tf)
    for name, proto in expected.items():
        node = graph.node.add(name=f"s/{name}", op="Const")
        node.attr["dtype"].type = proto.dtype
        node.attr["value"].tensor.CopyFrom(proto)
    (tmp_path / "g.pb").write_bytes(graph.SerializeToString())
    found = open_catalogue(str(tmp_path / "g.pb"))
    names = {t.name for t in found.tensors}
    assert len(names) == len(expected)
    for name, proto in expected.items():
        value = oracle.tf.make_ndarray(proto)
        plain = f"s/{name}" if f"s/{name}" in names else f"constants/s/{name}"
        oracle.equal(found, plain, value)
    encodings = {t.encoding for t in found.tensors}
    assert encodings == {"raw", "fill", "repeated", "protobuf-varints"}


def test_functions_come_behind_the_graph(oracle: Any, tmp_path: Path) -> None:
    value = np.arange(4, dtype="float32")
    inner = files.constant("w", 1, (4,), value.tobytes())
    use = files.operation("add", "BiasAdd", "x", "w:output:0")
    graph = files.graph([files.constant("top/w", 1, (4,), value.tobytes())], {"body": [inner, use]})
    (tmp_path / "g.pb").write_bytes(graph)
    found = open_catalogue(str(tmp_path / "g.pb"))
    assert [(t.name, t.role) for t in found.tensors] == [("top/w", "w"), ("body/w", "bias")]
    oracle.equal(found, "body/w", value)


def test_texts_are_counted_and_strange_types_told(tmp_path: Path) -> None:
    nodes = [
        files.constant("a/text", 7, (), values=[(8, b"hello")]),
        files.constant("a/what", 99, (2,), b"\0" * 8),
        files.constant("a/short", 1, (4,), b"\0" * 8),
        files.constant("a/none", 1, (4,)),
        files.constant("a/many", 1, (1 << 40,), values=[(5, b"\0\0\x80\x3f")]),
        files.constant("a/negative", 1, (-3,), b"\0" * 8),
        files.constant("a/ints", 3, (1000,), values=[(7, b"\1\2\3" * 5)]),
    ]
    (tmp_path / "g.pb").write_bytes(files.graph(nodes))
    found = open_catalogue(str(tmp_path / "g.pb"))
    problems = {t.name.rpartition("/")[2]: t.problem for t in found.tensors}
    assert found.metadata["texts"] == 1
    assert problems == {
        "what": "holds values of type DT_99, no numbers",
        "short": "the file holds 8 bytes, but float32 [4] needs 16",
        "none": "the graph holds no value for it",
        "many": "one value stands for 1,099,511,627,776, which is more than wtui expands",
        "negative": "shape [-3] has a negative axis",
        "ints": "some of its 1,000 values are stored and the last one repeated, which is not decoded",
    }


def test_only_graphs_are_taken(tmp_path: Path) -> None:
    for i, data in enumerate(
        [b"\x0a\x03abc", b"\x0a\xff", files.message((1, files.message((1, "a b"), (2, "Const"))))]
    ):
        path = tmp_path / f"{i}.pb"
        path.write_bytes(data)
        with pytest.raises(FormatError, match=r"looks like plain text|not a model file"):
            open_catalogue(str(path))


def test_payloads_are_not_read(tmp_path: Path) -> None:
    nodes = [files.constant(f"l{i}/w", 1, (1 << 18,), b"\0" * (1 << 20)) for i in range(8)]
    path = tmp_path / "g.pb"
    path.write_bytes(files.graph(nodes))
    from wtui.formats.probe import Probe
    from wtui.formats.tf_graph import catalogue

    probe = Probe(str(path))
    assert catalogue(probe).totals().parameters == 8 << 18
    assert probe.bytes_read < 300_000
    probe.close()
