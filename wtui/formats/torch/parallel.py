"""Which axis tensor parallelism splits, by the names that Megatron-LM and Llama give their tensors; and the joining.

Column-parallel layers split their outputs (axis 0, biases too), row-parallel ones their inputs (axis 1, biases are
whole), embeddings their rows; norms are the same on every rank (Shoeybi et al., 2019, "Megatron-LM", section 3). No
file says so: whatever is joined here is inferred.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from wtui.formats.torch.pieces import Box, assembled
from wtui.model import DTYPE_BITS

if TYPE_CHECKING:
    from wtui.formats.torch.tensors import Found

__all__ = ["REPLICATED", "join", "layers_in", "renumber", "split_axis"]

REPLICATED = -1
"""The axis of what every rank holds whole."""

_WHOLE = re.compile(
    r"norm|position_embeddings|tokentype_embeddings|rope|freqs|inv_freq|router|gate\.weight$"
    r"|(attention\.dense|linear_proj|dense_4h_to_h|linear_fc2|wo|w2|o_proj|down_proj)\.bias$"
)
_COLUMNS = re.compile(
    r"(^|\.)(query_key_value|linear_qkv|linear_q|linear_kv|query|key_value|dense_h_to_4h|linear_fc1|word_embeddings|"
    r"output_layer|lm_head|wq|wk|wv|w1|w3|q_proj|k_proj|v_proj|gate_proj|up_proj|output)\.(weight|bias)$"
)
_ROWS = re.compile(r"(^|\.)(attention\.dense|linear_proj|dense_4h_to_h|linear_fc2|wo|w2|o_proj|down_proj)\.weight$")
_EMBEDDING = re.compile(r"(^|\.)tok_embeddings\.weight$")
_LAYER = re.compile(r"(^|\.)(layers?|blocks?|h)\.(\d+)(?=\.)")


def split_axis(name: str, shape: tuple[int, ...], width: int | None) -> int | None:
    """The axis along which a tensor of this name is split, REPLICATED, or None for a name that no rule knows.

    `width` is the model's: Llama's first versions split embeddings along it, later ones along the vocabulary.
    """
    if _WHOLE.search(name):
        return REPLICATED
    if _COLUMNS.search(name):
        return 0
    if _ROWS.search(name) and len(shape) > 1:
        return 1
    if _EMBEDDING.search(name) and len(shape) == 2 and width:
        return 0 if shape[1] == width else 1
    return None


def join(pieces: Sequence[Found], axis: int) -> Found | None:
    """One tensor from the pieces of all ranks; None if they do not fit together."""
    first = pieces[0]
    if axis == REPLICATED:
        return first if all(p.shape == first.shape for p in pieces) else None
    if axis >= len(first.shape) or any(not _is_plain(p, first) for p in pieces):
        return None
    others = {(*p.shape[:axis], *p.shape[axis + 1 :]) for p in pieces}
    if len(others) != 1:
        return None
    boxes, at = [], 0
    for piece in pieces:
        origin = tuple(at if a == axis else 0 for a in range(len(first.shape)))
        if piece.parts:
            boxes.append(Box(origin, piece.shape, piece.parts[0].extent))
        at += piece.shape[axis]
    shape = (*first.shape[:axis], at, *first.shape[axis + 1 :])
    return first._replace(shape=shape, parts=assembled(boxes, shape, first.dtype))


def renumber(name: str, offset: int) -> str:
    """The name with its layer's number moved by those of earlier pipeline stages."""
    return _LAYER.sub(lambda m: f"{m[1]}{m[2]}.{int(m[3]) + offset}", name, count=1) if offset else name


def layers_in(names: Mapping[str, object]) -> int:
    """How many layers a pipeline stage holds: one more than the highest number."""
    numbers = [int(m[3]) for m in map(_LAYER.search, names) if m and len(m[3]) < 7]
    return max(numbers, default=-1) + 1


def _is_plain(piece: Found, first: Found) -> bool:
    if piece.problem or piece.encoding != "raw" or piece.dtype != first.dtype or piece.byteorder != first.byteorder:
        return False
    if DTYPE_BITS.get(piece.dtype, 0) % 8 or piece.strides is not None or len(piece.shape) != len(first.shape):
        return False
    return piece.parts is not None and (len(piece.parts) == 1 or not piece.size)
