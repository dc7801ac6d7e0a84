"""Checkpoints of which every rank wrote a part: DeepSpeed's ZeRO, Megatron-LM, Llama."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.formats.torch_files import state_dict
from tests.formats.torch_folders import GROUPS, Arrays, Stores, check, deepspeed, megatron, numbers, saved
from wtui.formats import open_catalogue

if TYPE_CHECKING:
    from pathlib import Path


# DeepSpeed


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
