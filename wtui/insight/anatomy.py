"""What a tensor is, statement by statement, each with how it is known: recorded, inferred (and why), or unknown.

Roles in words, the meaning of axes, fans, gates, attention heads. From class, name, shape, configuration and the
format that the file has; reads no values. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.insight.gates import cell_kind, gate_views
from wtui.insight.initialisers import fans_of
from wtui.insight.roles import axes, family, is_torch_layout
from wtui.insight.types import Fans, GateView, How, Said

if TYPE_CHECKING:
    from wtui.model import LayerNode, TensorEntry

__all__ = ["UNKNOWN", "Anatomy", "anatomy", "attention_part", "kind_of", "output_axes"]

UNKNOWN = Said("", "unknown")

_PARTS = (
    ("query, key and value", re.compile(r"qkv|c_attn|in_proj|query_key_value")),
    ("query", re.compile(r"(^|[._/])(q|wq|q_proj|query|attn_q|q_lin)($|[._/])")),
    ("key", re.compile(r"(^|[._/])(k|wk|k_proj|key|attn_k|k_lin)($|[._/])")),
    ("value", re.compile(r"(^|[._/])(v|wv|v_proj|value|attn_v|v_lin)($|[._/])")),
    (
        "output",
        re.compile(r"(^|[._/])(o|wo|o_proj|out_proj|c_proj|attn_output|attention_output|out_lin)($|[._/])|output"),
    ),
)
"""Part of an attention layer -> how its layer, or its parameter, is called."""

_FEED_FORWARD = (
    ("gate", re.compile(r"(^|[._/])(gate_proj|ffn_gate|w1|wi_0)$")),
    (
        "up",
        re.compile(r"(^|[._/])(up_proj|ffn_up|w3|wi|wi_1|fc1|c_fc|lin1|linear1|dense_h_to_4h|intermediate[._/]dense)$"),
    ),
    (
        "down",
        re.compile(
            r"(^|[._/])(down_proj|ffn_down|w2|wo|fc2|lin2|linear2|dense_4h_to_h|mlp[._/]c_proj|\d+[._/]output[._/]dense)$"
        ),
    ),
)
"""Part of a transformer's feed-forward layer -> how its layer is called."""

_ROLES = {
    "gamma": "norm scale", "beta": "norm shift", "scale": "norm scale", "moving_mean": "moving mean",
    "running_mean": "moving mean", "moving_variance": "moving variance", "running_var": "moving variance",
}  # fmt: skip

_OWN_WORDS = re.compile(
    r"^(kernel|weight|bias|gamma|beta|scale|embeddings|moving_|running_)|_(kernel|scale|zero)$|^(weight|bias)_[ih]h"
)
"""Roles that classes of the frameworks give; what another class calls its tensors says nothing of what they are."""

_HEADS = ("num_heads", "num_attention_heads", "n_head", "num_query_heads", "n_heads")
"""Keys under which configurations of Keras and of Hugging Face give the number of heads."""


class Anatomy(NamedTuple):
    """A tensor's role, axes, fans, gates and heads."""

    role: Said
    axes: tuple[str, ...]
    """One word an axis, `()` where they are unknown."""
    axes_known: Said
    """How the axes are known; its value is the axes in a line."""
    fans: Fans | None
    gates: tuple[GateView, ...]
    heads: Said
    """Number of attention heads; unknown outside of attention."""


def anatomy(tensor: TensorEntry, layer: LayerNode, format: str, config: Mapping[str, Any] | None = None) -> Anatomy:
    """Everything that can be said of a tensor without reading it; `config` is the model's own, where there is one."""
    torch = is_torch_layout(format)
    how, why = _how(tensor, layer)
    named = axes(tensor, layer, torch_layout=torch)
    known = Said(", ".join(named), how, why) if named else UNKNOWN
    return Anatomy(
        role=_role(tensor, layer),
        axes=named,
        axes_known=known,
        fans=fans_of(tensor, layer, format),
        gates=gate_views(tensor, layer, torch_layout=torch),
        heads=_heads(tensor, layer, config or {}, named),
    )


def attention_part(tensor: TensorEntry) -> str:
    """`query`, `key`, `value`, `output`, `query, key and value`, or `""`, by name."""
    where = f"{tensor.layer}/{tensor.role}".lower()
    return next((part for part, pattern in _PARTS if pattern.search(where)), "")


