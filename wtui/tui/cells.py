"""What a terminal shows, as cells, and the least output that turns one frame into the next.

Textual sends whole lines of every widget that changed; over SSH the bytes count. `Cells.update` reads such output
(cursor moves, colours, text), keeps the frame it describes and gives back only the cells that differ from what the
terminal already shows. Knows nothing of Textual; whatever it does not understand passes through unchanged.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from rich.cells import get_character_cell_size

__all__ = ["Cells"]

_TOKEN = re.compile(
    r"\x1b\[(\d+);(\d+)H"  # move to row;column
    r"|\x1b\[([\d;]*)m"  # colours and attributes
    r"|(\x1b\[[?>=!]?[\d;]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[^\[\]]?)"  # any other sequence
    r"|([^\x1b\n\r]+)"  # text
)

ALTERNATE_SCREEN, CLEAR = "\x1b[?1049h", "\x1b[2J"
"""Switching to the other screen clears it in most terminals, not in all: the Linux console keeps what was there."""

GAP = 6
"""Unchanged cells in a row that are sent again rather than jumped over: a jump costs about as many bytes."""


class Style(NamedTuple):
    """A run of text attributes, as the parameters that switch them on."""

    attributes: str = ""
    foreground: str = ""
    background: str = ""


PLAIN = Style()
Cell = tuple[str, Style]
BLANK: Cell = (" ", PLAIN)
UNKNOWN: Cell = ("\0", PLAIN)


@lru_cache(1024)
def _style(parameters: str) -> Style:
    """The style that an SGR sequence switches on, starting from plain."""
    codes = parameters.split(";") if parameters else []
    attributes: list[str] = []
    foreground = background = ""
    i = 0
    while i < len(codes):
        code = codes[i]
        width = {"5": 3, "2": 5}.get(codes[i + 1], 1) if code in ("38", "48") and i + 1 < len(codes) else 1
        taken = ";".join(codes[i : i + width])
        number = int(code or 0)
        if number == 38 or 30 <= number <= 37 or 90 <= number <= 97:
            foreground = taken
        elif number == 48 or 40 <= number <= 47 or 100 <= number <= 107:
            background = taken
        elif number not in (0, 39, 49):
            attributes.append(taken)
        i += width
    return Style(";".join(attributes), foreground, background)


@lru_cache(4096)
def _switch(old: Style, new: Style) -> str:
    """The sequence that turns one style into another, with no more parameters than needed."""
    if old == new:
        return ""
    codes = []
    if old.attributes != new.attributes:
        codes += ["0"] if old != PLAIN else []
        codes += [c for c in new if c]
    else:
        if old.foreground != new.foreground:
            codes.append(new.foreground or "39")
        if old.background != new.background:
            codes.append(new.background or "49")
    full = ["0", *[c for c in new if c]]
    best = min(";".join(codes), ";".join(full), key=len)
    return f"\x1b[{'' if best == '0' else best}m"


class Cells:
    """The frame that the terminal shows, as far as it is known."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self._rows: list[list[Cell]] = []
        self.forget()

    def forget(self) -> None:
        """Nothing is known of the terminal any more: the next frame is sent whole."""
        self._rows = [[UNKNOWN] * self.width for _ in range(self.height)]

    def cleared(self) -> None:
        """The terminal was just cleared to its default background."""
        self._rows = [[BLANK] * self.width for _ in range(self.height)]

    def update(self, output: str) -> str:
        """What has to be sent instead of `output` so that the terminal shows the same."""
        sent: list[str] = []
        changed: dict[int, list[Cell]] = {}
        style, row, column, moved = PLAIN, 0, 0, False
        for match in _TOKEN.finditer(output):
            to_row, to_column, colours, other, text = match.groups()
            if to_row is not None:
                row, column, moved = int(to_row) - 1, int(to_column) - 1, True
            elif colours is not None:
                style = _style(colours)
            elif text is not None and moved:
                column = self._put(changed, row, column, text, style)
            else:
                sent.append(self._difference(changed))
                changed = {}
                sent.append(other if other is not None else text)
                if other == ALTERNATE_SCREEN:
                    sent.append(CLEAR)
                    self.cleared()
        sent.append(self._difference(changed))
        return "".join(sent)

    def _put(self, changed: dict[int, list[Cell]], row: int, column: int, text: str, style: Style) -> int:
        """Write text into the next frame; the column behind it."""
        if not 0 <= row < self.height:
            return column
        cells = changed.get(row)
        if cells is None:
            cells = changed[row] = list(self._rows[row])
        if text.isascii() and column + len(text) <= self.width:
            cells[column : column + len(text)] = [(c, style) for c in text]
            return column + len(text)
        for character in text:
            size = get_character_cell_size(character)
            if size == 0 and 0 < column <= self.width:
                before, its_style = cells[column - 1]
                cells[column - 1] = (before + character, its_style)
            elif column >= 0 and column + size <= self.width:
                cells[column] = (character, style)
                if size == 2:
                    cells[column + 1] = ("", style)
            column += size
        return column

    def _difference(self, changed: dict[int, list[Cell]]) -> str:
        """Moves, colours and text for the cells that differ; afterwards the terminal is in plain style."""
        out: list[str] = []
        style = PLAIN
        for row in sorted(changed):
            old, new = self._rows[row], changed[row]
            if old == new:
                continue
            for start, stop in self._runs(old, new):
                out.append(f"\x1b[{row + 1};{start + 1}H")
                for character, its_style in new[start:stop]:
                    if its_style is not style:
                        out.append(_switch(style, its_style))
                        style = its_style
                    out.append(character)
            self._rows[row] = new
        if style != PLAIN:
            out.append("\x1b[m")
        return "".join(out)

    def _runs(self, old: list[Cell], new: list[Cell]) -> list[tuple[int, int]]:
        """Half-open column ranges that cover every difference, joined over small gaps, never splitting a wide cell."""
        runs: list[tuple[int, int]] = []
        for column in range(self.width):
            if old[column] == new[column]:
                continue
            start = column - 1 if new[column][0] == "" and column else column
            stop = column + 2 if column + 1 < self.width and new[column + 1][0] == "" else column + 1
            if runs and start - runs[-1][1] <= GAP:
                runs[-1] = (runs[-1][0], max(stop, runs[-1][1]))
            else:
                runs.append((start, stop))
        return runs
