"""What is known of one model from earlier runs, and where what is found out now is kept for later ones.

Records are gathered and written a few times a second at most. They are only written while the model's files are as
they were when it was opened, and only if a change in between would have shown. Knows kinds and subjects of records.
"""

from __future__ import annotations

import time
from hashlib import blake2b
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from wtui.cache.database import Database, is_wanted
from wtui.cache.identity import identity_of, is_settled, same_files
from wtui.cache.records import Remembered, body, content, is_sound, recall, remembered, row_body, row_from

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wtui.cache.identity import Identity
    from wtui.model import Catalogue
    from wtui.stats.row import SummaryRow
    from wtui.stats.summary import Summary

__all__ = ["NO_SHELF", "Shelf", "group_key", "open_shelf"]

WRITE_EVERY = 0.5
"""Seconds between two transactions."""

TENSOR, LAYER, GROUP = "tensor", "layer", "group"
"""Kinds of records."""

Decoded = TypeVar("Decoded")


class Shelf:
    """Of one model. Any thread may use it; nothing is raised, whatever is wrong with the disk."""

    def __init__(self, catalogue: Catalogue, identity: Identity, database: Database) -> None:
        self._files = catalogue.files
        self._identity = identity
        self._database = database
        self._settled = is_settled(identity.stamps, time.time_ns())
        self._waiting: dict[tuple[str, str], Any] = {}
        self._written = time.monotonic()
        self._lock = Lock()
        self._texts: dict[str, dict[str, str]] = {}
        for kind, subject, text in database.records(identity.key):
            self._texts.setdefault(kind, {})[subject] = text

    @property
    def keeps(self) -> bool:
        """Whether anything is written: not where there is no cache, nor of files that were changed just now."""
        return self._settled and not self._database.problem

    def take(self, kind: str) -> dict[str, Any]:
        """Plain data of all records of a kind, by subject, as they were when the shelf was opened; once."""
        found = {}
        for subject, text in self._texts.pop(kind, {}).items():
            try:
                found[subject] = content(text)
            except ValueError:
                continue
        return found

    def sound(self, kind: str) -> set[str]:
        """Subjects of the records of a kind that are not damaged, and were not taken; decodes none of them."""
        return {subject for subject, text in self._texts.get(kind, {}).items() if is_sound(text)}

    def put(self, kind: str, subject: str | int, data: Any) -> None:
        """Keep plain data (what JSON can hold) for later runs; `flush` makes sure that it is written."""
        if not self._settled:
            return
        with self._lock:
            self._waiting[kind, str(subject)] = data
            due = time.monotonic() - self._written >= WRITE_EVERY
        if due:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting, unless the files have changed since the model was opened: then nothing is kept."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
            self._written = time.monotonic()
        if not waiting:
            return
        if same_files(self._files) != self._identity.stamps:
            self._settled = False
            return
        self._database.put(
            self._identity.key, [(kind, subject, body(data)) for (kind, subject), data in waiting.items()]
        )

    def close(self) -> None:
        """Write what is waiting and close the database."""
        self.flush()
        self._database.close()

    def tensors(self) -> dict[int, Remembered]:
        """Numbers of tensors, by index in the catalogue; once, since they take memory."""
        return self._decoded(TENSOR, recall)

    def put_tensor(self, index: int, summary: Summary, row: SummaryRow) -> None:
        """Keep the numbers of a tensor that was read whole."""
        if row.seen == row.total:
            self.put(TENSOR, index, remembered(summary, row))

    def layers(self) -> dict[int, tuple[SummaryRow, int]]:
        """Numbers of layers and of how many tensors they are, by position in depth order (the root is at 0); once."""
        return self._decoded(LAYER, lambda data: (row_from(data[0]), int(data[1])))

    def put_layer(self, position: int, row: SummaryRow, tensors: int) -> None:
        """Keep the numbers of a layer all of whose tensors were read whole."""
        if row.seen == row.total:
            self.put(LAYER, position, [row_body(row), tensors])

    def groups(self) -> dict[int, SummaryRow]:
        """Numbers of tensors taken together, by `group_key`; once."""
        return self._decoded(GROUP, row_from)

    def put_group(self, key: int, row: SummaryRow) -> None:
        """Keep the numbers of tensors taken together, all of which were read whole."""
        if row.seen == row.total:
            self.put(GROUP, key, row_body(row))

    def _decoded(self, kind: str, decode: Callable[[Any], Decoded]) -> dict[int, Decoded]:
        found = {}
        for subject, data in self.take(kind).items():
            try:
                found[int(subject)] = decode(data)
            except (ValueError, TypeError, LookupError):
                continue
        return found


def group_key(tensors: Sequence[int]) -> int:
    """What a group of tensors, by their indices in the order in which they are put together, is kept under."""
    return int.from_bytes(blake2b(repr(list(tensors)).encode(), digest_size=8).digest())


class _NoShelf(Shelf):
    """Holds nothing."""

    def __init__(self) -> None:
        self._texts = {}
        self._settled = False

    @property
    def keeps(self) -> bool:
        """Never."""
        return False

    def flush(self) -> None:
        """Nothing to write."""

    def close(self) -> None:
        """Nothing to close."""


NO_SHELF: Shelf = _NoShelf()
"""The shelf where there is no cache."""


def open_shelf(catalogue: Catalogue, wanted: bool = True) -> Shelf:
    """The shelf of a model, NO_SHELF if there can or shall be none."""
    if not wanted or not is_wanted():
        return NO_SHELF
    identity = identity_of(catalogue)
    return NO_SHELF if identity is None else Shelf(catalogue, identity, Database())
