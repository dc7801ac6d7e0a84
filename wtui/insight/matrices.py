"""How a tensor is seen as a matrix, or as several: what a spectrum is taken of.

As WeightWatcher does it (Martin and Mahoney 2021, arXiv 1810.01075): a convolution is a matrix of input by output
channels for each place of its window, and the singular values of all of them are taken together. From shapes, names and
classes; reads no values. Standard library only.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from wtui.insight.roles import axes, family, is_torch_layout
from wtui.stats.spectrum_row import MatrixAxes

if TYPE_CHECKING:
    from wtui.model import LayerNode, TensorEntry

__all__ = ["matrix_axes", "no_matrix", "worth_a_spectrum"]

WINDOW = ("depth", "height", "width", "expert")
"""Axes along which matrices lie one after the other."""


def no_matrix(tensor: TensorEntry) -> str:
    """Why a tensor has no spectrum; `""` if it has one."""
    if not tensor.size:
        return "it has no values: one of its axes is 0"
    if len(tensor.shape) < 2:
        what = "a single value" if not tensor.shape else "a vector"
        return f"it is {what}, not a matrix: its only singular value is its L2 norm"
    return ""


def worth_a_spectrum(tensor: TensorEntry, layer: LayerNode) -> bool:
    """Whether a tensor is a kernel or an embedding, and a matrix in more than name."""
    if (
        no_matrix(tensor)
        or tensor.problem
        or not (tensor.counted or tensor.group == "derived")
        or tensor.dtype in ("bool", "string")
    ):
        return False
    return family(tensor, layer) not in ("", "biases", "norms", "other") and tensor.size > max(tensor.shape)


def matrix_axes(tensor: TensorEntry, layer: LayerNode, format: str) -> MatrixAxes:
    """Which axes of a tensor with two or more are window, rows and columns."""
    named = axes(tensor, layer, torch_layout=is_torch_layout(format))
    rank = len(tensor.shape)
    if rank > 2 and named and _is_depthwise(tensor, named):
        window = tuple(i for i, name in enumerate(named) if name in WINDOW)
        return _said(tensor, (), window, tuple(i for i in range(rank) if i not in window), "window by channels")
    window = tuple(i for i, name in enumerate(named) if name in WINDOW) if rank > 2 else ()
    rest = [i for i in range(rank) if i not in window]
    if len(rest) < 2:
        window, rest = (), list(range(rank))
    cut = 1
    if len(rest) > 2:
        cut = next((k for k in range(1, len(rest)) if _side(named, rest[k]) != _side(named, rest[0])), len(rest) - 1)
    each = "expert" if "expert" in named else "place of the window"
    return _said(tensor, window, tuple(rest[:cut]), tuple(rest[cut:]), each=each)


def _is_depthwise(tensor: TensorEntry, named: tuple[str, ...]) -> bool:
    """Whether every channel has a filter of its own, so that a place of the window holds a vector."""
    return "multiplier" in named or 1 in (n for n, name in zip(tensor.shape, named, strict=True) if name in ("in", "1"))


def _side(named: tuple[str, ...], axis: int) -> bool:
    """Whether an axis belongs with the outputs: a head goes with its features."""
    if not named:
        return False
    heads_are_outputs = named[0] == "in"
    return named[axis] == "out" or (heads_are_outputs and named[axis] in ("head", "feature"))


def _said(
    tensor: TensorEntry,
    window: tuple[int, ...],
    rows: tuple[int, ...],
    columns: tuple[int, ...],
    how: str = "",
    each: str = "",
) -> MatrixAxes:
    sides = [prod(tensor.shape[i] for i in part) for part in (rows, columns)]
    text = f"{sides[0]:,} × {sides[1]:,}"
    count = prod(tensor.shape[i] for i in window)
    if window:
        text = f"{count:,} matrices of {text}, one for each {each}"
    elif how:
        text = f"a matrix of {text} ({how})"
    elif len(tensor.shape) > 2:
        text = f"a matrix of {text}, from {' × '.join(map(str, tensor.shape))}"
    else:
        text = f"a matrix of {text}"
    return MatrixAxes(window, rows, columns, text)
