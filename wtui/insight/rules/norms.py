"""Rules on norms: impossible or stale statistics, channels that are switched off, scales that are stuck."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from wtui.insight.case import Case, Rule, finding, is_constant

if TYPE_CHECKING:
    from wtui.insight.chart import Unit
    from wtui.insight.types import Finding, Severity

__all__ = ["RULES"]

MANY_OFF = 0.5
"""Share of a norm's channels with a scale of nothing from which most of the layer before it is wasted; a few such
channels are left by weight decay in any large network."""

MOST = 0.5
"""Share of a model's norms that must have moved for the others to be stuck; below it, not training them was meant."""


def negative_variance(case: Case) -> Iterator[Finding]:
    """Moving variances below zero, of which the square root is NaN."""
    for subject, row in case.known("variance"):
        if row.finite and row.min < 0:
            where = f" at {list(row.min_at.index)}" if row.min_at else ""
            text = f"a moving variance is negative: {float(row.min):.4g}{where}"
            advice = "no training makes one: the file is damaged, or was edited or averaged wrongly"
            yield finding("error", "negative-variance", subject, text, {"min": float(row.min)}, advice)


def no_variance(case: Case) -> Iterator[Finding]:
    """Moving variances that are all zero."""
    for subject, row in case.known("variance"):
        if is_constant(row, 0.0) and row.total > 1:
            text = "all moving variances are 0: every input is divided by the root of epsilon alone"
            yield finding("warning", "zero-variance", subject, text, {"count": row.total})


def stale(case: Case) -> Iterator[Finding]:
    """Moving statistics that were never updated in a trained model."""
    if not case.trained:
        return
    for unit in case.chart.units:
        mean, variance = unit.part("mean"), unit.part("variance")
        if mean is None or variance is None:
            continue
        rows = case.rows.get(mean.number), case.rows.get(variance.number)
        if rows[0] is None or rows[1] is None or not (is_constant(rows[0], 0.0) and is_constant(rows[1], 1.0)):
            continue
        text = "its moving statistics are those of initialisation, mean 0 and variance 1, in a trained model"
        advice = "run it in training mode over some data, or load the statistics that belong to its weights"
        yield finding("warning", "stale-statistics", variance, text, {"channels": rows[1].total}, advice)


def stuck(case: Case) -> Iterator[Finding]:
    """Norms at exactly 1 and 0 where the model's other norms were trained."""
    if not case.trained:
        return
    units = [u for u in case.chart.units if _is_trained_norm(u) and case.rows.get(_scale(u))]
    still = [u for u in units if _is_stuck(case, u)]
    if not still or len(still) > (1 - MOST) * len(units):
        return
    for unit in still:
        scale = unit.part("scale")
        if scale is not None:
            text = f"its scale is exactly 1 in every channel, {len(units) - len(still)} other norms were trained"
            numbers = {"stuck": len(still), "norms": len(units)}
            yield finding("warning", "norm-stuck", scale, text, numbers, "was the layer left out of training, or new?")


def switched_off(case: Case) -> Iterator[Finding]:
    """Channels that a norm's scale of nothing switches off."""
    for subject, row in case.known("scale"):
        verdict = case.verdict(subject)
        off = verdict.negligible if verdict and verdict.negligible else row.zeros
        if not off or row.total < 2:
            continue
        if is_constant(row, 0.0):
            text = (
                "its scale is 0 in every channel: the branch before it adds nothing (a usual start for residual blocks)"
            )
            yield finding("info", "norm-off", subject, text, {"channels": row.total})
            continue
        severity: Severity = "warning" if off >= MANY_OFF * row.total else "info"
        text = f"{off:,} of {row.total:,} channels have a scale of next to nothing: what comes before is wasted there"
        yield finding(severity, "norm-off", subject, text, {"off": off, "channels": row.total})


def _is_trained_norm(unit: Unit) -> bool:
    scale = unit.part("scale")
    return scale is not None and not scale.frozen


def _scale(unit: Unit) -> int:
    scale = unit.part("scale")
    return scale.number if scale is not None else -1


def _is_stuck(case: Case, unit: Unit) -> bool:
    """Whether scale and shift, as far as there is one, are exactly as initialised."""
    for part, value in (("scale", 1.0), ("shift", 0.0)):
        subject = unit.part(part)  # type: ignore[arg-type]
        row = case.rows.get(subject.number) if subject is not None else None
        if subject is not None and (row is None or not is_constant(row, value)):
            return False
    return True


RULES = (
    Rule("negative-variance", "error", "negative moving variances", "a single one: its root is NaN", negative_variance),
    Rule("zero-variance", "warning", "moving variances that are all 0", "all channels", no_variance),
    Rule(
        "stale-statistics", "warning", "moving statistics never updated in a trained model",
        "all means exactly 0 and all variances exactly 1", stale,
    ),
    Rule(
        "norm-stuck", "warning", "norms never trained in a trained model",
        f"scale exactly 1 and shift exactly 0, while at least {MOST:.0%} of the model's norms moved", stuck,
        "models whose norms are not trained at all",
    ),
    Rule(
        "norm-off", "warning", "channels that a norm switches off",
        f"|scale| below a thousandth of its mean; a warning from {MANY_OFF:.0%} of the channels on", switched_off,
        "weight decay leaves some; residual branches and last norms often start at 0, which is info",
    ),
)  # fmt: skip
