"""GGUF files written by hand: all versions and byte orders, shards, order of depth, what is refused, damage."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.formats.fuzzing import check_mutations, check_opens_or_refuses
from tests.formats.gguf_files import Tensor, gguf_bytes, string
from wtui.engine.blocks import plan_blocks
from wtui.errors import FormatError, WtuiError
from wtui.formats import gguf, open_catalogue
from wtui.formats.gguf import pieces
from wtui.formats.probe import Probe
from wtui.model import BLOCK_DTYPES, Extent
from wtui.storage import Files

if TYPE_CHECKING:
    from pathlib import Path

    from wtui.model import Catalogue

F32, F16, Q8_0 = 0, 1, 8

METADATA = {
    "general.architecture": ("string", "llama"),
    "general.name": ("string", "Tiny"),
    "llama.block_count": ("uint32", 1),
    "llama.rope.freq_base": ("float32", 10000.0),
    "tokenizer.ggml.add_bos": ("bool", True),
    "tokenizer.ggml.tokens": ("array", ("string", [f"token {i}" for i in range(3000)])),
    "tokenizer.ggml.scores": ("array", ("float32", [0.5] * 3000)),
    "few": ("array", ("int32", [3, -1, 2])),
    "words": ("array", ("string", ["a", "b"])),
    "nested": ("array", ("array", [("int32", [1, 2]), ("int32", [])])),
}  # fmt: skip


def values(catalogue: Catalogue, name: str) -> np.ndarray:
    files = Files(catalogue.files)
    return plan_blocks(catalogue[name], catalogue, files).array()


def floats(name: str, *shape: int, order: str = "<") -> Tensor:
    array = np.arange(int(np.prod(shape)), dtype=order + "f4").reshape(shape)
    return Tensor(name, shape, F32, array.tobytes())


def eights(name: str, *shape: int, order: str = "<") -> Tensor:
    """Blocks of Q8_0 with scale 0.5 whose integers count 0 to 31."""
    block = struct.pack(f"{order}e32b", 0.5, *range(32))
    return Tensor(name, shape, Q8_0, block * (int(np.prod(shape)) // 32))


def opened(path: Path, data: bytes) -> Catalogue:
    path.write_bytes(data)
    return open_catalogue(str(path))


@pytest.mark.parametrize(("version", "order"), [(1, "<"), (2, "<"), (3, "<"), (3, ">")])
def test_every_version_and_byte_order(tmp_path: Path, version: int, order: str) -> None:
    halves = np.array([[1.5, -2.0, 65504.0]], order + "f2")
    tensors = [
        floats("token_embd.weight", 4, 8, order=order),
        eights("blk.0.attn_q.weight", 2, 64, order=order),
        Tensor("output_norm.weight", (1, 3), F16, halves.tobytes()),
        Tensor("counts", (2,), 27, np.array([7, -(2**60)], order + "i8").tobytes()),
        Tensor("scalar", (), F32, np.array(2.5, order + "f4").tobytes()),
    ]
    found = opened(tmp_path / "a.bin", gguf_bytes(METADATA, tensors, version, order))
    assert found.format == f"GGUF v{version}"
    assert found.warnings == ()
    assert {t.name: (t.shape, t.dtype) for t in found.tensors} == {
        "token_embd.weight": ((4, 8), "float32"),
        "blk.0.attn_q.weight": ((2, 64), "Q8_0"),
        "output_norm.weight": ((1, 3), "float16"),
        "counts": ((2,), "int64"),
        "scalar": ((), "float32"),
    }
    np.testing.assert_array_equal(values(found, "token_embd.weight"), np.arange(32).reshape(4, 8))
    np.testing.assert_array_equal(values(found, "blk.0.attn_q.weight"), np.tile(np.arange(32) / 2, 4).reshape(2, 64))
    np.testing.assert_array_equal(values(found, "output_norm.weight"), halves)
    np.testing.assert_array_equal(values(found, "counts"), [7, -(2**60)])
    assert values(found, "scalar") == 2.5


def test_metadata_is_kept_and_long_arrays_are_only_counted(tmp_path: Path) -> None:
    found = opened(tmp_path / "a.gguf", gguf_bytes(METADATA, [floats("output.weight", 2)]))
    assert found.metadata == {
        "general.architecture": "llama",
        "general.name": "Tiny",
        "llama.block_count": 1,
        "llama.rope.freq_base": 10000.0,
        "tokenizer.ggml.add_bos": True,
        "tokenizer.ggml.tokens": "array of 3,000 strings",
        "tokenizer.ggml.scores": "array of 3,000 float32s",
        "few": [3, -1, 2],
        "words": ["a", "b"],
        "nested": [[1, 2], []],
    }
    assert (found.root.name, found.root.class_name) == ("Tiny", "llama")
    assert "tokenizer.ggml.tokens" not in found.root.config


def test_strings_longer_than_a_window_are_stepped_over(tmp_path: Path) -> None:
    texts = ["x" * n for n in (0, 65_535, 65_536, 200_000, 1)] * 20
    metadata = {"texts": ("array", ("string", texts)), "text": ("string", "y" * 70_000), "after": ("uint8", 7)}
    found = opened(tmp_path / "a.gguf", gguf_bytes(metadata, [floats("w", 2)]))
    assert found.metadata["texts"] == "array of 100 strings"
    assert found.metadata["text"] == "y" * 65_536 + "..."
    assert found.metadata["after"] == 7
    np.testing.assert_array_equal(values(found, "w"), [0, 1])


def test_numbers_that_json_cannot_hold_become_text(tmp_path: Path) -> None:
    metadata = {"a": ("float32", float("nan")), "b": ("array", ("float32", [float("inf"), 1.0]))}
    found = opened(tmp_path / "a.gguf", gguf_bytes(metadata, []))
    assert found.metadata == {"a": "nan", "b": ["inf", 1.0]}


def test_weights_are_not_read(tmp_path: Path) -> None:
    metadata = METADATA | {"llama.block_count": ("uint32", 4)}
    tensors = [Tensor(f"blk.{i}.ffn_up.weight", (1 << 15, 1 << 14), Q8_0, b"") for i in range(4)]
    data = bytearray(gguf_bytes(metadata, tensors))
    each = (1 << 29) // 32 * 34
    for i, tensor in enumerate(tensors):
        at = data.index(string(tensor.name)) + 8 + len(tensor.name) + 4 + 16 + 4
        data[at : at + 8] = (i * each).to_bytes(8, "little")
    path = tmp_path / "large.gguf"
    with path.open("wb") as file:
        file.write(data)
        file.truncate(len(data) + 4 * each)
    probe = Probe(str(path))
    found = gguf.catalogue(probe)
    assert probe.bytes_read < 200_000
    assert found.warnings == ()
    assert found.totals().bytes == 4 * each
    probe.close()


def test_order_of_depth_and_roles(tmp_path: Path) -> None:
    names = [
        "output.weight", "blk.10.ffn_down.weight", "blk.10.attn_q.bias", "blk.10.attn_q.weight",
        "blk.2.attn_norm.weight", "blk.2.ssm_in.weight", "blk.2.ffn_up_exps.weight", "output_norm.weight",
        "rope_freqs.weight", "token_embd.weight", "v.blk.0.ln1.weight", "mm.0.weight", "v.patch_embd.weight",
    ]  # fmt: skip
    found = opened(tmp_path / "a.gguf", gguf_bytes({}, [floats(n, 2) for n in names]))
    assert [t.name for t in found.tensors] == [
        "v.patch_embd.weight", "v.blk.0.ln1.weight", "mm.0.weight", "token_embd.weight", "rope_freqs.weight",
        "blk.2.attn_norm.weight", "blk.2.ssm_in.weight", "blk.2.ffn_up_exps.weight", "blk.10.attn_q.weight",
        "blk.10.attn_q.bias", "blk.10.ffn_down.weight", "output_norm.weight", "output.weight",
    ]  # fmt: skip
    blocks = next(node for node in found.root.children if node.name == "blk")
    assert [node.name for node in blocks.children] == ["2", "10"]
    assert found["token_embd.weight"].role == "embedding"
    assert (found["blk.10.attn_q.bias"].role, found["blk.10.attn_q.bias"].layer) == ("bias", "blk.10.attn_q")
    assert found["blk.10.attn_q.bias"].trainable is None


def test_alignment_is_respected(tmp_path: Path) -> None:
    metadata = {"general.alignment": ("uint32", 256), "pad": ("string", "x")}
    data = gguf_bytes(metadata, [floats("a", 3), floats("b", 5)], alignment=256)
    found = opened(tmp_path / "a.gguf", data)
    assert [t.parts[0].extent.offset % 256 for t in found.tensors if t.parts] == [0, 0]
    np.testing.assert_array_equal(values(found, "b"), np.arange(5))


@pytest.mark.parametrize("alignment", [0, 1 << 31])
def test_an_impossible_alignment_is_told(tmp_path: Path, alignment: int) -> None:
    found = opened(tmp_path / "a.gguf", gguf_bytes({"general.alignment": ("uint32", alignment)}, [floats("a", 3)]))
    assert "alignment" in found.warnings[0].message
    np.testing.assert_array_equal(values(found, "a"), np.arange(3))


def shards(folder: Path, skip: int = 0) -> list[Path]:
    paths = []
    for i in range(1, 4):
        path = folder / f"tiny-{i:05}-of-00003.gguf"
        metadata: dict[str, Any] = {"split.no": ("uint32", i - 1), "split.count": ("uint32", 3)}
        metadata["split.tensors.count"] = ("int32", 4)
        if i == 1:
            metadata |= METADATA | {"llama.block_count": ("uint32", 2)}
        tensors = [[floats("token_embd.weight", 3)], [eights("blk.1.attn_q.weight", 32)], [floats("blk.0.x.weight", 2)]]
        extra = [floats("output.weight", 4)] if i == 2 else []
        if i != skip:
            path.write_bytes(gguf_bytes(metadata, [*tensors[i - 1], *extra]))
        paths.append(path)
    return paths


def test_shards_are_one_model_from_any_of_them_or_their_folder(tmp_path: Path) -> None:
    paths = shards(tmp_path)
    (tmp_path / "README.md").write_text("a model")
    for path in (*paths, tmp_path):
        found = open_catalogue(str(path))
        assert found.format == "GGUF v3, 3 shards"
        assert [t.name for t in found.tensors] == [
            "token_embd.weight", "blk.0.x.weight", "blk.1.attn_q.weight", "output.weight",
        ]  # fmt: skip
        assert found.metadata["general.name"] == "Tiny"
        np.testing.assert_array_equal(values(found, "blk.1.attn_q.weight"), np.arange(32) / 2)
        np.testing.assert_array_equal(values(found, "output.weight"), np.arange(4))
        assert found.warnings == ()


def test_a_missing_or_damaged_shard_is_told_and_the_rest_stays(tmp_path: Path) -> None:
    paths = shards(tmp_path, skip=2)
    found = open_catalogue(str(paths[0]))
    assert [t.name for t in found.tensors] == ["token_embd.weight", "blk.0.x.weight"]
    told = [(notice.message, notice.lost) for notice in found.warnings]
    assert told == [
        ("the shard tiny-00002-of-00003.gguf is missing", True),
        ("was written with 4 tensors; 2 are here", True),
        ("1 of its 2 blocks have no tensors: 1", True),
    ]
    paths[1].write_bytes(b"")
    assert "tiny-00002-of-00003.gguf is empty (0 bytes)" in open_catalogue(str(paths[0])).warnings[0].message
    with pytest.raises(WtuiError):
        open_catalogue(str(paths[1]), "gguf")


def test_a_folder_of_several_models_is_not_taken(tmp_path: Path) -> None:
    for name in ("a.gguf", "b.gguf"):
        (tmp_path / name).write_bytes(gguf_bytes({}, [floats("w", 2)]))
    assert not gguf.sniff(Probe(str(tmp_path)))


def test_what_cannot_be_decoded_is_listed_with_its_reason(tmp_path: Path) -> None:
    tensors = [
        Tensor("dropped", (64,), 31, bytes(36)),
        Tensor("unknown", (64,), 77, bytes(36)),
        Tensor("ragged", (2, 33), Q8_0, bytes(68)),
        Tensor("no rows", (), Q8_0, bytes(34)),
        Tensor("huge", (1 << 40, 1 << 40), F32, b""),
        eights("good", 32),
    ]
    found = opened(tmp_path / "a.gguf", gguf_bytes({}, tensors))
    assert "Q4_0_4_4" in found["dropped"].problem
    assert "GGML type 77" in found["unknown"].problem
    assert "not whole blocks of 32" in found["ragged"].problem
    assert "not whole blocks" in found["no rows"].problem
    assert "more values than any file" in found["huge"].problem
    assert not found["good"].problem
    assert {n.tensor for n in found.warnings if n.lost} == {"dropped", "unknown", "ragged", "no rows", "huge"}


def test_a_truncated_file_keeps_what_is_whole(tmp_path: Path) -> None:
    data = gguf_bytes({}, [floats("a", 64), eights("b", 64), floats("c", 64)])
    found = opened(tmp_path / "a.gguf", data[: -256 - 40])
    np.testing.assert_array_equal(values(found, "a"), np.arange(64))
    assert "of its 68 bytes lie behind the end" in found["b"].problem
    assert "of its 256 bytes lie behind the end" in found["c"].problem


def test_truncation_at_any_byte_of_the_head_is_refused(tmp_path: Path) -> None:
    metadata = {k: v for k, v in METADATA.items() if not k.startswith("tokenizer")}
    data = gguf_bytes(metadata, [floats("a", 2), eights("b", 32)])
    end = data.index(b"b", data.index(string("b"))) + 1 + 4 + 8 + 4 + 8
    path = tmp_path / "a.gguf"
    for length in range(4, end):
        path.write_bytes(data[:length])
        with pytest.raises(FormatError):
            open_catalogue(str(path))


def head(tensors: int = 0, pairs: int = 0) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, pairs)


HOSTILE = {
    "tensors": head(tensors=1 << 60),
    "pairs": head(pairs=1 << 60),
    "as many tensors as bytes allow": head(tensors=900_000) + bytes(64),
    "key": head(pairs=1) + struct.pack("<Q", 1 << 60),
    "text": head(pairs=1) + string("k") + struct.pack("<IQ", 8, 1 << 60),
    "array": head(pairs=1) + string("k") + struct.pack("<IIQ", 9, 4, 1 << 60),
    "strings": head(pairs=1) + string("k") + struct.pack("<IIQ", 9, 8, 1 << 60),
    "strings whose lengths lead out": head(pairs=1) + string("k") + struct.pack("<IIQ", 9, 8, 100) + b"\xff" * 2000,
    "arrays in arrays": head(pairs=1) + string("k") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 5000,
    "kind": head(pairs=1) + string("k") + struct.pack("<I", 99),
    "axes": head(tensors=1) + string("w") + struct.pack("<I", 1 << 31),
    "version": b"GGUF" + struct.pack("<IQQ", 9, 0, 0),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_heads_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(FormatError) as caught:
        open_catalogue(str(path))
    assert "\n" not in str(caught.value)
    assert "what it seems (" not in str(caught.value), "the reader itself must refuse it"


def test_offsets_outside_overlapping_bytes_and_twice_the_same_name(tmp_path: Path) -> None:
    data = bytearray(
        gguf_bytes({}, [floats("aa", 8), floats("bb", 8), floats("cc", 8), eights("dd", 32), floats("aa", 8)])
    )
    for name, offset in (("bb", 16), ("cc", (1 << 64) - 32), ("dd", 1 << 62)):
        at = data.index(string(name)) + 8 + 2 + 4 + 8 + 4
        data[at : at + 8] = offset.to_bytes(8, "little")
    found = opened(tmp_path / "a.gguf", bytes(data))
    assert [t.name for t in found.tensors] == ["aa", "bb", "cc", "dd"]
    told = {(n.tensor, n.message.split(" of ")[-1]) for n in found.warnings}
    assert ("bb", "aa") in told
    assert ("aa", "stands in a.gguf once more, which is not listed") in told
    assert "behind the end" in found["cc"].problem
    assert "behind the end" in found["dd"].problem


def test_names_are_data(tmp_path: Path) -> None:
    names = ["a\x1b[31mb", "[bold]x[/]", "line\nbreak", "\u202eevil", "", ".", "..", "blk.99999999999999.x", "a..b"]
    found = opened(tmp_path / "a.gguf", gguf_bytes({}, [floats(n, 2) for n in names]))
    assert sorted(t.name for t in found.tensors) == sorted(names)


def test_a_name_of_many_parts_does_not_make_as_many_layers(tmp_path: Path) -> None:
    name = "a." * 30_000 + "w"
    path = tmp_path / "a.gguf"
    path.write_bytes(gguf_bytes({}, [floats(name, 2)]))
    found = check_opens_or_refuses(path)
    assert found is not None
    assert sum(1 for _ in found.root.walk()) < 100
    assert [t.name for t in found.tensors] == [name]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_pieces_cover_a_tensor_without_gaps(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(sorted(BLOCK_DTYPES)))
    per, size = BLOCK_DTYPES[dtype]
    rows = data.draw(st.sampled_from([1, 4, 100, 4096 // per + 1, (3 << 19) // per]))
    shape = (*data.draw(st.lists(st.integers(1, 40), max_size=3)), rows * per)
    extent = Extent(0, 1000, int(np.prod(shape)) // per * size)
    parts = pieces.cut(extent, shape, dtype)
    at, seen = extent.offset, 0
    for part in parts:
        box = part.shape or shape
        count = int(np.prod(box))
        assert count <= pieces.MAX_VALUES
        assert part.extent == Extent(0, at, count // per * size)
        assert np.ravel_multi_index(part.origin or (0,) * len(shape), shape) == seen
        at, seen = at + part.extent.length, seen + count
    assert (at, seen) == (extent.offset + extent.length, int(np.prod(shape)))


def test_large_tensors_are_decoded_in_pieces(tmp_path: Path) -> None:
    integers = np.random.default_rng(3).integers(-127, 128, (3, 2000, 96), np.int8)
    blocks = b"".join(struct.pack("<e", 0.25) + row.tobytes() for row in integers.reshape(-1, 32))
    found = opened(tmp_path / "a.gguf", gguf_bytes({}, [Tensor("w", integers.shape, Q8_0, blocks)]))
    assert len(found.parts(found["w"])) > 1
    np.testing.assert_array_equal(values(found, "w"), integers.astype(np.float32) / 4)


@pytest.mark.parametrize("order", ["<", ">"])
def test_damage_ends_in_wtui_errors(tmp_path: Path, order: str) -> None:
    metadata = {**METADATA, "tokenizer.ggml.tokens": ("array", ("string", ["a", "bc"] * 40))}
    del metadata["tokenizer.ggml.scores"]
    tensors = [floats("token_embd.weight", 4, 8, order=order), eights("blk.0.q.weight", 2, 64, order=order)]
    data = gguf_bytes(metadata, tensors, order=order)
    path = tmp_path / "a.gguf"
    values(opened(path, data), "blk.0.q.weight")
    opened_anyway = check_mutations(path, data, 500)
    assert 100 < opened_anyway < 450
