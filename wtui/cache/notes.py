"""Notes about files that are known by their stamps alone: what is shown of a checkpoint before anybody opens it.

A note is found by a text of its owner's and holds whatever plain data its owner needs to see that it is still true.
Another version of the program finds none. Nothing is raised, whatever is wrong with the disk.
"""

from __future__ import annotations

import hashlib
from typing import Any

from wtui.cache.database import Database, is_wanted
from wtui.cache.identity import STATISTICS, program
from wtui.cache.records import body, content

__all__ = ["Notes"]

RECORD = "note"
"""Kind and subject of the one record on a note's shelf."""


class Notes:
    """Notes of one kind. Any thread may use it."""

    def __init__(self, kind: str, wanted: bool = True) -> None:
        self._begun = hashlib.blake2b(repr((kind, STATISTICS, program())).encode(), digest_size=16)
        self._database = Database() if wanted and is_wanted() else None

    def recall(self, about: str) -> Any:
        """Plain data that was kept under this text, None if there is nothing."""
        if self._database is None:
            return None
        for _, _, text in self._database.records(self._key(about)):
            try:
                return content(text)
            except ValueError:
                continue
        return None

    def keep(self, about: str, data: Any) -> None:
        """Keep plain data (what JSON can hold) under this text, in place of what was there."""
        if self._database is not None:
            self._database.put(self._key(about), [(RECORD, "", body(data))])

    def close(self) -> None:
        """Close the database."""
        if self._database is not None:
            self._database.close()

    def _key(self, about: str) -> bytes:
        digest = self._begun.copy()
        digest.update(about.encode("utf-8", "surrogatepass"))
        return digest.digest()
