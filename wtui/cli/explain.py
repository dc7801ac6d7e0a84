"""`wtui check --explain`: what the rules find, where they draw the line and why, and how right they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.cli import output
from wtui.cli.options import Parser
from wtui.cli.status import Exit
from wtui.insight.explaining import explained, rule_named, summary_text
from wtui.insight.rules import RULES
from wtui.render.spans import wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wtui.render.spans import Line

__all__ = ["EXPLAIN", "explain"]

EXPLAIN = "--explain"

WIDTH = 100
"""Columns of the text: longer lines are hard to read."""

INDENT = 12


def explain(arguments: Sequence[str]) -> int:
    """Print one rule, or all of them in a line each; the exit code. UnknownNameError for a rule that is none."""
    parser = Parser("wtui check", "Explain the rules.")
    parser.add_argument(EXPLAIN, metavar="RULE", nargs="?", const="", dest="rule", help="one rule (default: all)")
    parser.add_argument("--json", action="store_true", help="one JSON document and nothing else")
    parser.add_argument("--ascii", action="store_true", help="nothing but ASCII characters")
    options = parser.parse_args(arguments)
    rules = [rule_named(options.rule)] if options.rule else list(RULES)
    if options.json:
        found = [{"rule": rule.id, **dict(explained(rule))} for rule in rules]
        output.write_json({"schema": 1, "measured_on": summary_text(), "rules": found})
        return Exit.DONE
    size = output.terminal_size()
    width = min(size[0], WIDTH) if size else WIDTH
    lines: list[Line] = []
    for rule in rules:
        lines.append([(rule.id, "bold")])
        pairs = explained(rule) if options.rule else explained(rule)[:1]
        for heading, text in pairs:
            lines += wrap([(f"  {heading:<{INDENT - 2}}", "dim"), (text, "")], width, INDENT)
    closing = (
        summary_text()
        if options.rule
        else "wtui check --explain RULE says where the line is, why, and how right it was"
    )
    output.write_lines([*lines, [], *wrap([(closing, "dim")], width, 0)], options.ascii)
    return Exit.DONE
