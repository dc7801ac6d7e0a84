"""Content decides, not the name: misnamed files open, a format can be forced, and what is no model says what it is."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.formats.fuzzing import check_opens_or_refuses
from tests.formats.test_damage import SMALL
from wtui.errors import FormatError
from wtui.formats import FORMATS, open_catalogue, sniff

if TYPE_CHECKING:
    from pathlib import Path

BY_NAME = ("keras-sharded", "tfjs")
"""JSON that names the files with the weights: without its own name it could be anything."""

NAMES = ("a.bin", "a.h5", "a.safetensors", "a.onnx", "a.pt", "a.npz", "a.gguf", "a.pb", "a.json", "a.tflite", "a")


@pytest.mark.parametrize("name", [n for n in SMALL if n not in BY_NAME])
def test_a_misnamed_file_opens(name: str, tmp_path: Path) -> None:
    opened, _ = SMALL[name](tmp_path)
    if not opened.is_file():
        assert sniff(str(opened)) == name
        return
    expected = {t.name for t in open_catalogue(str(opened), name).tensors}
    (tmp_path / "elsewhere").mkdir()
    for other in NAMES:
        path = tmp_path / "elsewhere" / other
        path.write_bytes(opened.read_bytes())
        assert sniff(str(path)) == name
        if name != "tf-checkpoint":  # its values lie beside it
            assert {t.name for t in open_catalogue(str(path)).tensors} == expected
        path.unlink()


@pytest.mark.parametrize("name", SMALL)
def test_a_format_that_is_forced_opens_or_refuses(name: str, tmp_path: Path) -> None:
    """Any reader on any file: a clean error, or a catalogue, which says what it was read as."""
    opened, _ = SMALL[name](tmp_path)
    for format in FORMATS:
        found = check_opens_or_refuses(opened, format.name)
        assert found is None or found.format


def tar(data: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        info = tarfile.TarInfo("weights")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("readme.txt", "nothing here")
    return out.getvalue()


LOOKS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", r"an empty file \(0 bytes\)"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "a Git LFS pointer.*git lfs pull"),
    "gzip": (gzip.compress(b"x" * 100), r"a gzip file \(unpack it first"),
    "tar": (tar(b"x" * 600), "a tar archive"),
    "zip": (zipped(), "a zip archive without a model"),
    "ggml": (b"tjgg" + bytes(100), "before GGUF.*llama.cpp"),
    "html": (b"<!DOCTYPE html><html><body>Please log in", "a web page.*login"),
    "xml": (b'<?xml version="1.0"?><net name="m">', "OpenVINO"),
    "index": (json.dumps({"weight_map": {"a": "b"}}).encode(), "an index of shards.*its name back"),
    "configuration": (b'{"architectures": ["Bert"], "model_type": "bert"}', "a model's configuration.*folder"),
    "json": (b'{"a": 1}', "JSON text"),
    "text": ("Größe: 3\n".encode(), "plain text"),
    "picture": (b"\x89PNG\r\n\x1a\n" + bytes(50), r"a picture \(PNG\)"),
    "nothing": (bytes(range(256)), "not a model file that wtui knows"),
}


@pytest.mark.parametrize("name", LOOKS)
def test_what_is_no_model_says_what_it_looks_like(name: str, tmp_path: Path) -> None:
    data, message = LOOKS[name]
    path = tmp_path / "weights.bin"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=message):
        open_catalogue(str(path))


def test_folders_that_are_no_model(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="an empty folder"):
        open_catalogue(str(tmp_path))
    (tmp_path / "Data").mkdir()
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(FormatError, match="a folder without a model"):
        open_catalogue(str(tmp_path))
    (tmp_path / "Manifest.json").write_text("{}")
    with pytest.raises(FormatError, match="Core ML package, which is not read"):
        open_catalogue(str(tmp_path))
