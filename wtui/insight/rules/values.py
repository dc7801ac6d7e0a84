"""Rules on single values: not finite, far too large, too small for the dtype."""

from __future__ import annotations

from collections.abc import Iterator
from math import hypot
from typing import TYPE_CHECKING

from wtui.insight.case import Case, Rule, finding
from wtui.stats.row import QUANTILES

if TYPE_CHECKING:
    from wtui.insight.chart import Subject
    from wtui.insight.types import Finding, Severity
    from wtui.stats.row import At, SummaryRow

__all__ = ["RULES"]

FLOAT16_MAX = 65504.0
"""The largest number of float16."""

AT_5, AT_95 = QUANTILES.index(0.05), QUANTILES.index(0.95)
"""Places of two quantiles in a row."""

NORMAL_95 = 1.6449
"""The 95 % quantile of a standard normal."""

MAX_GAIN = 200.0
"""Typical weight x sqrt(fan_in), how much a layer multiplies its input; initialisers give about 1, and the largest in
the trained models that were measured (see the labelled bench) is 97."""

HOPELESS_GAIN = 10_000.0
"""A gain that no following layer can undo in float32 over a few layers."""

HUGE = 1e6
"""A weight beyond this, or a bias, is a million times a usual one."""

STRAY = 1000.0
"""How many times the 99.9 % quantile of |x| a largest value may be: outliers of language models reach 100 times, a
flipped exponent bit 10^38 times."""

MIN_FOR_STRAY = 10_000
"""Values from which the 99.9 % quantile says something of the others."""

NAN_ADVICE = "use a checkpoint from before; a learning rate or a loss scale that was too high is the usual cause"
QUANTISE_AGAIN = "quantise again: whatever is multiplied with it becomes NaN"

MANY_DENORMAL = 0.1
"""Share of values below the smallest normal number of the dtype from which lost precision matters."""


def _place(at: At | None) -> str:
    return f", the first at {list(at.index)}" if at is not None else ""


def _severity(subject: Subject) -> Severity:
    return "error" if subject.tensor.group in ("model", "quantisation") else "warning"


def not_a_number(case: Case) -> Iterator[Finding]:
    """NaN anywhere."""
    for index, row in case.rows.items():
        subject = case.chart.subjects.get(index)
        if row.nan and subject is not None:
            some = "every value is" if row.nan == row.seen else f"{row.nan:,} of {row.seen:,} values are"
            scales = subject.tensor.group == "quantisation"
            advice = QUANTISE_AGAIN if scales else NAN_ADVICE
            numbers = {"nan": row.nan, "count": row.seen}
            yield finding(_severity(subject), "nan", subject, f"{some} NaN{_place(row.nan_at)}", numbers, advice)


def infinite(case: Case) -> Iterator[Finding]:
    """Infinities anywhere."""
    for index, row in case.rows.items():
        subject, count = case.chart.subjects.get(index), row.posinf + row.neginf
        if count and subject is not None:
            text = f"{count:,} of {row.seen:,} values are infinite{_place(row.inf_at)}"
            advice = "an overflow in training, or in a conversion to a narrower dtype"
            numbers = {"posinf": row.posinf, "neginf": row.neginf, "count": row.seen}
            yield finding(_severity(subject), "inf", subject, text, numbers, advice)


def exploded(case: Case) -> Iterator[Finding]:
    """Kernels that amplify without bounds, and huge weights."""
    for subject, row in case.known("kernel", "embedding", "bias", "scale", "shift"):
        if "float" not in subject.tensor.dtype or not row.finite:
            continue
        largest, typical = _largest(row), _typical(row)
        gain = case.chart.gain(subject, typical) if subject.part == "kernel" else 0.0
        if not (gain > MAX_GAIN or largest > HUGE):
            continue
        severity: Severity = "error" if gain > HOPELESS_GAIN or largest > HUGE else "warning"
        text = f"the largest weight is {largest:.4g}"
        if gain > MAX_GAIN:
            text = f"it multiplies its input about {gain:,.0f} times (typical weight {typical:.4g} x √fan_in); {text}"
        numbers = {"gain": gain, "typical": typical, "largest": largest}
        advice = "training has diverged, or the tensor is not what its name says"
        yield finding(severity, "exploded", subject, text, numbers, advice)


