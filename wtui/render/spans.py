"""Lines of text as (text, style name) pairs: what render functions give and every front end draws.

A style is a name from `STYLES`, not a colour, so that a theme, NO_COLOR or a plain pipe decide how it looks.
Text that comes from a file goes through `escape` before it becomes part of a line. Imports nothing but the standard
library: the first frame is made of these.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

__all__ = [
    "Line", "Paint", "Span", "StyleName", "clip", "clip_inside", "escape", "line_width", "pad", "plain", "text_width",
    "wrap",
]  # fmt: skip

StyleName = Literal[
    "", "dim", "bold", "name", "class", "number", "title", "accent", "good", "info", "warning", "error", "mark",
    "positive", "negative", "overlay",
]  # fmt: skip


class Paint(str):
    """A style that is a colour itself: `#foreground/#background`, either may be empty."""


Span = tuple[str, StyleName | Paint]
Line = list[Span]

ELLIPSIS = "…"

INSIDE_FROM = 12
"""Columns from which on both ends of a clipped name can be recognised."""

WIDE_FROM = "\u0300"
"""Characters below this one (Latin letters, ×) take one column each; about others a library is asked."""


def escape(text: str) -> str:
    """Text from a file, with whatever a terminal or a reader could be misled by shown as an escape.

    Control characters (C0, C1, DEL), line separators, bidirectional controls, zero-width and unassigned characters and
    lone surrogates become `\\xNN`, `\\uNNNN`; everything printable stays as it is.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() and not _misleading(c) else _escaped(c) for c in text)


def _misleading(character: str) -> bool:
    """Whether it is a format character (bidi mark, joiner, tag), private, a surrogate or unassigned."""
    return unicodedata.category(character) in ("Cf", "Co", "Cs", "Cn")


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def text_width(text: str) -> int:
    """Columns that the text takes in a terminal."""
    if text.isascii() or max(text) < WIDE_FROM:
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def line_width(line: Line) -> int:
    """Columns that the line takes."""
    return sum(text_width(text) for text, _ in line)


def clip(text: str, width: int) -> str:
    """The text if it fits into `width` columns, else its beginning with an ellipsis."""
    if width <= 0:
        return ""
    if text_width(text) <= width:
        return text
    if text.isascii():
        return text[: width - 1] + ELLIPSIS
    from rich.cells import set_cell_size

    return set_cell_size(text, width - 1) + ELLIPSIS


def clip_inside(text: str, width: int) -> str:
    """The text if it fits into `width` columns, else its beginning and, twice as long, its end: of long names of one
    model the ends differ."""
    if text_width(text) <= width or width < INSIDE_FROM or not text.isascii():
        return clip(text, width)
    start = width // 3
    return text[:start] + ELLIPSIS + text[len(text) - (width - start - 1) :]


def pad(text: str, width: int) -> str:
    """The text clipped or filled with spaces to exactly `width` columns."""
    text = clip(text, width)
    return text + " " * (width - text_width(text))


def plain(line: Line) -> str:
    """The line without styles or trailing spaces."""
    if len(line) == 1:
        return line[0][0].rstrip()
    return "".join(text for text, _ in line).rstrip()


def wrap(line: Line, width: int, indent: int = 0) -> list[Line]:
    """The line broken at spaces into lines of at most `width` columns; all but the first begin with `indent` spaces.

    A word that is wider than a line is broken where it must be.
    """
    width = max(width, indent + 8)
    lines: list[Line] = [[]]
    used = 0
    for text, style in line:
        for word in re.findall(r" *[^ ]+ *|^ +$", text):
            if used > indent and used + text_width(word.rstrip()) > width:
                lines.append([(" " * indent, "")] if indent else [])
                used, word = indent, word.lstrip()
            while text_width(word.rstrip()) > width - used:
                head = _fitting(word, width - used)
                lines[-1].append((head, style))
                lines.append([(" " * indent, "")] if indent else [])
                used, word = indent, word[len(head) :]
            lines[-1].append((word, style))
            used += text_width(word)
    for part in lines:
        if part:
            part[-1] = (part[-1][0].rstrip(" "), part[-1][1])
    return lines


def _fitting(text: str, width: int) -> str:
    """As many characters from the beginning as fit, at least one."""
    used = 0
    for i, character in enumerate(text):
        used += text_width(character)
        if used > width:
            return text[: max(i, 1)]
    return text
