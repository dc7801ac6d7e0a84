"""Verdicts: the true initialiser is named, training is seen, what cannot be told is not, and odd input is survived."""

from __future__ import annotations

import numpy as np
import pytest

from tests.insight.helpers import KERAS, TORCH, entry, judged, node
from wtui.insight.distributions import Distribution
from wtui.insight.types import Verdict
from wtui.insight.verdicts import NOTICEABLE, resolution

RNG = np.random.default_rng(11)
GLOROT = {"kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": None}}}
LIMIT = float(np.sqrt(6 / (64 + 96)))


def glorot(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-LIMIT, LIMIT, (64, 96)).astype(np.float32)


def test_untrained_kernel_is_as_recorded() -> None:
    found = judged(glorot(), layer=node("Dense", GLOROT))
    assert found.state == "initial"
    assert found.names == ("glorot_uniform",)
    assert found.expected is not None
    assert found.expected.how == "recorded"
    assert found.expected.scale == pytest.approx(LIMIT)
    assert found.shape == "uniform"
    assert "never trained" in found.sentence
    assert dict(found.evidence)["limit"] == pytest.approx(LIMIT)


def test_untrained_kernel_is_recognised_without_a_configuration() -> None:
    found = judged(glorot(), layer=node(""))
    assert (found.state, found.names) == ("initial", ("glorot_uniform",))


def test_trained_kernel_has_moved() -> None:
    values = glorot() + RNG.normal(0, 0.02, (64, 96)).astype(np.float32)
    found = judged(values, layer=node("Dense", GLOROT))
    assert found.state == "moved"
    assert "started as glorot_uniform" in found.sentence
    assert "→" in found.sentence


def test_one_changed_value_shows_in_a_uniform() -> None:
    values = glorot()
    values[3, 4] = LIMIT * 1.01
    assert judged(values, layer=node("Dense", GLOROT)).state == "moved"


def test_a_normal_cannot_tell_a_small_change() -> None:
    found = judged(RNG.normal(0, 0.05, (64, 96)).astype(np.float32))
    assert found.state == "open"
    assert found.names == ("random_normal(0.05)",)
    assert found.resolution > NOTICEABLE
    assert found.sentence.startswith("cannot tell")


def test_a_uniform_that_is_not_the_recorded_one() -> None:
    values = RNG.uniform(-0.05, 0.05, (64, 96)).astype(np.float32)
    found = judged(values, layer=node("Dense", GLOROT))
    assert found.state == "initial"
    assert "not from the recorded glorot_uniform" in found.sentence


def test_a_uniform_that_no_rule_gives() -> None:
    found = judged(RNG.uniform(-0.0777, 0.0777, (128, 96)).astype(np.float32), "weight", node("", layer="fc"), TORCH)
    assert found.state == "initial"
    assert "no rule gives" in found.names[0]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_sixteen_bits_are_enough(dtype: str) -> None:
    import ml_dtypes

    values = glorot().astype(np.dtype(getattr(ml_dtypes, dtype)) if dtype == "bfloat16" else dtype)
    found = judged(values, layer=node("Dense", GLOROT), dtype=dtype)
    assert (found.state, found.names) == ("initial", ("glorot_uniform",))


def test_orthogonal_is_exact_until_it_is_trained() -> None:
    q = np.linalg.qr(RNG.normal(size=(128, 128)))[0].astype(np.float32)
    config = {"recurrent_initializer": {"class_name": "OrthogonalInitializer", "config": {"gain": 1.0}}}
    values = q[:32]
    found = judged(values, "recurrent_kernel", node("LSTMCell", config))
    assert (found.state, found.names, found.resolution) == ("initial", ("orthogonal",), 0.0)
    values[3, 4] += 0.01
    assert judged(values, "recurrent_kernel", node("LSTMCell", config)).state == "moved"


