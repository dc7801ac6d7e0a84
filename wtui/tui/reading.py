"""What the middle pane says about the selected tensor, layer or model: picks the data for `render.panel`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from wtui.insight.anatomy import Anatomy, anatomy
from wtui.insight.heads import what_parts
from wtui.insight.reading import Context, model_reading, reading_of, tensor_reading
from wtui.insight.roles import axes, is_torch_layout
from wtui.parts import views_of
from wtui.render.missing import lost_lines, told_as_lost
from wtui.render.panel import layer_panel, model_panel, tensor_panel
from wtui.render.parts import anatomy_lines, part_lines
from wtui.render.spans import Line, StyleName, escape, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wtui.insight.references import References
    from wtui.insight.types import Finding, Style
    from wtui.tui.outline import Outline, Subject
    from wtui.tui.results import Results
    from wtui.tui.surveying import Plan

__all__ = ["panel_lines", "reading_line"]

ROOT: Subject = -1
"""The whole model."""

SHORT = 30
"""Lines of a pane below which the details of a reading (fans, references) stand behind the numbers."""

MAX_NOTE = 400
"""Characters of a note that the file's author left in it."""

MAX_FINDINGS = 8
"""Findings listed at the root, alike ones as one; the others are counted."""

SIGNS: dict[Style, tuple[str, StyleName]] = {
    "error": ("✗ ", "error"),
    "warning": ("⚠ ", "warning"),
    "good": ("✓ ", "good"),
    "plain": ("· ", ""),
    "dim": ("  ", "dim"),
}
"""A sign and a style for what a reading is: never by colour alone."""


def panel_lines(
    outline: Outline,
    subject: Subject,
    results: Results,
    width: int,
    references: References | None = None,
    plan: Plan | None = None,
    height: int = SHORT,
) -> tuple[list[Line], str]:
    """The lines of the middle pane, and its title."""
    catalogue = outline.catalogue
    node = outline.layer(subject)
    if subject >= 0:
        lines = _tensor_lines(outline, subject, results, width, references, height)
        return lines, f"{escape(node.name)} › {escape(catalogue.tensors[subject].label)}"
    known = results.layers.get(subject)
    row, done = (known.row, (known.tensors_done, known.tensors)) if known else (None, (0, 0))
    if node is catalogue.root:
        facts = _architecture(plan, subject, width)
        told, waits = _model_reading(outline, results), _waits(results)
        finished = results.finished is not None
        lines = model_panel(catalogue, told, row, width, done=done, finished=finished, facts=facts, waits=waits)
        return lines, escape(node.name)
    reading = _grouped(_below(node.path, results.findings))
    facts = _architecture(plan, subject, width)
    finished = results.finished is not None
    lines = layer_panel(node, catalogue, row, width, done=done, finished=finished, reading=reading, facts=facts)
    return lines, escape(node.name)


def _below(path: str, findings: Sequence[Finding]) -> list[Finding]:
    """What was found about a layer, and what is wrong with anything in it."""
    inside = (f"{path}/", f"{path}.")
    return [
        f
        for f in findings
        if (f.layer == path and not f.tensor)
        or (f.severity != "info" and (f.layer == path or f.layer.startswith(inside)))
    ]


def _tensor_lines(
    outline: Outline, subject: int, results: Results, width: int, references: References | None, height: int
) -> list[Line]:
    """The panel of a tensor; in a short pane the details of its reading stand behind the numbers."""
    tensor, node = outline.catalogue.tensors[subject], outline.layer(subject)
    reading, details = _tensor_reading(outline, subject, results, references), list[Line]()
    if height < SHORT:
        details = [line for line in reading if line[0] == SIGNS["dim"]]
        reading = [line for line in reading if line[0] != SIGNS["dim"]]
    lines = tensor_panel(
        tensor,
        node,
        results.row(subject),
        width,
        axes=axes(tensor, node, torch_layout=is_torch_layout(outline.catalogue.format)),
        failure=results.failures.get(subject, ""),
        reading=reading,
        known=anatomy_lines(_anatomy(outline, subject), width),
        parts=_parts(outline, subject, results, width),
    )
    return lines + ([[], *(piece for line in details for piece in wrap(line, width, 2))] if details else [])


