"""What is compared along the depth: one kind of tensors, never a mixture."""

from __future__ import annotations

import pytest

from wtui.insight.anatomy import kind_of
from wtui.insight.matrices import matrix_axes, no_matrix, worth_a_spectrum
from wtui.model import LayerNode, TensorEntry


def entry(name: str, shape: tuple[int, ...], class_name: str = "") -> tuple[TensorEntry, LayerNode]:
    dot = "." if "." in name else "/"
    layer, _, role = name.rpartition(dot)
    tensor = TensorEntry(name, layer, role, shape, "float32", parts=None)
    return tensor, LayerNode(layer.rpartition(dot)[2], layer, class_name)


@pytest.mark.parametrize(
    ("name", "shape", "kind"),
    [
        ("model.layers.3.self_attn.q_proj.weight", (64, 64), "attention query kernels"),
        ("model.layers.3.self_attn.k_proj.weight", (16, 64), "attention key kernels"),
        ("model.layers.3.self_attn.q_proj.bias", (64,), "query biases"),
        ("model.layers.3.mlp.up_proj.weight", (256, 64), "feed-forward up kernels"),
        ("model.layers.3.mlp.down_proj.weight", (64, 256), "feed-forward down kernels"),
        ("model.layers.3.mlp.gate_proj.weight", (256, 64), "feed-forward gate kernels"),
        ("model.layers.3.input_layernorm.weight", (64,), "norm scales"),
        ("model.embed_tokens.weight", (100, 64), "embeddings"),
        ("fc2.weight", (10, 64), "dense kernels"),
        ("encoder.layer.0.output.dense.weight", (64, 256), "feed-forward down kernels"),
        ("encoder.layer.0.attention.output.dense.weight", (64, 64), "attention output kernels"),
        ("pooler.dense.weight", (64, 64), "dense kernels"),
        ("fc2.bias", (10,), "biases"),
        ("conv.weight", (8, 4, 3, 3), "convolution kernels"),
    ],
)
def test_kinds(name: str, shape: tuple[int, ...], kind: str) -> None:
    assert kind_of(*entry(name, shape)) == kind


@pytest.mark.parametrize(
    ("name", "shape", "format", "class_name", "window", "rows", "columns"),
    [
        ("conv/kernel", (3, 3, 8, 16), "Keras 3", "Conv2D", (0, 1), (2,), (3,)),
        ("conv/kernel", (3, 8, 16), "Keras 3", "Conv1D", (0,), (1,), (2,)),
        ("conv.weight", (16, 8, 3, 3), "safetensors", "", (2, 3), (0,), (1,)),
        ("dw/depthwise_kernel", (3, 3, 8, 1), "Keras 3", "DepthwiseConv2D", (), (0, 1), (2, 3)),
        ("fc/kernel", (8, 16), "Keras 3", "Dense", (), (0,), (1,)),
        ("mha/query/kernel", (32, 4, 8), "Keras 3", "EinsumDense", (), (0,), (1, 2)),
        ("mha/attention_output/kernel", (4, 8, 32), "Keras 3", "EinsumDense", (), (0, 1), (2,)),
        ("something/odd", (4, 8, 32), "Keras 3", "Odd", (), (0, 1), (2,)),
    ],
)
def test_matrices(
    name: str, shape: tuple[int, ...], format: str, class_name: str, window: tuple[int, ...], rows: tuple[int, ...],
    columns: tuple[int, ...],
) -> None:  # fmt: skip
    tensor, layer = entry(name, shape, class_name)
    found = matrix_axes(tensor, layer, format)
    if name == "something/odd":
        assert sorted((*found.window, *found.rows, *found.columns)) == [0, 1, 2]
    else:
        assert found[:3] == (window, rows, columns)
    assert worth_a_spectrum(tensor, layer)


@pytest.mark.parametrize("shape", [(), (5,), (0, 5)])
def test_what_is_no_matrix_says_why(shape: tuple[int, ...]) -> None:
    tensor, layer = entry("fc/kernel", shape, "Dense")
    assert no_matrix(tensor)
    assert not worth_a_spectrum(tensor, layer)
