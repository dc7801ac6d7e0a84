"""The command `wtui`: decides between the browser and a data command, and imports only the one that is needed."""

from __future__ import annotations

import sys

__all__ = ["main"]

COMMANDS = frozenset({"ls", "stats", "plot", "demo"})
"""Words that are commands when they come first; `./ls` opens a file that is named like one."""


def main(argv: list[str] | None = None) -> int:
    """Run wtui with these arguments (default: the process's); the exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    if len(arguments) == 1 and not arguments[0].startswith("-") and arguments[0] not in COMMANDS:
        from wtui.tui.app import browse_path

        return browse_path(arguments[0])
    from wtui.cli.main import run

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
