"""Rules on repeated parts: blocks that are missing from a row of them, experts that were never used."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from wtui.insight.case import Case, Rule, finding
from wtui.insight.types import Finding

if TYPE_CHECKING:
    from wtui.insight.chart import Chart, Subject
    from wtui.model import Catalogue

__all__ = ["RULES"]

_BLOCK = re.compile(r"^(.*?(?:^|[./])(?:layers?|h|blocks?|blk))[./](\d{1,4})[./][^./]+[./][^./]+$")
"""A tensor two levels or more below a numbered block; plain stacks leave out numbers of layers without weights."""

_EXPERT = re.compile(r"^(.*[./]experts)[./](\d{1,5})[./](.*)$")

_DEPTHS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")
"""Keys under which configurations of language models give the number of blocks."""

MIN_EXPERTS = 4
"""Experts from which an unused one among them says something."""

USED = 0.5
"""Share of the experts that must have moved for the others to be unused."""

LISTED = 6


def missing_blocks(case: Case) -> Iterator[Finding]:
    """Gaps in a row of numbered blocks, and fewer blocks than the configuration says."""
    rows = case.chart.once("blocks", lambda: _numbered(case.chart.catalogue))
    for name, numbers in rows.items():
        gaps = sorted(set(range(min(numbers), max(numbers))) - numbers)
        if gaps:
            text = f"{_listed(gaps)} of {name} {'is' if len(gaps) == 1 else 'are'} missing, {max(numbers)} is there"
            numbers_of = {"missing": len(gaps), "present": len(numbers)}
            yield Finding("error", "missing-blocks", name, "", text, numbers_of, "is a shard missing?")
    claimed = _claimed(case.chart.catalogue.metadata.get("config"))
    most = max((len(numbers) for numbers in rows.values()), default=0)
    if claimed and most and most < claimed and len(rows) == 1:
        text = f"the configuration says that there are {claimed} blocks, the file holds {most}"
        advice = "is a shard missing, or does the configuration belong to another model?"
        yield Finding(
            "error", "missing-blocks", next(iter(rows)), "", text, {"claimed": claimed, "present": most}, advice
        )


def _numbered(catalogue: Catalogue) -> dict[str, set[int]]:
    """Numbers of the blocks of each row."""
    rows: dict[str, set[int]] = {}
    for tensor in catalogue.tensors:
        found = _BLOCK.match(tensor.name) if tensor.group == "model" else None
        if found:
            rows.setdefault(found[1], set()).add(int(found[2]))
    return rows


def unused_experts(case: Case) -> Iterator[Finding]:
    """Experts as initialised while the others of their layer moved."""
    for (layer, matrix), known in case.chart.once("experts", lambda: _experts(case.chart)).items():
        experts = [e for e in known if case.state(e[1])]
        moved = [e for e in experts if case.state(e[1]) == "moved"]
        still = [e for e in experts if case.state(e[1]) == "open" and _fits(case, e[1])]
        if len(experts) < MIN_EXPERTS or not still or len(moved) < USED * len(experts):
            continue
        which = _listed([number for number, _ in still])
        text = f"experts {which} of {layer} fit an initialiser ({matrix}), {len(moved)} others moved"
        numbers = {"unused": len(still), "experts": len(experts)}
        yield finding("warning", "unused-experts", still[0][1], text, numbers, "does the router ever choose them?")


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


def _claimed(config: object) -> int:
    """Number of blocks by the configuration, 0 where it does not say."""
    if not isinstance(config, Mapping):
        return 0
    value = next((config[key] for key in _DEPTHS if key in config), 0)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


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
        "initialised beyond doubt is `never-trained`", unused_experts,
    ),
)  # fmt: skip
