"""What the middle pane says about the selected tensor or layer of two models, or about both as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.comparing.reading import Seen, models_reading, paired_by, tensor_reading
from wtui.render.change import state_cell
from wtui.render.pair_panel import Sides, both_lines, difference_lines, pair_head, totals_lines
from wtui.render.spans import Line, escape, wrap
from wtui.tui.outline import subject_of_layer
from wtui.tui.reading import reading_line

if TYPE_CHECKING:
    from wtui.comparing.protocol import LayerCompared
    from wtui.model import LayerNode
    from wtui.tui.outline import Outline, Subject
    from wtui.tui.pair.results import PairResults

__all__ = ["panel_lines"]


def panel_lines(outline: Outline, subject: Subject, results: PairResults, width: int) -> tuple[list[Line], str]:
    """The lines of the middle pane, and its title."""
    node = outline.layer(subject)
    if subject >= 0:
        label = outline.catalogue.tensors[subject].label
        return _tensor_lines(subject, results, width), f"{escape(node.name)} › {escape(label)}"
    if subject == subject_of_layer(0):
        return _model_lines(outline, results, width), "A against B"
    return _layer_lines(node, outline, subject, results, width), escape(node.name)


def _tensor_lines(number: int, results: PairResults, width: int) -> list[Line]:
    joined = results.joined
    a, b = joined.a_of(number), joined.b_of(number)
    sides = Sides(None if a is None else joined.a.tensors[a], None if b is None else joined.b.tensors[b])
    found = results.row(number)
    state = results.state(number)
    reading = [reading_line(r.style, r.text) for r in tensor_reading(joined, number, state, found)]
    pair = joined.pairs.get(number)
    paired = paired_by(pair.how, found.layout if found else "") if pair is not None else ""
    lines = pair_head(sides, paired, reading, width)
    if found is None:
        return [*lines, [], [("reading …", "dim")]] if state in ("waiting", "only A", "only B", "shape") else lines
    if found.row is not None:
        lines += [[], *difference_lines(found.row, width)]
    return [*lines, [], *both_lines(found.a, found.b, width)]


def _layer_lines(node: LayerNode, outline: Outline, subject: Subject, results: PairResults, width: int) -> list[Line]:
    lines = wrap([("path: ", "dim"), (escape(node.path) or "/", "bold")], width, 2)
    lines.append([(escape(node.class_name) or "group of layers", "title")])
    for number in node.tensors[:12]:
        lines.append(_member(number, outline, results))
    if len(node.tensors) > 12:
        lines.append([(f"  and {len(node.tensors) - 12} more tensors", "dim")])
    if not any(True for _ in node.all_tensors()):
        return [*lines, [], [("no weights in this layer", "dim")]]
    return [*lines, [], *_together(results.layers.get(subject), width)]


def _member(number: int, outline: Outline, results: PairResults) -> Line:
    text, style = state_cell(results.state(number), results.change(number))
    label = escape(outline.catalogue.tensors[number].label)
    return [(f"  {label:<16}", "name"), (" " + text, style)]


def _together(layer: LayerCompared | None, width: int) -> list[Line]:
    """All tensors below taken together, as far as they are read."""
    if layer is None or not layer.done:
        return [[("comparing …", "dim")]]
    head: Line = [("all weights together", "title")]
    if layer.done < layer.tensors:
        head.append((f"  so far {layer.done} of {layer.tensors}", "warning"))
    lines: list[Line] = [head]
    if layer.row is not None:
        lines += difference_lines(layer.row, width, merged=True)
        lines.append([])
    return [*lines, *both_lines(layer.a, layer.b, width, merged=True)]


def _model_lines(outline: Outline, results: PairResults, width: int) -> list[Line]:
    joined = results.joined
    seen = Seen(
        joined, results.states, _layer_changes(outline, results), results.differences, results.finished is not None
    )
    lines = [p for r in models_reading(seen) for p in wrap(reading_line(r.style, r.text), width, 2)]
    formats = joined.a.format, joined.b.format
    lines += [[], *totals_lines(joined.a.totals(), joined.b.totals(), formats)]
    return lines if joined.pairing is None else [*lines, [], *_together(results.layers.get(-1), width)]


def _layer_changes(outline: Outline, results: PairResults) -> list[tuple[str, float]]:
    """Layers that own compared pairs, and their change."""
    found = []
    for position, node in enumerate(outline.layers):
        if any(n in results.differences for n in node.tensors):
            change = results.change(subject_of_layer(position))
            if change is not None:
                found.append((escape(node.path), change))
    return found
