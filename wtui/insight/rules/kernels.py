"""Rules on the values of a kernel as a whole: all equal, few different ones, many zeros, saturated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from wtui.codecs import LOSSLESS
from wtui.insight.case import Case, Rule, finding, is_constant
from wtui.model import DTYPE_BITS

if TYPE_CHECKING:
    from wtui.insight.types import Finding, Severity

__all__ = ["RULES"]

MIN_CONSTANT = 4
"""Values from which equal ones are no coincidence."""

SPARSE = 0.2
"""Share of exact zeros that is worth a word: training leaves none, unless it is kept from going below zero."""

SPARSE_QUANTISED = 0.45
"""The same of quantised kernels: 4 bits round a quarter of a bell's values to 0."""

MIN_SPARSE = 256
"""Values from which a share says something."""

FEW = 256
"""Different values that 8 bits can tell apart."""

REPEATED = 16
"""How often each must occur on average: float32 values of a trained kernel hardly ever repeat, those of bfloat16 do
about n / 10,000 times."""

SATURATED = 0.05
"""Share of quantised values at the ends of their range, besides the one that a scale from a channel's largest value
puts there (two, with a zero point)."""


def zero(case: Case) -> Iterator[Finding]:
    """Kernels of nothing but zeros."""
    for subject, row in case.known("kernel", "embedding"):
        if row.total < MIN_CONSTANT or not is_constant(row, 0.0):
            continue
        verdict = case.verdict(subject)
        meant = verdict is not None and verdict.expected is not None and verdict.expected.how == "recorded"
        meant = meant and verdict is not None and verdict.state == "initial"
        severity: Severity = "info" if meant or subject.frozen else "error"
        text = f"all {row.total:,} weights are 0: nothing comes out of it"
        text += ", as its recorded initialiser makes it" if meant else ""
        yield finding(severity, "zero-kernel", subject, text, {"count": row.total}, "the layer adds nothing as it is")


def constant(case: Case) -> Iterator[Finding]:
    """Kernels of one value."""
    for subject, row in case.known("kernel", "embedding"):
        if row.total < MIN_CONSTANT or not is_constant(row) or row.min == 0:
            continue
        state, frozen = case.state(subject), subject.frozen
        severity: Severity = "info" if frozen or state == "initial" else "warning"
        text = f"all {row.total:,} weights are {float(row.min):.4g}: every unit computes the same"
        yield finding(severity, "constant-kernel", subject, text, {"value": float(row.min), "count": row.total})


def sparse(case: Case) -> Iterator[Finding]:
    """Kernels with many exact zeros, and their pattern."""
    for subject, row in case.known("kernel"):
        share = row.zeros / row.seen
        least = SPARSE if subject.tensor.encoding in LOSSLESS else SPARSE_QUANTISED
        if row.seen < MIN_SPARSE or share < least or row.zeros == row.seen:
            continue
        how = "cut off there, none is below" if row.min == 0 else "pruned"
        text = f"{100 * share:.3g} % of its weights are exactly 0: {how}"
        numbers = {"zeros": row.zeros, "count": row.seen}
        channels = case.extra.channels.get(subject.number)
        if channels is not None and channels.of:
            text += f", at most {channels.kept} of every {channels.of} inputs kept ({channels.kept}:{channels.of})"
            numbers |= {"kept": channels.kept, "of": channels.of, "groups": channels.groups}
        if channels is not None and channels.dead:
            text += f"; {channels.dead:,} of {channels.channels:,} channels as a whole"
        yield finding("info", "sparse", subject, text, numbers)


def few_values(case: Case) -> Iterator[Finding]:
    """Floating-point kernels with a small set of values: clustered, or quantised and widened again."""
    for subject, row in case.known("kernel", "embedding"):
        n = row.distinct
        wide = "float" in subject.tensor.dtype and DTYPE_BITS.get(subject.tensor.dtype, 0) > 8
        if n is None or n < 2 or n > FEW or not wide or row.finite < REPEATED * n:
            continue
        bits = max(1, (n - 1).bit_length())
        text = f"only {n} different values in {row.finite:,}: clustered or quantised, {bits} bits would hold them"
        yield finding("info", "few-values", subject, text, {"distinct": n, "count": row.finite})


def saturated(case: Case) -> Iterator[Finding]:
    """Quantised values piled up at the ends of their range."""
    for subject, row in case.known("kernel", "embedding"):
        verdict, channels = case.verdict(subject), case.extra.channels.get(subject.number)
        if subject.tensor.dtype not in ("int8", "uint8"):
            continue  # with a dozen different values a good quantiser uses the outermost ones often
        at_limits = max(verdict.at_limits if verdict else 0, channels.at_limits if channels else 0)
        ends = (1 if subject.tensor.dtype == "int8" else 2) * (channels.channels if channels else 0)
        if at_limits <= ends + SATURATED * row.seen:
            continue
        share = at_limits / row.seen
        text = (
            f"{100 * share:.3g} % of the values are at the ends of {subject.tensor.dtype}: cut off by too small a scale"
        )
        numbers = {"at_limits": at_limits, "count": row.seen}
        yield finding("warning", "saturated", subject, text, numbers, "quantise again with a larger scale")


def bad_scale(case: Case) -> Iterator[Finding]:
    """Scales of quantised tensors that make zeros or change signs."""
    for subject, row in case.known("quantisation scale"):
        if not row.finite or row.min > 0:
            continue
        if row.zeros:
            some, it = (f"{row.zeros:,} scales", "they scale") if row.zeros > 1 else ("1 scale", "it scales")
            text = f"{some} of {row.seen:,} {'are' if row.zeros > 1 else 'is'} 0: what {it} is lost"
            advice = "was the channel all 0 before? Else quantise again"
            yield finding("error", "bad-scale", subject, text, {"zeros": row.zeros, "count": row.seen}, advice)
        elif row.min < 0:
            text = f"a scale is negative ({float(row.min):.4g})"
            advice = "it turns the sign of all that it scales: quantise again, unless that was meant"
            yield finding("warning", "bad-scale", subject, text, {"min": float(row.min)}, advice)


RULES = (
    Rule("zero-kernel", "error", "kernels of zeros", "all values; info where that is the recorded initialiser", zero),
    Rule("constant-kernel", "warning", "kernels of one value", "all values equal and not 0", constant),
    Rule("bad-scale", "error", "scales of quantised tensors that are 0 or negative", "a single one", bad_scale),
    Rule(
        "saturated", "warning", "quantised values at the ends of their range",
        f"more than {SATURATED:.0%} of 8-bit values, besides the one of each channel (two of uint8) that a scale from "
        "its largest value puts there", saturated,
    ),
    Rule(
        "sparse", "info", "pruned kernels, and N:M patterns",
        f"at least {SPARSE:.0%} exact zeros among {MIN_SPARSE} weights or more; free training leaves none; "
        f"{SPARSE_QUANTISED:.0%} of quantised weights, since rounding makes zeros. N:M: no group of M = 2, 4, 8 or 16 "
        "neighbouring inputs keeps more than N, where zeros at random places would break that 20 times or more", sparse,
        "pruned models, and kernels that are kept from going below 0",
    ),
    Rule(
        "few-values", "info", "clustered or quantised values in a floating-point tensor",
        f"at most {FEW} different values, each {REPEATED} times on average", few_values,
    ),
)  # fmt: skip