def _anatomy(outline: Outline, subject: Subject) -> Anatomy:
    catalogue = outline.catalogue
    config = catalogue.metadata.get("config")
    config = config if isinstance(config, Mapping) else {}
    return anatomy(catalogue.tensors[subject], outline.layer(subject), catalogue.format, config)


def _parts(outline: Outline, subject: Subject, results: Results, width: int) -> list[Line]:
    """Gates, q, k and v, or heads, once their numbers are known."""
    found = results.parts.get(subject)
    if found is None or not (found.rows or found.problem):
        return []
    if found.problem:
        return wrap([("parts not told: ", "dim"), (escape(found.problem), "dim")], width, 2)
    views = views_of(outline.catalogue, subject, outline.layer(subject))
    return part_lines(found.rows, what_parts(views), width) if views else []


def _architecture(plan: Plan | None, subject: Subject, width: int) -> list[Line]:
    """Where a layer stands in the model and how it was set up, or what the whole model gives."""
    if plan is None:
        return []
    from wtui.render.architecture import fact_lines, model_lines

    if subject == ROOT:
        return model_lines(plan.known.architecture, plan.known.problem, plan.complete, width)
    facts = plan.facts.get(subject)
    return [] if facts is None else fact_lines(facts, plan.complete, width)


def _tensor_reading(outline: Outline, tensor: int, results: Results, references: References | None) -> list[Line]:
    """What was found about a tensor, what its values say of its history, and how it stands beside others."""
    entry = outline.catalogue.tensors[tensor]
    findings = [f for f in results.findings if f.tensor == entry.name]
    trained = not any(f.rule == "untrained-model" for f in results.findings)
    context = Context(results.verdicts.get(tensor), findings, references, tensor, trained)
    readings = tensor_reading(entry, outline.layer(tensor), results.rows.get(tensor), context)
    return [reading_line(r.style, r.text) for r in readings]


def _waits(results: Results) -> bool:
    """Whether nothing is read because nothing was looked at."""
    return results.progress is not None and results.progress.on_demand and not results.rows


def _model_reading(outline: Outline, results: Results) -> list[Line]:
    """What is wrong or remarkable, worst first; never more than what was read can carry."""
    note = outline.catalogue.metadata.get("note")
    lines: list[Line] = [[("note: ", "dim"), (escape(str(note)[:MAX_NOTE]), "accent")]] if note else []
    about = str(outline.catalogue.metadata.get("about", ""))
    lines += [reading_line("plain", about)] if about else []
    lines += [reading_line("error", text) for text in lost_lines(outline.catalogue, MAX_FINDINGS)]
    found = results.found
    if _waits(results):
        return [*lines, [("nothing is read yet, since it is far away: look at a tensor or layer", "dim")]]
    if found is None:
        return [*lines, [("reading …", "dim")]]
    problems = {t.name: t.problem for t in outline.catalogue.tensors if t.problem}
    lines += _grouped([f for f in found.findings if not told_as_lost(f.rule, f.tensor, problems)])
    if not any(f.severity != "info" for f in found.findings):
        [said] = [r for r in model_reading(found.findings, found.read, 0) if r.style in ("good", "plain")][-1:]
        lines.append(reading_line(said.style, said.text))
    return lines


def _grouped(findings: Sequence[Finding]) -> list[Line]:
    """Findings, the worst first as they come; alike ones as one."""
    lines: list[Line] = []
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.severity, finding.rule), []).append(finding)
    for group in list(groups.values())[:MAX_FINDINGS]:
        reading = reading_of(group[0], with_tensor=True)
        more = f"; and {len(group) - 1} more like it" if len(group) > 1 else ""
        lines.append(reading_line(reading.style, reading.text + more))
        if group[0].advice and not group[0].tensor:  # no tensor's own panel says so
            lines.append(reading_line("dim", group[0].advice))
    if len(groups) > MAX_FINDINGS:
        lines.append(reading_line("dim", f"and findings of {len(groups) - MAX_FINDINGS} more kinds (])"))
    return lines


def reading_line(style: Style, text: str) -> Line:
    """A sentence with its sign."""
    sign, name = SIGNS[style]
    return [(sign, name), (escape(text), "dim" if style == "dim" else "")]
