"""The initialisers that a tensor may have had: what the file records, what its class has by default, what is common.

Formulas: Glorot and Bengio 2010, He et al. 2015 (arXiv 1502.01852), LeCun et al. 1998, Saxe et al. 2013 (orthogonal),
and the defaults in the sources of Keras 3, torch.nn and Hugging Face transformers. Knows shapes and configurations,
no values. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import sqrt
from typing import TYPE_CHECKING

from wtui.insight.fans import einsum_axes, einsum_fans, keras_fans, torch_fans
from wtui.insight.gates import cell_kind
from wtui.insight.recorded import initialisers_of, recorded
from wtui.insight.roles import axes, family, holds_experts, is_torch_layout, lite_axes
from wtui.insight.types import Fans, How, Initial

if TYPE_CHECKING:
    from wtui.model import LayerNode, TensorEntry

__all__ = ["KERNELS", "candidates", "fans_of"]

KERNELS = frozenset(
    {"convolution kernels", "dense kernels", "recurrent kernels", "attention kernels", "embeddings", "adapter factors"}
)
"""Families whose tensors start as random draws."""

_ZERO_AT_FIRST = frozenset(
    {"bias", "beta", "moving_mean", "running_mean", "lora_b", "lora_kernel_b", "lora_embeddings_b"}
)
_ONE_AT_FIRST = frozenset({"gamma", "moving_variance", "running_var", "scale"})
_KERNEL_ROLES = frozenset({"kernel", "recurrent_kernel", "depthwise_kernel", "pointwise_kernel", "embeddings"})

FORGET = Initial("unit_forget_bias", "forget", 1.0, how="inferred")
"""The bias of an LSTM of Keras (Jozefowicz et al. 2015)."""

_RESIDUAL = re.compile(r"(^|[._/])(c_proj|o_proj|out_proj|down_proj|wo|w2|attn_output|ffn_down|dense_4h_to_h)$")
"""Layers that add to a transformer's residual stream, which GPT-2 starts smaller by the root of twice the depth."""

_DEPTHS = (2, 4, 6, 8, 12, 16, 24, 32, 36, 40, 48)
"""Numbers of blocks that are common."""

GPT2_STD = 0.02
"""Standard deviation of GPT-2, BERT and most transformers since (`initializer_range`)."""


def fans_of(tensor: TensorEntry, layer: LayerNode, format: str) -> Fans | None:
    """fan_in and fan_out of a kernel or embedding; None for other tensors."""
    if tensor.group == "derived" or family(tensor, layer) not in KERNELS or not tensor.size:
        return None
    torch = is_torch_layout(format)
    if holds_experts(tensor):
        return torch_fans(tensor.shape[1:]) if torch and tensor.role == "weight" else keras_fans(tensor.shape[1:])
    if torch:
        return torch_fans(tensor.shape)
    lite = lite_axes(tensor, layer)
    if lite:
        sizes = dict(zip(lite, tensor.shape, strict=True))
        return keras_fans(
            tuple(sizes[axis] for axis in ("depth", "height", "width", "in", "out", "1") if axis in sizes)
        )
    return _einsum_fans(tensor, layer) or keras_fans(tensor.shape)


def _einsum_fans(tensor: TensorEntry, layer: LayerNode) -> Fans | None:
    """Of a kernel of EinsumDense with three axes or more, by its equation, or by its place in an attention layer."""
    if len(tensor.shape) < 3 or layer.class_name != "EinsumDense":
        return None
    equation = layer.config.get("equation")
    found = einsum_axes(equation) if isinstance(equation, str) else None
    if found is None:
        named = axes(tensor, layer, torch_layout=False)
        inside, outside = [i for i, n in enumerate(named) if n == "in"], [i for i, n in enumerate(named) if n == "out"]
        heads = [i for i, n in enumerate(named) if n in ("head", "feature")]
        if not heads or not (inside or outside):
            return None
        found = (inside, heads) if inside else (heads, outside)
    return einsum_fans(tensor.shape, *found)


def candidates(
    tensor: TensorEntry, layer: LayerNode, format: str, siblings: Sequence[TensorEntry] = ()
) -> tuple[Initial, ...]:
    """Initialisers that are worth comparing with the values, the likeliest before seeing them first.

    That is what is recorded, then what the class has by default, then what is common; each distribution once.
    `siblings` are the tensors of the same layer, which give a torch bias its fan_in.
    """
    fans = fans_of(tensor, layer, format)
    if is_torch_layout(format):
        found = [*_torch_defaults(tensor, layer, siblings), *(_common_torch(tensor, fans) if fans else ())]
        return _different(found)
    forget = tensor.role == "bias" and layer.config.get("unit_forget_bias") is True
    known = (FORGET._replace(how="recorded"),) if forget else recorded(tensor.role, layer.config, fans)
    found = [*known, *_keras_defaults(tensor, layer, fans), *(_common_keras(fans) if fans else ())]
    early = keras_fans(tensor.shape)
    if fans is not None and early is not None and early != fans:
        found += [*recorded(tensor.role, layer.config, early), *_keras_defaults(tensor, layer, early)]
    return _different(found)


