"""Names of tensors as different frameworks spell them, brought into one spelling; and prefixes that differ.

Knows names only. Standard library only.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from wtui.model import TensorEntry

__all__ = ["Key", "common_role", "framework_key", "literal_key", "prefix_pair", "stripped"]

Key = tuple[str, ...]
"""A name in parts, the role last."""

_WRAPPERS = frozenset({"_orig_mod", "module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"})
"""Parts of names that torch's wrappers put anywhere: compile, DataParallel, FSDP, activation checkpointing."""

_WRAPPED = "mod"
"""What all of them contain, and few other names."""

_ROLES = {
    "kernel": "weight", "gamma": "weight", "scale": "weight", "embeddings": "weight", "embedding": "weight",
    "depthwise_kernel": "weight", "w": "weight", "weight_ih_l0": "weight", "weight_ih": "weight",
    "beta": "bias", "b": "bias", "offset": "bias", "moving_mean": "mean", "running_mean": "mean",
    "moving_variance": "variance", "running_var": "variance", "var": "variance",
    "recurrent_kernel": "recurrent", "weight_hh_l0": "recurrent", "weight_hh": "recurrent",
}  # fmt: skip
"""Roles of several frameworks that mean the same."""

_GGUF = {
    "blk": ("layers",), "token_embd": ("embed_tokens",), "output_norm": ("norm",), "output": ("lm_head",),
    "attn_q": ("self_attn", "q_proj"), "attn_k": ("self_attn", "k_proj"), "attn_v": ("self_attn", "v_proj"),
    "attn_output": ("self_attn", "o_proj"), "attn_q_norm": ("self_attn", "q_norm"),
    "attn_k_norm": ("self_attn", "k_norm"), "attn_norm": ("input_layernorm",),
    "ffn_norm": ("post_attention_layernorm",), "ffn_gate": ("mlp", "gate_proj"), "ffn_up": ("mlp", "up_proj"),
    "ffn_down": ("mlp", "down_proj"),
}  # fmt: skip
"""Parts of names in GGUF files, and what Hugging Face calls the same in models built like Llama."""

SAMPLE = 400
"""Names of A that a prefix is tried on before it is used for all."""

MOST_TRIED = 12
"""Beginnings of names of each model that are tried as prefixes: the commonest."""

MAX_PARTS = 4
"""Parts of the longest prefix."""

COUNTED = 2000
"""Names of each model whose beginnings are counted."""


class PrefixPair(NamedTuple):
    """What to take off names of A and of B so that they are equal."""

    a: Key
    b: Key


def common_role(role: str) -> str:
    """The role in the word that all frameworks share here."""
    return _ROLES.get(role.lower(), role.lower())


def literal_key(tensor: TensorEntry) -> Key:
    """The name in parts, without what wrappers added and without TensorFlow's `:0`."""
    return _parts(tensor.name.removesuffix(":0"))


def framework_key(tensor: TensorEntry, format: str) -> Key:
    """The layer's path in parts and the common role; `format` is the catalogue's."""
    role = common_role(tensor.role)
    if not tensor.layer:
        return (role,)
    parts = _parts(tensor.layer)
    if format.startswith("GGUF"):
        parts = tuple(word for part in parts for word in _GGUF.get(part, (part,)))
    return (*parts, role)


def _parts(name: str) -> Key:
    parts = name.replace("/", ".").split(".")
    return tuple(parts if _WRAPPED not in name else [p for p in parts if p not in _WRAPPERS])


def stripped(key: Key, prefix: Key) -> Key | None:
    """The key without a prefix; None for one that does not begin with it."""
    return key[len(prefix) :] if key[: len(prefix)] == prefix and len(key) > len(prefix) else None


def prefix_pair(keys_a: Sequence[Key], keys_b: Mapping[Key, object]) -> PrefixPair | None:
    """The prefixes without which most names of a sample of A are names of B; None if that is none.

    One of the two is empty, unless all names of both begin with something.
    """
    step = max(1, len(keys_a) // SAMPLE)
    sample = keys_a[::step]
    all_b = list(keys_b)
    tried = [PrefixPair((), b) for b in _beginnings(all_b)] + [PrefixPair(a, ()) for a in _beginnings(keys_a)]
    whole = PrefixPair(_shared(keys_a), _shared(all_b))
    if whole.a and whole.b:
        tried.append(whole)
    votes = [(sum(_names_one(key, pair, keys_b) for key in sample), pair) for pair in tried]
    best = max(votes, key=lambda vote: (vote[0], -len(vote[1].a) - len(vote[1].b)), default=(0, PrefixPair((), ())))
    return best[1] if best[0] else None


def _names_one(key: Key, pair: PrefixPair, keys_b: Collection[Key]) -> bool:
    rest = stripped(key, pair.a)
    return rest is not None and (*pair.b, *rest) in keys_b


def _beginnings(keys: Sequence[Key]) -> list[Key]:
    """The commonest beginnings of names, without a last part."""
    counts: Counter[Key] = Counter()
    keys = keys[:: max(1, len(keys) // COUNTED)]
    for length in range(1, MAX_PARTS + 1):
        counts.update(key[:length] for key in keys if len(key) > length)
    return [()] + [key for key, _ in counts.most_common(MOST_TRIED)]


def _shared(keys: Iterable[Key]) -> Key:
    """What all keys begin with."""
    found: Key | None = None
    for key in keys:
        if found is None:
            found = key[:-1]
        while key[: len(found)] != found:
            found = found[:-1]
        if not found:
            break
    return found or ()
