"""TensorFlow Lite: models that TensorFlow converts, held to its interpreter, and what only hand-made files show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from wtui.engine.blocks import Buffer, plan_blocks
from wtui.errors import FormatError
from wtui.formats import open_catalogue
from wtui.storage import Files

pytestmark = pytest.mark.filterwarnings("ignore:Statistics for quantized inputs", "ignore:.*Interpreter is deprecated")

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wtui.model import Catalogue


@pytest.fixture(scope="session")
def oracle() -> Any:
    from tests.formats import tf_oracle

    return tf_oracle


@pytest.fixture(scope="session")
def lite() -> Any:
    from tests.formats import tflite_files

    return tflite_files


@pytest.fixture(scope="session")
def network(oracle: Any) -> Any:
    keras = oracle.keras
    keras.utils.set_random_seed(1)
    layers = keras.layers
    stack = [
        layers.Conv2D(16, 3, name="conv"),
        layers.BatchNormalization(name="bn"),
        layers.DepthwiseConv2D(3, name="dw"),
    ]
    tail = [layers.Conv2DTranspose(3, 2, name="up"), layers.Flatten(), layers.Dense(70, name="fc")]
    model = keras.Sequential([keras.Input((8, 8, 3), batch_size=1), *stack, *tail], name="net")
    rng = np.random.default_rng(2)
    model.set_weights([rng.normal(size=w.shape).astype("float32") * 0.1 + 0.2 for w in model.get_weights()])
    return model


@pytest.fixture(scope="session")
def converted(oracle: Any, network: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The network as a file: float, half, weights in int8, or all in int8."""
    folder = tmp_path_factory.mktemp("lite")
    tf = oracle.tf

    def convert(how: str) -> Path:
        path = folder / f"{how}.tflite"
        if not path.exists():
            converter = tf.lite.TFLiteConverter.from_keras_model(network)
            if how != "float":
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
            if how == "half":
                converter.target_spec.supported_types = [tf.float16]
            if how == "int8":
                rng = np.random.default_rng(3)
                converter.representative_dataset = lambda: ([rng.random((1, 8, 8, 3), "float32")] for _ in range(3))
            path.write_bytes(converter.convert())
        return path

    return convert


def values(found: Catalogue, name: str) -> np.ndarray:
    files = Files(found.files)
    try:
        return plan_blocks(found[name], found, files).array()
    finally:
        files.close()


def raw(found: Catalogue, name: str) -> bytes:
    files = Files(found.files)
    return b"".join(files[p.extent.file].read(p.extent.offset, p.extent.length) for p in found[name].parts or ())


def dequantised(array: np.ndarray, parameters: dict[str, Any]) -> np.ndarray:
    """(q - zero point) * scale, per tensor or along the quantised axis, in float32."""
    scales, points, axis = (parameters[k] for k in ("scales", "zero_points", "quantized_dimension"))
    if not len(scales):
        return array
    shape = [-1 if i == axis and len(scales) > 1 else 1 for i in range(array.ndim)]
    centred = array.astype("int64") - points.astype("int64").reshape(shape)
    return centred.astype("float32") * scales.astype("float32").reshape(shape)


@pytest.mark.parametrize("how", ["float", "half", "dynamic", "int8"])
def test_constants_are_as_the_interpreter_has_them(oracle: Any, converted: Callable[[str], Path], how: str) -> None:
    path = converted(how)
    found = open_catalogue(str(path))
    assert found.format == "TFLite (schema 3)"
    interpreter = oracle.tf.lite.Interpreter(str(path))
    details = {d["name"]: d for d in interpreter.get_tensor_details()}
    assert len([t for t in found.tensors if t.counted]) == 8
    for tensor in found.tensors:
        name = tensor.name.removeprefix("constants/")
        detail = details.get(name) or details[name.rpartition("/")[2]]
        array = interpreter.get_tensor(detail["index"])
        assert tensor.shape == array.shape
        assert tensor.dtype == str(array.dtype)
        assert raw(found, tensor.name) == array.tobytes()
        expected = dequantised(array, detail["quantization_parameters"])
        read = values(found, tensor.name)
        assert read.dtype == expected.dtype
        assert read.tobytes() == expected.tobytes(), tensor.name


@pytest.mark.parametrize("how", ["float", "half", "dynamic", "int8"])
def test_roles_and_layers_come_from_the_operations(converted: Callable[[str], Path], how: str) -> None:
    found = open_catalogue(str(converted(how)))
    roles = [t.role for t in found.tensors if t.counted]
    assert sorted(roles) == ["bias"] * 4 + ["depthwise_kernel"] + ["kernel"] * 3
    kernels = [t for t in found.tensors if t.role.endswith("kernel")]
    nodes = {node.path: node.class_name for node in found.root.walk()}
    assert [nodes[t.layer] for t in kernels] == ["CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED"]
    if how == "int8":
        encodings = {t.dtype: t.encoding for t in found.tensors if t.counted}
        assert encodings == {"int8": "affine", "int32": "affine", "float32": "raw"}, (
            "the converter leaves some as floats"
        )
        scales = dict(kernels[0].encoding_args)["scales"]
        assert len(scales) == kernels[0].shape[0] == 16


