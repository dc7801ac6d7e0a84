"""Every rule fires on a planted case, says where, and stays silent on a healthy model."""

from __future__ import annotations

import numpy as np
import pytest

from tests.insight.helpers import KERAS, TORCH
from tests.insight.models import GLOROT, Layer, catalogue_of, changed, examined, healthy, only, torch_like
from wtui.insight.case import Extra
from wtui.insight.health import Checkup, findings
from wtui.insight.rules import RULES
from wtui.insight.types import SEVERITIES
from wtui.model import Notice

RNG = np.random.default_rng(3)


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
    scales = healthy() | {"q": Layer("", {"weight_scale": np.float32([np.nan, 1])}, group="quantisation")}
    assert only(examined(scales), "nan").severity == "error"


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
    halved = kernel.copy()
    halved[::2] = 0
    one = only(examined(changed("hidden", "kernel", halved)), "sparse")
    assert "of" not in one.evidence, "whole inputs were cut out"
    groups = kernel[: len(kernel) // 4 * 4].copy().reshape(-1, 4, kernel.shape[1])
    np.put_along_axis(groups, np.argsort(np.abs(groups), axis=1)[:, :2], 0, axis=1)
    quarters = np.concatenate((groups.reshape(-1, kernel.shape[1]), kernel[len(kernel) // 4 * 4 :]))
    one = only(examined(changed("hidden", "kernel", quarters)), "sparse")
    assert (one.evidence["kept"], one.evidence["of"]) == (2, 4)
    assert "(2:4)" in one.message
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


def test_whole_inputs_that_were_cut_out_up_to_the_last_are_no_tail() -> None:
    kernel = healthy()["hidden"].arrays["kernel"].copy()
    kernel[-10:] = 0
    assert only(examined(changed("hidden", "kernel", kernel)), "constant-block").evidence["run"] == 640
    kernel[[3, 20, 41, 60]] = 0
    assert [f for f in examined(changed("hidden", "kernel", kernel)) if f.severity != "info"] == []


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
    one = only(examined(with_head, TORCH, metadata={"config": config}), "tie")
    assert (one.severity, one.evidence["differs"]) == ("warning", 1)
    tied = torch_like()
    tied["lm_head"] = Layer("", {"weight": tied["embed_tokens"].arrays["weight"].copy()}, trainable=None)
    found = [f for f in examined(tied, TORCH, metadata={"config": config}) if f.rule == "tie"]
    assert [f.severity for f in found] == ["info"]


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


def test_ids_are_unique_and_every_rule_says_where_its_line_is() -> None:
    ids = [rule.id for rule in RULES]
    assert len(set(ids)) == len(ids)
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
