"""From style names to colours: the theme's, so that every Textual theme and 16-colour terminals work."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from rich.color import Color as RichColor
from rich.style import Style
from textual.color import Color
from textual.theme import Theme

if TYPE_CHECKING:
    from textual.app import App

__all__ = ["WTUI_THEME", "no_colours", "rich_style"]

WTUI_THEME = Theme(
    name="wtui",
    ansi=True,
    primary="#4f8fea",
    secondary="#8290a4",
    accent="#d98c2b",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    success="#4aa564",
    warning="#c79a1b",
    error="#e5534b",
    dark=True,
    variables={
        "border-blurred": "#667285",
        "ansi-background": "ansi_default",
        "ansi-foreground": "ansi_default",
        "screen-selection-background": "#2f62b0",
        "screen-selection-foreground": "#ffffff",
        "input-selection-background": "#2f62b0",
        "input-selection-foreground": "#ffffff",
        "cursor-foreground": "#ffffff",
        "cursor-background": "#2f62b0",
        "selected-foreground": "#ffffff",
        "selected-background": "#4a5568",
        "input-cursor-background": "#d98c2b",
        "input-cursor-foreground": "#000000",
    },
)
"""The terminal's own background and text, dark or light, with accents that can be read on both. A background of our
own would cost up to 19 bytes at every change of it, and a whole screen of blanks in the first frame."""

_STYLES: dict[str, tuple[str, str]] = {
    "": ("foreground", ""),
    "dim": ("secondary", ""),
    "bold": ("foreground", "bold"),
    "name": ("foreground", ""),
    "class": ("secondary", ""),
    "number": ("foreground", ""),
    "title": ("primary", "bold"),
    "accent": ("accent", ""),
    "good": ("success", ""),
    "info": ("primary", ""),
    "warning": ("warning", ""),
    "error": ("error", "bold"),
    "mark": ("accent", "bold"),
    "positive": ("accent", ""),
    "negative": ("primary", ""),
    "overlay": ("warning", ""),
}
"""Theme variable of the foreground and attribute of each style name."""

_cache: dict[tuple[str, str, str], Style] = {}


def no_colours() -> bool | None:
    """What an `App` takes as `ansi_color`: True where NO_COLOR is set, else None, which leaves it to the theme.

    With True Textual takes colours out; otherwise it would turn them, and the terminal's own, into shades of grey.
    """
    return True if "NO_COLOR" in os.environ else None


def rich_style(app: App[Any], name: str, background: str) -> Style:
    """The style of a span called `name` on a row whose background is `""`, `cursor` or `selected`."""
    key = ("" if app.no_color else app.theme, name, background)
    style = _cache.get(key)
    if style is None:
        make = _without_colour if app.no_color else _make
        style = _cache[key] = make(app, name, background)
    return style


def _make(app: App[Any], name: str, background: str) -> Style:
    if "/" in name:
        front, _, behind = name.partition("/")
        back = _color(behind or app.theme_variables["background"])
        return Style(color=RichColor.parse(front) if front else None, bgcolor=back)
    variables = app.theme_variables
    variable, attribute = _STYLES[name]
    fallback = {"": "background", "cursor": "primary", "selected": "panel"}[background]
    behind = variables.get(f"{background}-background", variables[fallback])
    if background == "cursor" or (background == "selected" and name not in ("error", "warning")):
        over = "background" if background == "cursor" else variable
        foreground = variables.get(f"{background}-foreground", variables[over])
    else:
        foreground = variables[variable]
    bold = "bold" in attribute or background == "cursor" or None
    return Style(color=_color(foreground), bgcolor=_color(behind), bold=bold)


def _without_colour(app: App[Any], name: str, background: str) -> Style:
    """What is told by attributes alone: the cursor is reversed, what is selected underlined."""
    attribute = _STYLES.get(name, ("", ""))[1]
    strong = "bold" in attribute or background == "cursor" or None
    return Style(bold=strong, reverse=background == "cursor" or None, underline=background == "selected" or None)


def _color(css: str) -> RichColor:
    """A rich colour of a theme variable, which may be an `ansi_` name."""
    if css.startswith("ansi_"):
        name = css.removeprefix("ansi_")
        return RichColor.parse("default" if name == "default" else name)
    return Color.parse(css).rich_color
