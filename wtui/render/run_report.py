"""The text of `wtui check RUN/`: the last good checkpoint first, since when the run is broken, findings. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.render import numbers
from wtui.render.findings import MARKS, count_text, finding_lines
from wtui.render.spans import Line, StyleName, escape, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wtui.insight.types import Finding

__all__ = ["VALIDATION", "closer_lines", "headline", "note_lines"]

VALIDATION = "validation figures say which model is better, weights do not"


def headline(path: str | None, words: str, fault: str, best: tuple[str, float, str, str] | None) -> list[Line]:
    """The last good checkpoint in one line, the first fault in another; `best`: figure, value, whose, where it is from.

    `words` are those of the verdict, which begin with `last good:` where there is one.
    """
    style: StyleName = "good" if path is not None else "error"
    said, _, rest = words.partition(": ")
    first: Line = (
        [(f"{said}: ", style), (escape(path), "bold"), (f"  ({escape(rest)})", "")] if path else [(words, style)]
    )
    lines = [first]
    if fault:
        lines.append([("✗ ", "error"), (escape(fault), "")])
    if best is not None:
        figure, value, whose, source = best
        text = f"best {escape(figure)}: {numbers.value(value, 4)}, {escape(whose)}"
        lines.append([(text, ""), (f"  ({escape(source)}; {VALIDATION})", "dim")])
    return lines


def note_lines(findings: Sequence[Finding], width: int | None) -> list[Line]:
    """What is wrong with single checkpoints, a line each."""
    lines: list[Line] = []
    for finding in findings:
        mark, style = MARKS[finding.severity]
        line: Line = [(f"{mark} ", style), (escape(finding.message), ""), (f"  [{finding.rule}]", "dim")]
        lines += wrap(line, width, 2) if width else [line]
    return lines


def closer_lines(label: str, what: str, findings: Sequence[Finding], width: int | None, complete: bool) -> list[Line]:
    """What one checkpoint holds: `epoch 4 (last good): no findings`."""
    part = "" if complete else "; not everything was read"
    lines: list[Line] = [[(f"{escape(label)} ({what}): ", "title"), (count_text(findings) + part, "")]]
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.severity, finding.rule), []).append(finding)
    for group in groups.values():
        lines += [[("  ", ""), *line] for line in finding_lines(group[:1], width and width - 2)]
        if len(group) > 1:
            lines.append([(f"      and {len(group) - 1} more like it", "dim")])
    return lines
