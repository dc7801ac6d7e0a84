"""`wtui plot --kind heatmap`: a tensor seen as a matrix, reduced to as many cells as there is room for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wtui.cli import output
from wtui.cli.documents import finite, head
from wtui.errors import UsageError
from wtui.insight.roles import axes, is_torch_layout

if TYPE_CHECKING:
    from argparse import Namespace

    from wtui.api import Model
    from wtui.engine.matrix import Cells
    from wtui.handles import Tensor
    from wtui.render.spans import Line

__all__ = ["CELL_WORDS", "plot_heatmap"]

CELL_WORDS = ("mean", "abs_mean", "abs_max")
"""What --cell takes, and what the document calls it."""

CAPTION_ROWS = 2
"""Rows around the picture that say what it shows."""


def plot_heatmap(model: Model, options: Namespace) -> bool:
    """Read the tensor once and write its cells. UsageError if NAME is no tensor of at least one value."""
    if options.name is None or options.select:
        raise UsageError("a heat map shows one tensor", hint="wtui plot PATH NAME --kind heatmap")
    tensor = model.tensor(options.name)
    columns, rows = output.plot_size(options)
    colour = output.has_true_colours(options)
    lines = max(rows - CAPTION_ROWS, 5)
    split = _split(tensor, model)
    cells = tensor.heatmap(lines * (2 if colour else 1), columns, split)
    if options.json:
        output.write_json({**head(model), **_document(tensor, cells, split)})
    else:
        output.write_plot(_lines(model, tensor, cells, split, options.cell, (columns, lines), colour), options.ascii)
    return True


def _split(tensor: Tensor, model: Model) -> int:
    """The axes before it are rows: all but those of the output channels."""
    rank = len(tensor.shape)
    return max(0, min(1, rank - 1)) if is_torch_layout(model.format) else max(0, rank - 1)


def _document(tensor: Tensor, cells: Cells, split: int) -> dict[str, Any]:
    shown = {word: [[finite(x) for x in row] for row in getattr(cells, word).tolist()] for word in CELL_WORDS}
    return {
        "kind": "heatmap",
        "name": tensor.name,
        "rows": cells.rows,
        "columns": cells.columns,
        "split": split,
        **shown,
    }


def _lines(
    model: Model, tensor: Tensor, cells: Cells, split: int, word: str, size: tuple[int, int], colour: bool
) -> list[Line]:
    """The picture and what it shows."""
    from wtui.render.heat import Matrix, enlarged, legend, scale_of
    from wtui.render.slices import split_name
    from wtui.render.spans import escape

    shown = getattr(cells, word)
    matrix = Matrix(shown.shape[0], shown.shape[1], shown.reshape(-1).tolist())
    scale = scale_of(matrix.values)
    node = model.layer(tensor.layer).node
    names = axes(tensor.entry, node, torch_layout=is_torch_layout(model.format))
    title: Line = [(escape(tensor.name), "bold"), (f"  {split_name(tensor.shape, names, split)}", "dim")]
    across = "x".join(f"{n:,}" for n in (cells.rows, cells.columns))
    cut = "a cell each" if (cells.rows, cells.columns) == shown.shape else f"{word} of each of {shown.size:,} cells"
    caption: Line = [*legend(scale, colour=colour), (f"   {across} values, {cut}", "dim")]
    return [title, *enlarged(matrix, scale, *size, colour=colour), caption]
