"""Buffers of whole numbers that lie among a model's weights: listed, and left out of what is said of the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import wtui
from tests.builders import write_safetensors
from wtui.render.report import totals_lines

if TYPE_CHECKING:
    from pathlib import Path


def test_counters_are_listed_and_do_not_count(tmp_path: Path) -> None:
    arrays = {
        "bn.weight": np.ones(8, np.float32),
        "bn.num_batches_tracked": np.array(391_000, np.int64),
        "embeddings.position_ids": np.arange(512).reshape(1, 512),
    }
    with wtui.open(write_safetensors(tmp_path / "model.safetensors", arrays)) as model:
        assert {t.name for t in model.tensors} == set(arrays)
        assert model.catalogue.totals().parameters == 8
        assert model.summary().max == 1
        assert model.layer("bn").summary().total == 8
        assert model.layer("embeddings").summary().max == 511  # nothing else is there
        said = ["".join(text for text, _ in line) for line in totals_lines(model.catalogue)]
    assert said[0] == "Total params: 8 (32 B)"
    assert said[-1] == "State (counters and the like): 513 (4.1 kB)"