def test_scales_along_every_axis_and_by_pieces(lite: Any, tmp_path: Path) -> None:
    """Large enough to be cut into boxes: the scales of an axis are cut along with it."""
    rng = np.random.default_rng(1)
    shape = (30, 40, 3000)
    stored = rng.integers(-128, 128, shape).astype("int8")
    given = []
    for axis in range(3):
        scales = rng.random(shape[axis]).astype("float32")
        given.append(
            lite.Given(f"s/a{axis}", shape, "INT8", stored.tobytes(), scales.tolist(), [axis] * shape[axis], axis)
        )
    given.append(lite.Given("s/all", shape, "INT8", stored.tobytes(), [0.5], [-3]))
    found = open_catalogue(str(lite.write(tmp_path / "m.tflite", [("main", given, [])])))
    for tensor in given:
        assert len(found[tensor.name].parts or ()) > 1
        parameters = {
            "scales": np.array(tensor.scales, "float32"),
            "zero_points": np.array(tensor.points),
            "quantized_dimension": tensor.axis,
        }
        assert values(found, tensor.name).tobytes() == dequantised(stored, parameters).tobytes(), tensor.name


@pytest.mark.parametrize("kind", ["INT4", "UINT8", "INT16", "INT32"])
def test_integers_of_every_width(lite: Any, tmp_path: Path, kind: str) -> None:
    stored = np.arange(-7, 8).reshape(3, 5) if kind != "UINT8" else np.arange(15).reshape(3, 5)
    if kind == "INT4":
        nibbles = [int(v) & 15 for v in stored.reshape(-1)] + [0]
        data = bytes(low | high << 4 for low, high in zip(nibbles[::2], nibbles[1::2], strict=True))
    else:
        data = stored.astype(kind.lower()).tobytes()
    given = lite.Given("s/w", (3, 5), kind, data, [0.25], [2])
    found = open_catalogue(str(lite.write(tmp_path / "m.tflite", [("main", [given], [])])))
    assert (values(found, "s/w") == (stored - 2) * np.float32(0.25)).all()
    assert plan_blocks(found["s/w"], found, Files(found.files)).dtype == "float32"


def test_boxes_are_read_block_by_block(lite: Any, tmp_path: Path) -> None:
    stored = np.arange(3 << 20, dtype="int64").astype("int8")
    given = lite.Given("s/w", stored.shape, "INT8", stored.tobytes(), [0.5], [0])
    found = open_catalogue(str(lite.write(tmp_path / "m.tflite", [("main", [given], [])])))
    plan = plan_blocks(found["s/w"], found, Files(found.files))
    buffer = Buffer()
    pieces = [values.copy() for unit in range(plan.units) for _, values in plan.blocks(unit, buffer)]
    assert plan.units == 2
    assert (np.concatenate(pieces) == stored * np.float32(0.5)).all()


def test_what_cannot_be_decoded_is_listed(lite: Any, tmp_path: Path) -> None:
    given = [
        lite.Given("s/sparse", (2, 2), "FLOAT32", b"\0" * 8, sparse=True),
        lite.Given("s/blocks", (2, 4), "INT4", b"\0" * 4, block=2),
        lite.Given("s/text", (2,), "STRING", b"\0" * 9),
        lite.Given("s/short", (3,), "FLOAT32", b"\0" * 8),
        lite.Given("s/scales", (2, 3), "INT8", b"\0" * 6, [1.0, 2.0, 3.0], [], 0),
        lite.Given("s/points", (2, 3), "INT8", b"\0" * 6, [1.0, 2.0], [1, 2, 3], 0),
        lite.Given("s/axis", (2, 3), "INT8", b"\0" * 6, [1.0, 2.0], [], 7),
    ]
    found = open_catalogue(str(lite.write(tmp_path / "m.tflite", [("main", given, [])])))
    assert {t.name.rpartition("/")[2]: t.problem for t in found.tensors} == {
        "sparse": "is stored sparsely, which is not decoded",
        "blocks": "is quantised in blocks of 2 values, which is not decoded",
        "text": "holds texts, no numbers",
        "short": "the file holds 8 bytes for float32 [3]",
        "scales": "has 3 scales, which fit no axis of its shape [2, 3]",
        "points": "has 2 scales, but 3 zero points",
        "axis": "has 2 scales, which fit no axis of its shape [2, 3]",
    }


