"""PyTorch models in several files: shards with an index, distributed checkpoints, and damage to folders."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.formats.fuzzing import check_opens_or_refuses, mutate
from tests.formats.torch_files import state_dict
from tests.formats.torch_folders import (
    SHARDS,
    A,
    B,
    C,
    Dcp,
    check,
    deepspeed,
    distributed,
    saved,
    sharded,
)
from wtui.errors import FormatError, WtuiError
from wtui.formats import open_catalogue

if TYPE_CHECKING:
    from pathlib import Path


# Shards with an index


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


# Damage


def test_damaged_pieces(tmp_path: Path) -> None:
    made = distributed(tmp_path / "step")
    path = made.write()
    for seed in range(200):
        (tmp_path / "step/__0_0.distcp").write_bytes(mutate(made.files["__0_0.distcp"], seed))
        check_opens_or_refuses(path)


def test_damaged_ranks_of_stage_2(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    deepspeed(folder, 2)
    file = folder / "global_step7/bf16_zero_pp_rank_1_mp_rank_00_optim_states.pt"
    whole = file.read_bytes()
    for seed in range(500):
        file.write_bytes(mutate(whole, seed))
        check_opens_or_refuses(folder)
