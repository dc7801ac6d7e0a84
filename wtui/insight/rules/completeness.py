"""Rules on what is there at all: what the catalogue's notices and failed reads say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from wtui.insight.case import Case, Rule, finding
from wtui.insight.types import Finding

if TYPE_CHECKING:
    from wtui.insight.types import Severity

__all__ = ["RULES"]


def unreadable(case: Case) -> Iterator[Finding]:
    """Tensors whose values cannot be read."""
    tensors = case.chart.catalogue.tensors
    problems = {i: t.problem for i, t in enumerate(tensors) if t.problem} | dict(case.extra.failures)
    for index, problem in sorted(problems.items()):
        subject = case.chart.subjects.get(index)
        if subject is not None:
            severity: Severity = "error" if subject.tensor.group in ("model", "quantisation") else "warning"
            yield finding(severity, "unreadable", subject, f"cannot be read: {problem}", {"count": subject.tensor.size})


def incomplete(case: Case) -> Iterator[Finding]:
    """What the reader of the format found missing, damaged or worth telling."""
    catalogue = case.chart.catalogue
    problems = {(t.name, t.problem) for t in catalogue.tensors if t.problem}
    told = [n for n in catalogue.warnings if (n.tensor, n.message) not in problems]
    layers = {t.name: t.layer for t in catalogue.tensors} if any(n.tensor for n in told) else {}
    absent: dict[str, list[str]] = {}
    for notice in told:
        if notice.lost and notice.tensor and notice.tensor not in layers:
            absent.setdefault(notice.message, []).append(notice.tensor)
    for message, names in absent.items():
        more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
        yield Finding("error", "incomplete", "", "", f"{names[0]}{more}: {message}", {"tensors": len(names)})
    for notice in told:
        if notice.lost and notice.tensor and notice.tensor not in layers:
            continue
        layer = layers.get(notice.tensor, "")
        lost = notice.lost or notice.explains
        severity: Severity = "error" if lost else "info"
        rule = "incomplete" if lost else "notice"
        yield Finding(severity, rule, layer, notice.tensor, notice.message, {})


RULES = (
    Rule("unreadable", "error", "tensors whose values cannot be read", "a single one", unreadable),
    Rule(
        "incomplete", "error", "weights that should be there and are not", "what the file's own index names", incomplete
    ),
)
"""`incomplete` also passes on other notices of a format's reader, under the id `notice`, as info."""
