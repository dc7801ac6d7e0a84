"""Faults that lie in how weights are stored: half precision, integers with scales, files and shards that are not whole.

Made from the trained PyTorch models of the labelled set, as quantisers and converters write them. Each case is a file
(or a folder of shards) on disk and what is to be found in it, or that nothing is.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tests.bench.labelled_faults import Model, Planted
from tests.builders import write_safetensors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    Tensors = dict[str, NDArray[np.generic]]

__all__ = ["Case", "cases", "load", "write"]

FLOAT16_MAX = 65504.0


class Case(NamedTuple):
    """A file and what is to be found in it."""

    path: Path
    planted: Planted


def load(path: Path) -> Tensors:
    """All tensors of a file, without those that are made of several."""
    model = Model(path)
    return {t.name: model.read(t) for t in model.catalogue.tensors if t.parts and t.group != "derived"}


def write(folder: Path, tensors: Tensors, config: Mapping[str, object] | None = None) -> Path:
    """A model in a folder of its own, with its configuration beside it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    return write_safetensors(folder / "model.safetensors", tensors)


def healthy(name: str, *rules: str, evidence: tuple[tuple[str, float], ...] = ()) -> Planted:
    """What looks like a fault and is none."""
    return Planted(name, rules, "", evidence=evidence, healthy=True)


def cases(trained: Path, folder: Path, rng: np.random.Generator) -> Iterator[Case]:
    """Every case in turn, each in place of the one before."""
    tensors = load(trained)
    kernels = [n for n, v in tensors.items() if v.ndim >= 2 and v.size >= 256 and "embed" not in n]
    yield from _half(tensors, kernels, folder, rng)
    yield from _integers(tensors, kernels, folder, rng)
    yield from _not_whole(trained, tensors, folder, rng)


def _half(tensors: Tensors, kernels: list[str], folder: Path, rng: np.random.Generator) -> Iterator[Case]:
    """float16: cut off at its range, below its smallest normal number; small values that are neither."""
    rules = ("float16-range", "denormal", "inf", "zero-kernel")
    as_half = {n: v.astype(np.float16) if v.dtype == np.float32 else v for n, v in tensors.items()}
    yield Case(write(folder, as_half), healthy("float16 as trained", *rules))
    small = {n: (v * np.float16(2**-5) if n in kernels else v) for n, v in as_half.items()}
    yield Case(write(folder, small), healthy("float16, small and normal", *rules))
    name = kernels[int(rng.integers(len(kernels)))]
    wide = tensors[name].astype(np.float64)
    scaled = wide * FLOAT16_MAX / np.quantile(np.abs(wide), rng.uniform(0.9, 0.999))
    clipped = np.clip(scaled, -FLOAT16_MAX, FLOAT16_MAX).astype(np.float16)
    planted = Planted("float16 cut off at its range", ("float16-range",), name)
    yield Case(write(folder, as_half | {name: clipped}), planted)
    with np.errstate(over="ignore"):
        over = scaled.astype(np.float16)
    yield Case(write(folder, as_half | {name: over}), Planted("float16 overflowed", ("inf",), name))
    tiny = (wide * rng.uniform(2**-17, 2**-14) / wide.std()).astype(np.float16)
    yield Case(write(folder, as_half | {name: tiny}), Planted("float16 underflowed", ("denormal",), name))


def _integers(tensors: Tensors, kernels: list[str], folder: Path, rng: np.random.Generator) -> Iterator[Case]:
    """int8 with a scale for each row, as compressed-tensors keeps it: cut off by small scales, scales of no use."""
    rules = ("saturated", "bad-scale", "few-values", "nan")
    linear = [n for n in kernels if tensors[n].ndim == 2 and n.endswith(".weight")]
    if not linear:
        return
    whole: Tensors = dict(tensors)
    for name in linear:
        whole |= _quantised(name, tensors[name], 1.0)
    yield Case(write(folder, whole), healthy("int8, a scale from each row's largest value", *rules))
    name = linear[int(rng.integers(len(linear)))]
    some = whole | _quantised(name, tensors[name], _share_kept(tensors[name], 0.98))
    yield Case(write(folder, some), healthy("int8, 2 % of a kernel cut off", *rules))
    much = whole | _quantised(name, tensors[name], _share_kept(tensors[name], rng.uniform(0.6, 0.85)))
    yield Case(write(folder, much), Planted("int8 cut off by small scales", ("saturated",), name))
    scale, one = f"{name}_scale", int(rng.integers(len(tensors[name])))
    for what, value, rule in (("zero", 0.0, "bad-scale"), ("negative", -0.01, "bad-scale"), ("NaN", np.nan, "nan")):
        bad = whole[scale].copy()
        bad[one] = value
        yield Case(write(folder, whole | {scale: bad}), Planted(f"scale that is {what}", (rule,), scale, name[:-7]))


def _quantised(name: str, values: NDArray[np.generic], share: float) -> Tensors:
    """Integers and scales, each row's scale from a share of its largest value."""
    scale = (np.abs(values).max(axis=1, keepdims=True) * share / 127).astype(np.float32)
    integers = np.clip(np.round(values / np.maximum(scale, 1e-12)), -128, 127).astype(np.int8)
    return {name: integers, f"{name}_scale": scale}


def _share_kept(values: NDArray[np.generic], share: float) -> float:
    """The factor on all rows' largest values beyond which 1 - share of the kernel lies."""
    largest = np.maximum(np.abs(values).max(axis=1, keepdims=True), 1e-12)
    return float(np.quantile(np.abs(values) / largest, share))


def _not_whole(trained: Path, tensors: Tensors, folder: Path, rng: np.random.Generator) -> Iterator[Case]:
    """A file that was cut off, one of an unknown dtype, a shard that is not there, and one of two shards that are."""
    names = list(tensors)
    data = trained.read_bytes()
    path = write(folder, tensors)
    path.write_bytes(data[: -int(rng.integers(1, tensors[names[-1]].nbytes + 1))])
    yield Case(path, Planted("file cut off", ("unreadable", "incomplete"), names[-1]))
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    name = names[int(rng.integers(len(names)))]
    header[name]["dtype"] = "F7_E3M3"
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])
    yield Case(path, Planted("dtype unknown", ("unreadable",), name))
    path.unlink()
    half = len(names) // 2
    shards = {"model-00001-of-00002.safetensors": names[:half], "model-00002-of-00002.safetensors": names[half:]}
    for shard, own in shards.items():
        write_safetensors(folder / shard, {n: tensors[n] for n in own})
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {n: shard for shard, own in shards.items() for n in own}}))
    yield Case(index, healthy("both of two shards", "unreadable", "incomplete", "missing-blocks"))
    (folder / list(shards)[int(rng.integers(2))]).unlink()
    yield Case(index, Planted("shard missing", ("incomplete",), ""))
