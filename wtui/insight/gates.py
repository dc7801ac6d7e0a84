"""Tensors that hold several matrices side by side, as views: gates of recurrent layers, fused q, k and v.

A view is a slice along one axis, so that each gate can have its own statistics. Orders are those of the frameworks'
sources: Keras i, f, c, o and z, r, h along the last axis; torch i, f, g, o and r, z, n along the first.
Reads no values. Standard library only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.insight.types import GateView

if TYPE_CHECKING:
    from wtui.model import LayerNode, TensorEntry

__all__ = ["GATES", "cell_kind", "gate_views"]

GATES = {
    ("lstm", False): ("i", "f", "c", "o"),
    ("gru", False): ("z", "r", "h"),
    ("lstm", True): ("i", "f", "g", "o"),
    ("gru", True): ("r", "z", "n"),
}
"""(cell, whether torch's) -> its gates in the order in which they are stored."""

FUSED = ("in_proj_weight", "in_proj_bias")
"""What torch.nn.MultiheadAttention calls its fused q, k and v."""

FUSED_LAYERS = ("qkv", "c_attn", "wqkv", "qkv_proj")
"""Layers that hold q, k and v in one matrix, a third each where they are of equal size. (`query_key_value` of GPT-NeoX,
BLOOM and Falcon holds them head by head.)"""

TRANSPOSED_LAYERS = ("c_attn", "c_proj", "c_fc")
"""Layers of GPT-2 that are stored (in, out) in a torch file."""


def cell_kind(tensor: TensorEntry, layer: LayerNode) -> str:
    """`lstm` or `gru` by class, name or, for a square recurrent weight of torch, by shape; `""` for anything else."""
    where = f"{layer.class_name}/{tensor.layer}".lower()
    for kind in ("lstm", "gru"):
        if kind in where:
            return kind
    shape = tensor.shape
    if tensor.role.startswith("weight_hh") and len(shape) == 2 and shape[1]:
        return {4: "lstm", 3: "gru"}.get(shape[0] // shape[1], "") if shape[0] % shape[1] == 0 else ""
    return ""


def gate_views(tensor: TensorEntry, layer: LayerNode, *, torch_layout: bool) -> tuple[GateView, ...]:
    """The views of a recurrent layer's kernel or bias, or of a fused q, k, v; `()` for any other tensor."""
    fused = _fused_views(tensor, torch_layout)
    if fused:
        return fused
    if not tensor.shape or not _is_recurrent(tensor.role.lower()):
        return ()
    names = GATES.get((cell_kind(tensor, layer), torch_layout))
    if names is None:
        return ()
    return _cut(names, tensor.shape, 0 if torch_layout else len(tensor.shape) - 1)


def _is_recurrent(role: str) -> bool:
    return role in ("kernel", "recurrent_kernel", "bias") or role.startswith(("weight_", "bias_"))


def _fused_views(tensor: TensorEntry, torch_layout: bool) -> tuple[GateView, ...]:
    last = tensor.layer.rpartition("." if torch_layout else "/")[2].lower()
    if not torch_layout or not (tensor.role in FUSED or last in FUSED_LAYERS) or not tensor.shape:
        return ()
    transposed = last in TRANSPOSED_LAYERS and len(tensor.shape) == 2
    axis = 1 if transposed else 0
    across = tensor.shape[1 - axis] if len(tensor.shape) == 2 else tensor.shape[0] // 3
    return _cut(("q", "k", "v"), tensor.shape, axis) if tensor.shape[axis] == 3 * across else ()


def _cut(names: tuple[str, ...], shape: tuple[int, ...], axis: int) -> tuple[GateView, ...]:
    """Equal views along an axis; none where it cannot be cut so."""
    size, rest = divmod(shape[axis], len(names))
    if rest or not size:
        return ()
    return tuple(GateView(name, axis, i * size, (i + 1) * size) for i, name in enumerate(names))
