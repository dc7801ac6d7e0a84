"""GGUF files that the gguf package wrote: every tensor's name, shape, type and values are what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from wtui.engine.blocks import plan_blocks
from wtui.formats import open_catalogue
from wtui.storage import Files

if TYPE_CHECKING:
    from pathlib import Path

gguf = pytest.importorskip("gguf")

QUANTISED = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "TQ1_0", "TQ2_0", "BF16", "MXFP4")
"""Types that the package can write from floats."""


def write(path: Path, big_endian: bool = False, **options: Any) -> dict[str, np.ndarray]:
    """A small model; what its tensors stand for."""
    endianess = gguf.GGUFEndian.BIG if big_endian else gguf.GGUFEndian.LITTLE
    writer = gguf.GGUFWriter(path, "llama", endianess=endianess, **options)
    writer.add_name("tiny")
    writer.add_block_count(1)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([f"token {i}".encode() for i in range(1000)])
    rng = np.random.default_rng(0)
    expected: dict[str, np.ndarray] = {}
    for dtype in (np.float32, np.float16, np.float64, np.int8, np.int16, np.int32, np.int64):
        array = (rng.normal(size=(3, 2, 5)) * 50).astype(dtype)
        expected[f"plain.{np.dtype(dtype)}"] = array
        writer.add_tensor(f"plain.{np.dtype(dtype)}", array)
    for name in () if big_endian else QUANTISED:
        kind = gguf.GGMLQuantizationType[name]
        data = gguf.quants.quantize(rng.normal(size=(6, 512)).astype(np.float32), kind)
        expected[f"blk.0.{name}.weight"] = gguf.quants.dequantize(data, kind)
        writer.add_tensor(f"blk.0.{name}.weight", data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return expected


@pytest.mark.parametrize("big_endian", [False, True])
def test_tensors_equal_what_was_written(tmp_path: Path, big_endian: bool) -> None:
    path = tmp_path / "a.gguf"
    expected = write(path, big_endian)
    found = open_catalogue(str(path))
    assert {t.name for t in found.tensors} == set(expected)
    files = Files(found.files)
    for name, array in expected.items():
        entry = found[name]
        assert entry.shape == array.shape
        if name.startswith("plain"):
            assert entry.dtype == str(array.dtype)
        np.testing.assert_array_equal(np.asarray(plan_blocks(entry, found, files).array(), array.dtype), array, name)


def test_places_and_types_equal_those_of_its_reader(tmp_path: Path) -> None:
    write(tmp_path / "a.gguf")
    found = open_catalogue(str(tmp_path / "a.gguf"))
    tensors = gguf.GGUFReader(tmp_path / "a.gguf").tensors
    assert len(tensors) == len(found.tensors)
    for tensor in tensors:
        entry = found[tensor.name]
        (part,) = found.parts(entry)
        assert part.extent[1:] == (tensor.data_offset, tensor.n_bytes)
        assert entry.shape == tuple(int(n) for n in reversed(tensor.shape))
        assert entry.encoding == "raw" or entry.dtype == tensor.tensor_type.name


def test_shards_that_it_wrote_are_one_model(tmp_path: Path) -> None:
    expected = write(tmp_path / "m.gguf", split_max_tensors=4)
    assert len(list(tmp_path.iterdir())) == 4
    found = open_catalogue(str(tmp_path))
    assert {t.name: t.shape for t in found.tensors} == {n: a.shape for n, a in expected.items()}
    assert found.warnings == ()
    assert found.metadata["general.name"] == "tiny"
