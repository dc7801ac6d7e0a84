"""Every format of the registry, damaged in hundreds of seeded ways: nothing but a WtuiError ever leaves a reader.

One small file each. Where there is more to damage (kinds of archives, folders, HDF5's versions) there are further tests
beside those of the format.
"""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest

import wtui.demo
from tests.builders import write_safetensors
from tests.formats import hdf5_zoo, test_tf_hostile, torch_folders
from tests.formats.fuzzing import check_opens_or_refuses, mutate
from tests.formats.gguf_files import gguf_bytes
from tests.formats.test_flax import pack, train_state
from tests.formats.test_gguf import METADATA, eights, floats
from tests.formats.test_onnx import small_model
from tests.formats.test_tfjs import weight
from tests.formats.test_tfjs import write as write_tfjs
from tests.formats.test_torch_hostile import small_files
from tests.formats.test_zarr import STATE, write_orbax, write_v2, write_v3
from wtui.formats import FORMATS, open_catalogue

if TYPE_CHECKING:
    from collections.abc import Callable

MUTATIONS = 500
"""Of each format."""

UNFORCED = 5
"""Every so many mutations the file is opened by sniffing: then other readers see it, too."""

DEMO = Path(wtui.demo.__file__).parent / "models"


def written(path: Path, data: bytes) -> tuple[Path, Path]:
    """A file that is opened and damaged."""
    path.write_bytes(data)
    return path, path


def some(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).normal(size=shape).astype(np.float32)


def keras_sharded(folder: Path) -> tuple[Path, Path]:
    for i in range(2):
        with h5py.File(folder / f"m_0000{i}.weights.h5", "w") as file:
            file["layers/dense/vars/" + str(i)] = some(2, 3)
    shards = {"/layers/dense/vars": ["m_00000.weights.h5", "m_00001.weights.h5"]}
    path = folder / "m.weights.json"
    return written(path, json.dumps({"metadata": {"total_size": 1e-5}, "weight_map": shards}).encode())


def safetensors(folder: Path) -> tuple[Path, Path]:
    return (path := write_safetensors(folder / "a", {f"layers.{i}.w": some(2, 3) for i in range(4)}, {"a": "b"})), path


def safetensors_sharded(folder: Path) -> tuple[Path, Path]:
    names = [f"model-0000{i}-of-00002.safetensors" for i in (1, 2)]
    for i, name in enumerate(names):
        write_safetensors(folder / name, {f"layers.{i}.w": some(2, 3)})
    index = {"weight_map": {f"layers.{i}.w": name for i, name in enumerate(names)}}
    return folder, written(folder / "model.safetensors.index.json", json.dumps(index).encode())[1]


def torch_dcp(folder: Path) -> tuple[Path, Path]:
    return Path(torch_folders.distributed(folder / "step").write()), folder / "step/.metadata"


def torch_sharded(folder: Path) -> tuple[Path, Path]:
    return torch_folders.sharded(folder / "m"), folder / "m/pytorch_model.bin.index.json"


def torch_parallel(folder: Path) -> tuple[Path, Path]:
    torch_folders.megatron(folder / "m", 2, 1)
    return folder / "m", folder / "m/iter_0000010/mp_rank_01/model_optim_rng.pt"


def torch_deepspeed(folder: Path) -> tuple[Path, Path]:
    torch_folders.deepspeed(folder / "m", 3)
    return folder / "m", folder / "m/global_step7/bf16_zero_pp_rank_1_mp_rank_00_optim_states.pt"


def gguf(folder: Path) -> tuple[Path, Path]:
    tensors = [floats("token_embd.weight", 4, 8), eights("blk.0.q.weight", 2, 64)]
    return written(folder / "a.gguf", gguf_bytes(METADATA, tensors))


def npz(folder: Path) -> tuple[Path, Path]:
    np.savez_compressed(folder / "a.npz", a=some(3, 4), b=np.arange(3), o=np.array([None], object))
    return folder / "a.npz", folder / "a.npz"


