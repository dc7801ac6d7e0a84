"""`--expect-frozen` on a real fine-tuning run: a frozen backbone that stayed, one that was thawed, heads that moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import wtui
from tests.builders import write_safetensors
from wtui.comparing.frozen import expect_frozen
from wtui.errors import UnknownNameError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run


@pytest.mark.parametrize("glob", ["backbone*", "backbone/*", "backbone.*"])
def test_a_frozen_backbone_stays_and_the_heads_move(glob: str, trained: Path, run: Run) -> None:
    found = run("diff", trained / "before.keras", trained / "tuned.keras", "--expect-frozen", glob)
    assert found.code == 0
    said = "as expected: 6 of 6 frozen tensors stayed as they were, 2 of 2 other layers moved\n"
    assert found.out.endswith(said)


def test_a_backbone_that_was_thawed_is_told_tensor_by_tensor(trained: Path, run: Run) -> None:
    arguments = ["diff", trained / "tuned.keras", trained / "thawed.keras", "--expect-frozen", "backbone*"]
    found = run(*arguments)
    assert found.code == 1
    moved = [line.split()[4] for line in found.out.split("\n") if line.startswith("✗ frozen, but moved")]
    names = [f"backbone/{n}" for n in ("conv/kernel", "conv/bias", "bn/gamma", "bn/beta")]
    assert moved == [*names, "backbone/bn/moving_mean", "backbone/bn/moving_variance"]
    assert found.out.endswith("not as expected: 0 of 6 frozen tensors stayed as they were, 2 of 2 other layers moved\n")
    document = run(*arguments, "--json").document["expect_frozen"]
    assert (document["holds"], document["moved"], document["still"]) == (False, moved, [])


def test_a_model_that_was_not_trained_at_all(trained: Path) -> None:
    found = expect_frozen(wtui.compare(trained / "before.keras", trained / "before.keras"), ["backbone*"])
    assert (found.holds, found.moved, found.still) == (False, (), ("hidden", "logits"))


def test_layers_that_the_file_says_are_not_trainable_need_not_move(trained: Path) -> None:
    found = expect_frozen(wtui.compare(trained / "tuned.keras", trained / "tuned.keras"), ["hidden*"])
    assert found.still == ("logits",)
    with pytest.raises(UnknownNameError, match="no tensor matches spine"):
        expect_frozen(wtui.compare(trained / "tuned.keras", trained / "tuned.keras"), ["spine*"])


def test_a_frozen_tensor_that_is_gone_did_not_stay(tmp_path: Path) -> None:
    a = {"body.weight": np.ones((3, 4), np.float32), "head.weight": np.ones((5, 6), np.float32)}
    b = {"head.weight": a["head.weight"] + 1}
    files = [write_safetensors(tmp_path / f"{i}.safetensors", v) for i, v in enumerate((a, b))]
    found = expect_frozen(wtui.compare(*files), ["body.*"])
    assert [c.name for c in found.moved] == ["body.weight"]


def test_integers_empty_tensors_and_statistics_need_not_move(tmp_path: Path) -> None:
    a = {
        "body.weight": np.ones(3, np.float32), "count.weight": np.ones(3, np.int32),
        "none.weight": np.ones((0, 2), np.float32), "bn.running_mean": np.ones(3, np.float32),
    }  # fmt: skip
    path = write_safetensors(tmp_path / "a.safetensors", a)
    assert expect_frozen(wtui.compare(path, path), ["body*"]).holds
