"""LoRA adapters: pairs of matrices as the change that they make, by the names of every program that writes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import wtui
from tests.builders import write_safetensors
from wtui.formats.safe import adapters

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

MODULE = "base_model.model.model.layers.0.self_attn.q_proj"


def factors(a: tuple[int, ...], b: tuple[int, ...], dtype: str = "float32") -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(4)
    return rng.normal(size=a).astype(dtype), rng.normal(size=b).astype(dtype)


def write(folder: Path, tensors: dict[str, NDArray[Any]], config: dict[str, Any] | None = None) -> Path:
    if config is not None:
        (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", **config}))
    return write_safetensors(folder / "adapter_model.safetensors", tensors)


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
@pytest.mark.parametrize("pieces", [False, True])
def test_the_change_of_a_weight(dtype: str, pieces: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if pieces:
        monkeypatch.setattr(adapters, "PIECE", 500)
    a, b = factors((4, 24), (40, 4), dtype)
    config = {"r": 4, "lora_alpha": 8, "base_model_name_or_path": "org/base", "target_modules": ["q_proj"]}
    tensors = {f"{MODULE}.lora_A.weight": a, f"{MODULE}.lora_B.weight": b}
    path = write(tmp_path, tensors, config)
    for opened in (path, tmp_path):
        with wtui.open(opened) as model:
            delta = model[f"{MODULE}.delta"]
            expected = 2.0 * (b.astype(np.float32) @ a.astype(np.float32))
            assert (delta.shape, delta.group) == ((40, 24), "derived")
            np.testing.assert_allclose(delta.array(), expected, rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(delta.summary().l2, np.linalg.norm(expected), rtol=1e-5)
            assert model.totals.parameters == a.size + b.size
            assert (model.root.class_name, model.root.config["r"]) == ("LoRA adapter", 4)
            about = "LoRA adapter for org/base: rank 4, alpha 8, on q_proj, 1 weights"
            assert model.catalogue.metadata["about"] == about
            assert not model.warnings


SCALES: dict[str, tuple[dict[str, Any], float, str]] = {
    "rslora": ({"lora_alpha": 8, "use_rslora": True}, 4.0, "√4"),
    "pattern": ({"lora_alpha": 8, "alpha_pattern": {"q_proj": 2}}, 0.5, "alpha 2"),
    "other pattern": ({"lora_alpha": 8, "alpha_pattern": {"proj": 2}}, 2.0, "alpha 8"),
    "nothing said": ({}, 1.0, "not recorded"),
    "nonsense": ({"lora_alpha": "much", "alpha_pattern": [1]}, 1.0, "not recorded"),
}


@pytest.mark.parametrize("case", SCALES)
def test_scales(case: str, tmp_path: Path) -> None:
    config, scale, said = SCALES[case]
    a, b = factors((4, 6), (5, 4))
    with wtui.open(write(tmp_path, {f"{MODULE}.lora_A.weight": a, f"{MODULE}.lora_B.weight": b}, config)) as model:
        delta = model[f"{MODULE}.delta"]
        np.testing.assert_allclose(delta.array(), scale * (b @ a), rtol=1e-5, atol=1e-6)
        assert said in dict(delta.entry.encoding_args)["about"]


def test_names_of_other_programs(tmp_path: Path) -> None:
    a, b = factors((4, 6, 3, 3), (5, 4, 1, 1))
    alpha = np.array(2.0, np.float16)
    kohya = {"lora_unet_in.lora_down.weight": a, "lora_unet_in.lora_up.weight": b, "lora_unet_in.alpha": alpha}
    with wtui.open(write(tmp_path, kohya)) as model:
        expected = 0.5 * np.einsum("orxy,rikl->oikl", b, a)
        np.testing.assert_allclose(model["lora_unet_in.delta"].array(), expected, rtol=1e-5, atol=1e-6)
    a, b = factors((4, 6), (5, 4))
    with wtui.open(write(tmp_path, {"unet.to_q.lora.down.weight": a, "unet.to_q.lora.up.weight": b})) as model:
        np.testing.assert_allclose(model["unet.to_q.delta"].array(), b @ a, rtol=1e-5, atol=1e-6)


def test_embeddings_and_transposed_layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapters, "PIECE", 100)
    a, b = factors((4, 50), (8, 4))
    names = {"m.embed_tokens.lora_embedding_A": a, "m.embed_tokens.lora_embedding_B": b}
    with wtui.open(write(tmp_path, names, {"lora_alpha": 4})) as model:
        np.testing.assert_allclose(model["m.embed_tokens.delta"].array(), (b @ a).T, rtol=1e-5, atol=1e-6)
    names = {"h.0.c_attn.lora_A.weight": a, "h.0.c_attn.lora_B.weight": b}
    with wtui.open(write(tmp_path, names, {"lora_alpha": 4, "fan_in_fan_out": True})) as model:
        np.testing.assert_allclose(model["h.0.c_attn.delta"].array(), (b @ a).T, rtol=1e-5, atol=1e-6)


def test_magnitudes_are_said_to_be_left_out(tmp_path: Path) -> None:
    a, b = factors((4, 6), (5, 4))
    names = {"x.lora_A.weight": a, "x.lora_B.weight": b, "x.lora_magnitude_vector": np.ones(5, np.float32)}
    with wtui.open(write(tmp_path, names, {"lora_alpha": 4})) as model:
        assert "DoRA" in dict(model["x.delta"].entry.encoding_args)["about"]


def test_what_is_no_pair_is_listed_as_it_is(tmp_path: Path) -> None:
    a, b = factors((4, 6), (5, 3))
    names = {
        "x.lora_A.weight": a, "x.lora_B.weight": b, "y.lora_A.weight": a, "explorable.weight": a,
        "z.lora_A.weight": a.astype(np.int8), "z.lora_B.weight": b.astype(np.int8),
    }  # fmt: skip
    with wtui.open(write(tmp_path, names, {})) as model:
        assert sorted(t.name for t in model.tensors) == sorted(names)
        assert not model.other_tensors


def test_a_damaged_configuration_is_told(tmp_path: Path) -> None:
    a, b = factors((4, 6), (5, 4))
    path = write(tmp_path, {"x.lora_A.weight": a, "x.lora_B.weight": b})
    (tmp_path / "adapter_config.json").write_text('{"r": ')
    with wtui.open(path) as model:
        assert model["x.delta"].shape == (5, 6)
        assert "adapter_config.json beside it is not valid JSON" in model.warnings[0].message


def test_an_adapter_that_was_not_trained(tmp_path: Path) -> None:
    a, b = factors((4, 64), (64, 4))
    names = {f"l.{i}.q.lora_{f}.weight": v for i in range(2) for f, v in (("A", a), ("B", b * 0))}
    with wtui.open(write(tmp_path, names, {"lora_alpha": 4})) as model:
        found = [f for f in model.findings() if f.rule == "adapter-untrained"]
        assert [f.tensor for f in found] == ["l.0.q.lora_B.weight", "l.1.q.lora_B.weight"]
        assert model["l.0.q.delta"].summary().row().zeros == 64 * 64


def test_adapters_in_pytorch_files(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    a, b = factors((4, 24), (40, 4))
    state = {f"{MODULE}.lora_A.weight": torch.from_numpy(a), f"{MODULE}.lora_B.weight": torch.from_numpy(b)}
    torch.save(state, tmp_path / "adapter_model.bin")
    (tmp_path / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "lora_alpha": 8}))
    for path in (tmp_path, tmp_path / "adapter_model.bin"):
        with wtui.open(path) as model:
            delta = model[f"{MODULE}.delta"]
            np.testing.assert_allclose(delta.array(), 2 * (b @ a), rtol=1e-5, atol=1e-6)
            assert delta.name in [t.name for t in model.layer(MODULE).tensors]
            assert model.root.class_name == "LoRA adapter"
            assert not model.warnings
