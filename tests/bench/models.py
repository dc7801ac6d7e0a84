"""The models that the bench measures on, made once into a temporary folder (WTUI_BENCH_DIR, or the system's own)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from tests.builders import write_safetensors

__all__ = ["folder", "peer", "ten_thousand", "ten_times", "thirty_two", "vgg16", "vgg16_tuned"]

SAVE_VGG16 = """
import sys, keras
keras.utils.set_random_seed(1)
model = keras.applications.VGG16(weights=None)
model.save(sys.argv[1] + ".part.keras")
model.save(sys.argv[1] + ".part.h5")
"""


def folder() -> Path:
    """Where the models are kept between runs."""
    path = Path(os.environ.get("WTUI_BENCH_DIR") or Path(tempfile.gettempdir()) / "wtui-bench")
    path.mkdir(parents=True, exist_ok=True)
    return path


def vgg16(suffix: str = ".keras") -> Path:
    """VGG16 as Keras initialises it, 553 MB, saved as `.keras` and as legacy `.h5`."""
    path = folder() / f"vgg16{suffix}"
    if not path.exists():
        stem = folder() / "vgg16"
        env = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        subprocess.run([sys.executable, "-c", SAVE_VGG16, str(stem)], check=True, env=env, stderr=subprocess.DEVNULL)
        for made in (".keras", ".h5"):
            stem.with_name(f"vgg16.part{made}").rename(folder() / f"vgg16{made}")
    return path


def vgg16_tuned() -> Path:
    """The legacy `.h5` with every kernel and bias moved by 1 % of its standard deviation."""
    path = folder() / "vgg16-tuned.h5"
    if not path.exists():
        import h5py

        part = path.with_suffix(".part")
        shutil.copyfile(vgg16(".h5"), part)
        rng = np.random.default_rng(0)

        def move(name: str, found: object) -> None:
            if isinstance(found, h5py.Dataset) and found.dtype == np.float32 and found.size > 1:
                values = found[...]
                noise = rng.standard_normal(values.shape, np.float32)
                found[...] = values + np.float32(0.01) * values.std() * noise

        with h5py.File(part, "r+") as file:
            file.visititems(move)
        part.rename(path)
    return path


def ten_times() -> Path:
    """A safetensors file of ten times VGG16's tensors and bytes (5.5 GB), the values being VGG16's own."""
    path = folder() / "ten_times.safetensors"
    if not path.exists():
        from wtui.formats import open_catalogue

        catalogue = open_catalogue(str(vgg16()))
        parts = [(t, t.parts[0].extent) for t in catalogue.tensors if t.parts]
        header, offset = {}, 0
        for copy in range(10):
            for tensor, extent in parts:
                span = [offset, offset := offset + extent.length]
                name = f"copy{copy}.{tensor.name.replace('/', '.')}"
                header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": span}
        text = json.dumps(header).encode()
        part = path.with_suffix(".part")
        with part.open("wb") as out, vgg16().open("rb") as source:
            out.write(len(text).to_bytes(8, "little") + text)
            for _ in range(10):
                for _, extent in parts:
                    source.seek(extent.offset)
                    for start in range(0, extent.length, 1 << 24):
                        out.write(source.read(min(1 << 24, extent.length - start)))
        part.rename(path)
    return path


def peer(name: str, requirement: str) -> str | None:
    """The command of a program to compare with, installed into an environment of its own; None if it cannot be.

    Peers and wtui need other versions of the same libraries, and so cannot share one.
    """
    place = folder() / f"peer-{requirement}"
    command = place / "bin" / name
    if not command.exists():
        try:
            subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
            subprocess.run([str(place / "bin" / "pip"), "install", "-q", requirement], check=True)
        except (OSError, subprocess.CalledProcessError):
            return None
    return str(command) if command.exists() else None


def thirty_two() -> Path:
    """A safetensors file of 32 small tensors."""
    return _safetensors("thirty_two", 32)


def ten_thousand() -> Path:
    """A safetensors file of 10,000 small tensors, named like a transformer's."""
    return _safetensors("ten_thousand", 10_000)


def _safetensors(name: str, count: int) -> Path:
    path = folder() / f"{name}.safetensors"
    if not path.exists():
        rng = np.random.default_rng(0)
        parts = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "mlp.up_proj", "mlp.down_proj")
        names = [f"model.layers.{i}.{p}.weight" for i in range(-(-count // len(parts))) for p in parts][:count]
        write_safetensors(path, {n: rng.standard_normal((16, 16)).astype(np.float16) for n in names})
    return path
