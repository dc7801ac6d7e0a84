"""Arguments that commands share, a parser whose errors are one line, and the models and tensors that they name."""

from __future__ import annotations

import os
import re
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING, NoReturn

from wtui.cli.output import write_text
from wtui.errors import FormatError, UnknownNameError, UsageError
from wtui.insight.presence import absent

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from wtui.api import Model
    from wtui.handles import Tensor

__all__ = ["Parser", "data_parser", "open_model", "seconds", "selected_tensors", "something_lost"]

_NUMBER = re.compile(r"-(\d|\.\d|inf)", re.IGNORECASE)
"""How an argument starts that is a negative number and not an option: `-0.1`, `-1e-3`."""

HELP_WIDTH = 80
"""Columns of a help text."""

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
"""Seconds of the units that times are given in."""

MAX_THREADS = 64
"""More than this many threads only wait for each other."""

NEAREST = 3
"""Names that an error about a pattern without matches suggests."""


class Parser(ArgumentParser):
    """A parser that raises UsageError for its errors and writes its help as data."""

    def __init__(self, prog: str, description: str, examples: str = "") -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=f"examples:\n{examples}" if examples else None,
            formatter_class=_formatter,
            allow_abbrev=False,
        )
        self._negative_number_matcher = _NUMBER

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"see `{self.prog} -h`")

    def _print_message(self, message: str, file: object = None) -> None:
        write_text(message)


def data_parser(prog: str, description: str, examples: str, *, csv: bool = False, several: str = "") -> Parser:
    """A parser with the arguments of every command that prints data about a model, or about `several` of them."""
    parser = Parser(prog, description, examples)
    if several:
        parser.add_argument("paths", metavar="PATH", nargs="+", help=several)
    else:
        parser.add_argument("path", metavar="PATH", help="a model file, or a folder that is a model")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="one JSON document and nothing else")
    if csv:
        shape.add_argument("--csv", action="store_true", help="a row for each tensor, with a header")
    parser.add_argument(
        "--select", metavar="GLOB", action="append", help="only tensors whose names match (* ? [...]); may be repeated"
    )
    parser.add_argument("--ascii", action="store_true", help="nothing but ASCII characters")
    parser.add_argument("--format", metavar="NAME", help="read the file as this format instead of guessing it")
    parser.add_argument("--weights", metavar="W", help="for PATH keras:NAME: none, imagenet, or a weight file")
    parser.add_argument("--no-cache", action="store_true", help="neither use nor keep statistics of other runs")
    parser.add_argument("--threads", metavar="N", type=_threads, help="threads that read values (default: processors)")
    return parser


def open_model(options: Namespace, path: str | None = None) -> Model:
    """The model that the arguments name (`path`: of several); in a folder that is no model, the only one there is."""
    from wtui.api import open

    path = options.path if path is None else path
    if getattr(options, "weights", None) is not None:
        from wtui.live.applications import with_weights

        path = with_weights(path, options.weights)
    try:
        return open(path, format=options.format, cache=not options.no_cache, threads=options.threads)
    except FormatError as error:
        if options.format is not None or not os.path.isdir(path):
            raise
        from wtui.formats.candidates import models_inside

        found = models_inside(path)
        if not found:
            raise
        if len(found) > 1:
            _refuse_run(path)
            names = ", ".join(os.path.relpath(c.path, path) for c in found[:NEAREST])
            more = f" and {len(found) - NEAREST} more" if len(found) > NEAREST else ""
            raise UsageError("a folder of several models", path, f"name one: {names}{more}") from error
        return open(found[0].path, cache=not options.no_cache, threads=options.threads)


def _refuse_run(path: str) -> None:
    """UsageError for a folder of checkpoints, where one model is wanted."""
    from wtui.series.members import run_in

    run = run_in(path)
    if run is not None:
        first, last = run.members[0].name, run.members[-1].name
        hint = f"name one of {first} to {last}; wtui PATH and wtui check PATH take them all"
        raise UsageError(f"a run of {len(run.members)} checkpoints", path, hint)


def selected_tensors(model: Model, globs: list[str] | None) -> list[Tensor] | None:
    """The tensors whose names match any of the patterns, in the model's order; None without patterns.

    UnknownNameError with the nearest names if nothing matches.
    """
    if not globs:
        return None
    from fnmatch import translate

    wanted = re.compile("|".join(map(translate, globs)))
    tensors = [*model.tensors, *model.other_tensors]
    found = [t for t in tensors if wanted.match(t.name)]
    if not found:
        from difflib import get_close_matches

        plain = globs[0].strip("*?")
        near = get_close_matches(plain, [t.name for t in tensors], n=NEAREST, cutoff=0.3)
        hint = f"did you mean {' or '.join(near)}?" if near else "`wtui ls` lists all names"
        raise UnknownNameError(f"no tensor matches {' or '.join(globs)}", model.path, hint)
    return sorted(found, key=lambda t: t.index)


def something_lost(model: Model, chosen: Sequence[Tensor] | None) -> bool:
    """Whether the reader missed something, be it in the file or among the chosen tensors (None: all)."""
    names = None if chosen is None else {"", *(t.name for t in chosen)}
    if names is None and absent(model.catalogue):
        return True
    return any(notice.lost for notice in model.warnings if names is None or notice.tensor in names)


def seconds(text: str) -> float:
    """`30s`, `500ms`, `2m`, or a bare number of seconds; ArgumentTypeError for anything else."""
    number, unit = text, 1.0
    for suffix in sorted(UNITS, key=len, reverse=True):
        if text.endswith(suffix):
            number, unit = text[: -len(suffix)], UNITS[suffix]
            break
    try:
        found = float(number) * unit
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no time such as 30s, 500ms or 2m") from None
    if not 0 < found < float("inf"):
        raise ArgumentTypeError(f"{text!r} is no time such as 30s, 500ms or 2m")
    return found


def _formatter(prog: str) -> RawDescriptionHelpFormatter:
    """Help of a fixed width: asking for the terminal's costs an import that every command would pay."""
    return RawDescriptionHelpFormatter(prog, width=HELP_WIDTH)


def _threads(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_THREADS:
        raise ArgumentTypeError(f"{text!r} is not a number from 1 to {MAX_THREADS}")
    return int(text)
