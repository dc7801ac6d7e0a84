"""The rules of health: one function a rule, thresholds as named constants with their reasons, all listed in RULES.

A rule sees a `Case` and yields findings. Messages are plain sentences; evidence is plain numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.insight.rules import blocks, channels, completeness, kernels, norms, rank, training, values, whole

if TYPE_CHECKING:
    from wtui.insight.case import Rule

__all__ = ["RULES"]

RULES: tuple[Rule, ...] = (
    *completeness.RULES,
    *values.RULES,
    *kernels.RULES,
    *norms.RULES,
    *training.RULES,
    *channels.RULES,
    *rank.RULES,
    *blocks.RULES,
    *whole.RULES,
)
"""All rules; of findings of one severity, those of an earlier rule come first."""
