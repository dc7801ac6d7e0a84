"""PyTorch models in several files: shards with an index, distributed checkpoints, DeepSpeed, Megatron-LM, Llama."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.formats import torch_files as tf
from tests.formats.fuzzing import check_mutations, check_opens_or_refuses
from tests.formats.torch_files import Call, Global, Stored, ordered, state_dict, tensor, zip_file
from wtui.engine.blocks import plan_blocks
from wtui.errors import FormatError, WtuiError
from wtui.formats import open_catalogue
from wtui.storage import Files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from wtui.model import Catalogue

Arrays = dict[str, np.ndarray]


def values(catalogue: Catalogue) -> Arrays:
    files = Files(catalogue.files)
    try:
        return {t.name: plan_blocks(t, catalogue, files).array() for t in catalogue.tensors if not t.problem}
    finally:
        files.close()


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


# Shards with an index

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


@pytest.mark.parametrize("index", [True, False])
def test_shards_are_one_model_in_their_order(tmp_path: Path, index: bool) -> None:
    found = open_catalogue(str(sharded(tmp_path / "m", index)))
    check(found, SHARDS[0] | SHARDS[1])
    assert [c.name for c in found.root.children] == ["embed", "layers", "head"]
    assert found.format == "PyTorch, 2 shards"
    assert found.warnings == ()
    assert found.root.class_name == ("TinyLM" if index else "")


def test_an_index_opens_its_folder(tmp_path: Path) -> None:
    folder = sharded(tmp_path / "m")
    check(open_catalogue(str(folder / "pytorch_model.bin.index.json")), SHARDS[0] | SHARDS[1])


def test_what_is_missing_from_shards_is_told(tmp_path: Path) -> None:
    folder = sharded(tmp_path / "m")
    index = folder / "pytorch_model.bin.index.json"
    told = json.loads(index.read_text())
    told["weight_map"]["ghost.weight"] = "pytorch_model-00001-of-00002.bin"
    del told["weight_map"]["head.weight"]
    index.write_text(json.dumps(told))
    messages = {w.tensor: w.message for w in open_catalogue(str(folder)).warnings}
    assert "does not hold it" in messages["ghost.weight"]
    assert "does not name it" in messages["head.weight"]
    (folder / "pytorch_model-00002-of-00002.bin").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    found = open_catalogue(str(folder))
    check(found, SHARDS[0])
    assert any("00002-of-00002.bin" in w.message for w in found.warnings)
    (folder / "pytorch_model-00002-of-00002.bin").unlink()
    assert any("missing" in w.message for w in open_catalogue(str(folder)).warnings)
    for name in ("pytorch_model.bin.index.json", "config.json"):
        (folder / name).unlink()
    assert any("shard 2 of 2" in w.message for w in open_catalogue(str(folder)).warnings)


@pytest.mark.parametrize("name", ["../secret.bin", "/etc/passwd", "a/../../x", "no\0name", "nowhere.bin"])
def test_an_index_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    sharded(tmp_path / "m")
    saved(tmp_path / "secret.bin", *state_dict({"secret": np.ones(2, "f4")}))
    (tmp_path / "m/pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": {"secret": name}}))
    with pytest.raises(FormatError, match="missing, or lies outside"):
        open_catalogue(str(tmp_path / "m"))


# Distributed checkpoints

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


def test_pieces_of_a_distributed_checkpoint_are_one_tensor(tmp_path: Path) -> None:
    found = open_catalogue(distributed(tmp_path / "step").write())
    check(found, {"layer.a": A, "layer.b": B, "turned": C})
    check(found, {"optimizer.layer.a.exp_avg": A * 2}, "optimizer")
    assert found.metadata["objects"] == ["model.step"]
    assert found.format == "PyTorch distributed checkpoint, 2 files"
    assert found.warnings == ()
    assert found.totals().parameters == A.size + B.size + C.size
    check(open_catalogue(str(tmp_path / "step/.metadata")), {"layer.a": A, "layer.b": B, "turned": C})


def test_opening_a_distributed_checkpoint_reads_its_metadata_only(tmp_path: Path) -> None:
    path = distributed(tmp_path / "step").write()
    for name in ("__0_0.distcp", "__1_0.distcp"):
        data = (tmp_path / "step" / name).read_bytes()
        (tmp_path / "step" / name).write_bytes(bytes(len(data)))
    found = open_catalogue(path)
    assert [t.problem for t in found.tensors] == [""] * 4
    with pytest.raises(WtuiError):
        found.parts(found["layer.a"])


def test_what_is_missing_from_a_distributed_checkpoint(tmp_path: Path) -> None:
    path = distributed(tmp_path / "step").write()
    file = tmp_path / "step/__1_0.distcp"
    file.write_bytes(file.read_bytes()[:-100])
    found = open_catalogue(path)
    assert [t.name for t in found.tensors if t.problem] == ["optimizer.layer.a.exp_avg"]
    file.unlink()
    found = open_catalogue(path)
    assert [t.name for t in found.tensors if not t.problem] == ["turned"]
    assert any("__1_0.distcp is missing" in w.message for w in found.warnings)


def test_pieces_that_do_not_make_a_tensor(tmp_path: Path) -> None:
    made = Dcp(tmp_path / "step")
    made.add(("gap",), A, [(slice(0, 4), slice(None)), (slice(5, 7), slice(None))])
    made.add(("good",), A, [(slice(0, 7), slice(None))])
    made.add(("lost",), A, [(slice(0, 7), slice(None))])
    made.places.pop()
    found = open_catalogue(made.write())
    told = {t.name: t.problem for t in found.tensors}
    assert "do not make up" in told["gap"]
    assert "nothing says where" in told["lost"]
    assert told["good"] == ""


# DeepSpeed

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


@pytest.mark.parametrize("stage", [1, 2])
def test_zero_keeps_the_model_whole_and_its_copies_apart(tmp_path: Path, stage: int) -> None:
    held = deepspeed(tmp_path / "ck", stage)
    params = {n: a for group in GROUPS for n, a in group.items()}
    for path in (tmp_path / "ck", tmp_path / "ck/global_step7"):
        found = open_catalogue(str(path))
        check(found, held | {"running_mean": np.ones(3, "f2")})
        slots = {f"optimizer.{n}.fp32": a for n, a in params.items()}
        slots |= {f"optimizer.{n}.exp_avg": a * 2 for n, a in params.items()}
        check(found, slots, "optimizer")
        assert found.metadata["checkpoint"]["ds_version"] == "0.14.0"
        assert found.warnings == ()


def test_placeholders_of_stage_3_are_put_together(tmp_path: Path) -> None:
    frozen = {"c.weight": numbers(9, 2, 4, dtype="f2")}
    deepspeed(tmp_path / "ck", 3, frozen=frozen)
    params = {n: a for group in GROUPS for n, a in group.items()}
    found = open_catalogue(str(tmp_path / "ck"))
    check(found, params | frozen | {"running_mean": np.ones(3, "f2"), "tied.weight": params["a.weight"]})
    assert found["tied.weight"].alias_of == "a.weight"
    check(found, {f"optimizer.{n}.exp_avg": a * 2 for n, a in params.items()}, "optimizer")
    assert any("placeholders of shape [0]" in w.message for w in found.warnings)


def test_a_rank_that_is_missing(tmp_path: Path) -> None:
    deepspeed(tmp_path / "ck", 3)
    (tmp_path / "ck/global_step7/bf16_zero_pp_rank_1_mp_rank_00_optim_states.pt").unlink()
    found = open_catalogue(str(tmp_path / "ck"))
    assert {t.name for t in found.tensors if t.group == "model" and not t.problem} == {"running_mean"}
    assert "placeholder" in found["a.weight"].problem
    assert any("3 ranks wrote this checkpoint" in w.message for w in found.warnings)


def test_partitions_that_do_not_fit_are_listed_as_they_are(tmp_path: Path) -> None:
    deepspeed(tmp_path / "ck", 2)
    GROUPS[0]["more"] = numbers(8, 90)
    try:
        deepspeed(tmp_path / "other", 2)
    finally:
        del GROUPS[0]["more"]
    model = "mp_rank_00_model_states.pt"
    (tmp_path / "ck/global_step7" / model).write_bytes((tmp_path / "other/global_step7" / model).read_bytes())
    found = open_catalogue(str(tmp_path / "ck"))
    assert any("do not fit the shapes" in w.message for w in found.warnings)
    assert any("single_partition_of_fp32_groups.0" in t.name for t in found.tensors)


# Megatron-LM and Llama


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


@pytest.mark.parametrize(("tensor_ranks", "stages"), [(1, 1), (2, 1), (1, 2), (2, 2), (4, 2)])
def test_ranks_are_one_model(tmp_path: Path, tensor_ranks: int, stages: int) -> None:
    whole = megatron(tmp_path / "gpt", tensor_ranks, stages)
    for path in (tmp_path / "gpt", tmp_path / "gpt/iter_0000010"):
        found = open_catalogue(str(path))
        check(found, whole)
        assert any("inferred" in w.message for w in found.warnings) == (tensor_ranks > 1 or stages > 1)
        assert found.metadata["checkpoint"]["iteration"] == 10


def test_ranks_that_are_missing_are_named(tmp_path: Path) -> None:
    megatron(tmp_path / "gpt", 2, 1)
    (tmp_path / "gpt/iter_0000010/mp_rank_01/model_optim_rng.pt").unlink()
    found = open_catalogue(str(tmp_path / "gpt"))
    assert any("rank 1 of stage 0" in w.message for w in found.warnings)
    assert all(t.name.startswith("rank 0, stage 0.") for t in found.tensors)


def test_what_no_rule_knows_is_listed_by_rank(tmp_path: Path) -> None:
    for rank in range(2):
        stores = Stores()
        saved(
            tmp_path / f"gpt/mp_rank_{rank:02d}/model_optim_rng.pt",
            {"model": stores.all({"odd.thing": numbers(rank, 3)})},
            stores,
        )
    found = open_catalogue(str(tmp_path / "gpt"))
    check(found, {"odd.thing@rank0": numbers(0, 3), "odd.thing@rank1": numbers(1, 3)})
    assert any("rank by rank" in w.message for w in found.warnings)


@pytest.mark.parametrize("axis", [0, 1])
def test_llama_in_two_files(tmp_path: Path, axis: int) -> None:
    whole: Arrays = {
        "tok_embeddings.weight": numbers(1, 10, 4), "norm.weight": numbers(2, 4), "output.weight": numbers(3, 10, 4),
        "layers.0.attention.wq.weight": numbers(4, 4, 4), "layers.0.attention.wo.weight": numbers(5, 4, 4),
        "layers.0.feed_forward.w2.weight": numbers(6, 4, 8), "layers.0.attention_norm.weight": numbers(7, 4),
    }  # fmt: skip
    axes = {"tok_embeddings.weight": axis, "layers.0.attention.wo.weight": 1, "layers.0.feed_forward.w2.weight": 1}
    for rank in range(2):
        part = {n: a if a.ndim == 1 else np.split(a, 2, axes.get(n, 0))[rank] for n, a in whole.items()}
        saved(tmp_path / f"llama/consolidated.{rank:02d}.pth", *state_dict(part))
    (tmp_path / "llama/params.json").write_text('{"dim": 4}')
    found = open_catalogue(str(tmp_path / "llama"))
    check(found, whole)
    assert found.format == "Llama checkpoint, 2 ranks"


# Damage


def test_damaged_metadata(tmp_path: Path) -> None:
    made = distributed(tmp_path / "step")
    made.write()
    assert check_mutations(tmp_path / "step/.metadata", made.metadata(), 500, "torch-dcp") > 50


def test_damaged_pieces(tmp_path: Path) -> None:
    made = distributed(tmp_path / "step")
    path = made.write()
    from tests.formats.fuzzing import mutate

    for seed in range(200):
        (tmp_path / "step/__0_0.distcp").write_bytes(mutate(made.files["__0_0.distcp"], seed))
        check_opens_or_refuses(path)


@pytest.mark.parametrize("kind", ["sharded", "stage 2", "stage 3", "megatron"])
def test_damaged_folders(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "m"
    if kind == "sharded":
        sharded(folder)
        name = "pytorch_model.bin.index.json"
    elif kind == "megatron":
        megatron(folder, 2, 1)
        name = "iter_0000010/mp_rank_01/model_optim_rng.pt"
    else:
        deepspeed(folder, int(kind[-1]))
        name = "global_step7/bf16_zero_pp_rank_1_mp_rank_00_optim_states.pt"
    from tests.formats.fuzzing import mutate

    file = folder / name
    whole = file.read_bytes()
    for seed in range(500 if kind != "megatron" else 200):
        file.write_bytes(mutate(whole, seed))
        check_opens_or_refuses(folder)
