"""`wtui activations`: what every layer gives for an input: distributions, dead and saturated units, signal by depth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wtui.cli import output
from wtui.cli.keras_options import keras_parser, parsed, selector
from wtui.cli.options import open_model
from wtui.cli.status import Exit, Narration
from wtui.live.passing import BATCH, TIME_LIMIT, ForwardPass, Settings
from wtui.live.protocol import OutputRow
from wtui.live.seen import Seen

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from wtui.api import Model

__all__ = ["run"]

DESCRIPTION = """Run a Keras model once and show what every layer gives: mean, standard deviation,
zeros, dead rectified units, saturated sigmoids and tanhs, by depth.

The input is a .npy file, an .npz file with an array for each input, or random values.
Whatever is said holds for this input only. Keras runs in a process of its own that
sees no GPU unless --device gpu is given. Lambda layers and custom classes are never
run."""

EXAMPLES = """  wtui activations vgg16.keras
  wtui activations model.keras --input images.npy --batch 16
  wtui activations keras:ResNet50 --json | jq '.layers[] | {layer, std}'"""


def run(arguments: Sequence[str]) -> int:
    """Run the model and print; the exit code."""
    parser = keras_parser("wtui activations", DESCRIPTION, EXAMPLES, TIME_LIMIT)
    given = parser.add_mutually_exclusive_group()
    given.add_argument("--input", metavar="FILE", help="a .npy file, or an .npz file with an array for each input")
    given.add_argument("--random", action="store_true", help="random values that fit the inputs (the default)")
    parser.add_argument("--batch", metavar="N", type=int, default=BATCH, help=f"samples (default: at most {BATCH})")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of random values (default: 0)")
    parser.add_argument(
        "--device",
        choices=("cpu", "gpu"),
        default="cpu",
        help="where to run it (default: cpu); a GPU's memory is taken as needed",
    )
    options = parsed(parser, arguments)
    with open_model(options) as model:
        seen = _watched(model, options)
        if options.json:
            output.write_json(_document(model, seen))
        else:
            _write(seen, options.ascii)
        return Exit.PARTIAL if seen.unseen else Exit.DONE


def _watched(model: Model, options: Namespace) -> Seen:
    """Everything that the pass says; how it goes is told in a terminal."""
    settings = Settings(options.input, options.batch, options.seed, options.device, options.time_limit)
    seen, wanted = Seen(), selector(options.select)
    with Narration() as tell:
        tell("starting Keras")
        forward = ForwardPass(model.source, options.format, settings, model.totals.bytes)
        try:
            for message in forward:
                if not isinstance(message, OutputRow):
                    seen.take(message)
                elif wanted(message.layer):
                    seen.take(message._replace(maps=None))
                tell(f"{message.layer} {message.class_name}" if isinstance(message, OutputRow) else seen.said)
        finally:
            forward.kill()
    return seen


def _write(seen: Seen, ascii: bool) -> None:
    from wtui.render.outputs import input_lines, output_lines

    size = output.terminal_size()
    width = size and size[0]
    output.write_lines([*input_lines(seen.inputs), [], *output_lines(seen.outputs, seen.remarks(), width)], ascii)
    output.write_lines([[(f"{one.layer}: {one.why}", "warning")] for one in seen.unseen], ascii)


def _document(model: Model, seen: Seen) -> dict[str, Any]:
    from wtui.cli import documents

    inputs = [{**one._asdict(), "shape": list(one.shape), "rms": documents.finite(one.rms)} for one in seen.inputs]
    head = documents.head(model)
    head["warnings"] += [{"tensor": one.layer, "message": one.why} for one in seen.unseen]
    layers = [_layer(row) for row in seen.outputs]
    return {**head, "inputs": inputs, "layers": layers, "findings": documents.finding_list(seen.remarks())}


def _layer(row: OutputRow) -> dict[str, Any]:
    from wtui.cli import documents

    return {
        "layer": row.layer,
        "class": row.class_name,
        "call": row.call,
        "output": row.output,
        "shape": list(row.shape),
        "dtype": row.dtype,
        "activation": row.squashing or None,
        "units": row.channels or None,
        "dead": row.dead,
        "saturated": row.saturated,
        "spread": row.spread,
        **documents.row_numbers(row.row),
    }
