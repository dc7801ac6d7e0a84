"""A training that writes checkpoints, as a process of its own: `python -m tests.series.writer FOLDER`.

It reads lines `WAY NAME VALUE` and answers each with a line `done`. Every tensor of a checkpoint is filled with its
value, so that one that is read half-written, or twice, shows.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

SHAPES = {"a.weight": (300, 200), "a.bias": (200,), "b.weight": (200, 500)}
CHUNK = 10_000
"""Bytes that are written at once by the ways that take their time."""


def content(value: float) -> bytes:
    """A safetensors file, without the library."""
    import struct

    header: dict[str, object] = {}
    offset = 0
    for name, shape in SHAPES.items():
        size = 4
        for n in shape:
            size *= n
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + struct.pack("<f", value) * (offset // 4)


def write(way: str, path: Path, value: float) -> None:
    """Write (or delete) a checkpoint."""
    data = content(value)
    if way == "rename":
        hidden = path.with_name(f"{path.name}.tmp")
        hidden.write_bytes(data)
        os.replace(hidden, path)
    elif way == "grow":
        with open(path, "wb") as file:
            for start in range(0, len(data), CHUNK):
                file.write(data[start : start + CHUNK])
                file.flush()
    elif way == "begin":
        path.write_bytes(data[: len(data) // 2])
    elif way == "end":
        with open(path, "ab") as file:
            file.write(data[len(data) // 2 :])
    elif way == "overwrite":
        with open(path, "r+b") as file:
            for start in range(0, len(data), CHUNK):
                file.write(data[start : start + CHUNK])
                file.flush()
    elif way == "folder":
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        write("grow", path / "model.safetensors", value)
        (path / "trainer_state.json").write_text(json.dumps({"global_step": int(path.name.rpartition("-")[2])}))
    elif way == "delete":
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def main() -> None:
    """Do what the lines say."""
    folder = Path(sys.argv[1])
    for line in sys.stdin:
        way, name, value = line.split()
        write(way, folder / name, float(value))
        print("done", flush=True)


if __name__ == "__main__":
    main()
