"""What a file that is no model seems to be, from its first bytes or names, and what its owner can do about it.

For the error message alone: nothing is decided by it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from wtui.formats.absent import MAX_POINTER, why_absent
from wtui.storage import is_remote

if TYPE_CHECKING:
    from wtui.formats.probe import Probe

__all__ = ["Look", "look_of"]


class Look(NamedTuple):
    """What it looks like, and a hint."""

    what: str
    hint: str = ""
    certain: bool = False
    """It does not only look like that."""

    def __str__(self) -> str:
        return self.what if self.certain else f"looks like {self.what}"


UNPACK = "unpack it first"
CONVERT_GGML = "convert it with convert_llama_ggml_to_gguf.py of llama.cpp"
OPEN_FOLDER = "open the folder that it lies in"
EXPORT = "open the model that it was made from"

STARTS: tuple[tuple[bytes, Look], ...] = (
    (b"\x1f\x8b", Look("a gzip file", UNPACK)),
    (b"BZh", Look("a bzip2 file", UNPACK)),
    (b"\xfd7zXZ", Look("an xz file", UNPACK)),
    (b"\x28\xb5\x2f\xfd", Look("a zstd file", UNPACK)),
    (b"7z\xbc\xaf", Look("a 7-Zip archive", UNPACK)),
    (b"Rar!", Look("a RAR archive", UNPACK)),
    (b"PK\3\4", Look("a zip archive without a model that wtui knows in it", UNPACK)),
    (b"PK\5\6", Look("an empty zip archive")),
    (b"lmgg", Look("a GGML file from before GGUF", CONVERT_GGML)),
    (b"fmgg", Look("a GGML file from before GGUF", CONVERT_GGML)),
    (b"tjgg", Look("a GGML file from before GGUF", CONVERT_GGML)),
    (b"\x89HDF", Look("an HDF5 file")),
    (b"\x7fELF", Look("a program or library of Linux")),
    (b"MZ", Look("a program of Windows")),
    (b"%PDF", Look("a PDF")),
    (b"\x89PNG", Look("a picture (PNG)")),
    (b"\xff\xd8\xff", Look("a picture (JPEG)")),
    (b"SQLite format 3", Look("an SQLite database")),
    (b"PAR1", Look("a Parquet table")),
    (b"ARROW1", Look("an Arrow table")),
)
"""First bytes, and what begins with them."""

JSON_WORDS: tuple[tuple[bytes, Look], ...] = (
    (b'"weight_map"', Look("an index of shards", "give it its name back, such as model.safetensors.index.json")),
    (b'"architectures"', Look("a model's configuration", OPEN_FOLDER)),
    (b'"model_type"', Look("a model's configuration", OPEN_FOLDER)),
    (b'"class_name"', Look("a Keras configuration without weights", OPEN_FOLDER)),
    (b'"modelTopology"', Look("a TensorFlow.js model without its weights")),
)
"""Words in JSON, and what has them."""

CUT = {".onnx": "an ONNX model", ".pkl": "a pickle", ".pickle": "a pickle", ".tflite": "a TFLite model"}
"""Suffixes of formats that nothing but the whole tells."""

MAX_LOOKED_AT = 200
"""Names of a folder that are looked at for Git LFS pointers."""

FOLDERS: tuple[tuple[frozenset[str], Look], ...] = (
    (frozenset({"Manifest.json", "Data"}), Look("a Core ML package, which is not read", EXPORT)),
    (frozenset({"model.pdmodel"}), Look("a Paddle model, of which .pdparams is read")),
)
"""Names that a folder holds together, and what it is then."""


def look_of(probe: Probe) -> Look | None:
    """What it looks like; None if there is nothing to say."""
    if probe.is_folder:
        return next((look for names, look in FOLDERS if names <= probe.names), None) or _pointers(probe)
    head = probe.head
    if not head:
        return Look("an empty file (0 bytes)", "a download or a save that stopped?", True) if probe.is_file else None
    absent = why_absent(probe.file.size, head)
    if absent:
        return Look(absent.removeprefix("is "), certain=True)
    for start, look in STARTS:
        if head.startswith(start):
            return look
    if head[257:262] == b"ustar":
        return Look("a tar archive", UNPACK)
    if probe.suffix in CUT:
        return Look(f"{CUT[probe.suffix]} that was cut off or damaged", "fetch or save it again")
    return _text_look(head)


def _pointers(probe: Probe) -> Look | None:
    """A folder whose files are not there themselves."""
    found = []
    for name in sorted(probe.names)[:MAX_LOOKED_AT]:
        path = None if is_remote(probe.path) else probe.inside(name)
        if path is None or os.path.getsize(path) > MAX_POINTER:
            continue
        file = probe.open(path)
        absent = why_absent(file.size, file.read(0, file.size)) if file.size else ""
        if absent:
            found.append(f"{name} {absent}")
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return Look(f"a folder of files that are not there: {found[0]}{more}", certain=True) if found else None


def _text_look(head: bytes) -> Look | None:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    begin = text[:64].lower()
    if begin.startswith((b"<!doctype html", b"<html", b"<head")):
        return Look("a web page", "a download that asked for a login?")
    if begin.startswith(b"<?xml"):
        return Look("XML, as of OpenVINO, which is not read", EXPORT)
    if begin.startswith((b"{", b"[")):
        return next((look for word, look in JSON_WORDS if word in text), Look("JSON text"))
    if all(byte >= 32 or byte in b"\t\r\n\f" for byte in head) and _is_utf8(head):
        return Look("plain text")
    return None


def _is_utf8(head: bytes) -> bool:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start >= len(head) - 4  # cut off inside a character
    return True
