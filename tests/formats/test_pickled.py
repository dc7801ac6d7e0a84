"""Pickles that torch.save did not write: arrays of numpy by protocol, PaddlePaddle, tensors in plain pickles."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import pytest

from tests.formats import torch_files as tf
from tests.formats.fuzzing import check_mutations
from tests.formats.torch_files import Call, Global, opened, ordered, pickled, values
from wtui.errors import FormatError
from wtui.formats.pickled import catalogue as describe
from wtui.formats.probe import Probe

if TYPE_CHECKING:
    from pathlib import Path


RNG = np.random.default_rng(11)
ARRAYS: dict[str, Any] = {
    "linear.weight": RNG.standard_normal((40, 30)).astype("f4"),
    "linear.bias": RNG.standard_normal(30).astype("f2"),
    "table": RNG.integers(-(2**60), 2**60, (5, 3)),
    "fortran": np.asfortranarray(RNG.standard_normal((6, 7))),
    "swapped": RNG.standard_normal((3, 4)).astype(">f8"),
    "mask": RNG.random(9) < 0.5,
    "wave": (RNG.standard_normal(4) + 1j).astype("c8"),
    "half": RNG.standard_normal(8).astype(ml_dtypes.bfloat16),
    "scalar": np.array(2.5),
    "empty": np.zeros((0, 4)),
    "view": RNG.standard_normal((8, 8))[::2, 1::3],
}


def native(array: np.ndarray) -> bytes:
    return array.astype(array.dtype.newbyteorder("=")).tobytes()


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_of_every_protocol(tmp_path: Path, protocol: int) -> None:
    found = opened(tmp_path / "a.pkl", pickle.dumps(ARRAYS, protocol))
    assert {t.name for t in found.tensors} == set(ARRAYS)
    good = values(found)
    for name, array in ARRAYS.items():
        entry = found[name]
        assert (entry.shape, entry.dtype) == (array.shape, array.dtype.newbyteorder("=").name)
        if name in good:
            assert good[name].tobytes() == native(array), name
    if protocol >= 2:
        assert set(good) == set(ARRAYS)
        assert {t.encoding for t in found.tensors if t.size} == {"raw" if protocol > 2 else "latin1"}
    else:
        assert all("as text" in t.problem for t in found.tensors if t.name not in good)


def test_opening_reads_no_arrays(tmp_path: Path) -> None:
    big = {f"layer{i}": np.ones(500_000, "f4") for i in range(10)}
    for protocol in (3, 4, 5):
        (tmp_path / "a.pdparams").write_bytes(pickle.dumps(big, protocol))
        probe = Probe(str(tmp_path / "a.pdparams"))
        assert len(describe(probe).tensors) == 10
        assert probe.bytes_read < 200_000


def test_paddle_names_arrays_twice(tmp_path: Path) -> None:
    weight = np.arange(6.0).reshape(2, 3)
    state = {"fc.weight": ("linear_0.w_0", weight), "StructuredToParameterName@@": {"fc.weight": "linear_0.w_0"}}
    found = opened(tmp_path / "a.pdparams", pickle.dumps(state, 4))
    assert [t.name for t in found.tensors] == ["fc.weight"]
    assert found.format == "PaddlePaddle, pickle of protocol 4"
    np.testing.assert_array_equal(values(found)["fc.weight"], weight)


def test_strings_of_python_2_are_bytes(tmp_path: Path) -> None:
    """What Python 2 wrote: the bytes of arrays as strings, keys as strings."""
    array = np.arange(300, dtype="<f4")
    for count in (3, 300):
        raw = array[:count].tobytes()
        text = b"U" + bytes([len(raw)]) + raw if count < 60 else b"T" + len(raw).to_bytes(4, "little") + raw
        new = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
        dtype = b"cnumpy\ndtype\n(U\x02f4K\x00K\x01tR(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        shape = b"(M" + count.to_bytes(2, "little") + b"t"
        data = b"\x80\x02}U\x06kernel" + new + b"(K\x01" + shape + dtype + b"\x89" + text + b"tbs."
        reference = pickle.loads(data, encoding="latin1")
        found = opened(tmp_path / "a.pkl", data)
        assert found["kernel"].encoding == "raw"
        np.testing.assert_array_equal(values(found)["kernel"], reference["kernel"])


def test_what_holds_no_numbers_is_listed_with_the_reason(tmp_path: Path) -> None:
    odd = {
        "objects": np.array([{}, None], object), "words": np.array(["a", "bc"]), "pair": np.zeros(2, "f4,i4"),
        "when": np.zeros(2, "M8[s]"), "good": np.ones(2),
    }  # fmt: skip
    found = opened(tmp_path / "a.pkl", pickle.dumps(odd, 4))
    assert [t.name for t in found.tensors] == list(odd)
    assert [t.name for t in found.tensors if not t.problem] == ["good"]
    assert "object" in found["objects"].problem
    assert "structure" in found["pair"].problem


class Scaler:
    """Something of a library that is not installed."""


def test_objects_are_layers(tmp_path: Path) -> None:
    scaler = Scaler()
    scaler.mean_ = np.ones(3)  # type: ignore[attr-defined]
    scaler.steps = [("fit", np.zeros(2)), 5]  # type: ignore[attr-defined]
    scaler.copy = True  # type: ignore[attr-defined]
    found = opened(tmp_path / "a.pkl", pickle.dumps(scaler, 4))
    assert [t.name for t in found.tensors] == ["mean_", "steps.fit"]
    assert found.root.class_name == "Scaler"
    assert found.root.config["copy"] is True


def test_a_pickled_tensor_contains_a_legacy_file(tmp_path: Path) -> None:
    stored = tf.Stored("77", np.arange(12, dtype="f4"))
    reference = tf.Pid(("storage", Global("torch", "FloatStorage"), "77", "cpu", 12, None))
    inner = tf.legacy_file(reference, [stored])
    storage = Call(Global("torch.storage", "_load_from_bytes"), (Blob(inner),))
    view = (storage, 2, (2, 3), (3, 1), False, ordered({}))
    data = pickled({"w": Call(Global("torch._utils", "_rebuild_tensor_v2"), view)})
    found = opened(tmp_path / "a.pkl", data)
    np.testing.assert_array_equal(values(found)["w"], np.arange(2, 8, dtype="f4").reshape(2, 3))


class Blob(tf.Raw):
    """Bytes as protocol 3 writes them."""

    def emit(self) -> bytes:
        return b"B" + len(self.data).to_bytes(4, "little") + self.data


def test_sniffing_goes_by_content(tmp_path: Path) -> None:
    data = pickle.dumps({"w": np.ones(2)}, 4)
    assert opened(tmp_path / "weights.dat", data).format == "pickle of protocol 4"
    assert opened(tmp_path / "a.pkl", pickle.dumps({"w": np.ones(2)}, 0)).format == "pickle of protocol 0"
    legacy = tf.legacy_file(*tf.state_dict({"w": np.full(4, np.frombuffer(b"....", "f4")[0])}))
    assert legacy.endswith(b".")
    assert opened(tmp_path / "b.pkl", legacy).format.startswith("PyTorch")
    for junk in (b"(not a pickle.", b"\x80\x04junk.", b"."):
        with pytest.raises(FormatError):
            opened(tmp_path / "junk.pkl", junk)


def test_files_of_joblib_say_what_they_are(tmp_path: Path) -> None:
    wrapper = pickled({"w": Call(Global("joblib.numpy_pickle", "NumpyArrayWrapper"), (), {"shape": (2,)})})
    cut = wrapper.rindex(b"b") + 1
    with pytest.raises(FormatError, match=r"joblib.*save it with pickle"):
        opened(tmp_path / "a.pkl", wrapper[:cut] + bytes(range(255, 200, -1)) + wrapper[cut:])


def test_a_pickle_that_would_run_runs_nothing(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    data = pickled({"w": Call(Global("posix", "system"), (f"touch {touched}",))})
    found = opened(tmp_path / "a.pkl", data)
    assert not touched.exists()
    assert "posix.system" in found.warnings[0].message


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_damage(tmp_path: Path, protocol: int) -> None:
    small = {name: array for name, array in ARRAYS.items() if name != "linear.weight"}
    assert check_mutations(tmp_path / "a.pkl", pickle.dumps(small, protocol), 500, "pickle") > 50
