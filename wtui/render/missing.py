"""What a model lacks, in a few lines, for the top of a listing and the root of the tree. Pure; known before any weight
is read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from wtui.insight.presence import absent
from wtui.render.spans import Line, escape, wrap

if TYPE_CHECKING:
    from wtui.model import Catalogue

__all__ = ["alike", "block", "lost_lines", "lost_messages", "told_as_lost"]

TITLE = "not all of it is here"
UNDECODED = "not all of it can be decoded"
NOT_DECODED = "packed, not values"
"""How messages about tensors begin that are all there, and not understood."""

MAX_LINES = 12
"""Lines in which what is missing is told; what is alike takes one."""

INDENT = 4

_DIGITS = re.compile(r"\d[\d,]*")

TOLD = frozenset({"incomplete", "missing-blocks"})
"""Rules whose findings these lines tell already."""


def lost_messages(catalogue: Catalogue) -> list[tuple[str, str]]:
    """(tensor or layer, `""` for the whole; what is missing of it), what is about the whole model first."""
    told = [(n.tensor, n.message) for n in catalogue.warnings if n.lost or n.explains]
    told += [("", f.message) for f in absent(catalogue)]
    return sorted(told, key=lambda pair: bool(pair[0]))


def lost_lines(catalogue: Catalogue, most: int = MAX_LINES) -> list[str]:
    """The same in sentences, those that differ in names and numbers only as one; `[]` if nothing is missing."""
    lines = alike(lost_messages(catalogue))
    return lines if len(lines) <= most else [*lines[:most], f"and {len(lines) - most:,} more of other kinds"]


def alike(messages: Iterable[tuple[str, str]]) -> list[str]:
    """Messages about tensors, those that differ in numbers only told once: `x and 3 more: ...`."""
    groups: dict[tuple[bool, str], list[tuple[str, str]]] = {}
    for name, message in messages:
        key = message if not name else _DIGITS.sub("#", message)
        groups.setdefault((bool(name), key), []).append((name, message))
    return [_sentence(group) for group in groups.values()]


def told_as_lost(rule: str, tensor: str, problems: Mapping[str, str]) -> bool:
    """Whether a finding says again what these lines say; `problems` are those that metadata shows, by tensor."""
    return rule in TOLD or (rule == "unreadable" and tensor in problems)


def block(catalogue: Catalogue, width: int | None = None) -> list[Line]:
    """A title and the sentences, as lines of at most `width` columns; `[]` if nothing is missing."""
    found = lost_lines(catalogue)
    if not found:
        return []
    decoded = all(message.startswith(NOT_DECODED) for _, message in lost_messages(catalogue))
    lines: list[Line] = [[(f"✗ {UNDECODED if decoded else TITLE}:", "error")]]
    for text in found:
        line: Line = [("  " + escape(text), "")]
        lines += wrap(line, width, INDENT) if width else [line]
    return lines


def _sentence(group: Sequence[tuple[str, str]]) -> str:
    name, message = group[0]
    more = f" and {len(group) - 1:,} more" if len(group) > 1 else ""
    return f"{name}{more}: {message}" if name else message