def kind_of(tensor: TensorEntry, layer: LayerNode) -> str:
    """What tensors that are compared along the depth have in common: `attention query kernels`, `norm scales`, ...

    Finer than `family`; `""` for what belongs to none.
    """
    group = family(tensor, layer)
    if group in ("", "other"):
        return group
    text = _role_text(tensor, layer)
    if group == "biases" and (part := attention_part(tensor) if _is_attention(tensor) else _feed_forward(tensor)):
        text = f"{part} bias"
    return f"{text}es" if text.endswith("s") else f"{text}s" if text else group


def _is_attention(tensor: TensorEntry) -> bool:
    return bool(re.search(r"attn|attention", tensor.layer.lower()))


def _feed_forward(tensor: TensorEntry) -> str:
    """`up`, `gate`, `down`, or `""`, by the name of a layer inside a numbered block."""
    where = tensor.layer.lower()
    if not re.search(r"[._/]\d+[._/]", where):
        return ""
    return next((part for part, pattern in _FEED_FORWARD if pattern.search(where)), "")


def output_axes(tensor: TensorEntry, layer: LayerNode, format: str) -> tuple[int, int] | None:
    """The axes `start : stop` along which units, channels or tokens lie; None for tensors that have none.

    Output channels of a kernel, channels of a depthwise kernel, rows of an embedding, experts of a tensor that holds
    all of them. Heads and their features are taken together.
    """
    named = axes(tensor, layer, torch_layout=is_torch_layout(format))
    if "multiplier" in named:
        start = named.index("in")
        return start, len(named)
    for word in ("expert", "out", "token", "position", "channel"):
        if word in named:
            return named.index(word), named.index(word) + 1
    for i, word in enumerate(named):
        if word.startswith("gates"):
            return i, i + 1
    if "head" in named:
        return named.index("head"), named.index("head") + 2
    return None


def _how(tensor: TensorEntry, layer: LayerNode) -> tuple[How, str]:
    """Whether the file says what the tensor is."""
    if tensor.inferred:
        return "inferred", tensor.inferred
    if layer.class_name and _OWN_WORDS.search(tensor.role.lower()):
        return "recorded", f"the file names its class, {layer.class_name}"
    return "inferred", "from its name and shape"


def _role(tensor: TensorEntry, layer: LayerNode) -> Said:
    how, why = _how(tensor, layer)
    text = _role_text(tensor, layer)
    return Said(text, how, why) if text else UNKNOWN


def _role_text(tensor: TensorEntry, layer: LayerNode) -> str:
    kind, role = family(tensor, layer), tensor.role.lower()
    if tensor.group != "model":
        return f"{tensor.group} variable"
    if role in _ROLES:
        return _ROLES[role]
    if kind == "norms":
        return "norm shift" if role == "bias" else "norm scale"
    if kind == "biases":
        return "bias"
    if kind == "embeddings":
        return "position embedding" if "position" in tensor.layer.lower() else "embedding"
    if kind == "attention kernels":
        part = attention_part(tensor)
        return f"attention {part} kernel" if part else "attention kernel"
    if kind == "recurrent kernels":
        cell = {"lstm": "LSTM ", "gru": "GRU "}.get(cell_kind(tensor, layer), "")
        source = "recurrent" if "recurrent" in role or "_hh" in role else "input"
        return f"{cell}{source} kernel"
    if kind == "convolution kernels" and "depthwise" in f"{layer.class_name}{role}".lower():
        return "depthwise convolution kernel"
    if kind == "dense kernels" and (part := _feed_forward(tensor)):
        return f"feed-forward {part} kernel"
    if kind.endswith("kernels"):
        return kind.removesuffix("s")
    return _auxiliary(role)


def _auxiliary(role: str) -> str:
    if re.search(r"zero(s|_point)?$", role):
        return "quantisation zero point"
    if re.search(r"scale|absmax|scb", role):
        return "quantisation scale"
    return "counter" if re.search(r"num_batches|iteration|count", role) else ""


def _heads(tensor: TensorEntry, layer: LayerNode, config: Mapping[str, Any], named: tuple[str, ...]) -> Said:
    """From the shape of a Keras kernel, or from a configuration."""
    if "head" in named:
        return Said(str(tensor.shape[named.index("head")]), "recorded", "an axis of the kernel")
    if family(tensor, layer) != "attention kernels":
        return UNKNOWN
    part = attention_part(tensor)
    for source in (layer.config, config):
        grouped = source.get("num_key_value_heads") if part in ("key", "value") else None
        value = grouped or next((source[k] for k in _HEADS if source.get(k)), None)
        if isinstance(value, int) and not isinstance(value, bool):
            return Said(str(value), "recorded", "the configuration says it")
    return UNKNOWN
