"""`wtui diff`: what differs between models, tensor by tensor; `--structure`: whether weights would load."""

from __future__ import annotations

from argparse import ArgumentTypeError
from contextlib import ExitStack
from math import isfinite
from typing import TYPE_CHECKING

from wtui.cli import output
from wtui.cli.options import data_parser, open_model
from wtui.cli.status import Exit, Progress
from wtui.errors import UsageError
from wtui.insight.changes import ORDERS, sorted_changes

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from wtui.api import Model
    from wtui.cli.options import Parser
    from wtui.comparing.frozen import Expectation
    from wtui.insight.compared import Compared

__all__ = ["run"]

DESCRIPTION = """Compare models tensor by tensor: relative change, cosine similarity, sign flips,
distance of the distributions; rolled up to layers and to the whole.

Tensors are paired by name, by layer and role, by content, or by shape and order;
prefixes and transposed layouts are seen through. B..N are each compared with A.
Exit codes: 0 the same; 1 different; 2 nothing could be compared; 3 no difference
known, but not everything was read."""

EXAMPLES = """  wtui diff before.keras after.keras
  wtui diff model.keras model.pt --select '*kernel'
  wtui diff epoch-1.keras epoch-2.keras epoch-3.keras
  wtui diff float32.safetensors q8.gguf --tolerance 0.01
  wtui diff before.keras after.keras --expect-frozen 'backbone*'
  wtui diff --structure weights.safetensors model.keras
  wtui diff a.keras b.keras --json | jq '.tensors[] | {b, relative_l2}'"""

DEPTH = "depth"
MAX_MODELS = 26
"""Models that have a letter each."""

PLOT_HEIGHT = 12
"""Rows of a depth plot."""


def run(arguments: Sequence[str]) -> int:
    """Compare and print; the exit code."""
    options = _parser().parse_args(arguments)
    if not 2 <= len(options.paths) <= MAX_MODELS:
        what = "one model" if len(options.paths) == 1 else f"{len(options.paths)} models"
        raise UsageError(f"{what} cannot be compared", hint=f"name 2 to {MAX_MODELS}")
    if options.structure:
        from wtui.cli.diff_structure import would_load

        return would_load(options)
    with ExitStack() as stack:
        models = [stack.enter_context(open_model(options, path)) for path in options.paths]
        found = _compared(models, options)
        expected = _expected(found, options.expect_frozen)
        if options.json or options.csv:
            _write_data(found, expected, options)
        else:
            _write(found, expected, options)
    return _code(found, expected)


def _parser() -> Parser:
    parser = data_parser("wtui diff", DESCRIPTION, EXAMPLES, csv=True, several="two models or more: A B ...")
    parser.add_argument(
        "--sort", choices=(*ORDERS, DEPTH), help="order of tensors (default: change, worst first; in data: depth)"
    )
    parser.add_argument("--changed", action="store_true", help="leave identical pairs out of the tables")
    parser.add_argument("--tolerance", metavar="X", type=_tolerance, help="largest |difference| that counts as none")
    parser.add_argument("--all", action="store_true", help="also optimizer slots and the like, stored beside models")
    parser.add_argument("--no-plot", action="store_true", help="no plot of the change by depth")
    parser.add_argument(
        "--expect-frozen",
        metavar="GLOB",
        action="append",
        help="exit 1 only if such a tensor moved, or another layer did not (two models); may be repeated",
    )
    parser.add_argument(
        "--structure",
        action="store_true",
        help="would the weights of A load into B, a model or a Keras config.json? Reads no values",
    )
    return parser


def _compared(models: Sequence[Model], options: Namespace) -> list[Compared]:
    """Each model but the first against the first."""
    from wtui.comparisons import compare

    found = []
    for model in models[1:]:
        with Progress() as progress:
            found.append(
                compare(
                    models[0],
                    model,
                    select=options.select or (),
                    everything=options.all,
                    tolerance=options.tolerance,
                    threads=options.threads,
                    on_progress=progress,
                )
            )
    if not any(c.results for c in found):
        raise UsageError("there are no tensors in these models", " and ".join(m.path for m in models))
    return found