def stray(case: Case) -> Iterator[Finding]:
    """A value that is out of all proportion to the others: a flipped bit, a broken file."""
    for subject, row in case.known("kernel", "embedding"):
        if row.finite < MIN_FOR_STRAY:
            continue
        usual, largest = max(abs(row.quantiles[0]), abs(row.quantiles[-1])), _largest(row)
        if usual > 0 and largest > STRAY * usual:
            at = row.max_at if abs(row.max) >= abs(row.min) else row.min_at
            where = f" at {list(at.index)}" if at is not None else ""
            text = f"the value {largest:.4g}{where} is {largest / usual:,.0f} times the 99.9 % quantile"
            numbers = {"largest": largest, "quantile": usual}
            advice = "a damaged file or a flipped bit: compare the file with its source"
            yield finding("warning", "stray-value", subject, text, numbers, advice)


def half_range(case: Case) -> Iterator[Finding]:
    """Values at or beyond the range of float16."""
    for subject, row in case.known("kernel", "embedding", "bias", "scale", "shift"):
        largest = _largest(row)
        if subject.tensor.dtype == "float16" and largest == FLOAT16_MAX:
            text = "its largest value, 65504, is the largest that float16 holds: it was cut off there"
            advice = "convert it again, to bfloat16 or float32"
            yield finding("warning", "float16-range", subject, text, {"largest": largest}, advice)
        elif FLOAT16_MAX < largest <= HUGE:
            text = f"its largest value, {largest:.4g}, does not fit float16"
            yield finding(
                "info", "float16-range", subject, text, {"largest": largest}, "keep it in bfloat16 or float32"
            )


def denormal(case: Case) -> Iterator[Finding]:
    """Values that the dtype holds with less than its precision."""
    for subject, row in case.known("kernel", "embedding"):
        verdict = case.verdict(subject)
        count = verdict.denormal if verdict else 0
        if count and row.seen and count > MANY_DENORMAL * row.seen:
            dtype = subject.tensor.dtype
            text = f"{count:,} of {row.seen:,} values are below the smallest normal number of {dtype}"
            advice = "scale the tensor, or keep it in a dtype with a wider range"
            severity: Severity = "warning" if dtype == "float16" else "info"
            yield finding(severity, "denormal", subject, text, {"denormal": count, "count": row.seen}, advice)


def _typical(row: SummaryRow) -> float:
    """The root mean square that a normal distribution with the same 5 % and 95 % quantiles would have.

    One stray value does not show in it.
    """
    low, high = row.quantiles[AT_5], row.quantiles[AT_95]
    return hypot((high - low) / (2 * NORMAL_95), (high + low) / 2)


def _largest(row: SummaryRow) -> float:
    return max(abs(float(row.min)), abs(float(row.max))) if row.finite else 0.0


RULES = (
    Rule("nan", "error", "NaN values", "a single one: it spreads to every output", not_a_number),
    Rule("inf", "error", "infinite values", "a single one: it becomes NaN in the next sum", infinite),
    Rule(
        "exploded", "error", "kernels that amplify without bounds, huge weights",
        f"typical weight x √fan_in above {MAX_GAIN:g} is a warning, above {HOPELESS_GAIN:g} or |w| above {HUGE:g} an "
        "error; initialisers give about 1", exploded,
    ),
    Rule(
        "stray-value", "warning", "a value out of all proportion",
        f"more than {STRAY:g} times the 99.9 % quantile of at least {MIN_FOR_STRAY:,} values; outliers of language "
        "models reach 100 times", stray,
    ),
    Rule("float16-range", "warning", "values cut off at, or beyond, the range of float16", "65504", half_range),
    Rule(
        "denormal", "warning", "values too small for the precision of their dtype",
        f"more than {MANY_DENORMAL:.0%} below the smallest normal number; a warning for float16 alone", denormal,
    ),
)  # fmt: skip
