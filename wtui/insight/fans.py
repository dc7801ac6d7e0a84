"""fan_in and fan_out of a kernel, by the rule of the framework that initialised it.

The rules are the frameworks' own, also where they are odd: Keras takes the last two axes of any kernel as in and out,
so a depthwise kernel has the fan_in of all channels, and an attention kernel (in, heads, size) that of in x heads.
Knows shapes, no values. Standard library only.
"""

from __future__ import annotations

from math import prod

from wtui.insight.types import Fans

__all__ = ["keras_fans", "torch_fans"]


def keras_fans(shape: tuple[int, ...]) -> Fans | None:
    """By `keras.initializers.compute_fans`; None for a scalar or a tensor without values."""
    if not shape or not prod(shape):
        return None
    if len(shape) == 1:
        return Fans(shape[0], shape[0], "Keras")
    receptive_field = prod(shape[:-2])
    return Fans(shape[-2] * receptive_field, shape[-1] * receptive_field, "Keras")


def torch_fans(shape: tuple[int, ...]) -> Fans | None:
    """By `torch.nn.init._calculate_fan_in_and_fan_out`; None below two axes, where torch has no rule."""
    if len(shape) < 2 or not prod(shape):
        return None
    receptive_field = prod(shape[2:])
    return Fans(shape[1] * receptive_field, shape[0] * receptive_field, "torch")
