"""The line in which a search is typed. Loaded when it is first asked for."""

from __future__ import annotations

from textual.widgets import Input

__all__ = ["SearchBar"]


class SearchBar(Input):
    """A one-line input without a blinking cursor: an idle screen sends nothing."""

    def __init__(self) -> None:
        super().__init__(placeholder="name, or several words of it", id="search", compact=True)
        self.cursor_blink = False
