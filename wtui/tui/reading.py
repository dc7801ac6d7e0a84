"""What the middle pane says about the selected tensor, layer or model: picks the data for `render.panel`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.insight.roles import axes, is_torch_layout
from wtui.render.panel import layer_panel, model_panel, tensor_panel
from wtui.render.spans import Line, escape

if TYPE_CHECKING:
    from wtui.tui.outline import Outline, Subject
    from wtui.tui.results import Results

__all__ = ["panel_lines"]

MAX_NOTE = 400
"""Characters of a note that the file's author left in it."""

MAX_NOTICES = 6
"""Notices listed at the root; the others are counted."""


def panel_lines(outline: Outline, subject: Subject, results: Results, width: int) -> tuple[list[Line], str]:
    """The lines of the middle pane, and its title."""
    catalogue = outline.catalogue
    node = outline.layer(subject)
    if subject >= 0:
        tensor = catalogue.tensors[subject]
        meaning = axes(tensor, node, torch_layout=is_torch_layout(catalogue.format))
        failure = results.failures.get(subject, "")
        lines = tensor_panel(tensor, node, results.row(subject), width, axes=meaning, failure=failure)
        return lines, f"{escape(node.name)} › {escape(tensor.label)}"
    known = results.layers.get(subject)
    row, done = (known.row, (known.tensors_done, known.tensors)) if known else (None, (0, 0))
    if node is catalogue.root:
        return model_panel(catalogue, model_reading(outline, results), row, width, done=done), escape(node.name)
    return layer_panel(node, catalogue, row, width, done=done), escape(node.name)


def model_reading(outline: Outline, results: Results) -> list[Line]:
    """What is wrong or remarkable, worst first; never more than what was read can carry."""
    catalogue = outline.catalogue
    note = catalogue.metadata.get("note")
    lines: list[Line] = [[("note: ", "dim"), (escape(str(note)[:MAX_NOTE]), "accent")]] if note else []
    broken = [(i, r) for i, r in results.rows.items() if r.nan or r.posinf or r.neginf]
    for i, row in sorted(broken)[:MAX_NOTICES]:
        what = f"{row.nan:,} NaN" if row.nan else f"{row.posinf + row.neginf:,} infinite values"
        lines.append([("✗ ", "error"), (what, "error"), (f" in {escape(catalogue.tensors[i].name)}", "")])
    for notice in catalogue.warnings[:MAX_NOTICES]:
        about = f"{escape(notice.tensor)}: " if notice.tensor else ""
        lines.append([("⚠ ", "warning"), (about + escape(notice.message), "")])
    if len(catalogue.warnings) > MAX_NOTICES:
        lines.append([(f"and {len(catalogue.warnings) - MAX_NOTICES:,} more notices (i)", "dim")])
    if not broken and results.finished is not None:
        lines.append([("every value is finite", "good")])
    return lines
