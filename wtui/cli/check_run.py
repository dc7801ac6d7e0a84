"""`wtui check` of a run of checkpoints: which is the last good one, since when and where it is broken."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from wtui.cli import output
from wtui.cli.status import Exit, Narration
from wtui.errors import UsageError
from wtui.insight.types import SEVERITIES

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping, Sequence

    from wtui.series.examine import RunReport
    from wtui.series.members import Member, Run
    from wtui.series.record import Record
    from wtui.series.verdict import Health

__all__ = ["check_run", "checkpoint_document", "run_at"]


def run_at(paths: Sequence[str], format: str | None) -> Run | None:
    """The run that these paths are: a folder of one, or several checkpoints; None for a single model."""
    if format is not None:
        if len(paths) > 1:
            raise UsageError("--format is for one model")
        return None
    from wtui.series.members import run_in, run_of

    if len(paths) > 1:
        return run_of(paths)
    return run_in(paths[0]) if os.path.isdir(paths[0]) else None


def check_run(run: Run, options: Namespace) -> int:
    """Examine and print; the exit code."""
    if options.select:
        raise UsageError("--select is for one model", run.folder)
    from wtui.series.examine import examine

    with Narration() as narrate:
        report = examine(run, within=options.within, threads=options.threads, cache=not options.no_cache, tell=narrate)
    if not report.records and len(report.problems) == len(run.members):
        raise UsageError(f"none of its {len(run.members)} checkpoints can be read", run.folder,
                         next(iter(report.problems.values())))  # fmt: skip
    if options.json:
        output.write_json(_document(report))
    else:
        _write(report, options.ascii)
    severities = SEVERITIES[: SEVERITIES.index(options.fail_on) + 1]
    return _code(report, severities)


def _code(report: RunReport, severities: Sequence[str]) -> int:
    """DIFFERENT for findings of the run or of the checkpoint that one would go on from; PARTIAL for a partial look."""
    found = [f.severity for f in report.findings]
    found += [f.severity for r in report.reports.values() for f in r.findings]
    if any(s in severities for s in found):
        return Exit.DIFFERENT
    return Exit.DONE if report.complete else Exit.PARTIAL


def _write(report: RunReport, ascii: bool) -> None:
    from wtui.render.run_report import closer_lines, headline, note_lines
    from wtui.render.spans import escape

    run, verdict = report.run, report.verdict
    size = output.terminal_size()
    width = size[0] if size else None
    good = None if verdict.last_good is None else run.members[verdict.last_good]
    best = None
    if report.best is not None:
        whose = run.members[report.best.member].label
        best = report.best.name, report.best.value, whose, ", ".join(report.figures.sources)
    lines = headline(good.opened_as if good else None, verdict.good_words, verdict.fault_words, best)
    lines += note_lines([f for f in report.findings if f.rule != "fault-in-run"], width)
    lines.append([(f"{len(run.members)} checkpoints, ordered by {run.ordered_by}", "dim")])
    lines += [[(escape(f"left out: {o.name}: {o.reason}"), "dim")] for o in run.outsiders]
    for path, its in report.reports.items():
        member = next(m for m in run.members if m.path == path)
        what = "last good" if member is good else "newest"
        lines += closer_lines(member.label, what, its.findings, width, its.complete)
    output.write_lines(lines, ascii)


def _document(report: RunReport) -> dict[str, Any]:
    """The document of `wtui check` of a run; `findings` as those of one model, with the checkpoint they are about."""
    from wtui.cli import documents

    run, verdict = report.run, report.verdict
    first = None if verdict.first_fault is None else run.members[verdict.first_fault]
    fault = report.records[first.path].fault if first else None
    about = [{"checkpoint": f.evidence.get("checkpoint"), **d}
             for f, d in zip(report.findings, documents.finding_list(report.findings), strict=True)]  # fmt: skip
    for path, its in report.reports.items():
        about += [{"checkpoint": path.removesuffix(".index"), **d} for d in documents.finding_list(its.findings)]
    read = sum(h is not None for h in verdict.health) / len(verdict.health) if verdict.health else 1.0
    best = report.best
    return {
        "schema": documents.SCHEMA,
        "path": run.folder,
        "warnings": [{"tensor": None, "message": f"left out: {o.name}: {o.reason}"} for o in run.outsiders],
        "read": read,
        "complete": report.complete,
        "ordered_by": run.ordered_by,
        "last_good": None if verdict.last_good is None else run.members[verdict.last_good].opened_as,
        "first_fault": first and fault and {"checkpoint": first.opened_as, "kind": fault.kind, "tensor": fault.tensor,
                                            "index": None if fault.index is None else list(fault.index)},
        "best": best and {"figure": best.name, "value": best.value, "checkpoint": run.members[best.member].opened_as,
                          "sources": list(report.figures.sources)},
        "checkpoints": [_checkpoint(report, i) for i in range(len(run.members))],
        "findings": about,
    }  # fmt: skip


def checkpoint_document(
    member: Member, health: Health | None, record: Record | None, figures: Mapping[str, float]
) -> dict[str, Any]:
    """One checkpoint of a run, as it stands in every document; what is not known is null."""
    from wtui.cli.documents import finite

    return {
        "path": member.opened_as,
        "label": member.label,
        "epoch": member.place.epoch,
        "step": member.place.step,
        "good": health.good if health else None,
        "state": health.kind if health else None,
        "words": health.words if health else None,
        "optimizer": record.has_optimizer if record else None,
        "tensors": len(record.tensors) if record else None,
        "bytes": record.nbytes if record else None,
        "figures": {k: finite(v) for k, v in figures.items()},
    }


def _checkpoint(report: RunReport, position: int) -> dict[str, Any]:
    member = report.run.members[position]
    health, record = report.verdict.health[position], report.records.get(member.path)
    return checkpoint_document(member, health, record, report.figures.rows[position])
