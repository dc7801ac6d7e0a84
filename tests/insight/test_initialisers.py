"""Fans and initialisers against Keras itself, and against torch's rules worked out by hand."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from tests.insight.helpers import KERAS, TORCH, entry, node
from wtui.insight.distributions import distribution
from wtui.insight.fans import einsum_axes, keras_fans, torch_fans
from wtui.insight.gates import gate_views
from wtui.insight.initialisers import candidates, fans_of
from wtui.insight.recorded import initialisers_of, recorded
from wtui.insight.types import Fans

SHAPES = [(7,), (3, 5), (11, 4, 6), (3, 3, 8, 16), (3, 3, 8, 1), (2, 3, 4, 5, 6), (16, 4, 8)]


@pytest.fixture(scope="module")
def initializers():
    """The module keras.initializers."""
    return pytest.importorskip("keras").initializers


@pytest.mark.parametrize("shape", SHAPES)
def test_keras_fans_are_those_of_keras(shape: tuple[int, ...], initializers) -> None:
    from keras.src.initializers.random_initializers import compute_fans

    assert keras_fans(shape) == Fans(*compute_fans(shape), "Keras")


def test_shapes_without_fans() -> None:
    assert keras_fans(()) is None
    assert keras_fans((3, 0)) is None
    assert torch_fans((8,)) is None
    assert torch_fans((0, 4)) is None


def test_attention_kernels_have_the_fans_of_their_equation(initializers) -> None:
    """Keras's own objects: the limit of a Glorot uniform kernel tells which fans were used."""
    import keras

    layer = keras.layers.MultiHeadAttention(4, 8)
    layer.build((2, 10, 32), (2, 10, 32))
    for part, name, shape in (("_query_dense", "query", (32, 4, 8)), ("_output_dense", "attention_output", (4, 8, 32))):
        kernel = np.asarray(getattr(layer, part).kernel)
        tensor = entry("kernel", shape, f"attention/{name}")
        fans = fans_of(tensor, node("EinsumDense", layer=f"attention/{name}"), KERAS)
        assert fans == Fans(32, 32, "Keras")
        assert np.abs(kernel).max() == pytest.approx(sqrt(6 / 64), rel=0.02)
        assert kernel.shape == shape


@pytest.mark.parametrize(
    ("equation", "expected"),
    [("abc,cde->abde", ([0], [1, 2])), ("abcd,cde->abe", ([0, 1], [2])), ("nonsense", None), ("a,b", None)],
)
def test_axes_of_an_einsum(equation: str, expected: object) -> None:
    assert einsum_axes(equation) == expected


@pytest.mark.parametrize(
    ("shape", "fan_in", "fan_out"), [((64, 32), 32, 64), ((64, 3, 7, 7), 3 * 49, 64 * 49), ((32, 1, 3, 3), 9, 32 * 9)]
)
def test_torch_fans(shape: tuple[int, ...], fan_in: int, fan_out: int) -> None:
    assert torch_fans(shape) == Fans(fan_in, fan_out, "torch")


NAMES = [
    "GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal", "LecunUniform", "LecunNormal", "RandomUniform",
    "RandomNormal", "TruncatedNormal", "Orthogonal",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(300, 500), (3, 3, 64, 128)])
def test_what_is_recorded_is_what_keras_draws(name: str, shape: tuple[int, ...], initializers) -> None:
    """Standard deviation within four standard errors, and no value beyond the limit but one close to it."""
    made = getattr(initializers, name)(seed=3)
    config = {"kernel_initializer": initializers.serialize(made)}
    (one,) = recorded("kernel", config, keras_fans(shape))
    assert one.how == "recorded"
    drawn = np.asarray(made(shape), np.float64).reshape(-1)
    if one.kind == "orthogonal":
        assert (drawn**2).sum() == pytest.approx(one.scale**2 * min(np.prod(shape[:-1]), shape[-1]), rel=1e-6)
        return
    wanted = distribution(one.kind, one.scale, one.centre)
    assert wanted is not None
    error = sqrt((wanted.kurtosis + 2) / len(drawn)) / 2
    assert drawn.std() == pytest.approx(wanted.std, rel=4 * error)
    assert np.abs(drawn).max() <= wanted.limit * (1 + 1e-6)
    if wanted.limit < np.inf:
        assert np.abs(drawn).max() > 0.99 * wanted.limit


@pytest.mark.parametrize("mode", ["fan_in", "fan_out", "fan_avg"])
@pytest.mark.parametrize("form", ["uniform", "truncated_normal", "untruncated_normal"])
def test_variance_scaling_in_all_its_modes(mode: str, form: str, initializers) -> None:
    made = initializers.VarianceScaling(1.7, mode, form, seed=1)
    (one,) = initialisers_of(initializers.serialize(made), keras_fans((200, 700)), "recorded")
    wanted = distribution(one.kind, one.scale)
    assert wanted is not None
    assert np.asarray(made((200, 700))).std() == pytest.approx(wanted.std, rel=0.01)


