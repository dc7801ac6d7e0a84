"""Counts what was found of what was planted, and what else was: recall of faults, precision of rules."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from tests.bench.report import heading, line
from wtui.insight.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.bench.labelled_faults import Planted
    from wtui.checking import Report
    from wtui.insight.types import Finding
    from wtui.model import Catalogue

__all__ = ["Tally"]

RECALL = 0.98
"""Share of planted faults that must be found, those left out of which the evidence says that it cannot tell."""

UNTRAINED = frozenset({"never-trained", "unused-rows", "unused-experts"})
"""Rules that need values which tell the trained from the untrained."""


class Tally:
    """Faults in files that hold one each."""

    def __init__(self) -> None:
        self._faults: dict[str, Counter[str]] = defaultdict(Counter)
        self._true: Counter[str] = Counter()
        self._false: Counter[str] = Counter()
        self._examples: dict[str, str] = {}
        self._rules_of: dict[str, tuple[str, ...]] = {}
        self._twins: dict[str, Counter[str]] = defaultdict(Counter)

    def add(
        self, where: str, catalogue: Catalogue, planted: Planted, report: Report, before: set[tuple[str, str]]
    ) -> None:
        """One file; `before` are (rule, tensor) of what is found without the fault."""
        self._rules_of[planted.fault] = planted.rules
        if planted.healthy:
            self._twin(where, planted, report.findings)
            return
        result = self._result(catalogue, planted, report)
        self._faults[planted.fault][result] += 1
        if result == "missed":
            shape = next((t.shape for t in catalogue.tensors if t.name == planted.tensor), "")
            self._examples.setdefault(planted.fault, f"{where} {planted.tensor} {shape}")
        self._sort(where, planted, report.findings, before)

    def _twin(self, where: str, planted: Planted, found: Iterable[Finding]) -> None:
        """A file without the fault that it resembles."""
        alarms = [f for f in found if f.severity != "info" or (f.rule in planted.rules and _is_alarm(f, planted))]
        self._twins[planted.fault]["cases"] += 1
        self._twins[planted.fault]["alarms"] += bool(alarms)
        for f in alarms:
            self._false[f.rule] += 1
            self._examples.setdefault(f"false {f.rule}", f"{where}, {planted.fault}: {f.tensor} {f.message}")
            self._examples.setdefault(planted.fault, f"{where}: {f.tensor} {f.message}")

    def _result(self, catalogue: Catalogue, planted: Planted, report: Report) -> str:
        """`found`, `missed`, or `cannot tell` where the verdict on the very kernel says so."""
        if any(_is_about(f, planted) for f in report.findings):
            return "found"
        own = [v for i, v in report.verdicts.items() if catalogue.tensors[i].name == planted.tensor]
        told = any(v.state == "open" and v.names for v in own)
        return "cannot tell" if told and not UNTRAINED.isdisjoint(planted.rules) else "missed"

    def _sort(self, where: str, planted: Planted, found: Iterable[Finding], before: set[tuple[str, str]]) -> None:
        """What was found into true and false; other findings about the tensor or layer with the fault are neither."""
        for f in found:
            if _is_about(f, planted):
                self._true[f.rule] += 1
                continue
            if f.rule in planted.rules and planted.evidence and f.tensor == planted.tensor:
                self._false[f.rule] += 1  # the right place, the wrong numbers
                self._examples.setdefault(f"false {f.rule}", f"{where}, {planted.fault}: {f.tensor} {f.message}")
                continue
            aside = planted.tensor in (f.tensor, f.layer) or (f.layer and f.layer == planted.layer)
            if not aside and f.severity != "info" and (f.rule, f.tensor) not in before:
                self._false[f.rule] += 1
                self._examples.setdefault(f"false {f.rule}", f"{where}, {planted.fault}: {f.tensor} {f.message}")

    def document(self) -> dict[str, Any]:
        """The counts, for the documentation."""
        faults = {
            name: {"rules": list(self._rules_of[name]), **{k: score[k] for k in ("found", "missed", "cannot tell")}}
            for name, score in sorted(self._faults.items())
        }
        rules = {r.id: [self._true[r.id], self._false[r.id]] for r in RULES}
        twins = {
            name: {"rules": list(self._rules_of[name]), "cases": score["cases"], "alarms": score["alarms"]}
            for name, score in sorted(self._twins.items())
        }
        return {"faults": faults, "twins": twins, "rules": {k: v for k, v in rules.items() if any(v)}}

    def print(self) -> None:
        """Recall by fault, then precision by rule."""
        heading("planted faults: found, missed, cannot tell (counted apart)")
        for fault, score in sorted(self._faults.items()):
            text = f"{fault}: {score['found']} found, {score['missed']} missed, {score['cannot tell']} cannot tell"
            line(text, f"{_recall(score):.1%}")
            self._print_example(fault)
        whole = sum(self._faults.values(), Counter())
        line(f"all {sum(whole.values())} faults", f"{_recall(whole):.2%}", "at least 98 %", _recall(whole) >= RECALL)
        heading("healthy twins: what looks like a fault and is none")
        for twin, score in sorted(self._twins.items()):
            line(f"{twin}: {score['cases']} cases", f"{score['alarms']} alarms", "none", not score["alarms"])
            self._print_example(twin)
        heading("rules: findings of planted faults, and others in the same files (errors and warnings)")
        for rule in RULES:
            true, false = self._true[rule.id], self._false[rule.id]
            if true or false:
                line(f"{rule.id}: {true} true, {false} false", f"{true / (true + false):.1%}")
                self._print_example(f"false {rule.id}")

    def _print_example(self, key: str) -> None:
        if key in self._examples:
            print(f"      such as {self._examples[key]}")


def _is_about(finding: Finding, planted: Planted) -> bool:
    """Whether a finding is the one that was to be made; one about the whole model is about each of its tensors."""
    changed = planted.tensor, *planted.others
    about = finding.tensor in changed or finding.layer in changed or not (finding.tensor or finding.layer)
    numbers = finding.evidence
    return finding.rule in planted.rules and about and all(numbers.get(k) == v for k, v in planted.evidence)


def _is_alarm(finding: Finding, planted: Planted) -> bool:
    """Whether a rule's finding on a healthy file is one that it should not make."""
    if planted.evidence:
        return any(k in finding.evidence and v in (0, finding.evidence[k]) for k, v in planted.evidence)
    worst = next(r.severity for r in RULES if r.id == finding.rule)
    return finding.severity != "info" or worst == "info"


def _recall(score: Counter[str]) -> float:
    return score["found"] / max(score["found"] + score["missed"], 1)