def npy(folder: Path) -> tuple[Path, Path]:
    np.save(folder / "a.npy", np.asfortranarray(some(3, 4)))
    return folder / "a.npy", folder / "a.npy"


def saved_model(folder: Path) -> tuple[Path, Path]:
    path = test_tf_hostile.graph_of_saved_model(folder)
    return path.parent, path


def tf_checkpoint(folder: Path) -> tuple[Path, Path]:
    return (path := test_tf_hostile.checkpoint(folder)), path


def tfjs(folder: Path) -> tuple[Path, Path]:
    quantised = weight("q", some(4, 5), quantization={"dtype": "uint8", "scale": 0.5, "min": -1.0})
    path = write_tfjs(folder, [([weight("a/kernel", some(3, 4)), quantised], some(3, 4).tobytes() + bytes(20))])
    return path, path


def orbax(folder: Path) -> tuple[Path, Path]:
    write_orbax(folder / "o", STATE)
    return folder / "o", folder / "o/_METADATA"


def zarr(folder: Path) -> tuple[Path, Path]:
    write_v2(folder / "z/a", some(2, 3))
    write_v3(folder / "z/b", some(2, 3))
    (folder / "z/.zgroup").write_text('{"zarr_format": 2}')
    return folder / "z", folder / "z/b/zarr.json"


SMALL: dict[str, Callable[[Path], tuple[Path, Path]]] = {
    "keras": lambda folder: written(folder / "a.keras", (DEMO / "healthy.keras").read_bytes()),
    "keras-h5": lambda folder: written(folder / "a.h5", (DEMO / "colleague.h5").read_bytes()),
    "keras-sharded": keras_sharded,
    "hdf5": lambda folder: written(folder / "a", hdf5_zoo.write(folder / "w", "layouts latest").read_bytes()),
    "torch-dcp": torch_dcp,
    "torch": lambda folder: written(folder / "a.pt", small_files()["zip"]),
    "safetensors": safetensors,
    "safetensors-sharded": safetensors_sharded,
    "torch-deepspeed": torch_deepspeed,
    "torch-parallel": torch_parallel,
    "torch-sharded": torch_sharded,
    "pickle": lambda folder: written(folder / "a.pkl", pickle.dumps({"a": some(3, 4), "b": [some(2), "x"]}, 4)),
    "gguf": gguf,
    "saved-model": saved_model,
    "tf-checkpoint": tf_checkpoint,
    "tf-graph": lambda folder: ((path := test_tf_hostile.graph_file(folder)), path),
    "tflite": lambda folder: ((path := test_tf_hostile.lite_file(folder)), path),
    "onnx": lambda folder: written(folder / "a.onnx", small_model()),
    "npy": npy,
    "npz": npz,
    "flax": lambda folder: written(folder / "a.msgpack", pack(train_state())),
    "tfjs": tfjs,
    "orbax": orbax,
    "zarr": zarr,
}
"""For each format: a function that writes a small model, and says what is opened and which file of it is damaged."""


def test_no_format_is_left_out() -> None:
    assert list(SMALL) == [format.name for format in FORMATS]


@pytest.mark.parametrize("name", SMALL)
def test_damage_ends_in_wtui_errors(name: str, tmp_path: Path) -> None:
    opened, damaged = SMALL[name](tmp_path)
    assert open_catalogue(str(opened)).tensors
    assert open_catalogue(str(opened), name).tensors
    whole = damaged.read_bytes()
    readable = 0
    for seed in range(MUTATIONS):
        damaged.write_bytes(mutate(whole, seed))
        try:
            readable += check_opens_or_refuses(opened, None if seed % UNFORCED == 0 else name) is not None
        except BaseException as error:
            raise AssertionError(f"mutation {seed}: {type(error).__name__}: {error}") from error
    assert readable > MUTATIONS // 50, "the mutations must leave something to read"
