"""The rules of health: one function a rule, thresholds as named constants with their reasons, all listed in RULES.

A rule sees a `Case` and yields findings. Messages are plain sentences; evidence is plain numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.insight.rules import blocks, channels, completeness, kernels, norms, training, values, whole

if TYPE_CHECKING:
    from wtui.insight.case import Rule

__all__ = ["RULES", "table"]

RULES: tuple[Rule, ...] = (
    *completeness.RULES,
    *values.RULES,
    *kernels.RULES,
    *norms.RULES,
    *training.RULES,
    *channels.RULES,
    *blocks.RULES,
    *whole.RULES,
)
"""All rules; of findings of one severity, those of an earlier rule come first."""


def table() -> str:
    """The rules as a Markdown table, for the documentation."""
    lines = ["| rule | worst | what it finds | where the line is, and why |", "|---|---|---|---|"]
    lines += [f"| `{r.id}` | {r.severity} | {r.what} | {r.threshold} |" for r in RULES]
    return "\n".join(lines) + "\n"
