"""Findings in the tree: which subjects they are about, which sign each gets, and how to walk from one to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wtui.insight.types import Finding
    from wtui.render.spans import StyleName
    from wtui.tui.outline import Outline, Subject

__all__ = ["SIGNS", "marks_of", "next_finding", "subject_of"]

SIGNS: dict[str, tuple[str, StyleName]] = {"error": ("✗", "error"), "warning": ("⚠", "warning")}
"""The sign behind a name, for the worst finding about it or about what is in it; an info has none."""


def subject_of(finding: Finding, outline: Outline) -> Subject:
    """The tensor or layer that a finding is about; the root where it names none."""
    if finding.tensor:
        try:
            return outline.catalogue.index(finding.tensor)
        except LookupError:
            return -1
    return outline.subject_at(finding.layer)


def marks_of(findings: Sequence[Finding], outline: Outline) -> dict[Subject, tuple[str, StyleName]]:
    """A sign for every subject of a finding and for the layers around it, the worst one where there are several."""
    marks: dict[Subject, tuple[str, StyleName]] = {}
    for severity in ("warning", "error"):
        for finding in findings:
            if finding.severity == severity:
                at: Subject | None = subject_of(finding, outline)
                while at is not None:
                    marks[at] = SIGNS[severity]
                    at = outline.parent(at)
    return marks


def next_finding(findings: Sequence[Finding], outline: Outline, here: Subject, step: int) -> Finding | None:
    """The finding behind (1) or before (-1) the one about `here`, in their own order, around the ends."""
    if not findings:
        return None
    places = [i for i, f in enumerate(findings) if subject_of(f, outline) == here]
    if not places:
        return findings[0 if step > 0 else -1]
    return findings[((places[-1] if step > 0 else places[0]) + step) % len(findings)]
