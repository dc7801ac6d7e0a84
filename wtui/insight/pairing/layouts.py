"""In which layouts two tensors may hold the same weights: by the conventions of their frameworks, roles and shapes.

Keras stores dense kernels (in, out) and convolutions (height, width, in, out); torch (out, in) and (out, in, height,
width); TFLite (out, height, width, in). Depthwise kernels, attention heads as axes of their own and the gates of GRUs
(Keras z r h, torch r z n; both order those of LSTMs alike) have rules of their own. Reads no values.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Literal, NamedTuple

from wtui.insight.gates import cell_kind
from wtui.insight.pairing.rotary import interleaved_layout
from wtui.insight.roles import is_torch_layout
from wtui.stats.layout import Layout, inverse_layout, plain_layout, transposed_layout

if TYPE_CHECKING:
    from wtui.model import LayerNode, TensorEntry

__all__ = ["Convention", "Member", "convention_of", "fitting_layouts"]

Kind = Literal["kernel", "depthwise", "gru", "table"]

Convention = Literal["torch", "Keras", "ONNX"]
"""Whose order of axes a format has; an ONNX file may have either."""

GRU_BLOCKS = (1, 0, 2)
"""Of Keras's gates z r h in torch's order r z n; the way back is the same."""


class Member(NamedTuple):
    """A tensor of one of two models."""

    tensor: TensorEntry
    layer: LayerNode
    convention: Convention
    interleaved: int = 0
    """Heads whose rows are interleaved, see `rotary`."""


def fitting_layouts(a: Member, b: Member) -> tuple[Layout, ...]:
    """The layouts that lead from A to B, the likeliest first; none where the shapes do not fit.

    Values in the same order come first where both frameworks store alike, and where a tensor is no kernel.
    """
    shape_a, shape_b = a.tensor.shape, b.tensor.shape
    if shape_a == shape_b and a.convention == b.convention:
        rotary = interleaved_layout(shape_a, a.interleaved, b.interleaved)
        return (rotary, _plain(shape_a)) if rotary is not None else (_plain(shape_a),)
    if prod(shape_a) != prod(shape_b):
        return ()
    conventions = a.convention, b.convention
    return _layouts(
        shape_a, shape_b, *conventions, _kind(a, b, "Keras" in conventions and conventions[0] != conventions[1])
    )


def convention_of(format: str) -> Convention:
    """That of a catalogue's format."""
    return "ONNX" if format.startswith("ONNX") else "torch" if is_torch_layout(format) else "Keras"


def _kind(a: Member, b: Member, turned: bool) -> Kind:
    """What decides which layouts there may be."""
    if any("embed" in m.tensor.role.lower() for m in (a, b)):
        return "table"
    if turned and "gru" in (cell_kind(a.tensor, a.layer), cell_kind(b.tensor, b.layer)):
        return "gru"
    words = f"{a.layer.class_name} {a.tensor.role} {b.layer.class_name} {b.tensor.role}".lower()
    return "depthwise" if "depthwise" in words else "kernel"


@lru_cache(4096)
def _layouts(
    shape_a: tuple[int, ...], shape_b: tuple[int, ...], a: Convention, b: Convention, kind: Kind
) -> tuple[Layout, ...]:
    plain = [p for p in (plain_layout(shape_a), plain_layout(shape_b)) if p.fits(shape_a, shape_b)][:1]
    rule = {"gru": _gru, "depthwise": _depthwise, "kernel": _kernel, "table": _table}[kind]
    forth = rule(shape_a) if kind != "gru" or a == "Keras" else []
    back = rule(shape_b) if kind != "gru" or b == "Keras" else []
    turned = [*forth, *map(inverse_layout, back)]
    fitting = [layout for layout in turned if layout.fits(shape_a, shape_b)]
    found = [*fitting, *plain] if a != b else [*plain, *fitting]
    return tuple(dict.fromkeys(found))


@lru_cache(4096)
def _plain(shape: tuple[int, ...]) -> Layout:
    return plain_layout(shape)


def _table(shape: tuple[int, ...]) -> list[Layout]:
    """An embedding, which all frameworks store (token, feature)."""
    return []


def _kernel(shape: tuple[int, ...]) -> list[Layout]:
    """From a kernel of Keras to what others store, by its rank."""
    rank = len(shape)
    if rank == 2:
        return [transposed_layout(shape, (1, 0))]
    if not 3 <= rank <= 5:
        return []
    spatial = tuple(range(rank - 2))
    torch = transposed_layout(shape, (rank - 1, rank - 2, *spatial))  # transposed convolutions too
    lite = transposed_layout(shape, (rank - 1, *spatial, rank - 2))
    if rank > 3:
        return [torch, lite]
    heads = [transposed_layout(shape, (1, 2, 0)), transposed_layout(shape, (2, 0, 1))]
    return [torch, lite, *heads]  # (in, heads, size) and (heads, size, out), the heads joined in torch


def _depthwise(shape: tuple[int, ...]) -> list[Layout]:
    """From (height, width, in, multiplier), the last two being one axis in torch."""
    rank = len(shape)
    if rank < 3:
        return []
    return [transposed_layout(shape, (rank - 2, rank - 1, *range(rank - 2))), *_kernel(shape)]


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
