"""`wtui watch`: follows a folder while a training writes checkpoints into it, on the screen or line by line."""

from __future__ import annotations

import os
import re
from argparse import ArgumentTypeError
from typing import TYPE_CHECKING, Any

from wtui.cli import output
from wtui.cli.options import Parser, seconds
from wtui.cli.status import Exit, say
from wtui.errors import StorageError
from wtui.render.terminal import has_terminal

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from wtui.cli.browse import Screen
    from wtui.render.spans import Line
    from wtui.series.protocol import OpenRun
    from wtui.series.state import RunState

__all__ = ["Watcher", "run"]

DESCRIPTION = """Follow a folder while a training writes checkpoints into it.

A checkpoint is read once it is complete, never half-written; one that is written
again is read again; what is known of a deleted one stays. Reads at low priority, and
with --max-rate no faster than so many bytes a second. In a terminal it is the table
that `wtui RUN/` shows; in a pipe, or with --once, a line for each checkpoint.
Exit code of --once: 0 if the newest checkpoint is good, 1 if not."""

EXAMPLES = """  wtui watch run/
  wtui watch run/ --max-rate 50MB
  wtui watch run/ > run.log &
  wtui watch run/ --once --json | jq 'select(.good | not)'"""

_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*([kMGT]?)(i?)B?(?:/s)?", re.IGNORECASE)

MAX_FIGURES = 3
"""Figures in a line, those of validation first."""

POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def run(arguments: Sequence[str], screen: Screen | None = None) -> int:
    """Follow; the exit code. `screen` draws, if there is a terminal."""
    options = _parser().parse_args(arguments)
    if not os.path.isdir(options.path):
        raise StorageError("is not a folder" if os.path.exists(options.path) else "no such folder", options.path)
    if options.no_cache:
        from wtui.cache import forbid

        forbid()
    from wtui.series.protocol import OpenRun

    opened = OpenRun(None, options.path, follow=True, every=options.every, max_rate=options.max_rate)
    if screen is not None and has_terminal() and not (options.once or options.json or options.plain):
        return screen.show_run(opened)
    return Watcher(opened._replace(oldest_first=True), options).follow()


def _parser() -> Parser:
    parser = Parser("wtui watch", DESCRIPTION, EXAMPLES)
    parser.add_argument("path", metavar="RUN", help="the folder into which checkpoints are written; may be empty yet")
    parser.add_argument("--max-rate", metavar="RATE", type=rate, help="bytes read per second at most (50MB, 512k)")
    parser.add_argument("--every", metavar="TIME", type=seconds, default=1.0, help="look at the folder so often (1s)")
    parser.add_argument("--once", action="store_true", help="read what is there, then end")
    parser.add_argument("--plain", action="store_true", help="lines, also in a terminal")
    parser.add_argument("--json", action="store_true", help="a JSON document in a line for each checkpoint")
    parser.add_argument("--ascii", action="store_true", help="nothing but ASCII characters")
    parser.add_argument("--no-cache", action="store_true", help="neither use nor keep statistics of other runs")
    return parser


def rate(text: str) -> float:
    """`50MB`, `512k`, `1.5GiB/s`: bytes per second; ArgumentTypeError for anything else."""
    match = _RATE.fullmatch(text.strip())
    if match is None or float(match[1]) <= 0:
        raise ArgumentTypeError(f"{text!r} is no rate such as 50MB or 512k")
    unit: int = (1024 if match[3] else 1000) ** POWERS[match[2].lower()]
    return float(match[1]) * unit


class Watcher:
    """Prints what is heard of a run."""

    def __init__(self, opened: OpenRun, options: Namespace) -> None:
        from wtui.series.figures import Figures
        from wtui.series.members import Run
        from wtui.series.state import RunState

        self._opened = opened
        self._options = options
        self.state: RunState = RunState(Run(opened.folder, (), ""), Figures())

    def follow(self) -> int:
        """Print until there is no more, or for ever; the exit code."""
        from wtui.engine.child import NICE
        from wtui.series.session import RunSession

        try:
            os.nice(NICE)
        except OSError:
            pass
        session = RunSession(self._opened)
        session.start()
        try:
            while not (self._options.once and self.state.rested):
                for answer in session.answers():
                    self._hear(answer)
        finally:
            session.close()
        return self._code()

    def _code(self) -> int:
        members, verdict = self.state.members, self.state.verdict
        if not members:
            say(f"{self._opened.folder}: no checkpoint in it")
            return Exit.FAILED
        last = verdict.health[-1]
        return Exit.DONE if last is not None and last.good else Exit.DIFFERENT

    def _hear(self, answer: Any) -> None:
        from wtui.engine.protocol import GoneWrong
        from wtui.series.protocol import Gone, Recalled, Taken, Trouble

        if isinstance(answer, GoneWrong):
            raise StorageError(answer.message, self._opened.folder)
        if isinstance(answer, Recalled):
            for each in answer.taken:
                self._hear(each)
            return
        self.state.take(answer)
        if isinstance(answer, Taken | Trouble):
            self._write(answer.path)
        elif isinstance(answer, Gone) and not self._options.json:
            self._say(answer.path, "deleted; its numbers stay", "dim")

    def _write(self, path: str) -> None:
        """A line about a checkpoint that was read, or could not be."""
        number = next((i for i, m in enumerate(self.state.members) if m.path == path), None)
        if number is None:
            return
        if self._options.json:
            output.write_json(self._document(number))
            output.flush()
            return
        health = self.state.verdict.health[number]
        assert health is not None
        known = self.state.figures
        row = known.rows[number] if number < len(known.rows) else {}
        figures = "".join(f"  {name} {row[name]:.4g}" for name in [n for n in known.names if n in row][:MAX_FIGURES])
        self._say(path, health.words + figures, "" if health.good else "error")

    def _say(self, path: str, words: str, style: Any) -> None:
        from wtui.render.spans import escape

        label = next((m.label for m in self.state.members if m.path == path), "")
        sign = {"": ("✓ ", "good"), "error": ("✗ ", "error"), "dim": ("- ", "dim")}[style]
        line: Line = [sign, (f"{escape(label)}  ", "bold"), (escape(words), "dim" if style == "dim" else "")]  # type: ignore[list-item]
        output.write_lines([line], self._options.ascii)
        output.flush()

    def _document(self, number: int) -> dict[str, Any]:
        from wtui.cli.check_run import checkpoint_document

        state = self.state
        figures = state.figures.rows[number] if number < len(state.figures.rows) else {}
        member = state.members[number]
        found = checkpoint_document(member, state.verdict.health[number], state.rows.records.get(member.path), figures)
        return {"schema": 1, **found}
