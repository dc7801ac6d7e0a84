"""The closed table of Keras classes: which variables each saves, in which order, and which of them are trained.

Taken from the `add_weight` calls, `save_own_variables` and `variable_serialization_spec` of keras.layers; the tests
hold it to every class that Keras exports. Data only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["CONSTANTS", "DEFAULTS", "DEFAULTS_OF", "NEVER_TRAINED", "SCALES_OF_FLOAT8", "SYNONYMS", "TABLE", "Variable"]


class Variable(NamedTuple):
    """One line of the table."""

    name: str
    rank: int | None = None
    trained: bool = True
    when: str = ""
    """`key`, `!key` or `key=value` of the layer's configuration; `""`: always; `?`: only the file says."""
    kind: str = "float"
    """`float`, `int8`, `uint8`, `int`: what its dtype must start with (`float` includes bfloat16)."""


_V = Variable
_KERNEL = _V("kernel")
_BIAS = _V("bias", 1, when="use_bias")
_CELL = (_V("kernel", 2), _V("recurrent_kernel", 2), _V("bias", 1, when="use_bias"))
_SEPARABLE = (_V("depthwise_kernel"), _V("pointwise_kernel"), _BIAS)
_NORM = (_V("gamma", when="scale"), _V("beta", when="center"))
_EINSUM_BIAS = _V("bias", when="bias_axes")


def _int8(kernel: Variable, bias: Variable) -> tuple[Variable, ...]:
    return kernel._replace(kind="int8", trained=False), bias, _V("kernel_scale", None, False)


def _int4(kernel: Variable, bias: Variable) -> tuple[Variable, ...]:
    blocks = (_V("kernel_zero", None, False, "?zero", "int8"), _V("g_idx", 1, False, "?zero"))
    return (*_int8(kernel, bias), *blocks)


def _float8(kernel: Variable, bias: Variable) -> tuple[Variable, ...]:
    scales = [(f"{of}_scale", f"{of}_amax_history") for of in ("inputs", "kernel", "outputs_grad")]
    return kernel, bias, *(v for scale, history in scales for v in (_V(scale, 0), _V(history, 1)))


def _gptq(bias: Variable, *extra: Variable) -> tuple[Variable, ...]:
    packed = (_V("kernel", 2, False, kind="uint8"), _V("kernel_scale", 2, False))
    return bias, *packed, _V("kernel_zero", 2, False, kind="uint8"), *extra, _V("g_idx", 1, False)


def _dense_modes(kernel: Variable, bias: Variable) -> Mapping[str, tuple[Variable, ...]]:
    return {
        "": (kernel, bias),
        "int8": _int8(kernel, bias),
        "int4": _int4(kernel, bias),
        "float8": _float8(kernel, bias),
        "gptq": _gptq(bias),
        "awq": _gptq(bias, _V("awq_scales", 1, False)),
    }


def _embedding_modes(reverse: bool) -> Mapping[str, tuple[Variable, ...]]:
    """Of Embedding, and of ReversibleEmbedding, whose second matrix is there unless the two are tied."""
    table, scale = _V("embeddings", 2, False, kind="int8"), _V("embeddings_scale", None, False)
    blocks = (_V("embeddings_zero", None, False, "?zero", "int8"), _V("g_idx", 1, False, "?zero"))
    untied = "!tie_weights"
    back = _V("reverse_embeddings", 2, False, untied, "int8")
    back_scale = _V("reverse_embeddings_scale", None, False, untied)
    back_zero = _V("reverse_embeddings_zero", None, False, "?reverse_zero", "any")
    return {
        "": (_V("embeddings", 2), *((_V("reverse_embeddings", 2, when=untied),) if reverse else ())),
        "int8": (table, scale, *((back, back_scale) if reverse else ())),
        "int4": (table, scale, *blocks, *((back, back_scale, back_zero) if reverse else ())),
    }


def _plain(**classes: tuple[Variable, ...]) -> dict[str, Mapping[str, tuple[Variable, ...]]]:
    return {name: {"": variables} for name, variables in classes.items()}


TABLE: Mapping[str, Mapping[str, tuple[Variable, ...]]] = {
    "Dense": _dense_modes(_V("kernel", 2), _BIAS),
    "EinsumDense": _dense_modes(_KERNEL, _EINSUM_BIAS),
    "Embedding": _embedding_modes(reverse=False),
    "ReversibleEmbedding": _embedding_modes(reverse=True),
    **{f"Conv{n}D{t}": {"": (_V("kernel", n + 2), _BIAS)} for n in (1, 2, 3) for t in ("", "Transpose")},
    **{f"DepthwiseConv{n}D": {"": (_V("kernel", n + 2), _BIAS)} for n in (1, 2)},
    **_plain(
        SeparableConv1D=_SEPARABLE,
        SeparableConv2D=_SEPARABLE,
        BatchNormalization=(
            *_NORM,
            _V("moving_mean", None, False),
            _V("moving_variance", None, False),
            _V("moving_stddev", None, False, "renorm"),
            _V("renorm_mean", None, False, "renorm"),
            _V("renorm_stddev", None, False, "renorm"),
        ),
        LayerNormalization=_NORM,
        GroupNormalization=_NORM,
        RMSNormalization=(_V("scale"),),
        LSTMCell=_CELL,
        GRUCell=(*_CELL[:2], _V("bias", when="use_bias")),
        SimpleRNNCell=_CELL,
        ConvLSTMCell=(_KERNEL, _V("recurrent_kernel"), _BIAS),
        PReLU=(_V("alpha"),),
        Attention=(_V("scale", 0, when="use_scale"), _V("concat_score_weight", 0, when="score_mode=concat")),
        AdditiveAttention=(_V("scale", 1, when="use_scale"),),
        Normalization=(
            _V("mean", None, False, "!mean"),
            _V("variance", None, False, "!mean"),
            _V("count", 0, False, "!mean", "any"),
        ),
        SpectralNormalization=(_V("kernel", when="?layer_kernel"), _V("vector_u", 2, False)),
        STFTSpectrogram=(_V("real_kernel", 3), _V("imag_kernel", 3)),
    ),
}
"""Class -> quantisation mode (`""`: none) -> variables in the order of their numbers."""

SCALES_OF_FLOAT8 = frozenset(v.name for v in _float8(_KERNEL, _BIAS)[2:])
"""float8 layers overwrite these with their gradients, so optimizers hold no slots for them."""

DEFAULTS: Mapping[str, Any] = {
    "use_bias": True, "scale": True, "center": True, "bias_axes": None, "renorm": False, "use_scale": False,
    "score_mode": "dot", "tie_weights": True, "mean": None,
}  # fmt: skip
"""What Keras takes where a configuration does not name one of the keys above."""

DEFAULTS_OF: Mapping[str, Mapping[str, Any]] = {"AdditiveAttention": {"use_scale": True}}

SYNONYMS: Mapping[str, str] = {
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "SyncBatchNormalization": "BatchNormalization",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "ConvLSTM1DCell": "ConvLSTMCell",
    "ConvLSTM2DCell": "ConvLSTMCell",
    "ConvLSTM3DCell": "ConvLSTMCell",
}
"""Names of the same classes in other versions of Keras."""

CONSTANTS = frozenset({"idf_weights"})
"""Variables that Keras saves by name and does not count among a model's weights."""

NEVER_TRAINED = frozenset({"moving_mean", "moving_variance", "vector_u", "seed_generator_state", *CONSTANTS})
"""Names that no class of Keras gives to something it trains."""
