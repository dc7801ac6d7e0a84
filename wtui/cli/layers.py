"""`wtui plot --kind layers`: distributions of alike tensors side by side, a line each over the same axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wtui.cli import output
from wtui.cli.depth import alike
from wtui.cli.documents import finite, head
from wtui.cli.options import selected_tensors
from wtui.cli.status import Progress
from wtui.errors import CodecError

if TYPE_CHECKING:
    from argparse import Namespace

    from wtui.api import Model, Statistics
    from wtui.handles import Tensor

__all__ = ["plot_layers"]


def plot_layers(model: Model, options: Namespace) -> bool:
    """Read the tensors of one kind and write a line for each; whether all of them could be read."""
    from wtui.render.ridges import MOST_LINES, ridge_lines

    marked = model.tensors_of(model[options.name]) if options.name is not None else ()
    chosen = selected_tensors(model, options.select)
    pool = [t for t in (model.tensors if chosen is None else chosen) if t.entry.counted]
    kind, members = alike(model, pool, options.family, marked)
    with Progress() as progress:
        found = model.statistics(members, progress, together=False)
    if not found.rows and members:
        raise CodecError(f"none of these tensors can be read: {next(iter(found.problems.values()))}", model.path)
    if options.json:
        output.write_json({**head(model, found.problems), **_document(kind, members, found)})
    else:
        columns, _ = output.plot_size(options)
        names = {t.index: t.name for t in members}
        current = next((t.index for t in marked if t.index in names), None)
        title = f"distributions of {len(members):,} {kind}, 0.1 to 99.9 %, heights by each one's own peak"
        height = 1 if options.ascii else max(1, min(MOST_LINES, (options.height - 2) // len(names)))
        lines = ridge_lines(names, found.rows, columns, current=current, ascii=options.ascii, height=height)
        output.write_lines([[(title, "bold")], *lines], options.ascii)
    return not found.problems


def _document(kind: str, members: list[Tensor], found: Statistics) -> dict[str, Any]:
    """For each tensor its counts in equal bins over its own 0.1 to 99.9 %."""
    lines = []
    for tensor in members:
        row = found.rows.get(tensor.index)
        if row is not None:
            sketch = row.sketch
            counts = {"low": finite(sketch.lo), "high": finite(sketch.hi), "counts": list(sketch.counts)}
            lines.append({"name": tensor.name, "std": finite(row.std), **counts})
    return {"kind": "layers", "family": kind, "tensors": lines}
