"""The text of `wtui check`: findings, the worst first, and what they rest on. Pure; text from the file is escaped."""

from __future__ import annotations

import re
from collections import Counter
from itertools import zip_longest
from typing import TYPE_CHECKING

from wtui.insight.types import SEVERITIES
from wtui.render import numbers
from wtui.render.spans import Line, StyleName, escape, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wtui.insight.types import Finding, Severity

__all__ = ["MARKS", "count_text", "finding_lines", "summary_line"]

MARKS: dict[Severity, tuple[str, StyleName]] = {
    "error": ("✗", "error"),
    "warning": ("⚠", "warning"),
    "info": ("·", "dim"),
}
"""Sign and style of a severity; the word stands beside it, so that neither colour nor glyph is needed."""

INDENT = 4

SHOWN = 3
"""Findings of one kind that are shown."""

LOSSES = frozenset({"incomplete", "missing-blocks"})
"""Rules on what a file does not hold, so that reading all of it is not reading everything."""

_DIGITS = re.compile(r"\d[\d,.]*")


def finding_lines(findings: Sequence[Finding], width: int | None = None) -> list[Line]:
    """Each finding in two lines or more: where, what and the rule's id; then what to do, if there is something.

    Of those of one rule that differ in names and numbers only, the first few; the others are counted. What to do is
    said once where it is the same for one after the other.
    """
    lines: list[Line] = []
    alike = Counter(map(_kind, findings))
    seen: Counter[tuple[str, str]] = Counter()
    for finding, after in zip_longest(findings, findings[1:]):
        kind = _kind(finding)
        seen[kind] += 1
        if alike[kind] <= SHOWN + 1 or seen[kind] <= SHOWN:
            head = _head(finding)
            lines += wrap(head, width, INDENT) if width else [head]
        elif seen[kind] == alike[kind]:
            rest = f"and {alike[kind] - SHOWN:,} more like it  [{finding.rule}]"
            lines.append([(" " * INDENT, ""), (rest, "dim")])
        if finding.advice and (after is None or (after.rule, after.advice) != (finding.rule, finding.advice)):
            advice: Line = [(" " * INDENT, ""), (finding.advice, "dim")]
            lines += wrap(advice, width, INDENT) if width else [advice]
    return lines


def _head(finding: Finding) -> Line:
    """Severity, place, message and rule."""
    mark, style = MARKS[finding.severity]
    where = escape(finding.tensor or finding.layer)
    head: Line = [(f"{mark} {finding.severity}", style), ("  ", "")]
    head += [(where, "name"), ("  ", "")] if where else []
    return [*head, (escape(finding.message), ""), (f"  [{finding.rule}]", "dim")]


def _kind(finding: Finding) -> tuple[str, str]:
    return finding.rule, _DIGITS.sub("#", finding.message)


def count_text(findings: Sequence[Finding]) -> str:
    """`1 error, 2 warnings, 3 infos`; `no findings`."""
    counts = [(s, sum(f.severity == s for f in findings)) for s in SEVERITIES]
    named = [f"{n} {severity}{'s' if n != 1 else ''}" for severity, n in counts if n]
    return ", ".join(named) if named else "no findings"


def summary_line(findings: Sequence[Finding], read: float, complete: bool, size: int) -> Line:
    """How many findings there are, and how much of the model's bytes they rest on."""
    if complete:
        lost = any(f.rule in LOSSES for f in findings)
        extent = f"everything {'that is there ' if lost else ''}was read ({numbers.size(size)})"
    elif read >= 1:
        extent = "all that can be read was read, which is not everything, or not everything could be judged"
    else:
        extent = f"{100 * read:.3g} % of {numbers.size(size)} was read"
    return [(count_text(findings), "bold"), (f"; {extent}", "")]
