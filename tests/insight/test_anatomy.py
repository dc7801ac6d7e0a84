"""Roles, axes and heads, and how each is known."""

from __future__ import annotations

import pytest

from tests.insight.helpers import KERAS, TORCH, entry, node
from wtui.insight.anatomy import anatomy, output_axes
from wtui.insight.roles import family

LITE = "TFLite (schema 3)"

CASES = [
    # layer path, class, role, shape, format; role in words, axes, output axes
    ("conv", "Conv2D", "kernel", (3, 3, 8, 16), KERAS, "convolution kernel", ("height", "width", "in", "out"), (3, 4)),
    ("conv", "", "weight", (16, 8, 3, 3), TORCH, "convolution kernel", ("out", "in", "height", "width"), (0, 1)),
    ("fc", "Dense", "kernel", (8, 16), KERAS, "dense kernel", ("in", "out"), (1, 2)),
    ("fc", "", "weight", (16, 8), TORCH, "dense kernel", ("out", "in"), (0, 1)),
    ("dw", "DepthwiseConv2D", "kernel", (3, 3, 8, 2), KERAS, "depthwise convolution kernel",
     ("height", "width", "in", "multiplier"), (2, 4)),
    ("conv", "CONV_2D", "kernel", (16, 3, 3, 8), LITE, "convolution kernel", ("out", "height", "width", "in"), (0, 1)),
    ("fc", "FULLY_CONNECTED", "kernel", (16, 8), LITE, "dense kernel", ("out", "in"), (0, 1)),
    ("dw", "DEPTHWISE_CONV_2D", "depthwise_kernel", (1, 3, 3, 8), LITE, "depthwise convolution kernel",
     ("1", "height", "width", "out"), (3, 4)),
    ("up", "Conv2DTranspose", "kernel", (3, 3, 16, 8), KERAS, "convolution kernel",
     ("height", "width", "out", "in"), (2, 3)),
    ("mha/query", "EinsumDense", "kernel", (32, 4, 8), KERAS, "attention query kernel",
     ("in", "head", "feature"), (1, 3)),
    ("mha/attention_output", "EinsumDense", "kernel", (4, 8, 32), KERAS, "attention output kernel",
     ("head", "feature", "out"), (2, 3)),
    ("h.0.attn.q_proj", "", "weight", (32, 32), TORCH, "attention query kernel", ("out", "in"), (0, 1)),
    ("rnn/lstm_cell", "LSTMCell", "recurrent_kernel", (12, 48), KERAS, "LSTM recurrent kernel",
     ("state", "gates i f c o"), (1, 2)),
    ("gru", "", "weight_ih_l0", (96, 8), TORCH, "GRU input kernel", ("gates r z n", "in"), (0, 1)),
    ("tok", "Embedding", "embeddings", (100, 32), KERAS, "embedding", ("token", "feature"), (0, 1)),
    ("position_embeddings", "", "weight", (512, 32), TORCH, "position embedding", ("position", "feature"), (0, 1)),
    ("bn", "BatchNormalization", "moving_variance", (8,), KERAS, "moving variance", ("channel",), (0, 1)),
    ("features.1", "", "weight", (8,), TORCH, "norm scale", ("channel",), (0, 1)),
    ("fc", "Dense", "bias", (8,), KERAS, "bias", ("out",), (0, 1)),
    ("fc", "Dense", "kernel_scale", (8,), KERAS, "quantisation scale", (), None),
    ("fc", "", "qzeros", (8, 4), TORCH, "quantisation zero point", (), None),
    ("bn", "", "num_batches_tracked", (), TORCH, "counter", (), None),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "class_name", "role", "shape", "format", "words", "axes", "outputs"), CASES)
def test_what_a_tensor_is(
    layer: str,
    class_name: str,
    role: str,
    shape: tuple[int, ...],
    format: str,
    words: str,
    axes: object,
    outputs: object,
) -> None:
    tensor, owner = entry(role, shape, layer), node(class_name, layer=layer)
    found = anatomy(tensor, owner, format)
    assert (found.role.value, found.axes) == (words, axes)
    assert output_axes(tensor, owner, format) == outputs
    assert found.role.how == ("recorded" if class_name else "inferred")
    assert found.role.why


def test_what_is_not_known_is_said_to_be_unknown() -> None:
    found = anatomy(entry("row_weight", (8,), "custom"), node("RowScale", layer="custom"), KERAS)
    assert found.role.how in ("inferred", "unknown")
    odd = anatomy(entry("thing", (), "x"), node("", layer="x"), TORCH)
    assert (odd.role.how, odd.axes_known.how, odd.heads.how) == ("unknown", "unknown", "unknown")


def test_a_guess_of_the_reader_stays_one() -> None:
    tensor = entry("kernel", (4, 4))._replace(inferred="by rank")
    assert anatomy(tensor, node(""), KERAS).role[1:] == ("inferred", "by rank")


def test_an_unknown_class_records_nothing() -> None:
    found = anatomy(entry("row_weight", (8, 1), "custom"), node("RowScale", layer="custom"), KERAS)
    assert found.role.how == "inferred"


def test_heads_from_shape_or_configuration() -> None:
    keras_kernel = entry("kernel", (32, 4, 8), "mha/query")
    assert anatomy(keras_kernel, node("EinsumDense", layer="mha/query"), KERAS).heads[:2] == ("4", "recorded")
    owner = node("", layer="layers.0.self_attn.k_proj")
    key = entry("weight", (16, 32), "layers.0.self_attn.k_proj")
    assert anatomy(key, owner, TORCH).heads.how == "unknown"
    config = {"num_attention_heads": 8, "num_key_value_heads": 2}
    assert anatomy(key, owner, TORCH, config).heads.value == "2"
    query = entry("weight", (32, 32), "layers.0.self_attn.q_proj")
    assert anatomy(query, node("", layer=query.layer), TORCH, config).heads.value == "8"


def test_optimizer_slots_have_no_family() -> None:
    assert family(entry("momentum", (3, 4), group="optimizer"), node()) == ""


@pytest.mark.parametrize(
    ("keras", "class_name", "lite"),
    [
        ((3, 3, 8, 16), "CONV_2D", (16, 3, 3, 8)),
        ((8, 16), "FULLY_CONNECTED", (16, 8)),
        ((3, 3, 8, 1), "DEPTHWISE_CONV_2D", (1, 3, 3, 8)),
    ],
)
def test_fans_of_a_converted_kernel_are_those_it_had(
    keras: tuple[int, ...], class_name: str, lite: tuple[int, ...]
) -> None:
    before = anatomy(entry("kernel", keras, "l"), node("Conv2D", layer="l"), KERAS).fans
    after = anatomy(entry("kernel", lite, "l"), node(class_name, layer="l"), LITE).fans
    assert after == before
    assert after is not None
