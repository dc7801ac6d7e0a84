"""`wtui check`: what is wrong with a model, or remarkable, from all its values or from as many as time allows.

A folder of checkpoints, or several paths, are a run: `wtui.cli.check_run`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.cli import output
from wtui.cli.check_run import check_run, run_at
from wtui.cli.explain import EXPLAIN, explain
from wtui.cli.options import data_parser, open_model, seconds, selected_tensors
from wtui.cli.status import Exit, Progress
from wtui.insight.types import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wtui.api import Model
    from wtui.checking import Report
    from wtui.cli.options import Parser

__all__ = ["run"]

DESCRIPTION = """Say what is wrong with a model or remarkable about it, the worst first.

Of a run (a folder of checkpoints, or several paths): which checkpoint is the last
good one (complete and finite), since when and where there is NaN, which one the
validation figures beside them call the best.

Missing and unreadable weights, NaN and infinities, dead channels, layers that were
never trained, impossible statistics, and more. With --within it reads what tells
most first and says how much of the model that was.
Exit codes: 0 nothing at or above --fail-on, and everything was read; 1 something;
3 nothing, but not everything was read."""

EXAMPLES = """  wtui check vgg16.keras
  wtui check model.safetensors --fail-on warning
  wtui check big-model/ --within 30s
  wtui check run/                       a folder of checkpoints
  wtui check --explain never-trained
  wtui check model.h5 --json | jq '.findings[] | select(.severity == "error")'"""

PATHS = "a model file, or a folder that is a model; or a folder of checkpoints"


def run(arguments: Sequence[str]) -> int:
    """Examine and print; the exit code."""
    if EXPLAIN in arguments:
        return explain(arguments)
    options = _parser().parse_args(arguments)
    series = run_at(options.paths, options.format)
    if series is not None:
        return check_run(series, options)
    [options.path] = options.paths
    with open_model(options) as model:
        chosen = selected_tensors(model, options.select)
        with Progress() as progress:
            report = model.check(chosen, within=options.within, on_progress=progress)
        if options.json:
            from wtui.cli import documents

            output.write_json(documents.findings(model, report))
        else:
            _write(model, report, options.ascii)
    return _code(report, SEVERITIES[: SEVERITIES.index(options.fail_on) + 1])


def _parser() -> Parser:
    parser = data_parser("wtui check", DESCRIPTION, EXAMPLES, several=PATHS)
    parser.add_argument(
        "--fail-on", choices=SEVERITIES, default="error", help="the mildest finding that makes the exit code 1"
    )
    parser.add_argument("--within", metavar="TIME", type=seconds, help="read for at most this long (30s, 500ms, 2m)")
    parser.add_argument(EXPLAIN, metavar="RULE", nargs="?", help="say what a rule finds, and why; without RULE: all")
    return parser


def _write(model: Model, report: Report, ascii: bool) -> None:
    from wtui.render.findings import finding_lines, summary_line

    size = output.terminal_size()
    lines = finding_lines(report.findings, size and size[0])
    total = sum(t.nbytes for t in model.catalogue.tensors if t.alias_of is None and t.group != "derived")
    output.write_lines([*lines, summary_line(report.findings, report.read, report.complete, total)], ascii)


def _code(report: Report, severities: Sequence[str]) -> int:
    """DIFFERENT for findings that count, PARTIAL for a partial look that found none."""
    if any(f.severity in severities for f in report.findings):
        return Exit.DIFFERENT
    return Exit.DONE if report.complete else Exit.PARTIAL
