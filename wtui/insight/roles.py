"""What a tensor is for: its family (convolution kernels, biases, ...) and what each of its axes means.

From class, role, rank and the framework that wrote the file. Families keep unlike things apart: a plot that mixes
biases with kernels says nothing. Reads no values.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wtui.model import LayerNode, TensorEntry

__all__ = ["FAMILIES", "axes", "family", "is_torch_layout", "lite_axes"]

FAMILIES = (
    "convolution kernels",
    "dense kernels",
    "recurrent kernels",
    "attention kernels",
    "embeddings",
    "adapter factors",
    "biases",
    "norms",
    "other",
)
"""All families, in the order in which they are offered."""

_NORM_ROLES = {"gamma", "beta", "moving_mean", "moving_variance", "running_mean", "running_var", "scale"}
_NORM = re.compile(r"norm|(^|[._/\d])(ln|bn)(_|\d|$)")
_ATTENTION = re.compile(r"attn|attention|(^|[._/])(q|k|v|o|qkv)_?proj|(^|[._/])(query|key|value)($|[._/])")
_EMBEDDING = re.compile(r"embed|(^|[._/])(wte|wpe)$")
_RECURRENT = re.compile(r"lstm|gru|rnn")
_AUXILIARY = re.compile(
    r"num_batches_tracked|position_ids|seed|^iterations?$|learning_rate|^count$"
    r"|_(scales?|scale_inv|zeros?|zero_point|absmax|amax_history)$|^(scales|qzeros|absmax|scb|g_idx|zero_point|quant_map)$"
)
"""Roles of counters, and of what belongs to a quantised tensor."""
_FACTOR = re.compile(r"(^|[._])lora[._](a|b|down|up|embedding_a|embedding_b)($|[._])")
_SECOND = re.compile(r"lora[._](b|up|embedding_b)($|[._])")
_EXPERTS = re.compile(r"(^|[._/])experts[._/]|_exps[._/]")
"""How the layer or the tensor is called: a bare parameter of PyTorch is multiplied from the left, (in, out); a weight,
also of GGUF, lies as that of a linear layer."""
_BIAS = re.compile(r"(^|_)bias($|_)|^b$")

_KERAS_KERNEL_AXES = {
    1: ("width",), 2: ("in", "out"), 3: ("width", "in", "out"),
    4: ("height", "width", "in", "out"), 5: ("depth", "height", "width", "in", "out"),
}  # fmt: skip
_TORCH_KERNEL_AXES = {
    2: ("out", "in"), 3: ("out", "in", "width"), 4: ("out", "in", "height", "width"),
    5: ("out", "in", "depth", "height", "width"),
}  # fmt: skip


_LITE_AXES = {
    "CONV_2D": ("out", "height", "width", "in"), "TRANSPOSE_CONV": ("out", "height", "width", "in"),
    "FULLY_CONNECTED": ("out", "in"), "DEPTHWISE_CONV_2D": ("1", "height", "width", "out"),
    "CONV_3D": ("depth", "height", "width", "in", "out"),
}  # fmt: skip
"""How the operations of TensorFlow Lite lay out their kernels (tensorflow/lite/kernels)."""


def lite_axes(tensor: TensorEntry, layer: LayerNode) -> tuple[str, ...]:
    """What each axis of a kernel of TensorFlow Lite means; `()` for any other tensor."""
    named = _LITE_AXES.get(layer.class_name, ())
    return named if len(named) == len(tensor.shape) and tensor.role.endswith("kernel") else ()


def family(tensor: TensorEntry, layer: LayerNode) -> str:
    """The family of a tensor of `layer`; `""` for optimizer slots, which belong to none."""
    if tensor.group == "quantisation":
        return "other"
    if tensor.group not in ("model", "derived"):
        return ""
    role, rank = tensor.role.lower(), len(tensor.shape)
    path = tensor.layer.lower()
    class_name = layer.class_name.lower()
    last = re.split(r"[./]", path)[-1]
    if _AUXILIARY.search(role):
        return "other"
    if role in _NORM_ROLES or (rank < 2 and (_NORM.search(last) or "normalization" in class_name)):
        return "norms"
    if rank == 1 and role == "weight" and "relu" not in last:
        return "norms"  # torch's norms inside a Sequential are called by a number only
    if _BIAS.search(role):
        return "biases"
    if "embed" in role or (rank == 2 and (_EMBEDDING.search(last) or "embedding" in class_name)):
        return "embeddings"
    if rank < 2:
        return "other"
    if _FACTOR.search(tensor.name.lower()):
        return "adapter factors"
    if (
        _RECURRENT.search(class_name)
        or _RECURRENT.search(path)
        or role.startswith(("recurrent", "weight_ih", "weight_hh"))
    ):
        return "recurrent kernels"
    if rank < 4 and _ATTENTION.search(path):
        return "attention kernels"
    if holds_experts(tensor):
        return "dense kernels"
    return "dense kernels" if rank == 2 else "convolution kernels"


def holds_experts(tensor: TensorEntry) -> bool:
    """Whether a tensor of three axes holds the matrices of all experts of a layer, one after the other."""
    return len(tensor.shape) == 3 and bool(_EXPERTS.search(tensor.name.lower()))


def is_torch_layout(format: str) -> bool:
    """Whether kernels of this catalogue format are stored (out, in, ...) as torch does, not (..., in, out)."""
    others = ("Keras", "HDF5", "TensorFlow", "SavedModel", "TFLite", "TF.js", "Flax", "Orbax")
    return not format.startswith(others)


def axes(tensor: TensorEntry, layer: LayerNode, *, torch_layout: bool) -> tuple[str, ...]:
    """What each axis means, as far as class, role and rank tell; `()` where they do not."""
    kind, rank = family(tensor, layer), len(tensor.shape)
    class_name, role = layer.class_name.lower(), tensor.role.lower()
    if rank == 1:
        return {"biases": ("out",), "norms": ("channel",)}.get(kind, ())
    if lite := lite_axes(tensor, layer):
        return lite
    if class_name in ("matmul", "gemm") and not (layer.config.get("transB") or layer.config.get("weight transposed")):
        torch_layout = False  # of ONNX, which multiplies from the right unless it says otherwise
    if holds_experts(tensor) and kind == "dense kernels":
        return ("expert", "out", "in") if torch_layout and role == "weight" else ("expert", "in", "out")
    if kind == "embeddings" and rank == 2:
        return ("position" if "position" in tensor.layer.lower() else "token", "feature")
    if kind == "adapter factors" and rank == 2:
        return ("out", "rank") if _SECOND.search(tensor.name.lower()) else ("rank", "in")
    if kind not in ("convolution kernels", "dense kernels", "recurrent kernels", "attention kernels"):
        return ()
    if kind == "attention kernels" and rank == 3 and not torch_layout:
        output = "output" in tensor.layer.lower()
        return ("head", "feature", "out") if output else ("in", "head", "feature")
    if "depthwise" in class_name or role == "depthwise_kernel":
        return ("height", "width", "in", "multiplier")[-rank:] if not torch_layout else _TORCH_KERNEL_AXES.get(rank, ())
    if "transpose" in class_name and rank > 2 and not torch_layout:
        return (*_KERAS_KERNEL_AXES[rank][:-2], "out", "in") if rank in _KERAS_KERNEL_AXES else ()
    if kind == "recurrent kernels" and rank == 2:
        return _gates(tensor, layer, torch_layout)
    return (_TORCH_KERNEL_AXES if torch_layout else _KERAS_KERNEL_AXES).get(rank, ())


def _gates(tensor: TensorEntry, layer: LayerNode, torch_layout: bool) -> tuple[str, ...]:
    """Axes of a recurrent kernel; the gates lie side by side along the output axis (Keras i, f, c, o and z, r, h)."""
    where = f"{layer.class_name}/{tensor.layer}".lower()
    order = "i f g o" if torch_layout else "i f c o"
    if "gru" in where:
        order = "r z n" if torch_layout else "z r h"
    elif "lstm" not in where:
        return ("out", "in") if torch_layout else ("in", "out")
    source = "state" if "recurrent" in tensor.role or "_hh" in tensor.role else "in"
    gates = f"gates {order}"
    return (gates, source) if torch_layout else (source, gates)
