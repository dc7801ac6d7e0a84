"""The line in which a search is typed. Loaded when it is first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message
from textual.widgets import Input

if TYPE_CHECKING:
    from wtui.tui.finder import Finder
    from wtui.tui.outline import Subject

__all__ = ["SearchBar"]


class SearchBar(Input):
    """Searches while one types, from where the search began; without a blinking cursor, which would cost bytes."""

    class Found(Message):
        """The match at or behind the place where the search began; None if nothing matches."""

        def __init__(self, subject: Subject | None) -> None:
            super().__init__()
            self.subject = subject

    class Done(Message):
        """The search is kept (enter)."""

    def __init__(self, finder: Finder, here: Subject) -> None:
        super().__init__(placeholder="name, or several words of it", id="search", compact=True)
        self.cursor_blink = False
        self._finder = finder
        self._here = here

    def on_input_changed(self, event: Input.Changed) -> None:
        """Search for what is typed so far."""
        event.stop()
        self._finder.search(event.value)
        self.post_message(self.Found(self._finder.nearest(self._here)))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the match that is selected."""
        event.stop()
        self.post_message(self.Done())
