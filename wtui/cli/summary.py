"""`wtui summary`: the architecture of a model as Keras's `model.summary()` shows it, and what it was set up with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wtui.cli import output
from wtui.cli.keras_options import keras_parser, parsed, selector
from wtui.cli.options import open_model, something_lost
from wtui.cli.status import Exit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wtui.api import Model
    from wtui.live.architecture import LayerFacts
    from wtui.live.survey import Surveyed

__all__ = ["run"]

DESCRIPTION = """Show the architecture of a Keras model: layers in order, output shapes, parameters,
connections, activations, initialisers, regularisers. Reads no weights.

Output shapes come from Keras, in a process of its own that sees no GPU, and are kept
for the next time. Lambda layers and custom classes are never run: what depends on
them stays open, and is said (then the exit code is 3)."""

EXAMPLES = """  wtui summary vgg16.keras
  wtui summary keras:ResNet50
  wtui summary model.h5 --no-shapes
  wtui summary model.keras --json | jq '.layers[] | {name, output_shapes}'"""


def run(arguments: Sequence[str]) -> int:
    """Print; the exit code."""
    parser = keras_parser("wtui summary", DESCRIPTION, EXAMPLES, 120.0)
    parser.add_argument("--no-shapes", action="store_true", help="only what the file says; starts no other process")
    options = parsed(parser, arguments)
    with open_model(options) as model:
        found = _surveyed(model, options.no_shapes, options.time_limit)
        wanted = selector(options.select)
        layers = tuple(facts for facts in found.architecture.layers if wanted(facts.path))
        found = found._replace(architecture=found.architecture._replace(layers=layers))
        if options.json:
            output.write_json(_document(model, found))
        else:
            from wtui.render.architecture import summary_lines

            size = output.terminal_size()
            lines = summary_lines(model.catalogue, found.architecture, size and size[0], found.problem)
            output.write_lines(lines, options.ascii)
        missing = bool(found.problem or found.architecture.refused) or something_lost(model, None)
        return Exit.PARTIAL if missing else Exit.DONE


def _surveyed(model: Model, known_only: bool, limit: float) -> Surveyed:
    from wtui.live.survey import Surveyed, Surveyor

    surveyor = Surveyor.of_file(model.source)
    try:
        return Surveyed(surveyor.known) if known_only else surveyor.complete(limit)
    finally:
        surveyor.kill()


def _document(model: Model, found: Surveyed) -> dict[str, Any]:
    from wtui.cli import documents

    nodes = {node.path: node for node in model.catalogue.root.walk()}
    layers = []
    for facts in found.architecture.layers:
        node = nodes.get(facts.path)
        layers.append({**_layer(facts), "params": model.catalogue.totals(node).parameters if node else 0})
    return {**documents.head(model), "problem": found.problem or None, "layers": layers}


def _layer(facts: LayerFacts) -> dict[str, Any]:
    return {
        "path": facts.path,
        "name": facts.name,
        "class": facts.class_name,
        "output_shapes": [list(shape) for shape in facts.outputs] or None,
        "from": "file" if facts.recorded else "keras" if facts.outputs else None,
        "connected_to": [str(one) for one in facts.takes],
        "activation": facts.activation or None,
        "initialisers": dict(facts.initialisers),
        "regularisers": dict(facts.regularisers),
        "trainable": facts.trainable,
        "refused": facts.refused or None,
    }
