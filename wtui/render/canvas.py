"""The canvas that plots are drawn on: plotext's one figure, its axes, and its text as styled lines.

The only module that imports plotext, which costs a quarter of a second to import and has one figure for the whole
process: whoever draws holds LOCK from `figure_of` until the text is built. Knows no data.
"""

from __future__ import annotations

import re
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wtui.render.spans import Line, StyleName

__all__ = [
    "BAND", "BOTH", "CURRENT", "CURVE", "FRAME_ROWS", "LABEL_WIDTH", "LOCK", "ONLY_A", "ONLY_B", "POINT",
    "canvas_columns", "figure_of", "set_axis", "styled", "to_ascii",
]  # fmt: skip

LOCK = Lock()
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")

LABEL_WIDTH = 7
"""Columns of the numbers at the y axis: fixed, so that bins fall on whole columns and plots stand below each other."""

FRAME_ROWS = 2
"""Rows below the canvas: the axis and its numbers."""

_BAR = frozenset("▘▝▀▖▌▞▛▗▚▐▜▄▙▟█")
CURVE = "∙"
POINT = "•"
CURRENT = "◉"
BAND = "╎"
BOTH, ONLY_A, ONLY_B = "█", "░", "▒"
"""What two histograms share, and where one is higher: told apart by density, not by colour alone."""
_FRAME = frozenset("┤┴┬└┘┐┌├─│┼")
_ASCII = str.maketrans(
    {
        **dict.fromkeys("▘▝▖▗", "."),
        **dict.fromkeys("▀", "'"),
        **dict.fromkeys("▄", "_"),
        **dict.fromkeys("▌▞▛▚▐▜▙▟█", "#"),
        **dict(zip("░▒▓━", ".:%=", strict=True)),
    }
    | {CURVE: "+", POINT: "*", CURRENT: "O", BAND: ":", "┤": "|", "├": "|", "│": "|", "─": "-", "…": "~", "–": "-"}
    | {"·": ".", "░": "-", "▒": "+", "▓": "%"}
    | dict.fromkeys("┴┬└┘┐┌┼", "+")
)


def canvas_columns(width: int) -> int:
    """Columns of the canvas in a plot of `width` columns."""
    return max(1, width - LABEL_WIDTH - 1)


def to_ascii(line: Line) -> Line:
    """The same line in ASCII, for terminals and pipes that know nothing else."""
    return [
        (text.translate(_ASCII).replace("×", "x").encode("ascii", "replace").decode(), style) for text, style in line
    ]


def figure_of(width: int, height: int) -> Any:
    """plotext's one figure, emptied; hold the lock."""
    import plotext

    plotext.terminal.limit(False, False)  # the size is ours to choose, not the terminal's
    figure = plotext.figure
    figure.clear()
    figure.theme("colorless")
    figure.axes(False, axis="x", side="upper")
    figure.axes(False, axis="y", side="right")
    figure.plot_size(max(width, LABEL_WIDTH + 4), max(height, FRAME_ROWS + 2))
    return figure


def set_axis(figure: Any, axis: str, limits: tuple[float, float], ticks: dict[float, str]) -> None:
    ruler = figure.ruler(axis)
    ruler.lim(*limits)
    ruler.ticks(list(ticks), list(ticks.values()))


def styled(text: str, own: Mapping[str, StyleName] | None = None) -> Iterable[Line]:
    """Lines with styles by character: bars, points and the current point stand out from the frame; `own` go first."""
    for raw in _ESCAPES.sub("", text).rstrip("\n").split("\n"):
        line: Line = []
        for character in raw.rstrip():
            style = own[character] if own is not None and character in own else _style_of(character)
            if line and line[-1][1] == style:
                line[-1] = (line[-1][0] + character, style)
            else:
                line.append((character, style))
        yield line


def _style_of(character: str) -> StyleName:
    if character in _BAR or character == POINT or "⠀" <= character <= "⣿":
        return "info"
    if character == CURRENT:
        return "mark"
    if character == CURVE:
        return "overlay"
    return "dim"
