"""`wtui.compare`: every number against numpy and scipy, on trained models, other dtypes, broken and odd tensors."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import pytest

import wtui
from tests.builders import write_safetensors
from tests.comparing.oracle import check, numbers
from tests.formats.gguf_files import Tensor, gguf_bytes
from wtui.errors import StorageError, UnknownNameError, WtuiError

if TYPE_CHECKING:
    from pathlib import Path

    Arrays = dict[str, np.ndarray]


def arrays_of(path: Path) -> Arrays:
    with wtui.open(path) as model:
        return {t.name: t.array() for t in model.tensors}


def saved(path: Path, arrays: Arrays) -> Path:
    return write_safetensors(path, arrays)


@pytest.mark.parametrize("after", ["tuned", "thawed"])
def test_fine_tuning_against_numpy(after: str, trained: Path) -> None:
    found = wtui.compare(trained / "before.keras", trained / f"{after}.keras")
    a, b = arrays_of(trained / "before.keras"), arrays_of(trained / f"{after}.keras")
    assert [c.name for c in found.results] == list(b)
    for change in found.results:
        assert change.a is not None
        check(change.row, a[change.a.name], b[change.name])
        assert change.paired_by == "name"
        assert change.is_equal() == np.array_equal(a[change.name], b[change.name])
    same = {c.name.split("/")[0] for c in found.results if c.is_equal()}
    assert same == ({"backbone"} if after == "tuned" else set())
    assert not found.is_same
    assert found.differs
    assert found.is_complete


def test_layers_and_the_whole_are_all_their_values_together(trained: Path) -> None:
    found = wtui.compare(trained / "before.keras", trained / "thawed.keras")
    a, b = arrays_of(trained / "before.keras"), arrays_of(trained / "thawed.keras")

    def joined(arrays: Arrays, layer: str) -> np.ndarray:
        return np.concatenate([v.ravel() for n, v in arrays.items() if n.startswith(layer)])

    paths = [layer.node.path for layer in found.layers]
    assert paths == ["backbone/conv", "backbone/bn", "hidden", "logits"]
    for layer in found.layers:
        x, y = joined(a, f"{layer.node.path}/"), joined(b, f"{layer.node.path}/")
        expected = numbers(x, y)
        for name in ("pairs", "changed", "sign_flips"):
            assert getattr(layer.row, name) == expected[name]
        for name in ("max_abs", "mean_abs", "relative_l2", "cosine"):
            np.testing.assert_allclose(getattr(layer.row, name), expected[name], rtol=1e-12)
    assert found.whole is not None
    assert found.whole.max_at is not None
    whole = found.whole._replace(max_at=None)
    check(whole, joined(a, ""), joined(b, ""))


def test_channels_say_where_the_change_is(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    a = rng.normal(size=(16, 5, 3, 3)).astype(np.float32)
    b = a.copy()
    b[3] += np.float32(1.0)
    b[11] += np.float32(0.25)
    found = wtui.compare(saved(tmp_path / "a.safetensors", {"c.weight": a}), saved(tmp_path / "b.st", {"c.weight": b}))
    row = found.results[0].row
    assert row is not None
    assert (row.channels, row.channels_changed, row.half_in) == (16, 2, 1)
    square = ((b.astype(np.float64) - a) ** 2).sum(axis=(1, 2, 3))
    assert [t.channel for t in row.top] == [3, 11]
    for top in row.top:
        np.testing.assert_allclose(top.share, square[top.channel] / square.sum(), rtol=1e-12)
        length = np.linalg.norm(a[top.channel].astype(np.float64))
        np.testing.assert_allclose(top.relative, np.sqrt(square[top.channel]) / length, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_rounded_copy_of_the_same_weights(dtype: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    a = {"w.weight": (rng.normal(size=(300, 400)) / 20).astype(np.float32), "w.bias": np.zeros(300, np.float32)}
    b = {name: v.astype(kind) for name, v in a.items()}
    found = wtui.compare(saved(tmp_path / "a.safetensors", a), saved(tmp_path / "b.safetensors", b), tolerance=1e-3)
    assert found.is_same
    for change in found.results:
        check(change.row, a[change.name], b[change.name])
        assert change.row is not None
        assert change.row.rounded_equal == change.entry.size
    assert found.results[1].is_equal()
    assert not found.results[0].is_equal()


def test_quantised_blocks_are_compared_by_the_values_they_stand_for(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    a = rng.normal(size=(24, 64)).astype(np.float32)
    blocks = a.reshape(-1, 32)
    scales = (np.abs(blocks).max(axis=1) / 127).astype(np.float16)
    codes = np.rint(blocks / scales.astype(np.float32)[:, None]).astype(np.int8)
    data = b"".join(s.tobytes() + c.tobytes() for s, c in zip(scales, codes, strict=True))
    path = tmp_path / "q.gguf"
    path.write_bytes(gguf_bytes({}, [Tensor("w.weight", (24, 64), 8, data)]))
    found = wtui.compare(saved(tmp_path / "a.safetensors", {"w.weight": a}), path)
    [change] = found.results
    stands_for = (scales.astype(np.float32)[:, None] * codes).reshape(a.shape)
    check(change.row, a, stands_for)
    assert change.row is not None
    assert 0 < change.row.relative_l2 < 0.01


def test_broken_empty_and_scalar_tensors(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    a: Arrays = {
        "broken": rng.normal(size=(40, 30)).astype(np.float32),
        "all_nan": np.ones(5, np.float32),
        "nan_in_both": np.array([np.nan, 1, np.inf], np.float32),
        "empty": np.zeros((0, 4), np.float32),
        "scalar": np.array(2.0, np.float32),
        "zero": np.zeros(7, np.float32),
        "signs": np.array([1, -1, 0.0, 2], np.float32),
        "one": np.array([3], np.float32),
        "counter": np.array(7, np.int64),
    }
    b = {name: v.copy() for name, v in a.items()}
    b["broken"][3, 4], b["broken"][5, 6] = np.nan, -np.inf
    b["broken"][0, 0] += 1
    b["all_nan"][:] = np.nan
    b["zero"][2] = 1
    b["signs"] = np.array([-1, 1, -0.0, 2], np.float32)
    b["scalar"] = np.array(3.5, np.float32)
    found = wtui.compare(saved(tmp_path / "a.safetensors", a), saved(tmp_path / "b.safetensors", b))
    by_name = {c.name: c for c in found.results}
    for name, change in by_name.items():
        check(change.row, a[name], b[name])
        assert change.is_equal() == (a[name].tobytes() == b[name].tobytes()), name
    row = by_name["broken"].row
    assert row is not None
    assert (row.broken, row.mended, row.changed) == (2, 0, 3)
    assert by_name["zero"].row is not None
    assert by_name["zero"].row.relative_l2 == np.inf
    assert found.whole is not None
    assert found.whole.broken == 7
    assert not wtui.compare(tmp_path / "a.safetensors", tmp_path / "b.safetensors", tolerance=100.0).is_same


def test_minus_zero_is_other_bits_but_no_change(tmp_path: Path) -> None:
    a, b = ({"w": np.array([z, 1], np.float32)} for z in (0.0, -0.0))
    found = wtui.compare(saved(tmp_path / "a.safetensors", a), saved(tmp_path / "b.safetensors", b), tolerance=0.0)
    assert found.results[0].row is not None
    assert (found.results[0].row.identical, found.results[0].row.changed, found.is_same) == (False, 0, True)


def test_the_same_file_twice(trained: Path) -> None:
    found = wtui.compare(trained / "before.keras", trained / "before.keras", everything=True)
    assert found.is_same
    assert not found.differs
    assert found.whole is not None
    assert found.whole.identical
    assert found.whole.ks == 0


def test_optimizer_slots_are_left_out_unless_asked_for(trained: Path) -> None:
    plain = wtui.compare(trained / "before.keras", trained / "before.keras")
    full = wtui.compare(trained / "before.keras", trained / "before.keras", everything=True)
    assert plain.beside > 0
    assert full.beside == 0
    assert len(full.results) == len(plain.results) + plain.beside // 2


@pytest.mark.parametrize("prefix", ["model.", "module.", "_orig_mod.", "base_model.model."])
def test_prefixes_are_seen_through(prefix: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    a = {f"layers.{i}.{role}": rng.normal(size=(4, 4)).astype(np.float32) for i in range(3) for role in ("q", "k")}
    b = {prefix + name: v for name, v in a.items()}
    files = saved(tmp_path / "a.safetensors", a), saved(tmp_path / "b.safetensors", b)
    for one, other in (files, files[::-1]):
        found = wtui.compare(one, other)
        assert found.is_same
        assert {c.paired_by for c in found.results} == {"prefix"}


def test_two_models_with_nothing_in_common(tmp_path: Path) -> None:
    one, other = {"a": np.ones((3, 5), np.float32)}, {"b": np.ones((2, 2), np.float32)}
    found = wtui.compare(saved(tmp_path / "a.safetensors", one), saved(tmp_path / "b.safetensors", other))
    assert (found.pairs, [c.name for c in found.alone], found.whole) == ((), ["b", "a"], None)
    assert (found.is_same, found.differs) == (False, True)


def test_other_shapes_and_lone_tensors_are_told_and_the_rest_is_compared(tmp_path: Path) -> None:
    a = {"w": np.ones((3, 4), np.float32), "same": np.ones(3, np.float32), "gone": np.ones((9, 9), np.float32)}
    b = {"w": np.ones((3, 5), np.float32), "same": np.ones(3, np.float32)}
    found = wtui.compare(saved(tmp_path / "a.safetensors", a), saved(tmp_path / "b.safetensors", b))
    by_name = {c.name: c for c in found.results}
    assert (by_name["w"].fits, by_name["w"].row, by_name["w"].is_unread) == (False, None, False)
    assert "do not fit" in by_name["w"].problem
    assert by_name["same"].is_equal()
    assert by_name["gone"].b is None
    assert found.differs


def test_what_cannot_be_read_is_told_and_is_no_difference(tmp_path: Path) -> None:
    a = {"first": np.ones((10, 10), np.float32), "last": np.ones((10, 10), np.float32)}
    whole, cut = saved(tmp_path / "a.safetensors", a), saved(tmp_path / "b.safetensors", a)
    cut.write_bytes(cut.read_bytes()[:-100])
    found = wtui.compare(whole, cut)
    assert [c.is_unread for c in found.results] == [False, True]
    assert found.results[1].problem
    assert (found.differs, found.is_complete, found.is_same) == (False, False, False)


def test_objects_in_memory_and_open_models(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    a = {"w": rng.normal(size=(20, 20)).astype(np.float32), "b": np.zeros(20, np.float32)}
    b = {"w": a["w"] * 2, "b": a["b"]}
    path = saved(tmp_path / "a.safetensors", a)
    with wtui.open(path) as model:
        found = wtui.compare(model, b)
        assert model["w"].array().shape == (20, 20)
    by_name = {c.name: c for c in found.results}
    check(by_name["w"].row, a["w"], b["w"])
    assert by_name["b"].is_equal()
    with pytest.raises(StorageError, match="is closed"):
        wtui.compare(model, b)


def test_select_takes_names_of_either_model(tmp_path: Path) -> None:
    a = {"model.w": np.ones((2, 3), np.float32), "model.b": np.ones(2, np.float32)}
    b = {name.removeprefix("model."): v for name, v in a.items()}
    files = saved(tmp_path / "a.safetensors", a), saved(tmp_path / "b.safetensors", b)
    for glob in ("model.w", "w", "*w"):
        assert [c.name for c in wtui.compare(*files, select=[glob]).results] == ["w"]
    with pytest.raises(UnknownNameError, match="no tensor matches v"):
        wtui.compare(*files, select=["v"])


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.safetensors", {"w": np.ones(3, np.float32)})
    with pytest.raises(WtuiError, match="nowhere"):
        wtui.compare(path, tmp_path / "nowhere.keras")


def test_numbers_do_not_depend_on_threads(trained: Path) -> None:
    rows: list[Any] = []
    for threads in (1, 3):
        found = wtui.compare(trained / "before.keras", trained / "thawed.keras", threads=threads)
        rows.append(repr(([c.row for c in found.results], [layer.row for layer in found.layers], found.whole)))
    assert rows[0] == rows[1]


LIVE = """
import sys, keras, numpy as np, wtui
keras.utils.set_random_seed(5)
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(6, name="one"), keras.layers.Dense(2, name="two")])
model.save(sys.argv[1])
same = wtui.compare(sys.argv[1], model)
before = model.get_layer("two").kernel.numpy()
model.compile("sgd", "mse")
rng = np.random.default_rng(5)
model.fit(rng.normal(size=(64, 4)), rng.normal(size=(64, 2)), epochs=2, verbose=0)
after = model.get_layer("two").kernel.numpy()
found = wtui.compare(sys.argv[1], model)
row = {c.name: c.row for c in found.results}["two/kernel"]
d = after.astype(np.float64) - before
assert same.is_same and not found.is_same
assert abs(row.relative_l2 - np.linalg.norm(d) / np.linalg.norm(before.astype(np.float64))) < 1e-12
assert row.max_abs == np.abs(d).max() > 0
print("as numpy says")
"""


def test_a_keras_model_in_training_against_its_file(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LIVE, str(tmp_path / "m.keras")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.endswith("as numpy says\n"), done.stderr
