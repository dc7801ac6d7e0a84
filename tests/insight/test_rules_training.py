"""Rules on what training did, and on blocks and experts: each fires on a planted case and on nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from tests.insight.helpers import TORCH
from tests.insight.models import GLOROT, Layer, changed, examined, healthy, only, torch_like

RNG = np.random.default_rng(4)


def glorot(*shape: int, seed: int = 5) -> np.ndarray:
    limit = np.sqrt(6 / (np.prod(shape[:-1]) + np.prod(shape) / shape[-2]))
    return np.random.default_rng(seed).uniform(-limit, limit, shape).astype(np.float32)


@pytest.mark.parametrize("bias", ["trained", "zero"])
def test_a_layer_that_was_initialised_again(bias: str) -> None:
    layers = changed("middle", "kernel", glorot(64, 64))
    if bias == "zero":
        layers["middle"].arrays["bias"][:] = 0
    one = only(examined(layers), "never-trained")
    assert (one.severity, one.tensor) == ("warning", "middle/kernel")
    layers["middle"] = layers["middle"]._replace(trainable=False)
    assert only(examined(layers), "never-trained").severity == "info"


def test_a_normal_kernel_needs_its_bias_as_a_witness() -> None:
    layers = changed("middle", "kernel", RNG.normal(0, 0.05, (64, 64)).astype(np.float32))
    layers["middle"] = layers["middle"]._replace(config={"kernel_initializer": "random_normal"})
    assert examined(layers) == []
    layers["middle"].arrays["bias"][:] = 0
    one = only(examined(layers), "never-trained")
    assert "bias is still exactly 0" in one.message


@pytest.mark.parametrize("statistics", [True, False])
def test_a_bias_in_front_of_a_layer_norm_is_a_witness(statistics: bool) -> None:
    layers = changed("middle", "kernel", RNG.normal(0, 0.05, (64, 64)).astype(np.float32))
    layers["middle"] = layers["middle"]._replace(config={"kernel_initializer": "random_normal"})
    layers["middle"].arrays["bias"][:] = 0
    ones = RNG.normal(1, 0.1, 64).astype(np.float32)
    arrays = {"gamma": ones, "beta": ones - 1}
    if statistics:
        arrays |= {"moving_mean": ones, "moving_variance": ones}
    head = layers.pop("head")
    layers |= {"norm": Layer("BatchNormalization" if statistics else "LayerNormalization", arrays), "head": head}
    found = examined(layers)
    if statistics:
        assert found == []
    else:
        assert only(found, "never-trained").tensor == "middle/kernel"


@pytest.mark.parametrize("forget", [1.0, 1.5])
def test_a_bias_that_is_1_for_the_forget_gate_is_a_witness(forget: float) -> None:
    config = {"kernel_initializer": "random_normal", "unit_forget_bias": True, "units": 16}
    bias = np.zeros(64, np.float32)
    bias[16:32] = forget
    arrays = {"kernel": RNG.normal(0, 0.05, (32, 64)).astype(np.float32), "bias": bias}
    found = examined(healthy() | {"lstm": Layer("LSTM", arrays, config)})
    if forget == 1:
        assert "exactly 1 for the forget gate" in only(found, "never-trained").message
    else:
        assert found == []


def test_a_norm_behind_a_depthwise_convolution_says_nothing_of_the_bias_before_that() -> None:
    def normal(*shape: int) -> np.ndarray:
        return RNG.normal(0, 0.3, shape).astype(np.float32)

    layers = healthy()
    layers["pointwise"] = Layer("Conv2D", {"kernel": normal(1, 1, 32, 40), "bias": np.zeros(40, np.float32)}, GLOROT)
    assert only(examined(layers), "zero-bias").tensor == "pointwise/bias"
    depthwise = Layer("DepthwiseConv2D", {"kernel": normal(3, 3, 40, 1)})
    norm = Layer(
        "BatchNormalization", {"gamma": normal(40) + 1, "beta": normal(40), "moving_variance": abs(normal(40))}
    )
    assert only(examined(layers | {"depthwise": depthwise, "norm": norm}), "zero-bias").tensor == "pointwise/bias"
    assert examined(layers | {"norm": norm}) == []


@pytest.mark.parametrize(("part", "told"), [("k_proj", False), ("v_proj", True)])
def test_the_bias_of_keys_is_idle(part: str, told: bool) -> None:
    layers = torch_like()
    arrays = layers[f"layers.0.self_attn.{part}"].arrays
    arrays["weight"] = RNG.normal(0, 0.02, (32, 32)).astype(np.float32)
    arrays["bias"] = np.zeros(32, np.float32)
    found = [f.tensor for f in examined(layers, TORCH) if f.severity != "info"]
    assert found == ([f"layers.0.self_attn.{part}.weight"] if told else [])


def test_an_untrained_model_is_one_finding() -> None:
    layers = {
        f"dense{i}": Layer("Dense", {"kernel": glorot(64, 64, seed=i), "bias": np.zeros(64, np.float32)}, GLOROT)
        for i in range(6)
    }
    assert only(examined(layers), "untrained-model").severity == "info"
    layers["dense3"].arrays["kernel"] = RNG.normal(0, 0.3, (64, 64)).astype(np.float32)
    assert only(examined(layers), "untrained-model").severity == "warning"


def test_an_untrained_model_of_normal_kernels_is_known_by_its_biases() -> None:
    config = {"kernel_initializer": "random_normal", "bias_initializer": "zeros"}
    layers = {
        f"dense{i}": Layer(
            "Dense",
            {"kernel": RNG.normal(0, 0.05, (64, 64)).astype(np.float32), "bias": np.zeros(64, np.float32)},
            config,
        )
        for i in range(4)
    }
    assert only(examined(layers), "untrained-model").severity == "info"
    layers["dense1"].arrays["bias"][:] = RNG.normal(0, 0.1, 64)
    assert examined(layers) == []  # one that moved among three that cannot tell


def test_a_bias_that_was_cleared() -> None:
    one = only(examined(changed("hidden", "bias", np.zeros(64, np.float32))), "zero-bias")
    assert (one.severity, one.tensor) == ("warning", "hidden/bias")
    assert examined(changed("conv1", "bias", np.zeros(16, np.float32))) == []  # a batch norm follows


def test_an_adapter_that_changes_nothing() -> None:
    adapter = {"weight": np.zeros((32, 4), np.float32)}
    layers = torch_like() | {"layers.0.self_attn.q_proj.lora_B": Layer("", adapter, trainable=None)}
    assert only(examined(layers, TORCH), "adapter-untrained").severity == "warning"


def test_rows_of_an_embedding_that_were_never_used() -> None:
    table_ = RNG.uniform(-0.05, 0.05, (400, 32)).astype(np.float32)
    table_[50:] += RNG.normal(0, 0.2, (350, 32)).astype(np.float32)
    config = {"embeddings_initializer": "uniform"}
    layers = healthy() | {"embedding": Layer("Embedding", {"embeddings": table_}, config)}
    one = only(examined(layers), "unused-rows")
    assert (one.severity, one.evidence["unused"]) == ("info", 50)
    assert "0, 1, 2" in one.message


def test_rows_of_small_norm_stand_apart_and_are_named() -> None:
    table_ = RNG.normal(0, 0.5, (400, 32)).astype(np.float32)
    table_[7:27] *= 0.2
    layers = torch_like()
    layers["embed_tokens"].arrays["weight"] = table_
    one = only(examined(layers, TORCH), "unused-rows")
    assert (one.severity, one.evidence["seldom"]) == ("info", 20)
    assert "7, 8, 9, 10, ..." in one.message
    tokens = tuple(f"token{i}" for i in range(390))
    assert "7 'token7'" in only(examined(layers, TORCH, tokens=tokens), "unused-rows").message
    assert "token" not in only(examined(layers, TORCH, tokens=tokens[:100]), "unused-rows").message


def test_blocks_that_are_missing() -> None:
    layers = {k.replace("layers.1.", "layers.2."): v for k, v in torch_like().items()}
    one = only(examined(layers, TORCH), "missing-blocks")
    assert (one.severity, one.layer) == ("error", "layers")
    assert "1 of layers is missing, 2 is there" in one.message
    config = {"config": {"num_hidden_layers": 3}}
    assert "holds 2" in only(examined(torch_like(), TORCH, metadata=config), "missing-blocks").message
    assert examined(torch_like(), TORCH, metadata={"config": {"num_hidden_layers": 2}}) == []
    stack = {f"layers.{i}": Layer("", {"weight": RNG.gamma(2, 1, (16, 16)).astype(np.float32)}) for i in (0, 2, 4)}
    assert examined(stack, TORCH) == []  # activations have numbers, and no weights
    inner = {f"{k}.conv": v for k, v in stack.items()}
    assert examined(inner, TORCH) == []  # so have they between layers that hold others
    inner["layers.7.conv"] = inner.pop("layers.4.conv")
    assert "blocks 1, 3, 4, 5, 6 of layers are missing" in only(examined(inner, TORCH), "missing-blocks").message


def test_experts_that_were_never_used() -> None:
    def expert(used: bool) -> Layer:
        spread = RNG.gamma(2, 0.5, (64, 32)) if used else 1.0
        return Layer("", {"weight": (RNG.normal(0, 0.02, (64, 32)) * spread).astype(np.float32)}, trainable=None)

    layers = torch_like() | {f"layers.0.mlp.experts.{i}.up": expert(i not in (2, 5)) for i in range(8)}
    one = only(examined(layers, TORCH), "unused-experts")
    assert (one.severity, one.evidence["unused"]) == ("warning", 2)
    assert "experts 2, 5 of" in one.message
