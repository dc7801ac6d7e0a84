"""From dotted tensor names to a tree in depth order, for formats that record names and nothing else.

The order is a guess that is right for common networks (embeddings, numbered blocks, final norm, head); it is only made
where the file's own order says nothing. Knows no format and reads nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from wtui.model import LayerNode, TensorEntry

__all__ = ["natural_key", "tree_from_names"]

MAX_DEPTH = 64
"""Layers inside layers; what is deeper in a name belongs to the tensor's label. A name of 30,000 dots would otherwise
make as many layers, with paths of half a gigabyte together."""

_DIGITS = re.compile(r"(\d+)")

_FIRST = ("wte", "wpe", "embed", "tok_emb", "stem", "patch", "conv1", "encoder")
_LAST = ("final", "ln_f", "norm", "pool", "fc", "classifier", "score", "head", "lm_head", "output", "predict")
_IN_BLOCK = (
    "input_layernorm", "ln_1", "norm1", "attention_norm", "self_attn", "attention", "attn", "q_norm", "k_norm",
    "query", "q_proj", "qkv", "c_attn", "key", "k_proj", "value", "v_proj", "o_proj", "out_proj",
    "post_attention_layernorm", "ln_2", "norm2", "ffn_norm", "gate", "router", "experts", "mlp", "gate_proj",
    "up_proj", "c_fc", "fc1", "intermediate", "down_proj", "c_proj", "fc2",
)  # fmt: skip
"""Parts of a transformer block in the order in which a value passes through them."""
_IN_BLOCK_RANK = {name: i for i, name in enumerate(_IN_BLOCK)}
_PARAMETER_RANK = {"weight": 0, "kernel": 0, "gamma": 0, "scale": 1, "bias": 2, "beta": 2}


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key under which `layer.10` follows `layer.9`."""
    return tuple((0, int(p), "") if p.isdecimal() and len(p) < 20 else (1, 0, p) for p in _DIGITS.split(name) if p)


def tree_from_names(
    tensors: Sequence[TensorEntry], separator: str, root: LayerNode, *, keep_order: bool = False
) -> list[TensorEntry]:
    """Hang the tensors below `root` by the parts of their names; the entries come back in depth order, `layer` filled in.

    With `keep_order` the given order is the model's own; otherwise it is inferred from the names.
    """
    nodes: dict[str, LayerNode] = {"": root}
    held: dict[int, list[TensorEntry]] = {}
    for tensor in tensors:
        layer = tensor.name.rpartition(separator)[0]
        if layer.count(separator) >= MAX_DEPTH:
            layer = separator.join(layer.split(separator)[:MAX_DEPTH])
        node = nodes.get(layer) or _make(nodes, layer, separator)
        held.setdefault(id(node), []).append(tensor)
    if not keep_order:
        for node in nodes.values():
            if len(node.children) > 1:
                node.children.sort(key=_layer_key)
    ordered: list[TensorEntry] = []
    for node in root.walk():
        own = held.get(id(node), [])
        if not keep_order and len(own) > 1:
            own.sort(key=lambda t: (_PARAMETER_RANK.get(t.name.rpartition(separator)[2], 1), natural_key(t.name)))
        for tensor in own:
            node.tensors.append(len(ordered))
            ordered.append(tensor if tensor.layer == node.path else tensor._replace(layer=node.path))
    return ordered


def _make(nodes: dict[str, LayerNode], path: str, separator: str) -> LayerNode:
    """The node of `path`, with those above it that do not exist yet."""
    missing = []
    above = path
    while above not in nodes:
        missing.append(above)
        above = above.rpartition(separator)[0]
    node = nodes[above]
    for name in reversed(missing):
        child = LayerNode(name.rpartition(separator)[2], name)
        node.children.append(child)
        nodes[name] = node = child
    return node


def _layer_key(node: LayerNode) -> tuple[int, tuple[tuple[int, int, str], ...]]:
    name = node.name.lower()
    if name.isdecimal() or name in ("layers", "blocks", "h", "model", "transformer"):
        return 50, natural_key(name)
    rank = _IN_BLOCK_RANK.get(name)
    if rank is not None:
        return 10 + rank if rank < 38 else 49, ()
    if name.startswith(_FIRST):
        return 0, natural_key(name)
    for i, word in enumerate(_LAST):
        if name.startswith(word):
            return 60 + i, natural_key(name)
    return 50, natural_key(name)
