"""Arguments of the commands that let Keras do something, in a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.cli.options import Parser, seconds

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Sequence

__all__ = ["keras_parser", "parsed", "selector"]


def keras_parser(prog: str, description: str, examples: str, limit: float) -> Parser:
    """A parser with what those commands share; `limit`: seconds that Keras has unless an option says otherwise."""
    parser = Parser(prog, description, examples)
    parser.add_argument("path", metavar="MODEL", help="a Keras model file or folder, or keras:NAME")
    parser.add_argument(
        "--weights", metavar="W", help="for keras:NAME: none (untrained, the default), imagenet, or a weight file"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document and nothing else")
    parser.add_argument(
        "--select", metavar="GLOB", action="append", help="only layers whose paths match (* ? [...]); may be repeated"
    )
    parser.add_argument("--ascii", action="store_true", help="nothing but ASCII characters")
    parser.add_argument("--format", metavar="NAME", help="read the file as this format instead of guessing it")
    parser.add_argument("--no-cache", action="store_true", help="neither use nor keep what other runs found")
    parser.add_argument(
        "--time-limit", metavar="TIME", type=seconds, default=limit, help=f"for Keras (default: {limit:g} s)"
    )
    return parser


def parsed(parser: Parser, arguments: Sequence[str]) -> Namespace:
    """The arguments, with the weights made part of the path."""
    from wtui.live.applications import with_weights

    options = parser.parse_args(arguments)
    options.path = with_weights(options.path, options.weights)
    options.threads = None
    if options.no_cache:
        from wtui.cache.database import forbid

        forbid()
    return options


def selector(globs: list[str] | None) -> Callable[[str], bool]:
    """Whether a layer's path matches any of the patterns; every path does where there are none."""
    from fnmatch import fnmatchcase

    return lambda path: not globs or any(fnmatchcase(path, glob) for glob in globs)
