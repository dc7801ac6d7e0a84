"""`wtui stats`: every statistic of every tensor and of the whole model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.cli import output
from wtui.cli.options import data_parser, open_model, selected_tensors, something_lost
from wtui.cli.status import Exit, Progress
from wtui.errors import CodecError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wtui.api import Model, Statistics
    from wtui.handles import Tensor

__all__ = ["run"]

DESCRIPTION = """Print every statistic of every tensor, and of the whole model, from all values.

NaN and infinities are counted and left out of the other numbers; std and variance
are of the population; kurtosis is excess (0 for a normal distribution). With
--select, the last row and the totals are of the selected tensors together.
Exit code 3: something could not be read, see the notices."""

EXAMPLES = """  wtui stats vgg16.keras
  wtui stats vgg16.keras --select 'fc*/kernel' --csv > fc.csv
  wtui stats model.safetensors --json | jq '.tensors[] | select(.nan > 0) | .name'"""


def run(arguments: Sequence[str]) -> int:
    """Read and print; the exit code."""
    options = data_parser("wtui stats", DESCRIPTION, EXAMPLES, csv=True).parse_args(arguments)
    with open_model(options) as model:
        chosen = selected_tensors(model, options.select)
        selected = None if chosen is None else {t.index for t in chosen}
        with Progress() as progress:
            found = model.statistics(chosen, progress)
        if options.json or options.csv:
            _write_data(model, chosen, found, selected, options.json)
        else:
            from wtui.render.report import statistics_lines

            size = output.terminal_size()
            lines = statistics_lines(model.catalogue, *found, size and size[0], selected)
            output.write_lines(lines, options.ascii)
        return _code(model, chosen, found)


def _write_data(
    model: Model, chosen: Sequence[Tensor] | None, found: Statistics, selected: set[int] | None, json: bool
) -> None:
    from wtui.cli import documents

    tensors = sorted([*model.tensors, *model.other_tensors] if chosen is None else chosen, key=lambda t: t.index)
    document = documents.statistics(model, tensors, found, selected)
    if json:
        output.write_json(document)
    else:
        output.write_csv(*documents.csv_table(document["tensors"]))


def _code(model: Model, chosen: Sequence[Tensor] | None, found: Statistics) -> int:
    """PARTIAL where something could not be read; CodecError where that is everything."""
    if found.problems and not found.rows:
        raise CodecError(f"none of its tensors can be read: {next(iter(found.problems.values()))}", model.path)
    return Exit.PARTIAL if found.problems or something_lost(model, chosen) else Exit.DONE
