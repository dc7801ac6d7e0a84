"""Rows of query and key kernels that GGUF files of Llama's kind keep in another order than other formats do.

For rotary embeddings Hugging Face rotates row i of a head with row i + half; GGML rotates neighbours, and its converter
interleaves both halves (llama.cpp, `LlamaModel.permute`). Knows names and metadata only. Standard library only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.stats.layout import Layout, inverse_layout, transposed_layout

if TYPE_CHECKING:
    from wtui.model import Catalogue, TensorEntry

__all__ = ["heads_interleaved", "interleaved_layout"]

_COUNTS = {"attn_q": ("head_count",), "attn_k": ("head_count_kv", "head_count")}
"""Layers whose rows are interleaved, and the metadata that tell the number of their heads."""

ARCHITECTURE = "llama"
"""The architecture (Llama, Mistral and the like) for which the converter does this."""


def heads_interleaved(catalogue: Catalogue, tensor: TensorEntry) -> int:
    """The number of heads whose rows are interleaved in this tensor; 0 for a tensor that is stored as elsewhere."""
    if not catalogue.format.startswith("GGUF") or tensor.role != "weight" or len(tensor.shape) != 2:
        return 0
    names = _COUNTS.get(tensor.layer.rpartition("/")[2].rpartition(".")[2], ())
    if not names or catalogue.metadata.get("general.architecture") != ARCHITECTURE:
        return 0
    counts = [catalogue.metadata.get(f"{ARCHITECTURE}.attention.{name}") for name in names]
    return next((n for n in counts if isinstance(n, int) and n > 0 and tensor.shape[0] % (2 * n) == 0), 0)


def interleaved_layout(shape: tuple[int, ...], heads_a: int, heads_b: int) -> Layout | None:
    """From A to B, of which one has the rows of so many heads interleaved; None where both or neither have."""
    heads = heads_a or heads_b
    if not heads or (heads_a and heads_b):
        return None
    there = transposed_layout((heads, 2, shape[0] // heads // 2, shape[1]), (0, 2, 1, 3))
    return inverse_layout(there) if heads_a else there
