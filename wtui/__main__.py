"""The command `wtui`: hands the browser to the command line, and imports only what the arguments need."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from wtui.cli import COMMANDS
from wtui.cli.browse import browse
from wtui.cli.status import guarded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wtui.formats.candidates import Candidate
    from wtui.live.passing import Settings
    from wtui.series.protocol import OpenRun

__all__ = ["main"]


class Browser:
    """The Textual browser, as a `wtui.cli.browse.Screen`."""

    def show(self, path: str, format: str | None, given: Settings | None = None) -> int:
        """Browse one model. The file is opened while Textual is imported; one that cannot be ends it with an error."""
        from wtui.tui.launch import browse_path

        return browse_path(path, format, given)

    def show_run(self, opened: OpenRun) -> int:
        """Browse a run of checkpoints."""
        from wtui.tui.launch import browse_run

        return browse_run(opened)

    def compare(self, a: str, b: str, format: str | None) -> int:
        """Browse two models as one tree."""
        from wtui.tui.launch import browse_pair

        return browse_pair(a, b, format)

    def pick(self, folder: str, candidates: Sequence[Candidate], notes: Mapping[str, str]) -> str | None:
        """Let the user choose a model."""
        from wtui.tui.picker import pick

        return pick(folder, candidates, notes)


def main(argv: Sequence[str] | None = None) -> int:
    """Run wtui with these arguments (default: the process's); the exit code."""
    return guarded(lambda: _run(sys.argv[1:] if argv is None else argv))


def _run(arguments: Sequence[str]) -> int:
    if len(arguments) == 1 and not arguments[0].startswith("-") and arguments[0] not in COMMANDS:
        return browse(arguments[0], None, Browser())
    from wtui.cli.main import run

    return run(arguments, Browser())


if __name__ == "__main__":
    sys.exit(main())
