"""Damaged packed weights, adapters and their configurations: nothing but WtuiErrors, in bounded time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.builders import write_safetensors
from tests.formats import packed_files as files
from tests.formats.fuzzing import check_opens_or_refuses, mutate
from tests.formats.test_packed import SCHEMES
from wtui.formats import open_catalogue

if TYPE_CHECKING:
    from pathlib import Path

MUTATIONS = 120
"""Of the weights, and as many of the configuration, for each scheme."""

ODD = (None, True, -1, 0, 1 << 70, 1.5, "x", [], [1], [0, 0], [None, {}], {}, {"a": {"weights": {"num_bits": [4]}}})
"""What values of a configuration are replaced by."""


@pytest.mark.parametrize("scheme", ["gptq", "gptq-act-order", "awq", "compressed-zero-points", "fp8-blocks", "nf4"])
def test_damaged_files_and_configurations(scheme: str, tmp_path: Path) -> None:
    path = files.write(tmp_path, SCHEMES[scheme]())
    for damaged in (path, tmp_path / "config.json"):
        whole = damaged.read_bytes()
        readable = 0
        for seed in range(MUTATIONS):
            damaged.write_bytes(mutate(whole, seed))
            try:
                readable += check_opens_or_refuses(path) is not None
            except BaseException as error:
                raise AssertionError(f"{damaged.name}, {seed}: {type(error).__name__}: {error}") from error
        damaged.write_bytes(whole)
        assert readable > MUTATIONS // 20


@pytest.mark.parametrize("scheme", ["gptq", "awq", "compressed-4", "fp8-blocks"])
def test_configurations_of_odd_values_only_cost_the_values(scheme: str, tmp_path: Path) -> None:
    packed = SCHEMES[scheme]()
    path = files.write(tmp_path, packed)
    for key in (*packed.config, "desc_act", "version", "checkpoint_format", "group_size", "weight_block_size"):
        for value in ODD:
            config = {"quantization_config": {**packed.config, key: value}}
            (tmp_path / "config.json").write_text(json.dumps(config))
            found = check_opens_or_refuses(path)
            assert found is not None, (key, value)
            assert found["model.norm.weight"].problem == ""
    for value in ODD:
        (tmp_path / "config.json").write_text(json.dumps({"quantization_config": value}))
        assert check_opens_or_refuses(path) is not None


@pytest.mark.parametrize("key", ["lora_alpha", "r", "alpha_pattern", "use_rslora", "fan_in_fan_out", "target_modules"])
def test_configurations_of_adapters_of_odd_values(key: str, tmp_path: Path) -> None:
    a, b = np.ones((4, 8), np.float32), np.ones((6, 4), np.float32)
    path = write_safetensors(tmp_path / "adapter_model.safetensors", {"x.lora_A.weight": a, "x.lora_B.weight": b})
    for value in ODD:
        config: dict[str, Any] = {"peft_type": "LORA", "lora_alpha": 4, key: value}
        (tmp_path / "adapter_config.json").write_text(json.dumps(config))
        found = check_opens_or_refuses(path)
        assert found is not None
        assert not found["x.delta"].problem


def test_thin_matrices_do_not_make_a_flood(tmp_path: Path) -> None:
    a, b = np.ones((1, 1 << 16), np.float16), np.ones((1 << 16, 1), np.float16)
    path = write_safetensors(tmp_path / "m.safetensors", {"x.lora_A.weight": a, "x.lora_B.weight": b})
    assert {t.name for t in open_catalogue(str(path)).tensors} == {"x.lora_A.weight", "x.lora_B.weight"}


def test_empty_and_many_small_matrices(tmp_path: Path) -> None:
    header = {
        "e.weight": {"dtype": "F8_E4M3", "shape": [1 << 50, 0, 0], "data_offsets": [0, 0]},
        "e.weight_scale": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
        "m.weight": {"dtype": "F8_E4M3", "shape": [1 << 20, 1, 1], "data_offsets": [4, 4 + (1 << 20)]},
        "m.weight_scale": {"dtype": "F32", "shape": [1], "data_offsets": [4 + (1 << 20), 8 + (1 << 20)]},
    }
    text = json.dumps(header).encode()
    path = tmp_path / "m.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(8 + (1 << 20)))
    found = check_opens_or_refuses(path)
    assert found is not None
    assert found["m.weight"].problem == "packed, not values: it is cut into too many small matrices"
