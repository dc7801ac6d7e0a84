"""fan_in and fan_out of a kernel, by the rule of the framework that initialised it.

The rules are the frameworks' own, also where they are odd: Keras takes the last two axes of any kernel as in and out,
so a depthwise kernel has the fan_in of all channels; and early versions of Keras 3 gave an attention kernel
(in, heads, size) the fan_in of in x heads. Knows shapes, no values. Standard library only.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from wtui.insight.types import Fans

__all__ = ["einsum_axes", "einsum_fans", "keras_fans", "torch_fans"]


def keras_fans(shape: tuple[int, ...]) -> Fans | None:
    """By `keras.initializers.compute_fans`; None for a scalar or a tensor without values."""
    if not shape or not prod(shape):
        return None
    if len(shape) == 1:
        return Fans(shape[0], shape[0], "Keras")
    receptive_field = prod(shape[:-2])
    return Fans(shape[-2] * receptive_field, shape[-1] * receptive_field, "Keras")


def einsum_axes(equation: str) -> tuple[list[int], list[int]] | None:
    """The kernel's axes that a sum runs over, and those that it adds to the output, of `abc,cde->abde`; None if odd."""
    inputs, comma, rest = equation.replace(" ", "").partition(",")
    kernel, arrow, output = rest.partition("->")
    if not comma or not arrow:
        return None
    summed = [i for i, axis in enumerate(kernel) if axis in inputs and axis not in output]
    added = [i for i, axis in enumerate(kernel) if axis in output and axis not in inputs]
    return (summed, added) if summed and added else None


def einsum_fans(shape: tuple[int, ...], input_axes: Iterable[int], output_axes: Iterable[int]) -> Fans | None:
    """By `compute_fans` with the axes of an EinsumDense layer; None for axes that the shape does not have."""
    try:
        return Fans(prod(shape[i] for i in input_axes), prod(shape[i] for i in output_axes), "Keras")
    except IndexError:
        return None


def torch_fans(shape: tuple[int, ...]) -> Fans | None:
    """By `torch.nn.init._calculate_fan_in_and_fan_out`; None below two axes, where torch has no rule."""
    if len(shape) < 2 or not prod(shape):
        return None
    receptive_field = prod(shape[2:])
    return Fans(shape[1] * receptive_field, shape[0] * receptive_field, "torch")
