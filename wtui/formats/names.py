"""From dotted tensor names to a tree in depth order, for formats that record names and nothing else.

The order is a guess that is right for common networks (embeddings, numbered blocks, final norm, head); it is only made
where the file's own order says nothing. Knows no format and reads nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from wtui.model import NOTHING, LayerNode, TensorEntry

__all__ = ["natural_key", "tree_from_names"]

MAX_DEPTH = 64
"""Layers inside layers; what is deeper in a name belongs to the tensor's label. A name of 30,000 dots would otherwise
make as many layers, with paths of half a gigabyte together."""

_Key = tuple[int, tuple[tuple[int, int, str], ...]]

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
    """Hang the tensors below `root` by the parts of their names; they come back in depth order, `layer` filled in.

    With `keep_order` the given order is the model's own; otherwise it is inferred from the names.
    """
    nodes: dict[str, LayerNode] = {"": root}
    words: dict[str, str] = {}
    for number, tensor in enumerate(tensors):
        layer = tensor.name.rpartition(separator)[0]
        node = nodes.get(layer)
        if node is None:
            if layer.count(separator) >= MAX_DEPTH:
                layer = separator.join(layer.split(separator)[:MAX_DEPTH])
            path = tensor.layer if tensor.layer == layer else layer
            node = nodes.get(path) or _make(nodes, path, separator, words)
        if node.tensors:
            node.tensors.append(number)
        else:
            node.tensors = [number]
    if not keep_order:
        _sort_layers(nodes.values())
    return _ordered(tensors, separator, root, keep_order)


def _make(nodes: dict[str, LayerNode], path: str, separator: str, words: dict[str, str]) -> LayerNode:
    """The new node of `path`, with those above it that do not exist yet; equal names are one string, from `words`."""
    above, _, name = path.rpartition(separator)
    parent = nodes.get(above) or _make(nodes, above, separator, words)
    node = nodes[path] = LayerNode(words.setdefault(name, name), path)
    node.children = node.tensors = NOTHING
    if parent.children:
        parent.children.append(node)
    else:
        parent.children = [node]
    return node


def _sort_layers(nodes: Iterable[LayerNode]) -> None:
    """Sort the layers inside each layer; what a name's place is, is found out once."""
    keys: dict[str, _Key] = {}

    def key(node: LayerNode) -> _Key:
        return keys.get(node.name) or keys.setdefault(node.name, _layer_key(node.name.lower()))

    for node in nodes:
        if len(node.children) > 1:
            node.children.sort(key=key)


def _ordered(tensors: Sequence[TensorEntry], separator: str, root: LayerNode, keep_order: bool) -> list[TensorEntry]:
    """The tensors in depth order; layers, which held their old numbers, hold the new ones."""
    ordered: list[TensorEntry] = []
    for node in root.walk():
        own, path = node.tensors, node.path
        if not own:
            continue
        if not keep_order and len(own) > 1:
            own.sort(key=lambda i: _tensor_key(tensors[i].name, separator))
        first = len(ordered)
        for number in own:
            tensor = tensors[number]
            ordered.append(tensor if tensor.layer == path else tensor._replace(layer=path))
        node.tensors = list(range(first, len(ordered)))
    return ordered


def _tensor_key(name: str, separator: str) -> tuple[int, tuple[tuple[int, int, str], ...]]:
    return _PARAMETER_RANK.get(name.rpartition(separator)[2], 1), natural_key(name)


def _layer_key(name: str) -> _Key:
    """Where a layer of this lower-case name stands among its brothers."""
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