def test_constants_are_exact() -> None:
    assert judged(np.zeros(64, np.float32), "bias").state == "initial"
    assert judged(np.ones(64, np.float32), "gamma", node("BatchNormalization")).state == "initial"
    assert judged(np.zeros(64, np.float32), "gamma", node("BatchNormalization")).state == "moved"
    bias = np.repeat(np.float32([0, 1, 0, 0]), 16)
    config = {"unit_forget_bias": True, "bias_initializer": "zeros"}
    assert judged(bias, "bias", node("LSTMCell", config)).state == "initial"
    bias[0] = 1e-3
    assert judged(bias, "bias", node("LSTMCell", config)).state == "moved"
    identity = {"kernel_initializer": {"class_name": "Identity", "config": {"gain": 1.0}}}
    assert judged(np.eye(20, 30, dtype=np.float32), layer=node("Dense", identity)).names == ("identity",)


def test_torch_bias_is_compared_with_its_kernels_fan_in() -> None:
    kernel = entry("weight", (1000, 100), "fc")
    bias = RNG.uniform(-0.1, 0.1, 1000).astype(np.float32)
    found = judged(bias, "bias", node("", layer="fc"), TORCH, siblings=[kernel])
    assert (found.state, found.names) == ("initial", ("torch default",))


def test_resolution_is_what_a_change_of_that_size_shows() -> None:
    """At twice the resolution nearly all changes are noticed, at a tenth of it nearly none."""
    seen = {0.1: 0, 2.0: 0}
    for factor in seen:
        for seed in range(20):
            values = glorot(seed)
            size = factor * resolution(Distribution("uniform", LIMIT), values.size) * LIMIT / np.sqrt(3)
            noise = np.random.default_rng(100 + seed).normal(0, size, values.shape).astype(np.float32)
            seen[factor] += judged(values + noise, layer=node("Dense", GLOROT)).state == "moved"
    assert seen[2.0] >= 18
    assert seen[0.1] <= 8


def test_a_sample_is_never_called_untrained() -> None:
    from tests.stats.helpers import summarise
    from wtui.insight.verdicts import verdict

    values = glorot().reshape(-1)
    summary = summarise(values, total=10 * len(values), expected=len(values))
    layer = node("Dense", GLOROT)
    found = verdict(summary, entry("kernel", (640, 96)), layer, KERAS)
    assert found.state in ("open", "moved")


ODD = {
    "nan matrix": np.full((8, 8), np.nan, np.float32),
    "one weight": np.float32([[0.3]]),
    "scalar": np.float32(2.0),
    "empty": np.zeros((0, 4), np.float32),
    "constant": np.full((16, 16), 3.0, np.float32),
    "zeros": np.zeros((16, 16), np.float32),
    "two values": np.float32([[1.0], [-1.0]]),
    "infinite": np.float32([[np.inf, -np.inf], [1.0, 2.0]]),
    "huge": np.float64([[1e300, -1e300] * 8]),
    "tiny": np.float64([[5e-324, -5e-324] * 8]),
    "integers": np.arange(64, dtype=np.int8).reshape(8, 8),
    "bools": np.array([True, False] * 10),
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("format", [KERAS, TORCH])
@pytest.mark.parametrize(
    "role", ["kernel", "weight", "bias", "gamma", "embeddings", "recurrent_kernel", "weight_hh_l0"]
)
def test_odd_input_gives_a_sentence(name: str, format: str, role: str) -> None:
    for class_name in ("Dense", "LSTMCell", ""):
        found = judged(ODD[name], role, node(class_name, GLOROT), format)
        assert isinstance(found, Verdict)
        assert len(found.sentence) > 10
        assert "\n" not in found.sentence


def test_values_at_the_margins_are_counted() -> None:
    half = np.float16([1e-7, -2e-7, 0.0, 0.5, 1.0, 2.0])
    assert judged(half).denormal == 2
    ints = np.int8([-128, -127, 127, 127, 0, 5])
    assert judged(ints).at_limits == 4
    small = np.float32([1.0] * 99 + [1e-5])
    assert judged(small, "gamma").negligible == 1


def test_optimizer_slots_and_quantised_values_have_no_initialiser() -> None:
    assert judged(glorot(), group="optimizer").state == "none"
    assert judged(glorot(), encoding="gguf-blocks").state == "none"
    assert judged(glorot(), encoding="hdf5-chunks").state == "initial"
