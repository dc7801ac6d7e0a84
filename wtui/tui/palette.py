"""From style names to colours: the theme's, so that every Textual theme and 16-colour terminals work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.color import Color as RichColor
from rich.style import Style
from textual.color import Color
from textual.theme import Theme

if TYPE_CHECKING:
    from textual.app import App

__all__ = ["WTUI_THEME", "rich_style"]

WTUI_THEME = Theme(
    name="wtui",
    primary="#6ea8fe",
    secondary="#8b9bb4",
    accent="#f0b35a",
    foreground="#d5dae3",
    background="#11151c",
    surface="#11151c",
    panel="#1b222d",
    success="#7cc68d",
    warning="#e5c453",
    error="#f2777a",
    dark=True,
    variables={"border-blurred": "#2d3748"},
)
"""One background for everything: a change of background costs up to 19 bytes a time over the line."""

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


def rich_style(app: App[Any], name: str, background: str) -> Style:
    """The style of a span called `name` on a row whose background is `""`, `cursor` or `selected`."""
    key = (app.theme, name, background)
    style = _cache.get(key)
    if style is None:
        style = _cache[key] = _make(app, name, background)
    return style


def _make(app: App[Any], name: str, background: str) -> Style:
    variables = app.theme_variables
    variable, attribute = _STYLES[name]
    behind = {"": "background", "cursor": "primary", "selected": "panel"}[background]
    foreground = "background" if background == "cursor" else variable
    return Style(
        color=_color(variables[foreground]),
        bgcolor=_color(variables[behind]),
        bold="bold" in attribute or background == "cursor" or None,
    )


def _color(css: str) -> RichColor:
    """A rich colour of a theme variable, which may be an `ansi_` name."""
    if css.startswith("ansi_"):
        name = css.removeprefix("ansi_")
        return RichColor.parse("default" if name == "default" else name)
    return Color.parse(css).rich_color
