"""SavedModels as Keras 2, Keras 3, TensorFlow and Estimators write them, and hand-made ones that are damaged."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.formats import tf_files as files
from wtui.errors import FormatError
from wtui.formats import open_catalogue
from wtui.formats.tf.sstable import entries
from wtui.storage import BytesSource

if TYPE_CHECKING:
    from pathlib import Path

    from wtui.model import Catalogue, LayerNode


@pytest.fixture(scope="session")
def oracle() -> Any:
    from tests.formats import tf_oracle

    return tf_oracle


@pytest.fixture(scope="session")
def saved(oracle: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """One model, exported by Keras 3 and saved by TensorFlow."""
    folder = tmp_path_factory.mktemp("saved")
    model = oracle.fitted(oracle.convolutional())
    model.export(str(folder / "export"), verbose=False)
    oracle.tf.saved_model.save(model, str(folder / "save"))
    return model, folder


@pytest.mark.parametrize("how", ["export", "save"])
def test_keras_3_models_are_as_keras_has_them(oracle: Any, saved: tuple[Any, Path], how: str) -> None:
    model, folder = saved
    found = open_catalogue(str(folder / how))
    weights = [t for t in found.tensors if t.counted]
    assert {t.name for t in weights} == {w.path for w in model.weights}
    for weight in model.weights:
        oracle.equal(found, weight.path, weight.numpy())
        assert found[weight.path].trainable is weight.trainable, weight.path
    order = [t.name.partition("/")[0] for t in weights]
    assert list(dict.fromkeys(order)) == ["conv_b", "bn", "bi", "inner", "conv_a"]
    assert found.totals().parameters == model.count_params()


def test_exported_variables_are_counted_once(saved: tuple[Any, Path]) -> None:
    model, folder = saved
    found = open_catalogue(str(folder / "export"))
    size = sum(w.numpy().nbytes for w in model.weights)
    count = len(model.weights)
    told = [w.message for w in found.warnings]
    assert told == [f"Keras 3 exported {count} variables twice ({size:,} bytes more on disk); each is shown once"]
    assert len([t for t in found.tensors if t.counted]) == count
    assert {t.group for t in found.tensors if t.role == "seed_generator_state"} == {"state"}
    stored = (folder / "export" / "variables" / "variables.data-00000-of-00001").stat().st_size
    assert stored > 2 * size


def test_a_copy_that_differs_is_shown(saved: tuple[Any, Path], tmp_path: Path) -> None:
    """Whoever edited one of the two copies changed the checksum in the index, too."""
    shutil.copytree(saved[1] / "export", tmp_path / "m")
    index = tmp_path / "m" / "variables" / "variables.index"
    whole = dict(entries(BytesSource(index.read_bytes())))
    key = b"_all_variables/3/.ATTRIBUTES/VARIABLE_VALUE"
    assert whole[key][-5] == 6 << 3 | 5, "the checksum stands last"
    whole[key] = whole[key][:-1] + bytes([whole[key][-1] ^ 1])
    index.write_bytes(files.table(sorted(whole.items())))
    found = open_catalogue(str(tmp_path / "m"))
    assert len([t for t in found.tensors if t.counted]) == len(saved[0].weights) + 1


def test_what_the_metadata_says(oracle: Any, saved: tuple[Any, Path]) -> None:
    found = open_catalogue(str(saved[1] / "export" / "saved_model.pb"))
    version = oracle.tf.__version__
    assert found.format == f"SavedModel of TensorFlow {version}"
    assert found.metadata["tensorflow_version"] == version
    assert found.metadata["tags"] == ["serve"]
    serving = found.metadata["signatures"]["serving_default"]
    loaded = oracle.tf.saved_model.load(str(saved[1] / "export")).signatures["serving_default"]
    assert {n: v["shape"] for n, v in serving["inputs"].items()} == {
        name: list(spec.shape) for name, spec in loaded.structured_input_signature[1].items()
    }
    assert [v["dtype"] for v in serving["outputs"].values()] == ["float32"]
    json.dumps(found.metadata)


def test_optimizers_are_folded(saved: tuple[Any, Path]) -> None:
    found = open_catalogue(str(saved[1] / "save"))
    node = found.root.children[-1]
    assert (node.name, node.class_name) == ("optimizer", "Adam")
    assert len(node.tensors) == len(saved[0].optimizer.variables)


def test_the_variables_alone_are_a_checkpoint(saved: tuple[Any, Path]) -> None:
    found = open_catalogue(str(saved[1] / "save" / "variables"))
    assert found.format == "TensorFlow object checkpoint"
    assert found.totals().parameters == saved[0].count_params()


def test_modules_with_tables_assets_and_constants(oracle: Any, tmp_path: Path) -> None:
    tf = oracle.tf
    vocabulary = tmp_path / "words.txt"
    vocabulary.write_text("a\nb\n")
    factors = np.linspace(0, 1, 12, dtype="float32").reshape(3, 4)

    class Net(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = tf.Variable([1.0, 2.0, 3.0])
            self.frozen = tf.Variable([4.0], trainable=False)
            source = tf.lookup.TextFileInitializer(str(vocabulary), tf.string, -2, tf.int64, -1)
            self.words = tf.lookup.StaticVocabularyTable(source, 1)
            self.factors = tf.constant(factors)

        @tf.function
        def __call__(self, x: Any) -> Any:
            return tf.linalg.matvec(self.factors, x, transpose_a=True) + self.w[0] + self.frozen

    net = Net()
    net.__call__.get_concrete_function(tf.TensorSpec([3]))
    tf.saved_model.save(net, str(tmp_path / "m"))
    found = open_catalogue(str(tmp_path / "m"))
    assert [(t.name, t.trainable) for t in found.tensors if t.counted] == [("w", True), ("frozen", False)]
    assert found.metadata["assets"] == ["words.txt"]
    constants = [t for t in found.tensors if t.layer == "constants"]
    assert [(t.shape, t.group, t.trainable) for t in constants] == [((3, 4), "state", False)]
    assert oracle.array_of(found, constants[0].name).tobytes() == factors.tobytes()


def test_estimators_have_no_objects(oracle: Any, tmp_path: Path) -> None:
    tf, v1 = oracle.tf, oracle.tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder("float32", (None, 3), name="x")
        w = v1.get_variable("late/kernel", initializer=tf.constant(np.arange(6, dtype="float32").reshape(3, 2)))
        b = v1.get_variable("early/bias", initializer=tf.constant([1.0, 2.0]), trainable=False)
        y = tf.identity(x @ w + b, name="y")
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(tmp_path / "m"), {"x": x}, {"y": y})
    found = open_catalogue(str(tmp_path / "m"))
    tensors = [(t.name, t.trainable) for t in found.tensors if t.counted]
    assert tensors == [("late/kernel", True), ("early/bias", False)], "as the program made them"
    oracle.equal(found, "late/kernel", np.arange(6, dtype="float32").reshape(3, 2))
    assert found.metadata["signatures"]["serving_default"]["inputs"]["x"]["shape"] == [None, 3]
    assert len(found.tensors) == 2, "values that variables begin with are no constants of the model"


def test_weights_that_were_frozen_into_the_graph(oracle: Any, tmp_path: Path) -> None:
    """Models converted from elsewhere have no variables: their constants are the model."""
    tf = oracle.tf
    kernel = np.arange(12, dtype="float32").reshape(3, 4)

    class Frozen(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 3])])
        def serve(self, x: Any) -> Any:
            return tf.nn.bias_add(tf.matmul(x, tf.constant(kernel, name="fc/kernel")), tf.constant([1.0] * 4))

    module = Frozen()
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=module.serve)
    found = open_catalogue(str(tmp_path / "m"))
    kernels = [t for t in found.tensors if t.counted and t.role == "kernel"]
    assert {t.shape for t in kernels} == {(3, 4)}
    assert oracle.array_of(found, kernels[0].name).tobytes() == kernel.tobytes()
    biases = [t for t in found.tensors if t.counted and t.role == "bias"]
    assert oracle.array_of(found, biases[0].name).tolist() == [1.0] * 4


def keras2_objects(names: tuple[str, ...] = ("emb", "dense")) -> tuple[list[Any], dict[int, dict[str, Any]], bytes]:
    """Objects of a functional model with two layers, one of them frozen; what Keras 2 records of them; the graph."""
    value = "/.ATTRIBUTES/VARIABLE_VALUE"
    variables = {4: ("emb/embeddings", "layer_with_weights-0/embeddings"), 5: ("dense/kernel", "layer-2/kernel")}
    objects: list[Any] = [
        ({"layer-0": 1, "layer_with_weights-0": 2, "layer-1": 2, "layer-2": 3, "keras_api": 6}, {}),
        ({}, {}),
        ({"embeddings": 4, "keras_api": 6}, {}),
        ({"kernel": 5}, {}),
        ({}, {7: files.message((1, 1), (3, 1), (6, "emb/embeddings"))}),
        ({}, {7: files.message((1, 1), (3, 1), (6, "dense/kernel"))}),
        ({"metrics": 7}, {}),
        ({"total": 8}, {}),
        ({}, {7: files.message((1, 1), (6, "total"))}),
    ]
    records = {
        0: {"class_name": "Functional", "name": "model", "trainable": True, "config": {"name": "model", "layers": [1]}},
        1: {"class_name": "InputLayer", "name": "in", "config": {}},
        2: {"class_name": "Embedding", "name": names[0], "trainable": False, "config": {"input_dim": 4}},
        3: {"class_name": "my>Dense", "name": names[1], "trainable": True, "config": {"units": 2}},
        7: {"class_name": "Mean", "name": "loss", "config": {}},
    }
    graph = files.object_graph(
        [
            (children, variables.get(i, ("total", "m/total"))[0], (variables.get(i, ("", "m/total"))[1] + value))
            if i in (4, 5, 8)
            else (children, "", "")
            for i, (children, _) in enumerate(objects)
        ]
    )
    return objects, records, graph


def keras2(folder: Path, beside: bool, names: tuple[str, ...] = ("emb", "dense")) -> Path:
    """A SavedModel of Keras 2, with its records in a file beside the graph or in the objects."""
    objects, records, graph = keras2_objects(names)
    metadata = b""
    for i, record in records.items():
        identifier = "_tf_keras_metric" if record["class_name"] == "Mean" else "_tf_keras_layer"
        if beside:
            document = json.dumps(record)
            fields = ((2, i), (3, f"root.{i}"), (4, identifier), (5, document))
            metadata += files.message((1, files.message(*fields)))
        else:
            objects[i][1][4] = files.message((1, identifier), (3, json.dumps(record)))
    files.saved_model(folder, objects, files.graph([]))
    if beside:
        (folder / "keras_metadata.pb").write_bytes(metadata)
    value = "/.ATTRIBUTES/VARIABLE_VALUE"
    tensors: dict[str, Any] = {
        f"layer_with_weights-0/embeddings{value}": np.arange(8, dtype="float32").reshape(4, 2),
        f"layer-2/kernel{value}": np.arange(4, dtype="float32").reshape(2, 2),
        f"m/total{value}": np.float32(3).reshape(()),
        "_CHECKPOINTABLE_OBJECT_GRAPH": graph,
    }
    files.bundle(folder / "variables" / "variables", tensors)
    return folder


def lines(found: Catalogue, node: LayerNode | None = None, depth: int = 0) -> list[str]:
    node = node or found.root
    own = [f"{'  ' * (depth + 1)}{found.tensors[i].label} {found.tensors[i].trainable}" for i in node.tensors]
    below = [line for child in node.children for line in lines(found, child, depth + 1)]
    return [f"{'  ' * depth}{node.name} {node.class_name}", *own, *below]


@pytest.mark.parametrize("beside", [True, False])
def test_keras_2_records_classes_and_trainability(tmp_path: Path, beside: bool) -> None:
    found = open_catalogue(str(keras2(tmp_path / "m", beside)))
    assert found.format == "SavedModel of TensorFlow 2.99.0, Keras 2"
    assert lines(found) == [
        "model Functional",
        "  in InputLayer",
        "  emb Embedding",
        "    embeddings False",
        "  dense Dense",
        "    kernel True",
        "  metrics ",
        "    loss/total False",
    ]
    assert found["dense/kernel"].group == "model"
    assert found["metrics/loss/total"].group == "state"
    assert found.totals().parameters == 12
    assert found.root.config == {"name": "model"}, "layers stand in the tree, not again in the configuration"


def test_layers_of_one_name_stay_apart(tmp_path: Path) -> None:
    found = open_catalogue(str(keras2(tmp_path / "m", True, ("same", "same"))))
    assert [c.path for c in found.root.children] == ["in", "same", "same#2", "metrics"]
    assert {t.name for t in found.tensors} == {"same/embeddings", "same#2/kernel", "metrics/loss/total"}


@pytest.mark.parametrize("damage", ["{", '"text"', "[" * 100_000, "null"])
def test_damaged_records_cost_only_themselves(tmp_path: Path, damage: str) -> None:
    folder = keras2(tmp_path / "m", True)
    record = files.message((2, 3), (4, "_tf_keras_layer"), (5, damage))
    path = folder / "keras_metadata.pb"
    path.write_bytes(path.read_bytes() + files.message((1, record)))
    found = open_catalogue(str(folder))
    assert found.totals().parameters == 12
    path.write_bytes(b"\xff\xff")
    found = open_catalogue(str(folder))
    assert {t.name for t in found.tensors if t.counted} == {"emb/embeddings", "dense/kernel"}
    assert "classes of layers are missing" in found.warnings[0].message


def test_keras_2_itself(oracle: Any, tmp_path: Path) -> None:
    """The same against Keras 2, where it is installed."""
    tf_keras = pytest.importorskip("tf_keras")
    layers = tf_keras.layers
    tf_keras.utils.set_random_seed(1)
    inner = tf_keras.Sequential([layers.Dense(3, name="d1"), layers.Dense(2, name="d2")], name="inner")
    x = tf_keras.Input((6,), dtype="int32")
    y = layers.Embedding(10, 4, name="emb")(x)
    y = layers.Bidirectional(layers.LSTM(3), name="bi")(y)
    y = inner(layers.BatchNormalization(name="bn")(y))
    model = tf_keras.Model(x, layers.Dense(1, name="out")(y), name="k2")
    model.get_layer("emb").trainable = False
    model.compile("adam", "mse")
    model.fit(np.zeros((2, 6)), np.zeros((2, 1)), verbose=0)
    model.save(str(tmp_path / "m"))
    found = open_catalogue(str(tmp_path / "m"))
    assert found.format.endswith(", Keras 2")
    assert (found.root.name, found.root.class_name) == ("k2", "Functional")
    assert [(c.name, c.class_name) for c in found.root.children[:-1]] == [
        *((layer.name, type(layer).__name__) for layer in model.layers),
        ("metrics", ""),
    ]
    for layer in model.layers:
        for weight in layer.weights:
            name = weight.name.removesuffix(":0")
            name = f"inner/{name}" if layer is inner else name
            oracle.equal(found, name, weight.numpy())
            trainable = any(weight is w for w in layer.trainable_weights)
            assert found[name].trainable is trainable, name
    assert found.totals().parameters == model.count_params()
    assert found.totals().trainable == sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    model.save_weights(str(tmp_path / "w" / "ckpt"))
    weights = open_catalogue(str(tmp_path / "w"))
    assert {t.name for t in weights.tensors if t.counted} == {w.name.removesuffix(":0") for w in model.weights}


def test_variables_that_are_gone_are_told(saved: tuple[Any, Path], tmp_path: Path) -> None:
    shutil.copytree(saved[1] / "export", tmp_path / "m")
    shutil.rmtree(tmp_path / "m" / "variables")
    found = open_catalogue(str(tmp_path / "m"))
    assert found.warnings[0].message.endswith("variables, but its folder 'variables' holds none of them")


def test_parts_that_are_damaged_leave_the_rest(saved: tuple[Any, Path], tmp_path: Path) -> None:
    shutil.copytree(saved[1] / "save", tmp_path / "m")
    index = tmp_path / "m" / "variables" / "variables.index"
    whole = index.read_bytes()
    index.write_bytes(whole[:-20])
    found = open_catalogue(str(tmp_path / "m"))
    assert "its variables cannot be read" in found.warnings[0].message
    index.write_bytes(whole)
    folder = keras2(tmp_path / "other", False)
    shutil.copy(folder / "saved_model.pb", tmp_path / "m" / "saved_model.pb")
    found = open_catalogue(str(tmp_path / "m"))
    assert any("of different models" in w.message for w in found.warnings)
    assert found.totals().parameters == saved[0].count_params()


def test_graphs_as_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pbtxt").write_text("saved_model_schema_version: 1")
    with pytest.raises(FormatError, match="as text"):
        open_catalogue(str(tmp_path))


def test_several_graphs(tmp_path: Path) -> None:
    first = files.saved_model(tmp_path, [], files.graph([files.constant("a/w", 1, (2,), b"\0" * 8)]), ["train"])
    second = files.saved_model(tmp_path / "b", [], files.graph([files.constant("b/w", 1, (2,), b"\0" * 8)]))
    first.write_bytes(first.read_bytes() + second.read_bytes())
    found = open_catalogue(str(tmp_path))
    assert [t.name for t in found.tensors] == ["b/w"]
    assert "it holds 2 graphs (tags: train, serve)" in found.warnings[0].message