def test_buffers_behind_the_tables(lite: Any, tmp_path: Path) -> None:
    """Beyond 2 GB the values lie behind the FlatBuffer, told by offset and size."""
    far = np.arange(6, dtype="float32")
    given = [lite.Given("s/near", (2,), "FLOAT32", b"\0" * 8), lite.Given("s/far", (6,), "FLOAT32")]
    path = lite.write(tmp_path / "m.tflite", [("main", given, [])], far.tobytes())
    found = open_catalogue(str(path))
    assert (values(found, "s/far") == far).all()
    path.write_bytes(path.read_bytes()[:-4])
    assert open_catalogue(str(path))["s/far"].problem.startswith("4 of its 24 bytes lie behind the end")


def test_shared_buffers_are_counted_once(lite: Any, tmp_path: Path) -> None:
    data = np.arange(6, dtype="float32").tobytes()
    given = [lite.Given("a/w", (2, 3), "FLOAT32", data), lite.Given("b/w", (2, 3), buffer=1)]
    other = lite.Given("c/w", (3, 2), buffer=1)
    found = open_catalogue(str(lite.write(tmp_path / "m.tflite", [("main", [*given, other], [])])))
    assert found["b/w"].alias_of == "a/w"
    assert found["c/w"].alias_of is None, "the same bytes in another shape are another tensor"
    assert found.totals().parameters == 12


def test_constants_without_a_scope_go_to_their_operation(lite: Any, tmp_path: Path) -> None:
    data = np.zeros((2, 3), "float32").tobytes()
    tensors = [
        lite.Given("in", (1, 3)),
        lite.Given("net/fc/MatMul", (2, 3), "FLOAT32", data),
        lite.Given("arith.constant", (2,), "FLOAT32", data[:8]),
        lite.Given("net/fc/BiasAdd;net/fc/MatMul", (1, 2)),
        lite.Given("", (5, 2), "FLOAT32", b"\0" * 40),
        lite.Given("", (5,), "FLOAT32", b"\0" * 20),
        lite.Given("out", (1, 5)),
        lite.Given("left", (2,), "FLOAT32", data[:8]),
        lite.Given("shape", (2,), "INT32", data[:8]),
    ]
    operations = [
        ("FULLY_CONNECTED", [0, 1, 2], [3]),
        ("FULLY_CONNECTED", [3, 4, 5], [6]),
        ("MyOp", [6, 7], [6]),
        ("RESHAPE", [6, 8], [6]),
    ]
    found = open_catalogue(str(lite.write(tmp_path / "m.tflite", [("main", tensors, operations)])))
    assert [(t.name, t.role) for t in found.tensors] == [
        ("net/fc/MatMul", "kernel"),
        ("net/fc/arith.constant", "bias"),
        ("fully_connected_1/kernel", "kernel"),
        ("fully_connected_1/bias", "bias"),
        ("myop_2/left", "left"),
        ("constants/reshape_3/shape", "shape"),
    ]
    assert found.metadata["operations"] == {"FULLY_CONNECTED": 2, "MyOp": 1, "RESHAPE": 1}


def test_graphs_inside_graphs(lite: Any, tmp_path: Path) -> None:
    main = [lite.Given("a/w", (2,), "FLOAT32", b"\0" * 8)]
    body = [lite.Given("a/w", (2,), "FLOAT32", b"\1" * 8)]
    graphs = [("main", main, []), ("loop", body, []), ("", body, [])]
    found = open_catalogue(str(lite.write(tmp_path / "m.tflite", graphs)))
    assert [t.name for t in found.tensors] == ["a/w", "loop/a/w", "subgraph_2/a/w"]
    assert found.metadata["subgraphs"] == ["main", "loop", ""]


def test_operations_are_numbered_as_in_the_schema(lite: Any) -> None:
    from wtui.formats.tflite.operators import BUILTIN

    numbers = {v: k for k, v in vars(lite.schema.BuiltinOperator).items() if isinstance(v, int)}
    assert list(BUILTIN) == [numbers[i] for i in range(len(numbers))]


def test_types_are_numbered_as_in_the_schema(lite: Any) -> None:
    from wtui.formats.tflite.schema import DTYPES

    numbers = {v: k.lower() for k, v in vars(lite.schema.TensorType).items() if isinstance(v, int)}
    assert dict(DTYPES) == numbers


def test_signatures_inputs_and_outputs(oracle: Any, converted: Callable[[str], Path]) -> None:
    path = converted("float")
    found = open_catalogue(str(path))
    interpreter = oracle.tf.lite.Interpreter(str(path))
    signatures = interpreter.get_signature_list()
    told = found.metadata["signatures"]
    assert {k: {s: list(v[s]) for s in v} for k, v in told.items()} == signatures
    assert list(found.metadata["inputs"]) == [d["name"] for d in interpreter.get_input_details()]
    assert list(found.metadata["outputs"]) == [d["name"] for d in interpreter.get_output_details()]


def test_nothing_in_it(lite: Any, tmp_path: Path) -> None:
    path = lite.write(tmp_path / "m.tflite", [])
    with pytest.raises(FormatError, match="holds no graph"):
        open_catalogue(str(path))
