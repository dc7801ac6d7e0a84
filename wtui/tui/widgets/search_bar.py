"""The line in which a search is typed. Always there, shown while it has the focus, so that no key typed is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events
from textual.message import Message

from wtui.render.spans import escape
from wtui.tui.widgets.bars import Bar

if TYPE_CHECKING:
    from wtui.tui.finder import Finder
    from wtui.tui.outline import Subject

__all__ = ["SearchBar"]


class SearchBar(Bar, can_focus=True):
    """Searches while one types, from where the search began. Its cursor does not blink: idle, nothing is sent."""

    class Found(Message):
        """The match at or behind the place where the search began; None if nothing matches."""

        def __init__(self, subject: Subject | None) -> None:
            super().__init__()
            self.subject = subject

    class Done(Message):
        """The search is kept, or given up."""

        def __init__(self, kept: bool) -> None:
            super().__init__()
            self.kept = kept

    words = ""
    _searching = False
    _finder: Finder | None = None
    _here: Subject = -1

    def begin(self, finder: Finder, here: Subject) -> None:
        """Take the focus and start a new search."""
        self._finder, self._here, self._searching = finder, here, True
        self.display = True
        self.screen.set_focus(self)
        self._typed("")

    def on_key(self, event: events.Key) -> None:
        """Edit the words; every other key is kept from the screen too, until the search is done."""
        event.stop()
        event.prevent_default()
        if not self._searching:  # typed right behind the end of it: for what is about to have the focus
            self.app.post_message(events.Key(event.key, event.character))
        elif event.key in ("enter", "escape"):
            self._searching = self.display = False
            self.post_message(self.Done(event.key == "enter"))
        elif event.key in ("backspace", "ctrl+h"):
            self._typed(self.words[:-1])
        elif event.key in ("ctrl+u", "ctrl+w"):
            self._typed("" if event.key == "ctrl+u" else self.words.rstrip().rpartition(" ")[0])
        elif event.is_printable and event.character:
            self.add(event.character)

    def add(self, text: str) -> None:
        """Add to the words."""
        self._typed(self.words + text)

    def on_paste(self, event: events.Paste) -> None:
        """Add the first line of what is pasted."""
        event.stop()
        self.add(event.text.split("\n")[0])

    def on_blur(self) -> None:
        """Hide when something else has the focus."""
        self._searching = self.display = False

    def _typed(self, words: str) -> None:
        """Search for what is typed so far."""
        self.words = words
        self.show(
            [(" / ", "accent"), (escape(words), "bold"), ("▏", "accent")], [("enter keeps it  esc gives up ", "dim")]
        )
        if self._finder is not None:
            self._finder.search(words)
            self.post_message(self.Found(self._finder.nearest(self._here)))
