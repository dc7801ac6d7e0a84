"""What a panel reads out about a tensor or a model: sentences with a hint of style, the most important first. Pure.

Standard library only; the drawing process calls it with what its scan process sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from wtui.insight.types import Finding, Reading, Style, Verdict

if TYPE_CHECKING:
    from wtui.insight.references import Reference, References
    from wtui.model import LayerNode, TensorEntry
    from wtui.stats.row import SummaryRow

__all__ = ["Context", "model_reading", "reading_of", "tensor_reading"]

MARKS: dict[str, Style] = {"error": "error", "warning": "warning", "info": "plain"}


class Context(NamedTuple):
    """What is known beside a tensor's own numbers."""

    verdict: Verdict | None = None
    findings: Sequence[Finding] = ()
    """Those about this tensor."""
    references: References | None = None
    number: int = -1
    """The tensor's index in its catalogue."""
    trained: bool = True
    """Whether the model as a whole was trained: then a kernel as initialised is remarkable."""


def tensor_reading(tensor: TensorEntry, layer: LayerNode, row: SummaryRow | None, context: Context) -> list[Reading]:
    """Its findings and what to do, what its values say of its history, fans and scale, how it stands beside others."""
    lines = []
    for finding, after in zip_longest(context.findings, context.findings[1:]):
        lines.append(reading_of(finding))
        if finding.advice and (after is None or after.advice != finding.advice):
            lines.append(Reading("dim", finding.advice))
    if tensor.size == 0:
        return [*lines, Reading("dim", "it has no values: one of its axes is 0")]
    verdict = context.verdict
    told = {finding.message for finding in context.findings}
    if verdict is not None and verdict.state != "none" and verdict.sentence not in told:
        lines.append(Reading(_style(verdict, context.trained), verdict.sentence))
    if verdict is not None and verdict.fans is not None:
        lines.append(Reading("dim", _scale_line(verdict, row)))
    if context.references is not None and row is not None and row.finite:
        found = context.references.of(context.number, tensor, layer)
        lines += [_reference_line(r, context.references, tensor, row) for r in found]
    return lines


def model_reading(findings: Sequence[Finding], read: float, most: int = 8) -> list[Reading]:
    """The findings of a model, at most `most`, the rest counted; never "healthy" for what was not read.

    `read` is the share of bytes that were.
    """
    lines = [reading_of(finding, with_tensor=True) for finding in findings[:most]]
    if len(findings) > most:
        lines.append(Reading("dim", f"and {len(findings) - most:,} more findings"))
    if not any(f.severity != "info" for f in findings):
        whole = "nothing broken was found" if read >= 1 else f"nothing broken in the {_percent(read)} read"
        lines.append(Reading("good" if read >= 1 else "plain", whole))
    return lines


def reading_of(finding: Finding, *, with_tensor: bool = False) -> Reading:
    """A finding as a sentence."""
    where = finding.tensor or finding.layer
    text = f"{where}: {finding.message}" if with_tensor and where else finding.message
    return Reading(MARKS[finding.severity], text)


def _style(verdict: Verdict, trained: bool) -> Style:
    if verdict.state == "initial" and verdict.shape != "constant":
        return "warning" if trained else "plain"
    return "plain" if verdict.state != "moved" else "good" if verdict.shape != "constant" else "plain"


def _scale_line(verdict: Verdict, row: SummaryRow | None) -> str:
    """`fan_in 4,608 · fan_out 4,608 · glorot_uniform would be std 0.0147, limit ±0.0255`."""
    fans = verdict.fans
    parts = [f"fan_in {fans.fan_in:,}", f"fan_out {fans.fan_out:,} ({fans.rule}'s rule)"] if fans else []
    numbers = dict(verdict.evidence)
    if verdict.expected is not None and "initial_std" in numbers:
        limit = numbers.get("limit", float("inf"))
        bound = f", limit ±{limit:.4g}" if limit < float("inf") else ""
        parts.append(f"{verdict.expected.name}: std {numbers['initial_std']:.4g}{bound}")
    if "ks" in numbers:
        parts.append(f"Kolmogorov-Smirnov distance from it {numbers['ks']:.2g}")
    if row is not None and row.finite:
        parts.append(f"measured: std {row.std:.4g}, {float(row.min):.4g} to {float(row.max):.4g}")
    return " · ".join(parts)


def _reference_line(reference: Reference, references: References, tensor: TensorEntry, row: SummaryRow) -> Reading:
    who = f"{reference.model} {reference.state}"
    if reference.same:
        text = f"{who}, this tensor: std {reference.std:.4g}, mean {reference.mean:.4g}, "
        return Reading("dim", text + f"{reference.min:.4g} to {reference.max:.4g}")
    here = references.gain(tensor, row.std)
    text = f"like {reference.name} of {who} (same window and depth): "
    return Reading("dim", text + f"std x √fan_in is {reference.gain:.3g} there, {here:.3g} here")


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
