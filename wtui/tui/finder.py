"""Search by name: which layers and tensors match, and which comes next. Knows names only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.tui.outline import subject_of_layer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wtui.tui.outline import Outline, Subject

__all__ = ["Finder", "NameFinder"]


class Finder:
    """Names of everything in a model, lower-cased once, in the order of the tree."""

    def __init__(self, outline: Outline) -> None:
        self._subjects: list[Subject] = []
        self._names: list[str] = []
        self._outline = outline
        self._place: dict[Subject, int] = {}
        for position, node in enumerate(outline.layers):
            self._add(subject_of_layer(position), node.path or node.name)
            for tensor in node.tensors:
                self._add(tensor, outline.catalogue.tensors[tensor].name)
        self.words = ""
        """What was searched for last."""
        self.matches: list[int] = []
        """Places of the matches in the order of the tree."""

    def _add(self, subject: Subject, name: str) -> None:
        self._place[subject] = len(self._names)
        self._subjects.append(subject)
        self._names.append(name.lower())

    def search(self, words: str) -> int:
        """Find every name that holds all the words, whatever their case; how many there are."""
        self.words = words
        wanted = words.lower().split()
        names = self._names
        if not wanted:
            self.matches = []
        elif len(wanted) == 1:
            word = wanted[0]
            self.matches = [i for i, name in enumerate(names) if word in name]
        else:
            self.matches = [i for i, name in enumerate(names) if all(w in name for w in wanted)]
        return len(self.matches)

    def nearest(self, subject: Subject, step: int = 0) -> Subject | None:
        """The match at or behind `subject` (step 0), the next (1) or the previous one (-1), around the ends."""
        if not self.matches:
            return None
        from bisect import bisect_left, bisect_right

        here = self._place.get(subject, 0)
        if step < 0:
            i = bisect_left(self.matches, here) - 1
        else:
            i = bisect_right(self.matches, here) if step else bisect_left(self.matches, here)
            i = i if i < len(self.matches) else 0
        return self._subjects[self.matches[i]]

    def number(self, subject: Subject) -> int:
        """Which match the subject is, from 1; 0 if it is none."""
        here = self._place.get(subject, -1)
        return self.matches.index(here) + 1 if here in self.matches else 0


class NameFinder(Finder):
    """The same over a plain list of names; a subject is a name's place in it."""

    def __init__(self, names: Sequence[str]) -> None:
        self._subjects = list(range(len(names)))
        self._names = [name.lower() for name in names]
        self._place = {i: i for i in self._subjects}
        self.words = ""
        self.matches = []
