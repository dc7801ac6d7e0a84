"""The only module that writes to stdout: lines, JSON documents and CSV tables.

Data is written whole and unstyled into pipes; colour and fitting to a width are for terminals. Characters that the
output cannot encode are written as escapes.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from wtui.errors import UsageError
from wtui.render.spans import Line, escape, plain

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Sequence

__all__ = [
    "flush",
    "has_true_colours",
    "is_terminal",
    "plot_size",
    "terminal_size",
    "write_csv",
    "write_json",
    "write_lines",
    "write_plot",
    "write_text",
]

PLOT_COLUMNS = 80, 160
"""Columns of a plot in a pipe, and the most that a terminal's plot takes unasked."""

TOGETHER = 1000
"""Lines that are written at once: a model may have 400,000."""

_SGR = {
    "bold": "1", "dim": "2", "title": "1", "error": "31", "warning": "33", "good": "32", "info": "34", "mark": "1;35",
    "accent": "33", "overlay": "33", "positive": "33", "negative": "34",
}  # fmt: skip
"""ANSI attributes of the styles that look different from plain text."""

_ASCII = str.maketrans({
    "×": "x", "·": "-", "–": "-", "…": "~", "›": ">", "∞": "inf", "→": "->", "⚠": "!", "✗": "x", "±": "+-", "²": "2",
})  # fmt: skip


def is_terminal() -> bool:
    """Whether a person sees the output."""
    return sys.stdout.isatty()


def terminal_size() -> tuple[int, int] | None:
    """Columns and rows of the terminal that the output goes to, COLUMNS before what it says itself; None in a pipe."""
    if not is_terminal():
        return None
    try:
        columns, rows = os.get_terminal_size(sys.stdout.fileno())
    except (OSError, ValueError):
        columns, rows = 80, 24
    wanted = os.environ.get("COLUMNS", "")
    return int(wanted) if wanted.isdecimal() and int(wanted) > 0 else columns or 80, rows or 24


def write_text(text: str) -> None:
    """Write text as it is, but for characters that cannot be encoded."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))


def flush() -> None:
    """Let whoever reads have what was written so far."""
    sys.stdout.flush()


def write_lines(lines: Iterable[Line], ascii: bool = False) -> None:
    """Write styled lines: with colour in a terminal (unless NO_COLOR is set), in ASCII where asked for or needed."""
    colour = _is_coloured()
    ascii = ascii or not _is_unicode()
    texts: list[str] = []
    for line in lines:
        if ascii:
            line = [(_in_ascii(text), style) for text, style in line]
        texts.append(_coloured(line) if colour else plain(line))
        if len(texts) == TOGETHER:
            write_text("\n".join(texts) + "\n")
            texts.clear()
    if texts:
        write_text("\n".join(texts) + "\n")


def write_plot(lines: Iterable[Line], ascii: bool = False) -> None:
    """Write lines that hold drawn characters, which have likenesses in ASCII."""
    if ascii or not _is_unicode():
        from wtui.render.plots import to_ascii

        lines = map(to_ascii, lines)
    write_lines(lines, ascii)


def has_true_colours(options: Namespace) -> bool:
    """Whether pictures may be drawn in colours: a terminal that says it knows 24-bit ones, and blocks."""
    known = os.environ.get("COLORTERM", "").lower() in ("truecolor", "24bit")
    return known and _is_coloured() and _is_unicode() and not options.ascii


def plot_size(options: Namespace) -> tuple[int, int]:
    """Columns and rows for a plot: what the arguments say, or what the terminal has room for."""
    terminal = terminal_size()
    width = options.width or (min(terminal[0], PLOT_COLUMNS[1]) if terminal else PLOT_COLUMNS[0])
    return width, options.height


def write_json(document: dict[str, Any]) -> None:
    """Write one JSON document in a line, in ASCII. It must hold no NaN and no infinity."""
    import json

    try:
        text = json.dumps(document, allow_nan=False)
    except RecursionError as error:
        raise UsageError("its layers are nested too deep for JSON", str(document.get("path", ""))) from error
    write_text(text + "\n")


def write_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table with a header; control characters in texts are escaped, None is an empty cell."""
    import csv

    class Writer:
        """What the csv module writes to."""

        write = staticmethod(write_text)

    writer = csv.writer(Writer(), lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([escape(cell) if isinstance(cell, str) else cell for cell in row])


def _is_coloured() -> bool:
    return is_terminal() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def _is_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") in ("utf8", "utf16", "utf32")


def _in_ascii(text: str) -> str:
    return text.translate(_ASCII).encode("ascii", "backslashreplace").decode()


def _coloured(line: Line) -> str:
    return "".join(f"\x1b[{sgr}m{text}\x1b[0m" if text and (sgr := _sgr(style)) else text for text, style in line)


def _sgr(style: str) -> str:
    """The attributes of a style, `""` for plain text; a `Paint` is colours itself."""
    if not style.startswith("#") and "/" not in style:
        return _SGR.get(style, "")
    colours = zip(("38", "48"), style.split("/"), strict=True)
    return ";".join(f"{what};2;{';'.join(str(b) for b in bytes.fromhex(c[1:]))}" for what, c in colours if c)
