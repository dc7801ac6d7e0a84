"""Rules on repeated parts: blocks that are missing from a row of them, experts that were never used."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from wtui.insight.case import Case, Rule, finding
from wtui.insight.presence import absent

if TYPE_CHECKING:
    from wtui.insight.chart import Chart, Subject
    from wtui.insight.types import Finding

__all__ = ["RULES"]

_EXPERT = re.compile(r"^(.*[./]experts)[./](\d{1,5})[./](.*)$")

MIN_EXPERTS = 4
"""Experts from which an unused one among them says something."""

USED = 0.5
"""Share of the experts that must have moved for the others to be unused."""

LISTED = 6
ADVICE = "does the router ever choose it? Look at its loss for balance, or leave the expert out"
"""On an expert that was never trained."""


def missing_blocks(case: Case) -> list[Finding]:
    """Gaps in a row of numbered blocks, and fewer blocks than the configuration says."""
    return case.chart.once("blocks", lambda: absent(case.chart.catalogue))


def unused_experts(case: Case) -> Iterator[Finding]:
    """Experts as initialised while the others of their layer moved."""
    for (layer, matrix), known in case.chart.once("experts", lambda: _experts(case.chart)).items():
        experts = [e for e in known if case.state(e[1])]
        moved = [e for e in experts if case.state(e[1]) == "moved"]
        still = [e for e in experts if case.state(e[1]) == "open" and _fits(case, e[1])]
        if len(experts) < MIN_EXPERTS or not still or len(moved) < USED * len(experts):
            continue
        text = _unused([number for number, _ in still], f" of {layer}", f"an initialiser ({matrix})")
        text += f", {len(moved)} others moved"
        numbers = {"unused": len(still), "experts": len(experts)}
        yield finding("warning", "unused-experts", still[0][1], text, numbers, ADVICE)

    for index, rows in case.extra.untouched.items():
        subject = case.chart.subjects.get(index)
        if subject is None or subject.part != "kernel" or not rows.unused or rows.rows < MIN_EXPERTS:
            continue
        text = f"{_unused(list(rows.first), '', 'the initialiser')}, {rows.rows - rows.unused} others moved"
        numbers = {"unused": rows.unused, "experts": rows.rows}
        yield finding("warning", "unused-experts", subject, text, numbers, ADVICE)


def _experts(chart: Chart) -> dict[tuple[str, str], list[tuple[int, Subject]]]:
    """The same matrix of all experts of a layer, with their numbers."""
    groups: dict[tuple[str, str], list[tuple[int, Subject]]] = {}
    for subject in chart.of("kernel"):
        found = _EXPERT.match(subject.tensor.name)
        if found:
            groups.setdefault((found[1], found[3]), []).append((int(found[2]), subject))
    return groups


def _fits(case: Case, subject: Subject) -> bool:
    verdict = case.verdict(subject)
    return verdict is not None and bool(verdict.names)


def _unused(numbers: list[int], of: str, initialiser: str) -> str:
    if len(numbers) == 1:
        return f"expert {numbers[0]}{of} was never used: it fits {initialiser}"
    return f"experts {_listed(numbers)}{of} were never used: they fit {initialiser}"


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:LISTED])) + (", ..." if len(numbers) > LISTED else "")


RULES = (
    Rule(
        "missing-blocks", "error", "blocks missing from a row of numbered ones",
        "a gap in the numbers, or fewer than the configuration says", missing_blocks,
    ),
    Rule(
        "unused-experts", "warning", "experts that were never used",
        f"fits an initialiser while at least {USED:.0%} of {MIN_EXPERTS} experts or more moved; an expert that is as "
        "initialised beyond doubt is `never-trained`. In a tensor that holds all: the mean square is the initial "
        "one, and those of all others differ from it by a tenth at least", unused_experts,
        "experts that are used seldom, since they moved. Those of fewer than 10,000 weights that were drawn from a "
        "distribution that no rule gives, such as a uniform of ±0.05, cannot be told from trained ones",
    ),
)  # fmt: skip
