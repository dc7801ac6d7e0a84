"""TensorFlow files that somebody damaged, or made to do harm: one clean error, or a listing that says what is lost."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.formats import tf_files as files
from tests.formats.fuzzing import check_mutations, check_opens_or_refuses
from tests.formats.test_saved_model import keras2
from wtui.errors import FormatError, StorageError, WtuiError
from wtui.formats import open_catalogue
from wtui.formats.tf import constants, naming, objects
from wtui.formats.tf.survey import survey

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MUTATIONS = 600
"""Of each file."""

VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"


def checkpoint(folder: Path) -> Path:
    """Every kind of entry in little space; the index, whose neighbours stay whole."""
    rng = np.random.default_rng(0)
    nodes: list[Any] = [
        ({"layer-0": 1, "optimizer": 2, "root": 0}, "", ""),
        ({"kernel": 3, "up": 0}, "", ""),
        ({"iter": 4, "learning_rate": 5, "_variables": 6}, "", ""),
        ({}, "dense/kernel", f"k{VALUE}"),
        ({}, "Adam/iter", f"i{VALUE}"),
        ({}, "Adam/learning_rate", f"l{VALUE}"),
        ({"0": 4}, "", ""),
    ]
    tensors: dict[str, Any] = {
        f"k{VALUE}": rng.normal(size=(3, 4)).astype("float32"),
        f"i{VALUE}": np.array(3, "int64"),
        f"l{VALUE}": np.array(0.1, "float32"),
        "text": b"abc",
        "_CHECKPOINTABLE_OBJECT_GRAPH": files.object_graph(nodes),
    }
    return files.bundle(folder / "m", tensors, shards=2)


def cut_variable(folder: Path) -> Path:
    """A variable in two pieces, in a compressed index."""
    from wtui.formats.tf.slices import Box

    boxes = [Box((0, 0), (2, -1)), Box((2, 0), (1, -1))]
    slices = b""
    extra: dict[bytes, bytes] = {}
    for i, box in enumerate(boxes):
        first = files.message((1, box.starts[0])) if box.starts[0] else b""
        extents = (first + files.message((2, box.lengths[0])), b"")
        slices += files.message((7, files.message(*((1, e) for e in extents))))
        shape = files.shape_message((box.lengths[0], 4))
        extra[box.key("w")] = files.message((1, 1), (2, shape), (4, 32 * i), (5, 16 * box.lengths[0]))
    extra[b"w"] = files.message((1, 1), (2, files.shape_message((3, 4)))) + slices
    return files.bundle(folder / "p", {"a": np.arange(12, dtype="float32")}, compression=1, extra=extra)


def graph_file(folder: Path) -> Path:
    """Constants of every storage, and operations that take them."""
    nodes = [
        files.constant("a/w", 1, (2, 3), np.arange(6, dtype="float32").tobytes()),
        files.constant("a/b", 1, (3,), values=[(5, np.arange(3, dtype="float32").tobytes())]),
        files.constant("a/splat", 1, (9, 9), values=[(5, b"\0\0\x80\x3f")]),
        files.constant("a/some", 1, (9,), values=[(5, b"\0\0\x80\x3f" * 2)]),
        files.constant("a/i", 3, (3,), values=[(7, b"\1\2\x83\1")]),
        files.operation("a/m", "MatMul", "x", "a/r"),
        files.operation("a/r", "Identity", "a/w"),
        files.operation("a/o", "BiasAdd", "a/m", "a/b"),
    ]
    path = folder / "g.pb"
    path.write_bytes(files.graph(nodes, {"f": [files.constant("w", 19, (2,), b"\0\x3c\0\x3c")]}))
    return path


def lite_file(folder: Path) -> Path:
    from tests.formats import tflite_files as lite

    tensors = [
        lite.Given("in", (1, 3)),
        lite.Given("net/fc/MatMul", (2, 3), "INT8", bytes(range(6)), [0.5, 0.25], [0, 1], 0),
        lite.Given("bias", (2,), "FLOAT32", b"\0" * 8),
        lite.Given("net/out", (1, 2)),
    ]
    return lite.write(folder / "m.tflite", [("main", tensors, [("FULLY_CONNECTED", [0, 1, 2], [3])])])


def keras_file(folder: Path) -> Path:
    return keras2(folder / "k", True) / "keras_metadata.pb"


def graph_of_saved_model(folder: Path) -> Path:
    return keras2(folder / "k", False) / "saved_model.pb"


@pytest.mark.parametrize("make", [checkpoint, cut_variable, graph_file, lite_file, graph_of_saved_model, keras_file])
def test_damage_ends_in_wtui_errors(make: Callable[[Path], Path], tmp_path: Path) -> None:
    path = make(tmp_path)
    opened_as = str(path.parent) if make is keras_file else str(path)
    assert open_catalogue(opened_as).tensors
    data = path.read_bytes()
    if make is keras_file:
        opened = 0
        from tests.formats.fuzzing import mutate

        for seed in range(MUTATIONS):
            path.write_bytes(mutate(data, seed))
            opened += check_opens_or_refuses(opened_as) is not None
        assert opened == MUTATIONS, "what Keras recorded is never needed"
    else:
        name = {checkpoint: "tf-checkpoint", cut_variable: "tf-checkpoint", graph_file: "tf-graph"}.get(make)
        assert check_mutations(path, data, MUTATIONS, name) > MUTATIONS // 20, "enough must be left to read"


@pytest.mark.parametrize("make", [checkpoint, graph_file, lite_file, graph_of_saved_model])
def test_every_truncation(make: Callable[[Path], Path], tmp_path: Path) -> None:
    path = make(tmp_path)
    data = path.read_bytes()
    for size in range(0, len(data), max(1, len(data) // 150)):
        path.write_bytes(data[:size])
        check_opens_or_refuses(path)


@pytest.mark.parametrize("name", ["m.data-00000-of-00002", "m.data-00001-of-00002"])
def test_damaged_values_and_object_graphs(name: str, tmp_path: Path) -> None:
    checkpoint(tmp_path)
    path = tmp_path / name
    data = path.read_bytes()
    from tests.formats.fuzzing import mutate

    for seed in range(MUTATIONS // 2):
        path.write_bytes(mutate(data, seed))
        assert check_opens_or_refuses(tmp_path / "m") is not None, "values are not needed to open"


def entry(dtype: int, shape: tuple[int, ...], offset: int, size: int, shard: int = 0) -> bytes:
    return files.message((1, dtype), (2, files.shape_message(shape)), (3, shard), (4, offset), (5, size))


def test_places_and_shapes_that_cannot_be(tmp_path: Path) -> None:
    extra = {
        b"big": entry(1, (1 << 60, 1 << 60), 0, 8),
        b"far": entry(1, (2,), 1 << 60, 8),
        b"long": entry(1, (1 << 50,), 0, 1 << 52),
        b"negative": entry(1, (-4,), 0, 8),
        b"other_file": entry(1, (2,), 0, 8, shard=7),
        b"over": entry(1, (2,), 4, 8),
        b"type": entry(77, (2,), 0, 8),
    }
    files.bundle(tmp_path / "m", {"good": np.zeros(4, "float32")}, extra=extra)
    found = open_catalogue(str(tmp_path / "m"))
    problems = {t.name: t.problem for t in found.tensors}
    assert problems["good"] == ""
    assert problems["over"] == ""
    assert "has more values than any file can hold" in problems["big"]
    assert "lie behind the end" in problems["far"]
    assert "lie behind the end" in problems["long"]
    assert "negative axis" in problems["negative"]
    assert "is missing" in problems["other_file"]
    assert problems["type"] == "values of type DT_77 cannot be decoded"
    assert "5 tensors share bytes with others" in " ".join(w.message for w in found.warnings)


def test_impossible_numbers_in_the_index(tmp_path: Path) -> None:
    for broken in (entry(1, (2,), -8, 8), entry(1, (2,), 0, 8, shard=1 << 40), b"\x12\xff\1", b"\x08"):
        files.bundle(tmp_path / "m", {}, extra={b"w": broken})
        with pytest.raises(FormatError, match="entry b'w' is damaged"):
            open_catalogue(str(tmp_path / "m"))
    index = tmp_path / "n.index"
    index.write_bytes(files.table([(b"", files.message((1, 1 << 40)))]))
    with pytest.raises(FormatError, match="claims to consist of"):
        open_catalogue(str(index))


@pytest.mark.parametrize("change", ["gap", "outside", "missing", "size", "overlap"])
def test_pieces_that_do_not_fit(change: str, tmp_path: Path) -> None:
    from wtui.formats.tf.slices import Box

    boxes = {
        "gap": [((0,), (2,)), ((3,), (1,))],
        "outside": [((0,), (2,)), ((2,), (9,))],
        "missing": [((0,), (2,)), ((2,), (2,))],
        "size": [((0,), (2,)), ((2,), (2,))],
        "overlap": [((0,), (2,)), ((1,), (2,))],
    }[change]
    slices, extra = b"", {}
    for start, length in boxes:
        extent = files.message((1, start[0]), (2, length[0]))
        slices += files.message((7, files.message((1, extent))))
        size = 4 * length[0] + (change == "size")
        if change != "missing" or not start[0]:
            extra[Box(start, length).key("w")] = entry(1, length, 0, size)
    extra[b"w"] = files.message((1, 1), (2, files.shape_message((4,)))) + slices
    files.bundle(tmp_path / "m", {"a": np.zeros(4, "float32")}, extra=extra)
    found = open_catalogue(str(tmp_path / "m"))
    told = {
        "gap": "its 2 pieces do not make up its shape",
        "outside": "a piece of it lies outside its shape [4]",
        "missing": "its piece at [2] is not in the index",
        "size": "its piece at [0] has not the size that its shape needs",
        "overlap": "its 2 pieces do not make up its shape",
    }
    assert found["w"].problem == told[change]


def test_keys_that_grow_without_end(tmp_path: Path) -> None:
    """Each key repeats the one before it: 3 KB on disk would be 4 GB of names."""
    size = 1 << 20
    block = files.varint(0) + files.varint(size) + files.varint(0) + b"a" * size
    for _ in range(500):
        block += files.varint(size) + files.varint(1) + files.varint(0) + b"b"
    block += (0).to_bytes(4, "little") + (1).to_bytes(4, "little")
    data = files._stored(block, 0)
    index = files._stored(files._block([(b"z", files.varint(0) + files.varint(len(block)))]), 0)
    handles = files.varint(0) + files.varint(0) + files.varint(len(data)) + files.varint(len(index) - 5)
    path = tmp_path / "m.index"
    path.write_bytes(data + index + handles.ljust(40, b"\0") + files.MAGIC)
    with pytest.raises(WtuiError):
        open_catalogue(str(path), "tf-checkpoint")
    check_opens_or_refuses(path, "tf-checkpoint")


def test_object_graphs_that_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "MAX_EDGES", 10)
    monkeypatch.setattr(objects, "MAX_NODES", 10)
    with pytest.raises(FormatError, match="more than 10 references"):
        objects.parse_object_graph(files.object_graph([({f"a{i}": 0 for i in range(11)}, "", "")]))
    with pytest.raises(FormatError, match="more than 10 objects"):
        objects.parse_object_graph(files.object_graph([({}, "", "")] * 11))


def test_graphs_of_too_many_operations(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(constants, "MAX_NODES", 3)
    path = tmp_path / "g.pb"
    path.write_bytes(files.graph([files.constant(f"n{i}/w", 1, (2,), b"\0" * 8) for i in range(5)]))
    found = open_catalogue(str(path))
    assert len(found.tensors) == 3
    assert found.warnings[0].message == "only the first 3 operations of its graph were read"


def test_deep_and_cyclic_objects() -> None:
    """A chain of 5,000 objects, each of which also refers to the root and to itself."""
    chain = [({"next": i + 1, "root": 0, "me": i}, "", "") for i in range(5000)]
    nodes = objects.parse_object_graph(files.object_graph([*chain, ({}, "deep/w", "w")]))
    found = naming.name_model(survey(nodes))
    assert found == [], "what is deeper than models are is left to its key"


def test_names_are_data(tmp_path: Path) -> None:
    names = ["\x1b[31mred", "[bold]markup[/]", "new\nline", "bidi\u202e", "../../etc/passwd", "a" * 5000, "/" * 200]
    files.bundle(tmp_path / "m", {name: np.zeros(1, "float32") for name in names})
    found = open_catalogue(str(tmp_path / "m"))
    assert {t.name for t in found.tensors} == set(names)
    assert max(path.path.count("/") for path in found.root.walk()) <= 64


def test_names_of_a_hundred_thousand_scopes(tmp_path: Path) -> None:
    """Each scope would be a layer with a path of its own: gigabytes, if all of them were made."""
    name = "a/" * 30_000 + "w"
    files.bundle(tmp_path / "m", {name: np.zeros(1, "float32")})
    assert check_opens_or_refuses(tmp_path / "m") is not None
    (tmp_path / "g.pb").write_bytes(files.graph([files.constant(name, 1, (2,), b"\0" * 8)]))
    assert check_opens_or_refuses(tmp_path / "g.pb") is not None


def test_nothing_outside_the_folder_is_opened(tmp_path: Path) -> None:
    """A state file or an index may name any path; only what lies beside them is read."""
    outside = tmp_path / "outside"
    inside = tmp_path / "inside"
    files.bundle(outside / "m", {"w": np.zeros(1, "float32")})
    inside.mkdir()
    for path in ("../outside/m", str(outside / "m")):
        (inside / "checkpoint").write_text(f'model_checkpoint_path: "{path}"\n')
        with pytest.raises(StorageError, match="is not there"):
            open_catalogue(str(inside))


def test_pipes_devices_and_links(tmp_path: Path) -> None:
    files.bundle(tmp_path / "m", {"w": np.zeros(1, "float32")})
    data = tmp_path / "m.data-00000-of-00001"
    data.unlink()
    os.mkfifo(data)
    assert open_catalogue(str(tmp_path / "m"))["w"].problem.endswith("not a regular file")
    data.unlink()
    data.symlink_to(data)
    assert open_catalogue(str(tmp_path / "m"))["w"].problem
    folder = tmp_path / "s"
    folder.mkdir()
    os.mkfifo(folder / "saved_model.pb")
    with pytest.raises(WtuiError):
        open_catalogue(str(folder))


def test_assets_that_loop(tmp_path: Path) -> None:
    folder = keras2(tmp_path / "m", True)
    (folder / "assets").mkdir()
    (folder / "assets" / "again").symlink_to(folder)
    (folder / "assets" / "words.txt").write_text("a")
    assert open_catalogue(str(folder)).metadata["assets"] == ["words.txt"]


def test_lite_files_that_point_anywhere(tmp_path: Path) -> None:
    """Every reference of a small file in turn leads to its own table, to the end, and far away."""
    path = lite_file(tmp_path)
    data = path.read_bytes()
    for at in range(0, len(data) - 4, 4):
        for value in (0, 4, len(data) - at, 0x7FFFFFFF):
            path.write_bytes(data[:at] + value.to_bytes(4, "little") + data[at + 4 :])
            check_opens_or_refuses(path, "tflite")


def lite_of_one_tensor(count: int) -> bytes:
    """A file of tables without values: a model, a graph, and `count` references to one tensor."""
    end = 56 + 4 * count + 4
    model = struct.pack("<5H2xiI", 10, 8, 0, 0, 4, 12, 4)
    graphs = struct.pack("<2I3H2xiI", 1, 12, 6, 8, 4, 8, 4)
    tensors = struct.pack("<I", count) + b"".join(struct.pack("<I", end - 56 - 4 * i) for i in range(count))
    return struct.pack("<I4s", 20, b"TFL3") + model + graphs + tensors + struct.pack("<2Hi", 4, 4, 4)


def test_lite_files_that_say_the_same_thing_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(lite_of_one_tensor(3))
    assert open_catalogue(str(path)).tensors == (), "well-formed, and without values"
    path.write_bytes(lite_of_one_tensor(1_000_000))
    with pytest.raises(FormatError, match="list of 1,000,000 records"):
        open_catalogue(str(path))
    path.write_bytes(lite_of_one_tensor(20_000))
    assert check_opens_or_refuses(path) is not None


@pytest.mark.parametrize("make", [checkpoint, graph_file, lite_file, graph_of_saved_model])
def test_nothing_heavy_is_imported(make: Callable[[Path], Path], tmp_path: Path) -> None:
    code = (
        "import sys; from wtui.formats import open_catalogue; assert open_catalogue(sys.argv[1]).tensors;"
        "print([m for m in ('numpy', 'tensorflow', 'flatbuffers', 'google.protobuf') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(make(tmp_path))]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_files_are_not_written_to(tmp_path: Path) -> None:
    index = checkpoint(tmp_path)
    before = {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in index.parent.iterdir()}
    check_opens_or_refuses(index)
    assert {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in index.parent.iterdir()} == before
