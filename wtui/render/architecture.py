"""The architecture of a model as text: the table of `wtui summary`, and what a panel says about one layer. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.render.columns import Column, Row, aligned
from wtui.render.report import notice_lines, totals_lines
from wtui.render.spans import Line, escape, pad, wrap

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wtui.live.architecture import Architecture, LayerFacts
    from wtui.live.links import Link, Shape
    from wtui.model import Catalogue, LayerNode

__all__ = ["aside", "connections", "fact_lines", "model_lines", "shape_text", "shapes_text", "summary_lines"]

UNKNOWN = "?"
"""What `model.summary()` writes for a shape that is not known."""

INDENT = "  "

_COLUMNS = (
    Column("layer", right=False),
    Column("class", right=False, keep=5),
    Column("output shape", right=False, keep=9),
    Column("params", keep=8),
    Column("connected to", right=False, keep=7, prose=True),
    Column("activation", right=False, keep=4),
    Column("initialiser", right=False, keep=2, prose=True),
    Column("regulariser", right=False, keep=3, prose=True),
)

_MAIN = ("kernel", "recurrent", "depthwise", "pointwise", "embeddings")
"""Variables whose initialisers the table names; those of biases and norms are nearly always the same."""


def shape_text(shape: Shape) -> str:
    """`(None, 224, 224, 64)`."""
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def shapes_text(shapes: Iterable[Shape]) -> str:
    """The shapes of all outputs of a layer, `?` for none."""
    return ", ".join(map(shape_text, shapes)) or UNKNOWN


def connections(takes: Sequence[Link]) -> str:
    """`conv1, add_2`; with the numbers of call and output where one of them is not the first."""
    return ", ".join(escape(one.layer if (one.node, one.tensor) == (0, 0) else str(one)) for one in takes)


def summary_lines(catalogue: Catalogue, known: Architecture, width: int | None = None, problem: str = "") -> list[Line]:
    """What `model.summary()` shows, a row for each layer, then totals and what is missing and why."""
    nodes = {node.path: node for node in catalogue.root.walk()}
    rows = [_row(facts, catalogue, nodes.get(facts.path)) for facts in known.layers]
    if not rows:
        rows = [_plain_row(node, catalogue) for node in catalogue.root.children]
    shown = [i for i in range(len(_COLUMNS)) if i < 4 or any(row.cells[i] for row in rows)]
    rows = [Row([row.cells[i] for i in shown], row.style) for row in rows]
    title = [escape(catalogue.root.name), escape(catalogue.root.class_name), escape(catalogue.format)]
    lines: list[Line] = [[(title[0], "bold"), ("  " + "  ".join(t for t in title[1:] if t), "dim")], []]
    lines += aligned([_COLUMNS[i] for i in shown], rows, width)
    lines += [[], *totals_lines(catalogue), *missing_lines(known, problem, width), *notice_lines(catalogue)]
    return lines


def missing_lines(known: Architecture, problem: str, width: int | None) -> list[Line]:
    """Why output shapes are missing, and which are the file's own word."""
    lines: list[Line] = []
    if known.refused:
        lines += [[], [("Not built here, so that nothing in the file is run:", "warning")]]
        lines += [[(f"  {escape(path) or 'the model'} ", "name"), (why, "")] for path, why in known.refused.items()]
    if problem:
        lines += [[], [("Output shapes: ", "warning"), (escape(problem), "")]]
    if not known.layers:
        lines += [[], [("the file records no Keras configuration, hence no shapes or connections", "dim")]]
    elif any(facts.recorded for facts in known.layers) and (known.refused or problem):
        lines += [[], [("shapes in brackets [] are as the file records them, not worked out again", "dim")]]
    return [piece for line in lines for piece in (wrap(line, width, 4) if width and line else [line])]


def fact_lines(facts: LayerFacts, complete: bool, width: int) -> list[Line]:
    """What a panel says of a layer's place in the model and of how it was set up, a line each.

    `complete`: whether Keras was asked; what is still the file's word then is called so.
    """
    recorded = " as recorded" if facts.recorded and complete else ""
    pairs = [
        ("output", shapes_text(facts.outputs) + recorded),
        ("takes", connections(facts.takes)),
        ("activation", escape(facts.activation)),
        *((f"{what} initialiser", escape(name)) for what, name in facts.initialisers if what in _MAIN),
        *((f"{what} regulariser", escape(name)) for what, name in facts.regularisers),
    ]
    lines = [piece for name, text in pairs if text for piece in wrap([(f"{name} ", "dim"), (text, "")], width, 2)]
    if facts.refused:
        lines += wrap([("not built here: ", "warning"), (facts.refused, "")], width, 2)
    return lines


def model_lines(known: Architecture, problem: str, complete: bool, width: int) -> list[Line]:
    """What a panel says of a whole model: what it gives, and why shapes are missing."""
    if not known.layers:
        return []
    taken = {one.layer for facts in known.layers for one in facts.takes}
    top = [facts for facts in known.layers if not facts.depth]
    ends = [facts for facts in top if facts.name not in taken] if known.linked else top[-1:]
    shapes = ", ".join(shapes_text(facts.outputs) for facts in ends)
    lines = wrap([("output ", "dim"), (shapes, "")], width, 2)
    if known.refused:
        some = f"{len(known.refused)} layers are" if len(known.refused) > 1 else "1 layer is"
        lines += wrap([("! ", "warning"), (f"{some} not built here: code of the file is never run", "")], width, 2)
    if problem:
        lines += wrap([("! ", "warning"), (f"output shapes: {escape(problem)}", "")], width, 2)
    elif not complete:
        lines.append([("output shapes: Keras is asked …", "dim")])
    return lines


def aside(facts: LayerFacts, width: int) -> Line:
    """What a tree that has room says of a layer behind its row, in exactly `width` columns."""
    shape_width = min(26, width // 2)
    line: Line = [(pad(f"  {shapes_text(facts.outputs)}", shape_width), "")]
    left = width - shape_width
    for text, most in ((escape(facts.activation), 14), (f"← {connections(facts.takes)}" if facts.takes else "", left)):
        room = min(most, left)
        line.append((pad(f" {text}", room), "dim"))
        left -= room
    return line


def _outputs(facts: LayerFacts) -> str:
    """The output shapes; in brackets where they are the file's word."""
    text = shapes_text(facts.outputs)
    return f"[{text}]" if facts.recorded and facts.outputs else text


def _row(facts: LayerFacts, catalogue: Catalogue, node: LayerNode | None) -> Row:
    parameters = f"{catalogue.totals(node).parameters:,}" if node is not None else "0"
    initialisers = ", ".join(name for what, name in facts.initialisers if what in _MAIN)
    regularisers = ", ".join(f"{what} {name}" for what, name in facts.regularisers)
    cells = (
        INDENT * facts.depth + escape(facts.name),
        escape(facts.class_name),
        _outputs(facts),
        parameters,
        connections(facts.takes),
        escape(facts.activation),
        escape(initialisers),
        escape(regularisers),
    )
    return Row(cells, "warning" if facts.refused else "" if facts.trainable else "dim")


def _plain_row(node: LayerNode, catalogue: Catalogue) -> Row:
    """A layer of which nothing but its tensors is known."""
    parameters = f"{catalogue.totals(node).parameters:,}"
    return Row((escape(node.path), escape(node.class_name), UNKNOWN, parameters, "", "", "", ""))
