"""In which layouts two tensors may hold the same weights: by the conventions of their frameworks, roles and shapes.

Keras stores dense kernels (in, out) and convolutions (height, width, in, out); torch (out, in) and (out, in, height,
width); TFLite (out, height, width, in). Depthwise kernels, attention heads as axes of their own and the gates of GRUs
(Keras z r h, torch r z n; both order those of LSTMs alike) have rules of their own. Reads no values.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from wtui.insight.gates import cell_kind
from wtui.insight.roles import is_torch_layout
from wtui.stats.layout import Layout, inverse_layout, plain_layout, transposed_layout

if TYPE_CHECKING:
    from wtui.model import LayerNode, TensorEntry

__all__ = ["Member", "fitting_layouts"]

GRU_BLOCKS = (1, 0, 2)
"""Of Keras's gates z r h in torch's order r z n; the way back is the same."""


class Member(NamedTuple):
    """A tensor of one of two models."""

    tensor: TensorEntry
    layer: LayerNode
    format: str


def fitting_layouts(a: Member, b: Member) -> tuple[Layout, ...]:
    """The layouts that lead from A to B, the likeliest first; none where the shapes do not fit.

    Values in the same order come first where both frameworks store alike, and where a tensor is no kernel.
    """
    shape_a, shape_b = a.tensor.shape, b.tensor.shape
    torch_a, torch_b = is_torch_layout(a.format), is_torch_layout(b.format)
    if shape_a == shape_b and torch_a == torch_b:
        return (_plain(shape_a),)
    if prod(shape_a) != prod(shape_b):
        return ()
    gru = torch_a != torch_b and "gru" in (cell_kind(a.tensor, a.layer), cell_kind(b.tensor, b.layer))
    return _layouts(shape_a, shape_b, torch_a, torch_b, gru, _is_table(a.tensor) or _is_table(b.tensor))


@lru_cache(4096)
def _layouts(
    shape_a: tuple[int, ...], shape_b: tuple[int, ...], torch_a: bool, torch_b: bool, gru: bool, table: bool
) -> tuple[Layout, ...]:
    plain = [p for p in (plain_layout(shape_a), plain_layout(shape_b)) if p.fits(shape_a, shape_b)][:1]
    if gru and not torch_a:
        turned = _gru(shape_a)
    elif gru:
        turned = [inverse_layout(layout) for layout in _gru(shape_b)]
    elif table:
        turned = []
    else:
        turned = [*_from_keras(shape_a), *(inverse_layout(layout) for layout in _from_keras(shape_b))]
    fitting = [layout for layout in turned if layout.fits(shape_a, shape_b)]
    found = [*fitting, *plain] if torch_a != torch_b else [*plain, *fitting]
    return tuple(dict.fromkeys(found))


@lru_cache(4096)
def _plain(shape: tuple[int, ...]) -> Layout:
    return plain_layout(shape)


def _is_table(tensor: TensorEntry) -> bool:
    """Whether it is an embedding, which all frameworks store (token, feature)."""
    return "embed" in tensor.role.lower() or len(tensor.shape) < 2


def _from_keras(shape: tuple[int, ...]) -> list[Layout]:
    """Layouts from a kernel as Keras stores it to what others store, by its rank."""
    rank = len(shape)
    if rank == 2:
        return [transposed_layout(shape, (1, 0))]
    if rank < 2 or rank > 5:
        return []
    spatial = tuple(range(rank - 2))
    found = [
        transposed_layout(shape, (rank - 1, rank - 2, *spatial)),  # torch, also transposed convolutions
        transposed_layout(shape, (rank - 2, rank - 1, *spatial)),  # torch, depthwise: (in, multiplier) are one axis
        transposed_layout(shape, (rank - 1, *spatial, rank - 2)),  # TFLite
    ]
    if rank == 3:
        heads = [transposed_layout(shape, (1, 2, 0)), transposed_layout(shape, (2, 0, 1))]
        found = [*found, *heads]  # (in, heads, size) and (heads, size, out), the heads joined in torch
    return found


def _gru(shape: tuple[int, ...]) -> list[Layout]:
    """From a kernel (in, 3 units) or bias (3 units) of Keras to torch's."""
    if not shape or shape[-1] % 3 or not shape[-1]:
        return []
    units = shape[-1] // 3
    if len(shape) == 1:
        return [_blocks(transposed_layout((3, units), (0, 1)), 0)]
    if len(shape) == 2:
        return [_blocks(transposed_layout((shape[0], 3, units), (1, 2, 0)), 0 if shape[0] == 1 else 1)]
    return []


def _blocks(layout: Layout, axis: int) -> Layout:
    return layout._replace(block_axis=axis, blocks=GRU_BLOCKS)