def _keras_defaults(tensor: TensorEntry, layer: LayerNode, fans: Fans | None) -> list[Initial]:
    """What Keras's class takes where the configuration does not say, or there is none."""
    role, kind = tensor.role.lower(), family(tensor, layer)
    if role in _ONE_AT_FIRST or role in _ZERO_AT_FIRST or kind == "norms":
        forget = [FORGET] if role == "bias" and cell_kind(tensor, layer) == "lstm" else []
        return [*forget, _constant(float(role in _ONE_AT_FIRST))]
    if fans is None or role not in _KERNEL_ROLES:
        return []
    name = {"recurrent_kernel": "orthogonal", "embeddings": "uniform"}.get(role, "glorot_uniform")
    return list(initialisers_of(name, fans, "inferred" if layer.class_name else "unknown"))


def _torch_defaults(tensor: TensorEntry, layer: LayerNode, siblings: Sequence[TensorEntry]) -> list[Initial]:
    """What torch's module takes, as far as names tell which module it was."""
    role, kind = tensor.role.lower(), family(tensor, layer)
    if kind == "norms":
        # torch calls scale and shift of a norm weight and bias
        return [_constant(float(role in _ONE_AT_FIRST or role == "weight"))]
    if "lora_b" in tensor.name.lower():
        return [_constant(0.0)]
    if role.startswith(("weight_ih", "weight_hh", "bias_ih", "bias_hh")) and tensor.shape:
        hidden = tensor.shape[0] // {"lstm": 4, "gru": 3}.get(cell_kind(tensor, layer), 1)
        return [_uniform("torch recurrent default", 1 / sqrt(hidden), "inferred")] if hidden else []
    if kind == "biases":
        widths = [f.fan_in for s in siblings if s is not tensor and (f := torch_fans(s.shape))]
        default = [_uniform("torch default", 1 / sqrt(widths[0]))] if widths else []
        return [*default, _constant(0.0, "unknown")]
    fans = torch_fans(tensor.shape)
    if kind not in KERNELS or fans is None:
        return []
    if kind == "embeddings":
        return [Initial("N(0, 1), torch default", "normal", 1.0)]
    if holds_experts(tensor):
        return _transformer()[:1]
    return [_uniform("torch default", 1 / sqrt(fans.fan_in))]


def _common_keras(fans: Fans) -> list[Initial]:
    names = ("glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal")
    more = ("random_uniform", "random_normal", "truncated_normal", "orthogonal", "identity")
    found = [i for name in (*names, *more) for i in initialisers_of(name, fans)]
    return [*found, *_transformer(), _constant(0.0, "unknown"), _constant(1.0, "unknown")]


def _common_torch(tensor: TensorEntry, fans: Fans) -> list[Initial]:
    """Those of torch.nn.init, whose normals are not cut off; LeCun's and the truncated ones are JAX's."""
    fan_in, fan_out = fans.fan_in, fans.fan_out
    average = (fan_in + fan_out) / 2
    found = [
        _uniform("torch default", 1 / sqrt(fan_in)),
        _uniform("xavier_uniform", sqrt(3 / average)),
        Initial("xavier_normal", "normal", sqrt(1 / average)),
        _uniform("kaiming_uniform", sqrt(6 / fan_in)),
        Initial("kaiming_normal", "normal", sqrt(2 / fan_in)),
        Initial("kaiming_normal(fan_out)", "normal", sqrt(2 / fan_out)),
        *initialisers_of("lecun_normal", fans),
        *initialisers_of("glorot_normal", fans),
        *initialisers_of("he_normal", fans),
        Initial("N(0, 1/√features)", "normal", 1 / sqrt(tensor.shape[-1])),
        Initial("N(0, 0.01)", "normal", 0.01),
        *initialisers_of("orthogonal", fans),
        *initialisers_of("identity", fans),
    ]
    if _RESIDUAL.search(tensor.layer.lower()):
        found += [Initial(f"N(0, {GPT2_STD}/√{2 * n})", "normal", GPT2_STD / sqrt(2 * n)) for n in _DEPTHS]
    return [*found, *_transformer(), _constant(0.0, "unknown"), _constant(1.0, "unknown")]


def _transformer() -> list[Initial]:
    return [
        Initial(f"N(0, {GPT2_STD})", "normal", GPT2_STD),
        Initial(f"truncated_normal({GPT2_STD})", "truncated", GPT2_STD),
    ]


def _uniform(name: str, limit: float, how: How = "unknown") -> Initial:
    return Initial(name, "uniform", limit, how=how)


def _constant(value: float, how: How = "inferred") -> Initial:
    return Initial({0.0: "zeros", 1.0: "ones"}[value], "constant", 0.0, value, how)


def _different(found: Sequence[Initial]) -> tuple[Initial, ...]:
    """The first of those that mean the same distribution, the others' names joined to it unless it is recorded."""
    kept: dict[tuple[str, str, str], Initial] = {}
    for one in found:
        key = one.kind, f"{one.scale:.6g}", f"{one.centre:.6g}"
        first = kept.setdefault(key, one)
        if first.how != "recorded" and one.name not in first.name.split(" = "):
            kept[key] = first._replace(name=f"{first.name} = {one.name}")
    return tuple(kept.values())