def _expected(found: Sequence[Compared], globs: Sequence[str] | None) -> Expectation | None:
    if not globs:
        return None
    if len(found) > 1:
        raise UsageError("--expect-frozen is for two models", hint="before and after")
    from wtui.comparing.frozen import expect_frozen

    return expect_frozen(found[0], globs)


def _write_data(found: Sequence[Compared], expected: Expectation | None, options: Namespace) -> None:
    from wtui.cli import diff_documents

    order = None if options.sort == DEPTH else options.sort
    documents = []
    for one in found:
        changes = [c for c in sorted_changes(one.results, order) if not (options.changed and c.is_equal())]
        documents.append(diff_documents.document(one, changes))
    if expected is not None:
        documents[0]["expect_frozen"] = diff_documents.expectation(expected)
    if options.json:
        output.write_json(documents[0] if len(documents) == 1 else diff_documents.several(documents))
        return
    model = len(documents) > 1
    rows = [{**({"model": d["b"]} if model else {}), **tensor} for d in documents for tensor in d["tensors"]]
    output.write_csv(*diff_documents.csv_table(rows))


def _write(found: Sequence[Compared], expected: Expectation | None, options: Namespace) -> None:
    from wtui.render.differences import head_lines, notices_of

    size = output.terminal_size()
    width, order = size and size[0], None if options.sort == DEPTH else options.sort or "change"
    catalogues = [found[0].a, *(c.b for c in found)]
    output.write_lines([*head_lines(catalogues), *notices_of(catalogues, width), []], options.ascii)
    columns = min(width or output.PLOT_COLUMNS[0], output.PLOT_COLUMNS[1])
    if len(found) == 1:
        _write_two(found[0], width, order, columns, options)
    else:
        _write_several(found, width, order, columns, options)
    if expected is not None:
        from wtui.render.frozen import frozen_lines

        output.write_lines([[], *frozen_lines(*expected)], options.ascii)


def _write_two(found: Compared, width: int | None, order: str | None, columns: int, options: Namespace) -> None:
    from wtui.render.differences import depth_lines, pairing_lines, table_lines, verdict_line, whole_lines

    if found.pairs:
        output.write_lines([*pairing_lines(found, width), []], options.ascii)
    output.write_lines(table_lines(found, order, width, changed_only=options.changed), options.ascii)
    plot = [] if options.no_plot else depth_lines(found.layers, columns, PLOT_HEIGHT)
    if plot:
        output.write_plot([*plot, []], options.ascii)
    output.write_lines([*whole_lines(found, width), verdict_line(found)], options.ascii)


def _write_several(
    found: Sequence[Compared], width: int | None, order: str | None, columns: int, options: Namespace
) -> None:
    from wtui.render.differences_many import matrix_lines, plot_lines, verdict_lines

    output.write_lines(matrix_lines(found, order, width, changed_only=options.changed), options.ascii)
    plot = [] if options.no_plot else plot_lines(found, columns, PLOT_HEIGHT)
    if plot:
        output.write_plot([*plot, []], options.ascii)
    output.write_lines(verdict_lines(found, width), options.ascii)


def _code(found: Sequence[Compared], expected: Expectation | None) -> int:
    """DIFFERENT where a difference (or what was not expected) is known, else PARTIAL where something was not read."""
    if expected is not None:
        return Exit.DIFFERENT if not expected.holds else Exit.PARTIAL if not found[0].is_complete else Exit.DONE
    if any(c.differs or not c.results for c in found):
        return Exit.DIFFERENT
    return Exit.DONE if all(c.is_complete for c in found) else Exit.PARTIAL


def _tolerance(text: str) -> float:
    """A finite number that is not negative."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not (isfinite(value) and value >= 0):
        raise ArgumentTypeError(f"{text!r} is not a number from 0 up")
    return value
