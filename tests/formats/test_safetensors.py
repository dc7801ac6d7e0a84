"""safetensors: the library that writes them as the oracle, and headers that lie."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

import wtui
from tests.formats.fuzzing import check_opens_or_refuses
from wtui.errors import FormatError
from wtui.formats import open_catalogue

if TYPE_CHECKING:
    from pathlib import Path

DTYPES = (
    "float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8", "bool",
)  # fmt: skip
INFO = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def file_of(header: object, data: bytes = bytes(8)) -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(raw).to_bytes(8, "little") + raw + data


def test_every_tensor_is_what_the_library_wrote(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {f"layers.{i}.{d}": rng.integers(0, 2, (3, 4)).astype(d) for i, d in enumerate(DTYPES)}
    arrays |= {"scalar": np.array(3.5), "empty": np.zeros((0, 4), np.float32), "nan": np.full(3, np.nan, np.float16)}
    arrays["payload"] = np.array([0x7FC00001, 0xFF800001, 0x7FFFFFFF], np.uint32).view(np.float32)
    arrays["half"] = rng.normal(size=(2, 3)).astype(ml_dtypes.bfloat16)
    save_file(arrays, tmp_path / "a.safetensors", {"format": "np", "note": "x"})
    with wtui.open(tmp_path / "a.safetensors") as model:
        assert {t.name for t in model.tensors} == set(arrays)
        for name, array in arrays.items():
            tensor = model.tensor(name)
            assert (tensor.shape, tensor.dtype) == (array.shape, array.dtype.name)
            assert tensor.array().tobytes() == array.tobytes()
        assert model.metadata["metadata"] == {"format": "np", "note": "x"}
        assert model.warnings == ()


def test_types_below_a_byte_and_eight_bits(tmp_path: Path) -> None:
    codes = {"F8_E4M3": ml_dtypes.float8_e4m3fn, "F8_E5M2": ml_dtypes.float8_e5m2, "F4": ml_dtypes.float4_e2m1fn}
    header: dict[str, Any] = {}
    for i, code in enumerate(codes):
        header[code] = {"dtype": code, "shape": [8], "data_offsets": [8 * i, 8 * i + (4 if code == "F4" else 8)]}
    data = bytes(range(0x30, 0x38)) + bytes(range(0x40, 0x48)) + b"\x10\x32\x54\x76"
    (tmp_path / "a.safetensors").write_bytes(file_of(header, data))
    with wtui.open(tmp_path / "a.safetensors") as model:
        for i, (code, dtype) in enumerate(codes.items()):
            raw = np.frombuffer(data[8 * i : 8 * i + 8], np.uint8)
            if code == "F4":
                raw = np.stack([raw & 15, raw >> 4], 1).reshape(-1)
            np.testing.assert_array_equal(model.tensor(code).array().astype("f4"), raw.view(dtype).astype("f4"))


HOSTILE: dict[str, bytes] = {
    "length": (1 << 60).to_bytes(8, "little") + b'{"a": 1}',
    "longer than the file": (1 << 20).to_bytes(8, "little") + b'{"a": 1}',
    "no json": file_of(b"{" + b"x" * 50),
    "deep": file_of(b'{"a":' * 100_000),
    "list": file_of(b"[1, 2, 3]"),
    "twice": file_of(b'{"a": %s, "a": %s}' % ((json.dumps(INFO).encode(),) * 2)),
    "encoding": file_of(b'{"a\xff": 3}'),
    "huge number": file_of(b'{"a": {"dtype": "F32", "shape": [%s], "data_offsets": [0, 8]}}' % (b"9" * 5000)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_headers_that_cannot_be(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(HOSTILE[name])
    assert check_opens_or_refuses(path) is None
    assert check_opens_or_refuses(path, "safetensors") is None


LIES: dict[str, tuple[dict[str, Any], str]] = {
    "behind the end": ({"data_offsets": [8, 16]}, "lie behind the end"),
    "far behind": ({"data_offsets": [1 << 60, (1 << 60) + 8]}, "lie behind the end"),
    "before the values": ({"data_offsets": [-8, 0]}, "overlap those of the header"),
    "backwards": ({"data_offsets": [8, 0]}, "impossible"),
    "too few bytes": ({"data_offsets": [0, 4]}, "holds 4 bytes, but float32"),
    "too many values": ({"shape": [1 << 31, 1 << 31]}, "more values than any file"),
    "negative axis": ({"shape": [-2]}, "negative axis"),
    "overflowing": ({"shape": [1 << 62, 4]}, "more values than any file"),
    "unknown type": ({"dtype": "F128"}, "F128 cannot be decoded"),
    "type is no word": ({"dtype": 3}, "cannot be decoded|understood"),
    "shape is no list": ({"shape": "ab"}, "understood"),
    "no offsets": ({"data_offsets": []}, "understood"),
}


@pytest.mark.parametrize("name", LIES)
def test_a_tensor_that_cannot_be_is_told_and_the_others_stay(name: str, tmp_path: Path) -> None:
    lie, message = LIES[name]
    path = tmp_path / "a.safetensors"
    path.write_bytes(file_of({"good": INFO, "bad": INFO | lie}))
    found = check_opens_or_refuses(path)
    assert found is not None
    assert found["good"].problem == ""
    told = " ".join(w.message for w in found.warnings if w.tensor == "bad")
    assert re.search(message, told), told
    assert any(w.lost for w in found.warnings if w.tensor == "bad")


def test_overlapping_bytes_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(file_of({"a": INFO, "b": INFO}))
    assert any("overlap" in w.message for w in open_catalogue(str(path)).warnings)


def test_a_header_that_ends_early_says_so(tmp_path: Path) -> None:
    path = tmp_path / "weights.bin"
    path.write_bytes(file_of({f"layer.{i}": INFO for i in range(50)})[:200])
    with pytest.raises(FormatError, match=r"ends inside its header \(200 of"):
        open_catalogue(str(path))


def test_names_are_data(tmp_path: Path) -> None:
    names = ["\x1b[31mred", "[bold]x[/]", "new\nline", "bidi\u202e", "../../etc/passwd", "", "." * 500, "a" * 5000]
    path = tmp_path / "a.safetensors"
    path.write_bytes(file_of({n: INFO | {"shape": [0], "data_offsets": [0, 0]} for n in names}))
    assert {t.name for t in open_catalogue(str(path)).tensors} == set(names)
