"""`wtui ls`: the layers and tensors of a model, from its metadata alone."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from wtui.cli import output
from wtui.cli.options import data_parser, open_model, selected_tensors, something_lost
from wtui.cli.status import Exit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wtui.api import Model
    from wtui.handles import Tensor

__all__ = ["run"]

DESCRIPTION = """List layers and tensors: shape, dtype, parameters, bytes. Reads no weights.

Begins with what is missing: shards, tensors, layers, files cut short (then the
exit code is 3). Ends with total, trainable and non-trainable parameters as Keras
counts them."""

EXAMPLES = """  wtui ls vgg16.keras
  wtui ls vgg16.keras --select '*/kernel'
  wtui ls vgg16.keras --json | jq .totals.parameters"""


def run(arguments: Sequence[str]) -> int:
    """List; the exit code."""
    options = data_parser("wtui ls", DESCRIPTION, EXAMPLES, csv=True).parse_args(arguments)
    gc.disable()  # a listing is made once and written: to look for garbage in it would take half of the time
    with open_model(options) as model:
        chosen = selected_tensors(model, options.select)
        selected = None if chosen is None else {t.index for t in chosen}
        if options.json or options.csv:
            tensors = [*model.tensors, *model.other_tensors] if chosen is None else chosen
            _write_data(model, tensors, selected, options.json)
        else:
            from wtui.render.listing import listing_lines

            size = output.terminal_size()
            output.write_lines(listing_lines(model.catalogue, size and size[0], selected), options.ascii)
        return Exit.PARTIAL if something_lost(model, chosen) else Exit.DONE


def _write_data(model: Model, tensors: Sequence[Tensor], selected: set[int] | None, json: bool) -> None:
    from wtui.cli import documents

    document = documents.listing(model, sorted(tensors, key=lambda t: t.index), selected)
    if json:
        output.write_json(document)
    else:
        output.write_csv(*documents.csv_table(document["tensors"]))
