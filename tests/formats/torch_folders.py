"""Folders of PyTorch files, written by hand: shards with an index, distributed checkpoints, DeepSpeed, Megatron-LM."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.formats import torch_files as tf
from tests.formats.torch_files import Call, Global, Stored, ordered, state_dict, tensor, values, zip_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from wtui.model import Catalogue

Arrays = dict[str, np.ndarray]


def check(catalogue: Catalogue, expected: Mapping[str, np.ndarray], group: str = "model") -> None:
    """The tensors of the group that can be read are these, with these values."""
    found = values(catalogue)
    assert {t.name for t in catalogue.tensors if t.group == group and not t.problem} == set(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def numbers(seed: int, *shape: int, dtype: str = "f4") -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def saved(path: Path, value: Any, stores: Sequence[Stored]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zip_file(value, stores))


class Stores(list[Stored]):
    """Storages of one file, numbered as they are made."""

    def __call__(self, array: np.ndarray) -> Call:
        self.append(Stored(str(len(self)), np.ascontiguousarray(array)))
        return tensor(self[-1], array.shape)

    def all(self, arrays: Mapping[str, np.ndarray]) -> Call:
        return ordered({name: self(array) for name, array in arrays.items()})


SHARDS: list[Arrays] = [
    {"embed.weight": numbers(1, 8, 4), "layers.1.weight": numbers(2, 4, 4)},
    {"layers.0.weight": numbers(3, 4, 4), "head.weight": numbers(4, 8, 4)},
]


def sharded(folder: Path, index: bool = True) -> Path:
    names = [f"pytorch_model-{i:05d}-of-00002.bin" for i in (1, 2)]
    for name, arrays in zip(names, SHARDS, strict=True):
        saved(folder / name, *state_dict(arrays))
    if index:
        weight_map = {k: n for n, arrays in zip(names, SHARDS, strict=True) for k in arrays}
        (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": weight_map}))
        (folder / "config.json").write_text(json.dumps({"architectures": ["TinyLM"], "hidden_size": 4}))
    return folder


DCP = "torch.distributed.checkpoint.metadata"


def instance(name: str, **state: Any) -> Call:
    new = Global("copyreg", "__newobj__")
    return Call(new, (Global(*name.rsplit(".", 1)) if "." in name else Global(DCP, name),), state)


def size(*shape: int) -> Call:
    return Call(Global("torch", "Size"), (tuple(shape),))


class Dcp:
    """A distributed checkpoint under construction: every piece is an archive in one of two files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = {"__0_0.distcp": b"", "__1_0.distcp": b""}
        self.tensors: dict[str, Any] = {}
        self.places: list[tuple[Any, Any]] = []
        self.paths: dict[str, Any] = {}

    def add(
        self, path: tuple[str | int, ...], array: np.ndarray, cuts: Sequence[tuple[slice, ...]], turn: bool = False
    ) -> None:
        """A tensor in pieces; with `turn` they are stored transposed."""
        name = ".".join(map(str, path))
        self.paths[name] = path
        chunks = []
        for i, cut in enumerate(cuts):
            piece = array[cut]
            origin = tuple(s.start or 0 for s in cut)
            stored = Stored("0", np.ascontiguousarray(piece.T if turn else piece))
            strides = tuple(int(s // array.itemsize) for s in stored.data.T.strides) if turn else None
            data = zip_file(tensor(stored, piece.shape, strides), [stored])
            file = f"__{i % 2}_0.distcp"
            place = instance("torch.distributed.checkpoint.filesystem._StorageInfo", relative_path=file,
                             offset=len(self.files[file]), length=len(data))  # fmt: skip
            self.places.append((instance("MetadataIndex", fqn=name, offset=size(*origin), index=i), place))
            self.files[file] += data
            chunks.append(instance("ChunkStorageMetadata", offsets=size(*origin), sizes=size(*piece.shape)))
        kind = Global("torch", {"f4": "float32", "f8": "float64"}[array.dtype.str[1:]])
        properties = Call(
            Global("copyreg", "__newobj__"), (Global(DCP, "TensorProperties"),), (kind, None, False, None, False)
        )
        self.tensors[name] = instance(
            "TensorStorageMetadata", properties=properties, size=size(*array.shape), chunks=chunks
        )

    def metadata(self) -> bytes:
        pairs = tf.Pairs(self.places)
        self.tensors["model.step"] = instance("BytesStorageMetadata")
        return tf.pickled(instance(
            "Metadata", state_dict_metadata=self.tensors, planner_data=self.paths, storage_data=pairs, version="1.0.0",
        ))  # fmt: skip

    def write(self) -> str:
        self.folder.mkdir()
        (self.folder / ".metadata").write_bytes(self.metadata())
        for name, data in self.files.items():
            (self.folder / name).write_bytes(data)
        return str(self.folder)


WHOLE = (slice(None), slice(None))
A, B, C = numbers(1, 7, 6), numbers(2, 4, 10), numbers(3, 5, 3, dtype="f8")


def distributed(folder: Path) -> Dcp:
    made = Dcp(folder)
    made.add(("model", "layer.a"), A, [(slice(0, 4), slice(None)), (slice(4, 7), slice(None))])
    made.add(("model", "layer.b"), B, [(slice(None), slice(0, 5)), (slice(None), slice(5, 10))])
    made.add(("model", "turned"), C, [(slice(0, 5), slice(0, 3))], turn=True)
    made.add(
        ("optimizer", "state", "layer.a", "exp_avg"), A * 2, [(slice(0, 3), slice(0, 6)), (slice(3, 7), slice(0, 6))]
    )
    return made


GROUPS: list[Arrays] = [
    {"a.weight": numbers(1, 5, 3), "b.weight": numbers(2, 4, 4), "scale": numbers(3, 1)},
    {"a.bias": numbers(4, 5), "b.bias": numbers(5, 4)},
]
RANKS = 3


def flat_groups(groups: Sequence[Arrays], stage: int) -> list[list[np.ndarray]]:
    """What each rank holds of each group, laid out as DeepSpeed's zero_to_fp32.py takes it apart."""
    ranks: list[list[np.ndarray]] = [[] for _ in range(RANKS)]
    for group in groups:
        if stage == 3:
            pieces = [np.pad(a.ravel(), (0, -a.size % RANKS)).reshape(RANKS, -1) for a in group.values()]
            rows = np.concatenate(pieces, axis=1)
        else:
            whole = np.concatenate([a.ravel() for a in group.values()])
            rows = np.pad(whole, (0, -whole.size % (2 * RANKS))).reshape(RANKS, -1)
        for rank, row in zip(ranks, rows, strict=True):
            rank.append(row)
    return ranks


def deepspeed(folder: Path, stage: int, tag: str = "global_step7", frozen: Mapping[str, np.ndarray] = {}) -> Arrays:
    """A checkpoint of three ranks; the model's own values, as float16 where it holds them."""
    params = {n: a for group in GROUPS for n, a in group.items()}
    shapes = [ordered({n: size(*a.shape) for n, a in group.items()}) for group in GROUPS]
    doubled = [{n: a * 2 for n, a in group.items()} for group in GROUPS]
    copies, slots = flat_groups(GROUPS, stage), flat_groups(doubled, stage)
    (folder / tag).mkdir(parents=True)
    (folder / "latest").write_text(tag)
    held = {n: a.astype("f2") if stage < 3 else np.zeros(0, "f2") for n, a in (params | dict(frozen)).items()}
    tied = {"tied.weight": np.zeros(0, "f2")} if stage == 3 else {}
    for rank in range(RANKS if stage == 3 else 1):
        stores = Stores()
        name = f"zero_pp_rank_{rank}_mp_rank_00_model_states.pt" if stage == 3 else "mp_rank_00_model_states.pt"
        state: dict[str, Any] = {
            "module": stores.all(held | tied | {"running_mean": np.ones(3, "f2")}),
            "param_shapes": shapes,
            "buffer_names": ["running_mean"],
            "shared_params": dict.fromkeys(tied, "a.weight"),
            "ds_version": "0.14.0",
            "global_steps": 7,
        }
        if frozen and stage == 3:
            state["frozen_param_shapes"] = ordered({n: size(*a.shape) for n, a in frozen.items()})
            pieces = {
                n: np.array_split(np.pad(a.ravel(), (0, -a.size % RANKS)), RANKS)[rank] for n, a in frozen.items()
            }
            state["frozen_param_fragments"] = stores.all(pieces)
        saved(folder / tag / name, state, stores)
    for rank in range(RANKS):
        stores = Stores()
        state = {i: {"exp_avg": stores(s), "step": 7} for i, s in enumerate(slots[rank])}
        key = "fp32_flat_groups" if stage == 3 else "single_partition_of_fp32_groups"
        base = "optimizer_state_dict" if stage == 3 else "base_optimizer_state"
        optimizer = {"zero_stage": stage, "partition_count": RANKS, key: [stores(c) for c in copies[rank]],
                     base: {"state": state, "param_groups": []}}  # fmt: skip
        saved(
            folder / tag / f"bf16_zero_pp_rank_{rank}_mp_rank_00_optim_states.pt",
            {"optimizer_state_dict": optimizer},
            stores,
        )
    return held


def megatron(folder: Path, tensor_ranks: int, stages: int) -> Arrays:
    """A checkpoint of a tiny GPT; the whole tensors."""
    width, layers = 4, 4
    whole: Arrays = {"embedding.word_embeddings.weight": numbers(1, 8, width)}
    for i in range(layers):
        at = f"decoder.layers.{i}"
        whole |= {
            f"{at}.self_attention.linear_qkv.weight": numbers(10 + i, 12, width),
            f"{at}.self_attention.linear_qkv.layer_norm_weight": numbers(20 + i, width),
            f"{at}.self_attention.linear_proj.weight": numbers(30 + i, width, 8),
            f"{at}.self_attention.linear_proj.bias": numbers(40 + i, width),
            f"{at}.mlp.linear_fc1.bias": numbers(50 + i, 16),
        }
    whole["output_layer.weight"] = numbers(2, 8, width)
    per_stage = layers // stages
    for stage in range(stages):
        for rank in range(tensor_ranks):
            stores, part = Stores(), {}
            for name, array in whole.items():
                number = int(name.split(".")[2]) if name.startswith("decoder.layers") else None
                if number is not None and number // per_stage != stage:
                    continue
                if number is None and stage != (0 if name.startswith("embedding") else stages - 1):
                    continue
                local = (
                    name if number is None else name.replace(f"layers.{number}", f"layers.{number - stage * per_stage}")
                )
                axis = 1 if name.endswith("linear_proj.weight") else 0
                split = "layer_norm" not in name and not name.endswith("linear_proj.bias")
                part[local] = np.split(array, tensor_ranks, axis)[rank] if split else array
            args = Call(Global("argparse", "Namespace"), (), {"tensor_model_parallel_size": tensor_ranks})
            value = {"model": stores.all(part), "iteration": 10, "checkpoint_version": 3.0, "args": args}
            name = f"mp_rank_{rank:02d}" + (f"_{stage:03d}" if stages > 1 else "")
            saved(folder / "iter_0000010" / name / "model_optim_rng.pt", value, stores)
    (folder / "latest_checkpointed_iteration.txt").write_text("10")
    return whole
