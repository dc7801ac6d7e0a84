"""The sentences of verdicts: plain, short, and never more than the numbers carry. Knows no statistics of its own."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wtui.insight.types import Initial, State
    from wtui.model import TensorEntry
    from wtui.stats.summary import Summary

__all__ = ["constant", "exactly", "fits", "moved", "number", "shape_only", "too_few"]


def number(x: float) -> str:
    """Four significant digits."""
    return f"{x:.4g}"


def share(part: float) -> str:
    """`22 %`, `0.3 %`; never finer than a hundredth of a percent."""
    return f"{100 * max(part, 1e-4):.2g} %"


def spread(initial: Initial) -> str:
    """`limit ±0.0255`, `std 0.02`."""
    if initial.kind == "uniform":
        if initial.centre:
            return f"{number(initial.centre - initial.scale)} to {number(initial.centre + initial.scale)}"
        return f"limit ±{number(initial.scale)}"
    if initial.kind == "truncated":
        return f"limit ±{number(2 * initial.scale)}"
    return f"std {number(initial.scale)}" if initial.kind == "normal" else ""


def named(initial: Initial) -> str:
    """`glorot_uniform (limit ±0.0255)`."""
    detail = spread(initial)
    return f"{initial.name} ({detail})" if detail else initial.name


def shape_only(summary: Summary, shape: str, reason: str) -> str:
    """Where nothing can be said of an initialiser."""
    if summary.finite == 1:
        return f"a single value, {number(float(summary.min))}; {reason}"
    if shape == "constant":
        return f"all values are {number(float(summary.min))}; {reason}"
    return f"{shape or 'few values'}; {reason}"


def too_few(summary: Summary) -> str:
    """Where nothing can be compared."""
    n = summary.finite
    return f"cannot tell: {n} {'value is' if n == 1 else 'values are'} too few to compare with an initialiser"


def constant(summary: Summary, expected: Initial) -> str:
    """All values equal, and not what the initialiser makes."""
    return f"all values are {number(float(summary.min))}, which {named(expected)} does not make"


def exactly(one: Initial, expected: Initial, state: State) -> str:
    """Every value is what an exact initialiser makes it."""
    if state == "open":
        return "cannot tell: it has the norm of an orthogonal matrix, or of channels that training keeps at norm 1"
    other = f", not the recorded {expected.name}" if expected.how == "recorded" and one is not expected else ""
    return f"exactly as initialised: {one.name}{other}"


def fits(summary: Summary, names: Sequence[str], first: Initial, expected: Initial, finest: float, state: State) -> str:
    """The values fit one or more initialisers."""
    which = named(first) if len(names) == 1 else " or ".join(names)
    other = f", not from the recorded {expected.name}" if expected.how == "recorded" and first is not expected else ""
    if state == "initial":
        return (
            f"indistinguishable from {which}{other}: never trained (a change of {share(finest)} of its std would show)"
        )
    if summary.seen < summary.total:
        return f"the part that was read fits {which}{other}"
    return (
        f"cannot tell: it fits {which}{other}, but changing it by less than {share(finest)} of its std would not show"
    )


def moved(summary: Summary, expected: Initial, shape: str, tensor: TensorEntry) -> str:
    """The values fit no initialiser."""
    now = shape_words(summary, shape)
    before = _initial_std(expected, tensor)
    if expected.how == "unknown":
        beside = f" (that of {expected.name} is {number(before)})" if before else ""
        return (
            f"fits none of the usual initialisers: trained, or made otherwise; std {number(summary.std)}{beside}, {now}"
        )
    start = (
        f"started as {named(expected)}" if expected.how == "recorded" else f"moved from its class's {named(expected)}"
    )
    if expected.how == "recorded":
        start += ", moved"
    if expected.kind in ("constant", "forget"):
        return f"{start}: mean {number(summary.mean)}, std {number(summary.std)}"
    return f"{start}: std {number(before)} → {number(summary.std)}, {now}"


def shape_words(summary: Summary, shape: str) -> str:
    """`now heavy-tailed (excess kurtosis 12)`."""
    if shape in ("heavy-tailed", "bell-shaped"):
        return f"now {shape} (excess kurtosis {summary.kurtosis:.2g})"
    if shape == "skewed":
        return f"now skewed (skewness {summary.skewness:.2g})"
    return f"now {shape}" if shape else "too few values for a shape"


def _initial_std(expected: Initial, tensor: TensorEntry) -> float:
    if expected.kind == "uniform":
        return expected.scale / sqrt(3)
    if expected.kind == "truncated":
        return expected.scale * 0.87962566103423978
    if expected.kind == "orthogonal" and len(tensor.shape) > 1:
        from wtui.insight.exact import orthogonal_sums

        size = min(orthogonal_sums(tensor.shape), default=0)
        return expected.scale * sqrt(size / tensor.size) if tensor.size else 0.0
    return expected.scale
