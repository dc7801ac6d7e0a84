"""The views of a tensor: its gates, its fused q, k and v, its attention heads, or its experts. Reads no values.

Heads lie side by side along the output axis of q, k and v, and along the input axis of the output projection. Their
number is an axis of a Keras kernel, or stands in a configuration; where it does not, there are no views of heads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wtui.insight.anatomy import anatomy, attention_part
from wtui.insight.roles import holds_experts
from wtui.insight.types import GateView

if TYPE_CHECKING:
    from wtui.insight.anatomy import Anatomy
    from wtui.model import LayerNode, TensorEntry

__all__ = ["MAX_HEADS", "part_views", "what_parts"]

MAX_HEADS = 128
"""Heads that are told apart: the largest models have as many."""

MAX_EXPERTS = 512
"""Experts that are told apart."""


def part_views(
    tensor: TensorEntry, layer: LayerNode, format: str, config: Mapping[str, Any] | None = None
) -> tuple[GateView, ...]:
    """Gates, fused q, k and v, heads, or experts; `()` where there are none. `config` is the model's own."""
    if not tensor.size or tensor.problem:
        return ()
    known = anatomy(tensor, layer, format, config)
    return known.gates or _heads(tensor, known) or _experts(tensor)


def what_parts(views: tuple[GateView, ...]) -> str:
    """`gate`, `part` (of a fused q, k and v), `head` or `expert`."""
    for word in ("head", "expert"):
        if views[0].name.startswith(f"{word} "):
            return word
    return "part" if views[0].name == "q" else "gate"


def _heads(tensor: TensorEntry, known: Anatomy) -> tuple[GateView, ...]:
    if not known.heads.value or not 1 < int(known.heads.value) <= MAX_HEADS:
        return ()
    count = int(known.heads.value)
    if "head" in known.axes:
        axis = known.axes.index("head")
    else:
        across = "in" if attention_part(tensor) == "output" else "out"
        if across not in known.axes:
            return ()
        axis = known.axes.index(across)
    size, rest = divmod(tensor.shape[axis], count)
    if rest or not size:
        return ()
    return tuple(GateView(f"head {i}", axis, i * size, (i + 1) * size) for i in range(count))


def _experts(tensor: TensorEntry) -> tuple[GateView, ...]:
    """Of three axes, the first one counts the experts."""
    if not holds_experts(tensor) or not 1 < tensor.shape[0] <= MAX_EXPERTS:
        return ()
    return tuple(GateView(f"expert {i}", 0, i, i + 1) for i in range(tensor.shape[0]))
