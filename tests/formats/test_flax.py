"""Flax's MessagePack files written by hand: arrays, chunks, train states, what is refused, damage."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import pytest

from tests.formats.fuzzing import check_opens_or_refuses
from wtui.engine.blocks import plan_blocks
from wtui.errors import FormatError
from wtui.formats import flax, open_catalogue
from wtui.formats.probe import Probe
from wtui.storage import Files

if TYPE_CHECKING:
    from pathlib import Path

    from wtui.model import Catalogue


def sized(first: int, length: int, body: bytes) -> bytes:
    """A value whose length takes four bytes."""
    return bytes([first]) + struct.pack(">I", length) + body


def pack(value: Any) -> bytes:
    """MessagePack of nested maps and lists with arrays as Flax writes them."""
    if value is None or isinstance(value, bool):
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    if isinstance(value, dict):
        head = bytes([0x80 | len(value)]) if len(value) < 16 else sized(0xDF, len(value), b"")
        return head + b"".join(pack(k) + pack(v) for k, v in value.items())
    if isinstance(value, list | tuple):
        head = bytes([0x90 | len(value)]) if len(value) < 16 else sized(0xDD, len(value), b"")
        return head + b"".join(map(pack, value))
    if isinstance(value, str):
        data = value.encode()
        return bytes([0xA0 | len(data)]) + data if len(data) < 32 else sized(0xDB, len(data), data)
    if isinstance(value, bytes):
        return sized(0xC6, len(value), value)
    if isinstance(value, np.ndarray | np.generic):
        body = pack((value.shape, value.dtype.name, value.tobytes()))
        return sized(0xC9, len(body), bytes([3 if isinstance(value, np.generic) else 1]) + body)
    if isinstance(value, int):
        return bytes([value]) if 0 <= value < 128 else b"\xd3" + struct.pack(">q", value)
    return b"\xcb" + struct.pack(">d", value)


def some(*shape: int, dtype: Any = "f4") -> np.ndarray:
    return (np.random.default_rng(2).normal(size=shape) * 50).astype(dtype)


def opened(path: Path, tree: Any) -> Catalogue:
    path.write_bytes(pack(tree))
    return open_catalogue(str(path))


def values(catalogue: Catalogue, name: str) -> np.ndarray:
    return plan_blocks(catalogue[name], catalogue, Files(catalogue.files)).array()


@pytest.mark.parametrize(
    "dtype", ["f4", "f8", "f2", "i1", "i4", "i8", "u1", "u4", "?", "c8", ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn]
)
def test_every_type(tmp_path: Path, dtype: Any) -> None:
    array = some(3, 4, dtype=dtype)
    found = opened(tmp_path / "a.msgpack", {"params": {"w": array, "scalar": array[0, 0], "empty": array[:0]}})
    assert found["params/w"].dtype == str(array.dtype)
    np.testing.assert_array_equal(values(found, "params/w"), array)
    np.testing.assert_array_equal(values(found, "params/scalar"), array[0, 0])
    assert values(found, "params/empty").shape == (0, 4)


def train_state() -> dict[str, Any]:
    layers = {f"Dense_{i}": {"bias": some(4), "kernel": some(3, 4)} for i in (0, 1, 10, 2)}
    return {
        "batch_stats": {"BatchNorm_0": {"mean": some(4), "var": some(4)}},
        "opt_state": {"0": {"count": np.array(7, "i4"), "mu": layers, "nu": layers}, "1": {}},
        "params": layers,
        "step": np.int32(7),
    }


def test_a_train_state(tmp_path: Path) -> None:
    found = opened(tmp_path / "a.msgpack", {**train_state(), "note": "hello", "rate": 0.5, "none": None})
    assert found.format == "Flax (MessagePack)"
    assert [node.name for node in found.root.children] == ["batch_stats", "params", "optimizer"]
    params = found.root.children[1]
    assert [(node.name, node.class_name) for node in params.children] == [
        ("Dense_0", "Dense"), ("Dense_1", "Dense"), ("Dense_2", "Dense"), ("Dense_10", "Dense"),
    ]  # fmt: skip
    kernel = found["params/Dense_2/kernel"]
    assert (kernel.layer, kernel.role, kernel.group, kernel.trainable) == ("params/Dense_2", "kernel", "model", None)
    assert found["batch_stats/BatchNorm_0/mean"].trainable is False
    assert {t.group for t in found.tensors if t.name.startswith("opt_state")} == {"optimizer"}
    assert found["step"].group == "state"
    assert found.totals().parameters == 4 * (12 + 4) + 8
    assert found.metadata["values"] == {"note": "hello", "rate": 0.5, "none": None}
    assert [found.tensors[i].name for i in found.root.all_tensors()] == [t.name for t in found.tensors]
    np.testing.assert_array_equal(values(found, "opt_state/0/mu/Dense_1/bias"), some(4))


def test_an_order_that_is_not_the_alphabets_is_kept(tmp_path: Path) -> None:
    tree = {"params": {"stem": {"kernel": some(2), "bias": some(2)}, "block_10": {"w": some(2)}, "block_2": some(2)}}
    found = opened(tmp_path / "a.msgpack", tree)
    assert [t.role for t in found.tensors] == ["block_2", "kernel", "bias", "w"]
    assert [node.name for node in found.root.children[0].children] == ["stem", "block_10"]


def test_chunked_arrays(tmp_path: Path) -> None:
    array = some(5, 7)
    flat = array.reshape(-1)
    chunks = {str(i): flat[at : at + 3] for i, at in enumerate(range(0, 35, 3))}
    chunked = {"__msgpack_chunked_array__": True, "shape": {"0": 5, "1": 7}, "chunks": chunks}
    found = opened(tmp_path / "a.msgpack", {"params": {"w": chunked, "v": {**chunked, "shape": [35]}}})
    assert found["params/w"].shape == (5, 7)
    assert len(found["params/w"].parts or ()) == 12
    np.testing.assert_array_equal(values(found, "params/w"), array)
    np.testing.assert_array_equal(values(found, "params/v"), flat)


def test_what_cannot_be_decoded_is_listed_with_its_reason(tmp_path: Path) -> None:
    key = "__msgpack_chunked_array__"
    text = np.array(["ab"])
    tree = {
        "text": text,
        "damaged": {key: True, "shape": {"0": "x"}, "chunks": {}},
        "mixed": {key: True, "shape": [4], "chunks": {"0": some(2), "1": some(2, dtype="f8")}},
        "short": {key: True, "shape": [9], "chunks": {"0": some(2)}},
        "good": some(2),
        "a/b": some(2),
        "a": {"b": some(3)},
        "bytes": b"1234",
    }
    found = opened(tmp_path / "a.msgpack", tree)
    reasons = {"text": "str", "damaged": "damaged", "mixed": "different types", "short": "needs 36"}
    for name, reason in reasons.items():
        assert reason in found[name].problem
    assert not found["good"].problem
    told = {(n.tensor, n.message) for n in found.warnings}
    assert ("a/b", "stands in the file once more, which is not listed") in told
    assert ("", "bytes: 4 bytes of bytes are not read") in told


def test_values_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.msgpack").write_bytes(pack({"params": {f"w{i}": np.zeros(2_000_000, "f4") for i in range(5)}}))
    probe = Probe(str(tmp_path / "a.msgpack"))
    assert flax.sniff(probe)
    assert len(flax.catalogue(probe).tensors) == 5
    assert probe.bytes_read < 200_000
    probe.close()


@pytest.mark.parametrize("tree", [{}, {"a": 1}, {"a": {"b": "text"}}, [1, 2], "text", {1: {2: b"x"}}])
def test_other_messagepack_is_not_taken(tmp_path: Path, tree: Any) -> None:
    (tmp_path / "a.msgpack").write_bytes(pack(tree))
    assert not flax.sniff(Probe(str(tmp_path / "a.msgpack")))
    with pytest.raises(FormatError, match=r"no arrays|no map"):
        open_catalogue(str(tmp_path / "a.msgpack"), "flax")


def test_keys_that_are_no_texts(tmp_path: Path) -> None:
    found = opened(tmp_path / "a.msgpack", {0: {True: some(2)}, -5: some(3)})
    assert {t.name for t in found.tensors} == {"0/True", "-5"}


HOSTILE = {
    "map": b"\xdf\xff\xff\xff\xff",
    "list": b"\x81\xa1a\xdd\xff\xff\xff\xff",
    "maps in maps": b"\x81\xa1a" * 100_000,
    "lists in lists": b"\x81\xa1a" + b"\x91" * 100_000,
    "keys of maps": b"\x81" * 100_000,
    "many empty maps": b"\x81\xa1a" + sized(0xDD, 3_000_000, b"\x80" * 3_000_000),
    "text": b"\x81\xa1a\xdb\xff\xff\xff\xff",
    "array longer than its extension": b"\x81\xa1a\xc7\x08\x01" + pack(((), "float32", b"1234" * 100)),
    "extension behind the end": b"\x81\xa1a\xc9\xff\xff\xff\xff\x01" + pack(((), "float32", b"1234")),
    "shape": b"\x81\xa1a" + sized(0xC9, 40, b"\x01" + pack(([2**62] * 3, "f", b""))),
    "arrays in shapes": b"\x81\xa1a" + sized(0xC9, 60_000, b"\x01\x93" * 20_000),
    "never used": b"\x81\xa1a\xc1",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.msgpack").write_bytes(HOSTILE[name])
    found = check_opens_or_refuses(tmp_path / "a.msgpack", "flax")
    assert found is None or found.tensors[0].problem


def test_truncation_at_any_byte_is_refused(tmp_path: Path) -> None:
    data = pack({"params": {"Dense_0": {"kernel": some(2, 3), "bias": some(3)}}, "step": 1000})
    for length in range(len(data)):
        (tmp_path / "a.msgpack").write_bytes(data[:length])
        assert check_opens_or_refuses(tmp_path / "a.msgpack", "flax") is None
