"""What a terminal can show: characters replaced by simpler ones of the same width where it cannot show ours.

A locale that is not UTF-8 gets ASCII; the Linux console, whose font has 512 glyphs, gets those of the old PC character
set. Knows no widget: whatever is drawn is translated on its way out.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["table_for"]

_QUARTERS = {"▘": "▀", "▝": "▀", "▖": "▄", "▗": "▄", "▌": "▌", "▐": "▐", "▚": "█", "▞": "█"}
_THREE_QUARTERS = dict.fromkeys("▛▜▙▟", "█")
_EIGHTHS = {"▁": "▄", "▂": "▄", "▃": "▄", "▅": "▄", "▆": "█", "▇": "█", "▏": "│", "▔": "▀"}
_SIGNS = {
    "▸": ">", "▾": "v", "▴": "^", "◉": "O", "•": "*", "∙": "+", "✗": "x", "✓": "v", "⚠": "!", "…": "~", "×": "x",
    "›": ">", "↑": "^", "↓": "v", "←": "<", "→": ">", "–": "-", "▲": "^", "▼": "v", "╎": ":", "╭": "┌", "╮": "┐",
    "╰": "└", "╯": "┘", "━": "─", "∞": "i", "√": "r", "±": "~", "≠": "!",
}  # fmt: skip
_LINES = {"│": "|", "─": "-", "┌": "+", "┐": "+", "└": "+", "┘": "+", "├": "+", "┤": "|", "┬": "+", "┴": "+", "┼": "+"}
_BLOCKS = {"█": "#", "▀": "'", "▄": "_", "▌": "#", "▐": "#", "░": ".", "▒": ":", "▓": "%", "·": ".", "▔": "-"}
_BRAILLE = {chr(code): "." for code in range(0x2801, 0x2900)} | {"⠀": " "}


def table_for(environment: Mapping[str, str]) -> dict[int, str] | None:
    """The replacements that a terminal needs, given its environment; None where it can show everything."""
    if _is_narrow(environment):
        console = {**_QUARTERS, **_THREE_QUARTERS, **_EIGHTHS, **_SIGNS}
        to_ascii = {**_LINES, **_BLOCKS}
        return str.maketrans({**_BRAILLE, **to_ascii, **{k: to_ascii.get(v, v) for k, v in console.items()}})
    if environment.get("TERM") == "linux":
        return str.maketrans({**_BRAILLE, **_QUARTERS, **_THREE_QUARTERS, **_EIGHTHS, **_SIGNS})
    return None


def _is_narrow(environment: Mapping[str, str]) -> bool:
    """Whether the locale names a character set other than UTF-8; one that is not set says nothing."""
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        locale = environment.get(name, "")
        if locale:
            return "utf" not in locale.lower()
    return False