def test_initialisers_of_every_version_of_keras() -> None:
    fans = keras_fans((100, 50))
    by_name = initialisers_of("he_normal", fans)
    assert by_name == initialisers_of({"class_name": "HeNormal", "config": {"seed": None}}, fans)
    assert recorded("kernel", {"init": "he_normal"}, fans)[0][:4] == by_name[0][:4]
    old = {"class_name": "VarianceScaling", "config": {"scale": 2.0, "mode": "fan_in", "distribution": "normal"}}
    corrected, early = initialisers_of(old, fans)
    assert corrected.scale == pytest.approx(early.scale / 0.87962566103423978)
    assert (corrected.name, early.kind) == ("he_normal", "truncated")


@pytest.mark.parametrize(
    "value", [None, 3, "", "no_such", {"class_name": 4}, {"class_name": "RandomNormal", "config": 7}, ["zeros"]]
)
def test_odd_configurations_are_survived(value: object) -> None:
    assert len(initialisers_of(value, keras_fans((3, 4)))) <= 1


def test_numbers_that_are_none_fall_back() -> None:
    odd = {"class_name": "RandomNormal", "config": {"stddev": "wide", "mean": None}}
    assert initialisers_of(odd, None)[0].scale == 0.05
    assert initialisers_of({"class_name": "RandomNormal", "config": {"stddev": float("inf")}}, None) == ()


def test_torch_defaults_by_name() -> None:
    linear = entry("weight", (64, 48), "fc")
    first = candidates(linear, node("", layer="fc"), TORCH)[0]
    assert (first.kind, first.scale) == ("uniform", pytest.approx(1 / sqrt(48)))
    bias = entry("bias", (64,), "fc")
    assert candidates(bias, node("", layer="fc"), TORCH, [linear, bias])[0].scale == pytest.approx(1 / sqrt(48))
    recurrent = entry("weight_hh_l0", (4 * 32, 32), "lstm")
    assert candidates(recurrent, node("", layer="lstm"), TORCH)[0].scale == pytest.approx(1 / sqrt(32))
    embedding = entry("weight", (1000, 32), "wte")
    assert candidates(embedding, node("", layer="wte"), TORCH)[0][1:3] == ("normal", 1.0)


def test_residual_projections_start_smaller() -> None:
    projection = entry("weight", (64, 64), "h.3.attn.c_proj")
    scales = {round(c.scale, 6) for c in candidates(projection, node("", layer="h.3.attn.c_proj"), TORCH)}
    assert round(0.02 / sqrt(24), 6) in scales


def test_the_recorded_one_comes_first_and_equal_ones_once() -> None:
    config = {"kernel_initializer": {"class_name": "LecunUniform", "config": {}}}
    found = candidates(entry("kernel", (64, 64)), node("Dense", config), KERAS)
    assert (found[0].name, found[0].how) == ("lecun_uniform", "recorded")
    assert not any("glorot_uniform" in c.name for c in found[1:])
    blind = candidates(entry("kernel", (64, 64)), node("Dense"), KERAS)
    assert blind[0].name == "glorot_uniform = lecun_uniform"
    assert len({(c.kind, c.scale, c.centre) for c in blind}) == len(blind)


def test_forget_bias_is_recorded_by_its_flag() -> None:
    config = {"unit_forget_bias": True, "bias_initializer": "zeros"}
    assert candidates(entry("bias", (16,)), node("LSTMCell", config), KERAS)[0].kind == "forget"
    assert (
        candidates(entry("bias", (16,)), node("Dense", config | {"unit_forget_bias": False}), KERAS)[0].kind != "forget"
    )


def test_gates_are_views_of_one_tensor() -> None:
    views = gate_views(entry("kernel", (8, 48)), node("LSTMCell"), torch_layout=False)
    assert [(v.name, v.axis, v.start, v.stop) for v in views] == [
        ("i", 1, 0, 12), ("f", 1, 12, 24), ("c", 1, 24, 36), ("o", 1, 36, 48),
    ]  # fmt: skip
    views = gate_views(entry("bias", (2, 36)), node("GRUCell"), torch_layout=False)
    assert [v.name for v in views] == ["z", "r", "h"]
    assert views[2][1:] == (1, 24, 36)
    views = gate_views(entry("weight_hh_l0", (96, 32), "rnn"), node("", layer="rnn"), torch_layout=True)
    assert [v.name for v in views] == ["r", "z", "n"]
    assert gate_views(entry("kernel", (8, 50)), node("LSTMCell"), torch_layout=False) == ()
    assert gate_views(entry("kernel", (8, 48)), node("Dense"), torch_layout=False) == ()
    fused = gate_views(entry("in_proj_weight", (96, 32), "attn"), node("", layer="attn"), torch_layout=True)
    assert [(v.name, v.start) for v in fused] == [("q", 0), ("k", 32), ("v", 64)]
    gpt = gate_views(entry("weight", (32, 96), "h.0.attn.c_attn"), node("", layer="h.0.attn.c_attn"), torch_layout=True)
    assert {v.axis for v in gpt} == {1}


def test_gates_of_keras_are_in_the_order_of_its_equations() -> None:
    """The forget gate is the second quarter: that is where Keras puts the ones of its forget bias."""
    keras = pytest.importorskip("keras")
    cell = keras.layers.LSTMCell(3)
    cell.build((None, 2))
    bias = np.asarray(cell.bias)
    views = gate_views(entry("bias", bias.shape), node("LSTMCell"), torch_layout=False)
    assert {v.name: bias[v.start : v.stop].mean() for v in views} == {"i": 0, "f": 1, "c": 0, "o": 0}
