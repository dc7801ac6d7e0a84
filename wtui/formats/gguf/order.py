"""The names that GGUF gives to tensors (`blk.0.attn_q.weight`): the order in which a value passes them, their roles.

Converters write tensors in the order of their sources, which may be the alphabet's; the order of depth is in the names
(the tables of names in llama.cpp, `LLM_TENSOR_NAMES`). What is unknown keeps its place in the file.
"""

from __future__ import annotations

from sys import intern

__all__ = ["depth_key", "role"]

_SECTIONS = {"enc": 0, "v": 0, "a": 1, "mm": 2, "dec": 3}
"""Prefixes of parts of a model: encoder, vision, audio, their projection, decoder; the language model follows."""
_LANGUAGE_MODEL = 4

_BEFORE, _BLOCKS, _AFTER = range(3)

_EMBEDDINGS = ("token_embd", "token_types", "position_embd", "patch_embd", "class_embd", "token_embd_norm", "pre_ln")
_AFTER_BLOCKS = ("post_ln", "output_norm", "cls", "output")
_IN_BLOCK = (
    "attn_norm", "attn_norm_2", "ln1", "attn_qkv", "attn_q", "attn_q_a", "attn_q_a_norm", "attn_q_b", "attn_q_norm",
    "attn_kv_a_mqa", "attn_kv_a_norm", "attn_kv_b", "attn_k", "attn_k_b", "attn_k_norm", "attn_v", "attn_v_b",
    "attn_sinks", "attn_rot_embd", "attn_rel_b", "", "attn_output", "attn_out", "attn_output_norm",
    "post_attention_norm", "cross_attn_norm", "cross_attn_q", "cross_attn_k", "cross_attn_v", "cross_attn_o",
    "ffn_norm", "ln2", "ffn_gate_inp", "ffn_gate", "ffn_gate_exps", "ffn_gate_shexp", "ffn_up", "ffn_up_exps",
    "ffn_up_shexp", "ffn_down", "ffn_down_exps", "ffn_down_shexp", "post_ffw_norm", "layer_output_norm",
)  # fmt: skip
"""Tensors of a transformer block; what is not among them stands where `""` is."""

_RANK = {name: i for i, name in enumerate(_IN_BLOCK)}


def depth_key(name: str) -> tuple[int, ...]:
    """A key that sorts names in the order in which a value passes through the tensors."""
    parts = name.split(".")
    section = _SECTIONS.get(parts[0], _LANGUAGE_MODEL)
    if section != _LANGUAGE_MODEL:
        parts = parts[1:] or [""]
    last = int(parts[-1] == "bias")
    if parts[0] == "blk" and len(parts) > 2 and parts[1].isdecimal() and len(parts[1]) < 10:
        return section, _BLOCKS, int(parts[1]), _RANK.get(parts[2], _RANK[""]), last
    if parts[0] in _EMBEDDINGS:
        return section, _BEFORE, _EMBEDDINGS.index(parts[0]), 0, last
    if parts[0] in _AFTER_BLOCKS:
        return section, _AFTER, _AFTER_BLOCKS.index(parts[0]), 0, last
    return section, _BEFORE, len(_EMBEDDINGS), 0, 0


def role(name: str) -> str:
    """What the tensor is to its layer: the name's last part, `embedding` for tables of embeddings."""
    layer, _, last = name.rpartition(".")
    table = layer.rpartition(".")[2] in ("token_embd", "position_embd", "token_types")
    return "embedding" if table and last == "weight" else intern(last)
