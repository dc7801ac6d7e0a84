"""Texts that open over the panes: the list of keys, the configuration of a layer, a name to copy."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from textual.binding import Binding
from textual.screen import ModalScreen

from wtui.render.spans import Line, escape
from wtui.tui.keys import groups
from wtui.tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

__all__ = ["TextOverlay", "help_lines", "info_lines"]

MAX_INFO_LINES = 5000
"""Lines of metadata shown: a vocabulary in it must not stop the screen."""


class TextOverlay(ModalScreen[None]):
    """A text over the panes; escape, q, or the key that opened it closes it."""

    BINDINGS = [Binding("escape,q,question_mark,i", "dismiss", "close", show=False)]

    def __init__(self, title: str, lines: Sequence[Line]) -> None:
        super().__init__()
        self._title = title
        self._lines = lines

    def compose(self) -> ComposeResult:
        pane = TextPane(id="overlay", title=self._title)
        pane.put(self._lines, subtitle="esc closes")
        yield pane


def help_lines(screen_keys: list[BindingType]) -> list[Line]:
    """Every key with what it does, for a screen with these of its own."""
    lines: list[Line] = []
    for heading, bindings in groups(screen_keys):
        lines += [[], [(heading, "title")]] if lines else [[(heading, "title")]]
        for binding in bindings:
            assert isinstance(binding, Binding)
            keys = " ".join(_key_name(k) for k in binding.key.split(","))
            lines.append([(keys.rjust(16) + "  ", "accent"), (binding.tooltip or binding.description, "")])
    return lines


def info_lines(values: Mapping[str, Any]) -> list[Line]:
    """Recorded data as indented lines; text from the file is escaped."""
    if not values:
        return [[("the file records nothing about this", "dim")]]
    text = json.dumps(values, indent=2, default=str, ensure_ascii=False)
    lines: list[Line] = []
    for raw in text.split("\n")[:MAX_INFO_LINES]:
        name, colon, rest = raw.partition('": ')
        if colon:
            lines.append([(escape(name.replace('"', "", 1)) + ": ", "dim"), (escape(rest.rstrip(",")), "")])
        else:
            lines.append([(escape(raw.rstrip(",")), "dim")])
    return lines


def _key_name(key: str) -> str:
    names = {
        "slash": "/", "right_square_bracket": "]", "left_square_bracket": "[",
        "comma": ",", "full_stop": ".", "question_mark": "?", "colon": ":", "equals_sign": "=",
        "plus": "+", "minus": "-", "asterisk": "*", "up": "↑", "down": "↓", "left": "←", "right": "→",
        "pageup": "PgUp", "pagedown": "PgDn", "escape": "esc",
    }  # fmt: skip
    return names.get(key, key)
