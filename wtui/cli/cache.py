"""`wtui cache`: where statistics are kept between runs, how large that is, and how to get rid of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.cli import output
from wtui.cli.options import Parser
from wtui.cli.status import Exit
from wtui.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wtui.cache import Usage
    from wtui.render.spans import Line

__all__ = ["run"]

DESCRIPTION = """Show where wtui keeps statistics between runs, and how much room they take.

Only numbers are kept, never weights, and none of them is used for a file that was
changed. WTUI_CACHE=0 or --no-cache do without; WTUI_CACHE_MB bounds the size (256),
WTUI_CACHE_DIR is another place."""

EXAMPLES = """  wtui cache
  wtui cache clear
  WTUI_CACHE=0 wtui vgg16.keras"""

SCHEMA = 1


def run(arguments: Sequence[str]) -> int:
    """Show or clear; the exit code."""
    parser = Parser("wtui cache", DESCRIPTION, EXAMPLES)
    parser.add_argument("action", nargs="?", choices=["clear"], help="remove everything that is kept")
    parser.add_argument("--json", action="store_true", help="one JSON document and nothing else")
    options = parser.parse_args(arguments)
    from wtui.cache import usage

    freed = _clear() if options.action else 0
    found = usage()
    if options.json:
        output.write_json({"schema": SCHEMA, **found._asdict(), "problem": found.problem or None, "freed": freed})
    else:
        output.write_lines(_lines(found, freed if options.action else None))
    return Exit.DONE


def _clear() -> int:
    """Remove it; bytes freed. StorageError if it cannot be removed."""
    from wtui.cache import clear, database_path

    try:
        return clear()
    except OSError as error:
        raise StorageError(f"cannot be removed: {(error.strerror or str(error)).lower()}", database_path()) from error


def _lines(found: Usage, freed: int | None) -> list[Line]:
    from wtui.render import numbers
    from wtui.render.spans import escape

    lines: list[Line] = [[(escape(found.path), "bold")]]
    if freed is not None:
        lines.append([(f"{numbers.size(freed)} removed", "")])
    size = f"{numbers.size(found.bytes)} of at most {numbers.size(found.limit)}"
    lines.append([(f"{size}: {found.records:,} records of {found.models:,} models", "")])
    if found.problem:
        lines.append([(f"not used: {escape(found.problem)}", "warning")])
    return lines
