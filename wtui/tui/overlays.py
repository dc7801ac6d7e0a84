"""Texts that open over the panes: the list of keys, the configuration of a layer, a name to copy."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from textual.binding import Binding
from textual.screen import ModalScreen

from wtui.render.spans import Line, escape, wrap
from wtui.tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

__all__ = ["TextOverlay", "help_lines", "info_lines", "overlay_width"]

MAX_INFO_LINES = 5000
"""Lines of metadata shown: a vocabulary in it must not stop the screen."""

MAX_INFO_DEPTH = 32
"""Levels of nested metadata shown."""

ONE_LINE = 70
"""Characters up to which a nested value stands in one line."""

KEYS_WIDTH = 18
"""Columns of the keys in the list of keys."""


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


def overlay_width(screen: int) -> int:
    """Columns of an overlay, its frame included, on a screen of so many: see the application's style sheet."""
    return min(110, screen * 9 // 10)


def help_lines(groups: Sequence[tuple[str, list[BindingType]]], width: int) -> list[Line]:
    """Every key with what it does, under headings, in `width` columns."""
    lines: list[Line] = []
    for heading, bindings in groups:
        lines += [[], [(heading, "title")]] if lines else [[(heading, "title")]]
        for binding in bindings:
            assert isinstance(binding, Binding)
            keys = " ".join(_key_name(k) for k in binding.key.split(",")).rjust(KEYS_WIDTH - 2)
            does = wrap([(binding.tooltip or binding.description, "")], width - KEYS_WIDTH)
            lines += [[(keys + "  ", "accent"), *does[0]], *([(" " * KEYS_WIDTH, ""), *more] for more in does[1:])]
    return lines


def info_lines(values: Mapping[str, Any]) -> list[Line]:
    """Recorded data as indented lines; text from the file is escaped."""
    if not values:
        return [[("the file records nothing about this", "dim")]]
    return list(islice(_listed(values, 0), MAX_INFO_LINES))


def _listed(values: Mapping[str, Any], depth: int) -> Iterator[Line]:
    """A line for each entry; what is short stands in one line, what is nested stands below, indented."""
    for name, value in values.items():
        head: Line = [("  " * depth + escape(str(name)) + ": ", "dim")]
        inside = _inside(value)
        text = _plain(value) if inside is None else _short(value, ONE_LINE)
        if inside is None or text is not None:
            yield [*head, (escape(text or ""), "")]
        elif depth < MAX_INFO_DEPTH:
            yield [*head, (escape(_class_of(value)), "")]
            yield from _listed(inside, depth + 1)
        else:
            yield [*head, ("…", "dim")]


def _inside(value: object) -> Mapping[str, Any] | None:
    """What a nested value holds, by name or number; None for one that holds nothing."""
    if _class_of(value):
        return cast("Mapping[str, Any]", value)["config"] or {}
    if isinstance(value, Mapping):
        return value
    if isinstance(value, list | tuple):
        return {str(i): x for i, x in enumerate(value)}
    return None


def _class_of(value: object) -> str:
    """The class of an object in Keras's own notation (`{"class_name": ..., "config": {...}, ...}`), `""` for others."""
    if isinstance(value, Mapping) and isinstance(value.get("config"), Mapping):
        return str(value.get("class_name") or "")
    return ""


def _short(value: object, room: int) -> str | None:
    """A value in one line (`GlorotUniform(seed: null)`, `[3, 3]`, `"relu"`); None if it takes more than `room`."""
    if room <= 0:
        return None
    inside = _inside(value)
    if inside is None:
        text = _plain(value)
    elif isinstance(value, Mapping):
        kind = _class_of(value)
        pieces = _pieces(((f"{name}: ", x) for name, x in inside.items()), room - len(kind))
        text = "" if pieces is None else f"{kind}({pieces})" if kind else f"{{{pieces}}}"
    else:
        pieces = _pieces((("", x) for x in inside.values()), room)
        text = "" if pieces is None else f"[{pieces}]"
    return text if 0 < len(text) <= room else None


def _pieces(named: Iterable[tuple[str, object]], room: int) -> str | None:
    """Values with commas between them; looks at no more of them than fit, however many there are."""
    text = ""
    for name, value in named:
        piece = _short(value, room - len(text) - len(name) - 2)
        if piece is None:
            return None
        text += (", " if text else "") + name + piece
    return text


def _plain(value: object) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


def _key_name(key: str) -> str:
    names = {
        "slash": "/", "right_square_bracket": "]", "left_square_bracket": "[",
        "comma": ",", "full_stop": ".", "question_mark": "?", "colon": ":", "equals_sign": "=",
        "less_than_sign": "<", "greater_than_sign": ">",
        "plus": "+", "minus": "-", "asterisk": "*", "up": "↑", "down": "↓", "left": "←", "right": "→",
        "pageup": "PgUp", "pagedown": "PgDn", "escape": "esc",
    }  # fmt: skip
    return names.get(key, key)
