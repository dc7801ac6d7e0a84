"""What an ONNX operator does with each of its inputs: which are kernels and biases, which only steer it.

By the operator's type and the input's position; source: "ONNX Operators" and ONNX Runtime's "Contrib operators".
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

__all__ = ["ELEMENTWISE", "PASSING", "is_major", "is_parameter", "role_of_input"]

_NORM = {1: "gamma", 2: "beta"}
_KERNEL = {1: "kernel", 2: "bias"}
_RECURRENT = {1: "kernel", 2: "recurrent_kernel", 3: "bias", 5: "initial_h", 6: "initial_c", 7: "peephole"}

_INPUTS: Mapping[str, Mapping[int, str]] = {
    "Conv": _KERNEL,
    "ConvTranspose": _KERNEL,
    "FusedConv": _KERNEL,
    "ConvInteger": {1: "kernel", 2: "input_zero_point", 3: "kernel_zero_point"},
    "DeformConv": {1: "kernel", 3: "bias"},
    "Gemm": {0: "kernel", 1: "kernel", 2: "bias"},
    "FusedGemm": {0: "kernel", 1: "kernel", 2: "bias"},
    "MatMul": {0: "kernel", 1: "kernel"},
    "FusedMatMul": {0: "kernel", 1: "kernel"},
    "MatMulInteger": {0: "kernel", 1: "kernel", 2: "zero_point", 3: "kernel_zero_point"},
    "MatMulNBits": {1: "kernel", 2: "kernel_scale", 3: "kernel_zero_point", 4: "g_idx", 5: "bias"},
    "QLinearConv": {
        1: "input_scale", 2: "input_zero_point", 3: "kernel", 4: "kernel_scale", 5: "kernel_zero_point",
        6: "output_scale", 7: "output_zero_point", 8: "bias",
    },
    "QLinearMatMul": {
        0: "kernel", 1: "input_scale", 2: "input_zero_point", 3: "kernel", 4: "kernel_scale", 5: "kernel_zero_point",
        6: "output_scale", 7: "output_zero_point",
    },
    "Einsum": {0: "kernel", 1: "kernel"},
    "Attention": _KERNEL,
    "QAttention": {1: "kernel", 2: "bias", 3: "input_scale", 4: "kernel_scale", 6: "input_zero_point"},
    "BatchNormalization": {1: "gamma", 2: "beta", 3: "moving_mean", 4: "moving_variance"},
    "InstanceNormalization": _NORM,
    "LayerNormalization": _NORM,
    "GroupNormalization": _NORM,
    "RMSNormalization": _NORM,
    "SimplifiedLayerNormalization": _NORM,
    "SkipLayerNormalization": {2: "gamma", 3: "beta", 4: "bias"},
    "SkipSimplifiedLayerNormalization": {2: "gamma", 3: "bias"},
    "EmbedLayerNormalization": {
        2: "word_embedding", 3: "position_embedding", 4: "segment_embedding", 5: "gamma", 6: "beta",
    },
    "LSTM": _RECURRENT,
    "GRU": _RECURRENT,
    "RNN": _RECURRENT,
    "Gather": {0: "embedding"},
    "GatherBlockQuantized": {0: "embedding", 2: "embedding_scale", 3: "embedding_zero_point"},
    "PRelu": {1: "alpha"},
    "Add": {0: "bias", 1: "bias"},
    "Sub": {0: "bias", 1: "bias"},
    "Mul": {0: "scale", 1: "scale"},
    "Div": {0: "scale", 1: "scale"},
    "BiasGelu": {1: "bias"},
    "BiasAdd": {1: "bias"},
    "DequantizeLinear": {1: "kernel_scale", 2: "kernel_zero_point"},
    "QuantizeLinear": {1: "output_scale", 2: "output_zero_point"},
    "DynamicQuantizeLSTM": _RECURRENT,
}  # fmt: skip

ELEMENTWISE = frozenset({"Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "PRelu", "BiasGelu", "BiasAdd"})
"""Operators that do not give a layer its name where another one does."""

PASSING: Mapping[str, tuple[int, ...]] = {
    "Identity": (0,), "Cast": (0,), "CastLike": (0,), "Transpose": (0,), "Reshape": (0,), "Unsqueeze": (0,),
    "Squeeze": (0,), "Flatten": (0,), "Slice": (0,), "Split": (0,), "Expand": (0,), "Pad": (0,),
    "DequantizeLinear": (0,), "QuantizeLinear": (0,), "DynamicQuantizeLinear": (0,), "Concat": tuple(range(64)),
}  # fmt: skip
"""Operators that hand these inputs on, changed in form only."""

_AUXILIARY = ("scale", "zero_point", "g_idx", "initial_h", "initial_c")
"""Endings of roles that are not parameters of the model, `scale` of an elementwise operator apart."""

_STEERED = frozenset({
    "Clip", "ConstantOfShape", "CumSum", "Dropout", "Equal", "Expand", "Greater", "GreaterOrEqual", "Less",
    "LessOrEqual", "Mod", "NonMaxSuppression", "OneHot", "Pad", "Pow", "Range", "Reshape", "Resize", "Slice", "Split",
    "Squeeze", "Tile", "TopK", "Trilu", "Unsqueeze", "Upsample", "Where",
})  # fmt: skip
"""Operators whose constant inputs only steer them."""

_INTEGER_WEIGHTS = ("int8", "uint8", "int4", "uint4", "int2", "uint2", "int16", "uint16", "int32")
"""Dtypes of quantised kernels and their biases; int64 and bool are indices, shapes and masks."""


def role_of_input(op: str, position: int) -> str:
    """What an operator's input is to it; `""` where that is not known, or where it only steers the operator."""
    return _INPUTS.get(op, {}).get(position, "")


def is_major(op: str) -> bool:
    """Whether the operator gives its layer the class name, rather than an elementwise one beside it."""
    return op in _INPUTS and op not in ELEMENTWISE


def is_parameter(op: str, role: str, dtype: str, shape: tuple[int, ...], *, constant: bool) -> bool:
    """Whether a tensor that goes into an operator is a parameter of the model, not a shape, an epsilon or a scale.

    `constant` says that it comes from a Constant node rather than from the initializers.
    """
    if op in _STEERED or (role.endswith(_AUXILIARY) and op not in ELEMENTWISE):
        return False
    if not dtype.startswith(("float", "bfloat", "complex")):
        return dtype in _INTEGER_WEIGHTS and is_major(op) and bool(role)
    return (is_major(op) and bool(role)) or prod(shape) > 1 or not (constant or not shape)
