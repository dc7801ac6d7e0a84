"""Every rule fires on a planted case, says where, and stays silent on a healthy model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.insight.helpers import KERAS, TORCH
from tests.insight.models import GLOROT, Layer, catalogue_of, examined, healthy, torch_like
from wtui.insight.case import Extra
from wtui.insight.health import Checkup, findings
from wtui.insight.rules import RULES, table
from wtui.insight.types import SEVERITIES
from wtui.model import Notice

if TYPE_CHECKING:
    from wtui.insight.types import Finding

RNG = np.random.default_rng(3)


def changed(name: str, role: str, array: Any, base: dict[str, Layer] | None = None) -> dict[str, Layer]:
    """A healthy model with one array replaced."""
    layers = base or healthy()
    layers[name].arrays[role] = np.asarray(array)
    return layers


def only(found: list[Finding], rule: str) -> Finding:
    """The one finding of that rule; nothing else may be worse than info."""
    (one,) = [f for f in found if f.rule == rule]
    others = [f for f in found if f.rule != rule and f.severity != "info"]
    assert not others, others
    assert one.message
    assert all(v is None or isinstance(v, int | float | str) for v in one.evidence.values())
    return one


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rows_only", [True, False])
def test_a_healthy_model_has_no_findings(seed: int, rows_only: bool) -> None:
    assert examined(healthy(seed), rows_only=rows_only) == []
    assert examined(torch_like(seed), TORCH, rows_only=rows_only) == []


def test_nan_and_inf_with_the_first_index() -> None:
    kernel = healthy()["hidden"].arrays["kernel"]
    kernel[3, 4] = np.nan
    one = only(examined(changed("hidden", "kernel", kernel)), "nan")
    assert (one.severity, one.tensor, one.layer, one.evidence["nan"]) == ("error", "hidden/kernel", "hidden", 1)
    kernel[3, 4] = np.inf
    assert only(examined(changed("hidden", "kernel", kernel)), "inf").evidence["posinf"] == 1
    slots = healthy() | {"optimizer": Layer("Adam", {"momentum": np.float32([np.nan, 1])}, group="optimizer")}
    assert only(examined(slots), "nan").severity == "warning"


def test_exploded_kernels_and_huge_weights() -> None:
    kernel = healthy()["hidden"].arrays["kernel"]
    one = only(examined(changed("hidden", "kernel", kernel * 200)), "exploded")
    assert one.severity == "warning"
    assert float(str(one.evidence["gain"])) > 200
    assert only(examined(changed("hidden", "kernel", kernel * 1e5)), "exploded").severity == "error"
    assert only(examined(changed("bn1", "gamma", np.full(16, 1e7, np.float32))), "exploded").tensor == "bn1/gamma"


def test_a_flipped_bit_in_a_large_kernel() -> None:
    kernel = RNG.normal(0, 0.1, (128, 128)).astype(np.float32)
    kernel[7, 9] = 4000.0
    layers = healthy() | {"wide": Layer("Dense", {"kernel": kernel}, GLOROT)}
    assert only(examined(layers), "stray-value").severity == "warning"


def test_float16() -> None:
    kernel = RNG.normal(0, 0.1, (40, 40)).astype(np.float16)
    kernel[0, 0] = 65504
    one = only(examined(healthy() | {"half": Layer("Dense", {"kernel": kernel}, GLOROT)}), "float16-range")
    assert one.severity == "warning"
    bias = np.float32([70000.0, 1, 2, 3])
    assert only(examined(changed("head", "bias", np.resize(bias, 10))), "float16-range").severity == "info"
    tiny = (RNG.normal(0, 1e-5, (40, 40))).astype(np.float16)
    assert (
        only(examined(healthy() | {"half": Layer("Dense", {"kernel": tiny}, GLOROT)}), "denormal").severity == "warning"
    )


def test_kernels_of_one_value() -> None:
    zero = np.zeros((128, 64), np.float32)
    assert only(examined(changed("hidden", "kernel", zero)), "zero-kernel").severity == "error"
    assert only(examined(changed("hidden", "kernel", zero + 2)), "constant-kernel").severity == "warning"
    meant = healthy()
    meant["hidden"] = Layer("Dense", {"kernel": zero, "bias": np.ones(64, np.float32)}, {"kernel_initializer": "zeros"})
    assert only(examined(meant), "zero-kernel").severity == "info"


def test_pruned_and_clustered_kernels_are_remarked_on() -> None:
    kernel = healthy()["hidden"].arrays["kernel"]
    pruned = np.where(RNG.random(kernel.shape) < 0.7, 0, kernel).astype(np.float32)
    one = only(examined(changed("hidden", "kernel", pruned)), "sparse")
    assert (one.severity, one.evidence["zeros"]) == ("info", int((pruned == 0).sum()))
    clustered = (np.round(kernel * 20) / 20).astype(np.float32)
    one = only(examined(changed("hidden", "kernel", clustered)), "few-values")
    assert one.evidence["distinct"] == len(np.unique(clustered))


def test_quantised_values_and_scales() -> None:
    whole = np.clip(np.round(RNG.normal(0, 40, (64, 64))), -127, 127).astype(np.int8)
    scale = np.full(64, 0.01, np.float32)
    layers = healthy() | {"int8": Layer("Dense", {"kernel": whole, "kernel_scale": scale}, trainable=False)}
    assert examined(layers) == []
    layers = changed(
        "int8", "kernel", np.clip(np.round(RNG.normal(0, 300, (64, 64))), -127, 127).astype(np.int8), layers
    )
    assert only(examined(layers), "saturated").tensor == "int8/kernel"
    layers = changed("int8", "kernel", whole, layers)
    scale[5] = 0
    assert only(examined(layers), "bad-scale").severity == "error"
    scale[5] = -1
    assert only(examined(layers), "bad-scale").severity == "warning"


def test_impossible_and_stale_statistics() -> None:
    variance = healthy()["bn1"].arrays["moving_variance"]
    variance[3] = -0.5
    one = only(examined(changed("bn1", "moving_variance", variance)), "negative-variance")
    assert (one.severity, one.evidence["min"]) == ("error", -0.5)
    assert only(examined(changed("bn1", "moving_variance", variance * 0)), "zero-variance").severity == "warning"
    stale = changed("bn1", "moving_mean", np.zeros(16, np.float32))
    assert examined(stale) == []
    stale = changed("bn1", "moving_variance", np.ones(16, np.float32), stale)
    assert only(examined(stale), "stale-statistics").layer == "bn1"


def test_norms_that_stand_still_while_others_moved() -> None:
    layers = changed("bn1", "gamma", np.ones(16, np.float32))
    assert examined(layers) == []
    layers = changed("bn1", "beta", np.zeros(16, np.float32), layers)
    assert only(examined(layers), "norm-stuck").layer == "bn1"
    for i in (0, 2):
        layers[f"bn{i}"].arrays["gamma"][:] = 1
        layers[f"bn{i}"].arrays["beta"][:] = 0
    assert examined(layers) == []  # all of them: that was meant


def test_channels_that_a_norm_switches_off() -> None:
    gamma = healthy()["bn2"].arrays["gamma"]
    gamma[:3] = 1e-7
    one = only(examined(changed("bn2", "gamma", gamma)), "norm-off")
    assert (one.severity, one.evidence["off"]) == ("info", 3)
    gamma[:20] = 0
    assert only(examined(changed("bn2", "gamma", gamma)), "norm-off").severity == "warning"
    assert only(examined(changed("bn2", "gamma", gamma * 0)), "norm-off").severity == "info"


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
    assert (one.severity, one.evidence["unused"]) == ("info", 20)
    assert "7, 8, 9, 10, ..." in one.message
    tokens = tuple(f"token{i}" for i in range(390))
    assert "7 'token7'" in only(examined(layers, TORCH, tokens=tokens), "unused-rows").message
    assert "token" not in only(examined(layers, TORCH, tokens=tokens[:100]), "unused-rows").message


def test_dead_and_weak_channels() -> None:
    kernel = healthy()["conv2"].arrays["kernel"]
    kernel[..., [3, 7]] = 0
    one = only(examined(changed("conv2", "kernel", kernel)), "dead-channels")
    assert (one.severity, one.evidence["dead"], one.evidence["first"]) == ("warning", 2, 3)
    kernel = healthy()["conv2"].arrays["kernel"]
    kernel[..., 5] *= 1e-6
    assert only(examined(changed("conv2", "kernel", kernel)), "weak-channels").severity == "info"
    kernel[..., 5] *= 1e8
    assert only(examined(changed("conv2", "kernel", kernel)), "outlier-channel").evidence["channel"] == 5


def test_structured_pruning_is_no_fault() -> None:
    kernel = healthy()["conv2"].arrays["kernel"]
    kernel[..., :20] = 0
    found = examined(changed("conv2", "kernel", kernel))
    assert {f.severity for f in found} == {"info"}
    assert "dead-channels" in {f.rule for f in found}


def test_a_tail_that_was_never_written() -> None:
    kernel = healthy()["hidden"].arrays["kernel"]
    kernel.reshape(-1)[-500:] = 0
    one = only(examined(changed("hidden", "kernel", kernel)), "constant-block")
    assert (one.severity, one.evidence["run"]) == ("warning", 500)
    assert "at its end" in one.message
    kernel = healthy()["hidden"].arrays["kernel"]
    kernel.reshape(-1)[1000:3000] = 0.25
    one = only(examined(changed("hidden", "kernel", kernel)), "constant-block")
    assert (one.evidence["run"], one.evidence["at"]) == (2000, 1000)


def test_copies() -> None:
    layers = healthy()
    layers["middle"].arrays["kernel"] = RNG.normal(0, 0.1, (64, 64)).astype(np.float32)
    layers["twin"] = Layer("Dense", {"kernel": layers["middle"].arrays["kernel"].copy()}, GLOROT)
    one = only(examined(layers), "duplicate")
    assert (one.severity, one.tensor) == ("warning", "twin/kernel")
    assert "middle/kernel" in one.message
    tied = torch_like()
    tied["lm_head"] = Layer("", {"weight": tied["embed_tokens"].arrays["weight"].copy()}, trainable=None)
    assert only(examined(tied, TORCH), "duplicate").severity == "info"
    twice = {**torch_like(), **{f"ema.{k}": v for k, v in torch_like().items()}}
    assert only(examined(twice, TORCH), "duplicate").tensor == ""


def test_ties_that_a_configuration_claims() -> None:
    config = {"tie_word_embeddings": False, "architectures": ["LlamaForCausalLM"]}
    assert only(examined(torch_like(), TORCH, metadata={"config": config}), "tie").severity == "warning"
    with_head = torch_like() | {"lm_head": Layer("", {"weight": RNG.gamma(2, 1, (300, 32)).astype(np.float32)})}
    assert examined(with_head, TORCH, metadata={"config": config}) == []
    config = {"tie_word_embeddings": True}
    assert only(examined(with_head, TORCH, metadata={"config": config}), "tie").severity == "info"


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


def test_experts_that_were_never_used() -> None:
    def expert(used: bool) -> Layer:
        spread = RNG.gamma(2, 0.5, (64, 32)) if used else 1.0
        return Layer("", {"weight": (RNG.normal(0, 0.02, (64, 32)) * spread).astype(np.float32)}, trainable=None)

    layers = torch_like() | {f"layers.0.mlp.experts.{i}.up": expert(i not in (2, 5)) for i in range(8)}
    one = only(examined(layers, TORCH), "unused-experts")
    assert (one.severity, one.evidence["unused"]) == ("warning", 2)
    assert "experts 2, 5 of" in one.message


def test_what_the_reader_missed() -> None:
    notices = [Notice("", "a shard is missing", lost=True), Notice("head/bias", "LoRA was merged")]
    found = examined(healthy(), notices=notices)
    assert [(f.severity, f.rule, f.tensor) for f in found] == [
        ("error", "incomplete", ""),
        ("info", "notice", "head/bias"),
    ]
    catalogue = catalogue_of(healthy())
    (one,) = findings(catalogue, {}, Extra(failures={2: "its bytes are gone"}))
    assert (one.severity, one.rule, one.tensor) == ("error", "unreadable", catalogue.tensors[2].name)


def test_a_sample_is_not_judged_as_a_whole() -> None:
    catalogue = catalogue_of(healthy())
    from tests.stats.helpers import summarise

    row = summarise(np.zeros(50, np.float32), total=128 * 64, expected=50).row()
    number = catalogue.index("hidden/kernel")
    assert findings(catalogue, {number: row}) == []


def test_the_worst_comes_first() -> None:
    layers = changed("hidden", "bias", np.zeros(64, np.float32))
    layers["bn1"].arrays["moving_variance"][0] = -1
    layers["conv0"].arrays["kernel"][0, 0, 0, 0] = np.nan
    found = examined(layers)
    order = [SEVERITIES.index(f.severity) for f in found]
    assert order == sorted(order)
    assert found[0].rule == "nan"


def test_ids_are_unique_and_every_rule_is_documented() -> None:
    ids = [rule.id for rule in RULES]
    assert len(set(ids)) == len(ids)
    text = table()
    assert all(f"`{i}`" in text for i in ids)
    assert all(rule.what and rule.threshold for rule in RULES)


ODD = [
    np.full((8, 8), np.nan, np.float32), np.float32([[0.3]]), np.array(2.0, np.float32), np.zeros((0, 4), np.float32),
    np.full((8, 8), 3.0, np.float32), np.zeros((1, 1), np.float32), np.float64([[1e300, -1e300]]),
    np.arange(6, dtype=np.int8).reshape(2, 3), np.array([[True, False]]), np.float32([[np.inf, 1.0]]),
]  # fmt: skip


@pytest.mark.parametrize("array", ODD)
@pytest.mark.parametrize("format", [KERAS, TORCH])
def test_odd_tensors_are_survived(array: np.ndarray, format: str) -> None:
    roles = (
        "kernel",
        "bias",
        "gamma",
        "beta",
        "moving_mean",
        "moving_variance",
        "embeddings",
        "kernel_scale",
        "lora_B",
    )
    layers = healthy() | {"odd": Layer("Odd", dict.fromkeys(roles, array))}
    for rows_only in (True, False):
        assert all(f.message for f in examined(layers, format, rows_only=rows_only))


def test_a_checkup_gives_the_same_while_rows_come_in() -> None:
    catalogue = catalogue_of(changed("bn1", "moving_variance", -np.ones(16, np.float32)))
    from tests.stats.helpers import summarise

    checkup, number = Checkup(catalogue), catalogue.index("bn1/moving_variance")
    assert checkup.findings({}) == []
    rows = {number: summarise(-np.ones(16, np.float32)).row()}
    assert [f.rule for f in checkup.findings(rows)] == ["negative-variance"]
    assert checkup.findings(rows) == findings(catalogue, rows)
